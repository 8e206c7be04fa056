//! TensorBoard event files as bytes: scalars and histograms by training step, and graphs.

mod graph;
mod histogram;
mod messages;
mod tfrecord;

pub use graph::GraphNode;
pub use histogram::Histogram;

use messages::{Content, Event, Summary, Value, What};
use prost::Message;

/// Start of the name of every event file; TensorBoard looks for it.
const PREFIX: &str = "events.out.tfevents";

/// Returns the name of the event file of a training run that started at `unix_time`, in seconds.
pub fn event_file_name(unix_time: u64) -> String {
    format!("{PREFIX}.{unix_time:010}.headstart")
}

/// Whether `name` is a result of [`event_file_name`].
pub fn is_event_file_name(name: &str) -> bool {
    let time = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".headstart"));
    time.is_some_and(|time| time.len() >= 10 && time.bytes().all(|b| b.is_ascii_digit()))
}

/// An event file under construction. The same calls give the same bytes.
#[derive(Debug)]
pub struct EventFile {
    bytes: Vec<u8>,
}

/// The value of a tag at one step.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum SummaryValue<'a> {
    /// A number, stored as float32.
    Scalar(f64),
    /// The distribution of many numbers.
    Histogram(&'a Histogram),
}

impl EventFile {
    /// Starts a file at `wall_time`, a Unix time in seconds.
    pub fn new(wall_time: f64) -> Self {
        let mut file = Self { bytes: Vec::new() };
        file.append(wall_time, 0, What::FileVersion("brain.Event:2".into()));
        file
    }

    /// Continues from the bytes of an existing file.
    pub fn continue_from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Adds the values of tags at `step`, reached at `wall_time`, a Unix time in seconds.
    pub fn add_summary<'a>(
        &mut self,
        wall_time: f64,
        step: usize,
        tags: impl IntoIterator<Item = (&'a str, SummaryValue<'a>)>,
    ) {
        let value = |(tag, value): (&str, SummaryValue)| {
            let content = match value {
                SummaryValue::Scalar(value) => Content::Scalar(value as f32),
                SummaryValue::Histogram(histogram) => Content::Histogram(histogram.message()),
            };
            Value { tag: tag.into(), content: Some(content) }
        };
        let summary = Summary { value: tags.into_iter().map(value).collect() };
        self.append(wall_time, step, What::Summary(summary));
    }

    /// Adds a graph.
    pub fn add_graph(&mut self, wall_time: f64, nodes: &[GraphNode]) {
        self.append(wall_time, 0, What::Graph(graph::message(nodes).encode_to_vec()));
    }

    fn append(&mut self, wall_time: f64, step: usize, what: What) {
        let event = Event { wall_time, step: step as i64, what: Some(what) };
        tfrecord::append(&mut self.bytes, &event.encode_to_vec());
    }

    /// Takes the bytes that were added since they were last taken: what to append to a file that is being read.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Returns the bytes of the file.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_file_names_are_recognised() {
        assert!(
            [0, 1_502_114_602, u64::MAX].into_iter().all(|time| is_event_file_name(&event_file_name(time)))
        );
        for other in
            ["", "1502114602.host", "1502114602.headstart.2", "x.headstart", ".headstart", "150.headstart"]
        {
            assert!(!is_event_file_name(&format!("{PREFIX}.{other}")), "{other}");
        }
    }
}
