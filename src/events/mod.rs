//! TensorBoard's event files, as bytes: scalars and histograms over the steps of a training, and graphs. The only door
//! to TensorBoard's protobuf messages. It refuses to touch the disk and to know what is told.

mod graph;
mod histogram;
mod messages;
mod record;

pub use graph::Node;
pub use histogram::Histogram;

use messages::{Content, Event, Summary, Value, What};
use prost::Message;

/// What all event files are called; their readers look for it.
const NAME: &str = "events.out.tfevents";

/// The name of an event file of a training that began at `time`, in seconds since 1970.
pub fn file_name(time: u64) -> String {
    format!("{NAME}.{time:010}.headstart")
}

/// Whether that is the name of a file of [`file_name`].
pub fn is_file_name(name: &str) -> bool {
    let time = name.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".headstart"));
    time.is_some_and(|time| time.len() >= 10 && time.bytes().all(|b| b.is_ascii_digit()))
}

/// An event file in the making. The same calls give the same bytes.
#[derive(Debug)]
pub struct Events {
    file: Vec<u8>,
}

/// Something that is told at one step.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A number, kept as float32.
    Scalar(f64),
    /// How values are spread.
    Histogram(&'a Histogram),
}

impl Events {
    /// A file that begins at `wall_time`, in seconds since 1970.
    pub fn begin(wall_time: f64) -> Self {
        let mut events = Self { file: Vec::new() };
        events.append(wall_time, 0, What::FileVersion("brain.Event:2".into()));
        events
    }

    /// A file that goes on from the bytes of another.
    pub fn after(file: Vec<u8>) -> Self {
        Self { file }
    }

    /// Tells of `step`, reached at `wall_time`, what stands under each tag.
    pub fn tell<'a>(
        &mut self,
        wall_time: f64,
        step: usize,
        tags: impl IntoIterator<Item = (&'a str, Told<'a>)>,
    ) {
        let value = |(tag, told): (&str, Told)| {
            let content = match told {
                Told::Scalar(value) => Content::Scalar(value as f32),
                Told::Histogram(histogram) => Content::Histogram(histogram.message()),
            };
            Value { tag: tag.into(), content: Some(content) }
        };
        let summary = Summary { value: tags.into_iter().map(value).collect() };
        self.append(wall_time, step, What::Summary(summary));
    }

    /// Tells the graph.
    pub fn graph(&mut self, wall_time: f64, nodes: &[Node]) {
        self.append(wall_time, 0, What::Graph(graph::message(nodes).encode_to_vec()));
    }

    fn append(&mut self, wall_time: f64, step: usize, what: What) {
        let event = Event { wall_time, step: step as i64, what: Some(what) };
        record::append(&mut self.file, &event.encode_to_vec());
    }

    /// The bytes of the file.
    pub fn finish(self) -> Vec<u8> {
        self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_told_from_those_of_others() {
        assert!([0, 1_502_114_602, u64::MAX].into_iter().all(|time| is_file_name(&file_name(time))));
        for other in
            ["", "1502114602.host", "1502114602.headstart.2", "x.headstart", ".headstart", "150.headstart"]
        {
            assert!(!is_file_name(&format!("{NAME}.{other}")), "{other}");
        }
    }
}
