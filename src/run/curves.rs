//! Training curves of a run as a TensorBoard event file: scalars of each epoch, histograms of the weights at some epochs.

use super::record::Record;
use crate::head::{Epoch, Head, Layer, SolverConfig};
use crate::io::events::{EventFile, Histogram, SummaryValue};

/// Distribution of weights and biases after one epoch.
#[derive(Debug, Clone, PartialEq)]
struct WeightHistogram {
    epoch: usize,
    output: LayerHistogram,
    /// Of the hidden layer, where there is one.
    hidden: Option<LayerHistogram>,
}

#[derive(Debug, Clone, PartialEq)]
struct LayerHistogram {
    weight: Histogram,
    bias: Histogram,
}

impl LayerHistogram {
    fn of(layer: &Layer) -> Self {
        let weight = Histogram::of((0..layer.outputs()).map(|output| layer.weight_of(output)));
        Self { weight, bias: Histogram::of(std::iter::once(layer.bias())) }
    }
}

/// Distribution of weights and bias after epochs 1 to 10, then 20 to 100 in steps of ten, 200 to 1000 in steps of a
/// hundred, and so on.
///
/// A fit of any length thus has few of them, most at the start, where the weights change most. Each costs two passes over
/// the weights; an epoch costs one pass for every batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WeightHistograms(Vec<WeightHistogram>);

impl WeightHistograms {
    /// Records the head as it is after `epoch`, from 1, if that epoch is one of those to record.
    pub fn record(&mut self, epoch: usize, head: &Head) {
        if epoch.is_multiple_of(10usize.pow(epoch.ilog10())) {
            self.0.push(WeightHistogram::of(epoch, head));
        }
    }
}

impl WeightHistogram {
    fn of(epoch: usize, head: &Head) -> Self {
        let hidden = head.hidden().map(LayerHistogram::of);
        Self { epoch, output: LayerHistogram::of(head.output()), hidden }
    }
}

/// Encodes the event file of a run.
///
/// The tags of every epoch are `train_acc`, `train_loss`, `valid_acc`, `valid_loss`, `seconds` and, for Adam, the
/// `learning_rate` of its first step. `weights/weight` and `weights/bias` are histograms of the output layer at the recorded epochs
/// and at the best one, of `head`; those of a hidden layer are `weights/hidden_weight` and `weights/hidden_bias`. Steps are epochs,
/// from 1. The wall time of an epoch is the start of the run plus the seconds of all epochs so far; a run of unknown start, 0,
/// begins in 1970.
pub fn event_file(record: &Record, histograms: &WeightHistograms, head: &Head) -> Vec<u8> {
    let best = WeightHistogram::of(record.best_epoch, head);
    let mut events = EpochEvents::new(record.time);
    for epoch in &record.history {
        let recorded = histograms.0.iter().find(|recorded| recorded.epoch == epoch.epoch);
        let histogram = recorded.or(Some(&best).filter(|best| best.epoch == epoch.epoch));
        events.add(&record.config, epoch, histogram);
    }
    events.file.finish()
}

/// An event file to which epochs are added.
#[derive(Debug)]
pub(super) struct EpochEvents {
    file: EventFile,
    wall_time: f64,
}

impl EpochEvents {
    /// Starts the file of a run that began at `time`, in seconds since 1970.
    pub fn new(time: u64) -> Self {
        Self { file: EventFile::new(time as f64), wall_time: time as f64 }
    }

    fn add(&mut self, config: &SolverConfig, epoch: &Epoch, histogram: Option<&WeightHistogram>) {
        self.wall_time += epoch.seconds;
        let mut tags = vec![
            ("train_acc", SummaryValue::Scalar(epoch.train_accuracy)),
            ("train_loss", SummaryValue::Scalar(epoch.train_loss)),
            ("valid_acc", SummaryValue::Scalar(epoch.validation_accuracy)),
            ("valid_loss", SummaryValue::Scalar(epoch.validation_loss)),
            ("seconds", SummaryValue::Scalar(epoch.seconds)),
        ];
        let rate = config.learning_rate(epoch.epoch);
        tags.extend(rate.map(|rate| ("learning_rate", SummaryValue::Scalar(rate))));
        if let Some(WeightHistogram { output, hidden, .. }) = histogram {
            tags.extend([
                ("weights/weight", SummaryValue::Histogram(&output.weight)),
                ("weights/bias", SummaryValue::Histogram(&output.bias)),
            ]);
            tags.extend(hidden.iter().flat_map(|hidden| {
                [
                    ("weights/hidden_weight", SummaryValue::Histogram(&hidden.weight)),
                    ("weights/hidden_bias", SummaryValue::Histogram(&hidden.bias)),
                ]
            }));
        }
        self.file.add_summary(self.wall_time, epoch.epoch, tags);
    }

    /// Adds the numbers of an epoch, and returns the bytes to append to the file.
    pub fn append(&mut self, config: &SolverConfig, epoch: &Epoch) -> Vec<u8> {
        self.add(config, epoch, None);
        self.file.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_epochs_are_all_recorded_and_later_ones_ever_more_rarely() {
        let mut histograms = WeightHistograms::default();
        let head = Head::fresh(4, 3, 0);
        (1..=2500).for_each(|epoch| histograms.record(epoch, &head));
        let epochs: Vec<usize> = histograms.0.iter().map(|recorded| recorded.epoch).collect();
        assert_eq!(epochs[..11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]);
        assert_eq!(epochs[17..], [90, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 2000]);
    }
}
