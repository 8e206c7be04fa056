//! Training curves of a run as a TensorBoard event file: scalars of each epoch, histograms of the weights at some epochs.

use super::record::Record;
use crate::head::{Epoch, Head, SolverConfig};
use crate::io::events::{EventFile, Histogram, SummaryValue};

/// Distribution of weights and bias after one epoch.
#[derive(Debug, Clone, PartialEq)]
struct WeightHistogram {
    epoch: usize,
    weight: Histogram,
    bias: Histogram,
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
        let weight = Histogram::of((0..head.classes()).map(|class| head.weight_of(class)));
        Self { epoch, weight, bias: Histogram::of(std::iter::once(&head.bias()[..])) }
    }
}

/// Encodes the event file of a run.
///
/// The tags of every epoch are `train_acc`, `train_loss`, `valid_acc`, `valid_loss`, `seconds` and, for Adam, the
/// `learning_rate` of its first step. `weights/weight` and `weights/bias` are histograms at the recorded epochs and at the
/// best one, of `head`. Steps are epochs, from 1. The wall time of an epoch is the start of the run plus the seconds of all
/// epochs so far; a run of unknown start, 0, begins in 1970.
pub fn event_file(record: &Record, histograms: &WeightHistograms, head: &Head) -> Vec<u8> {
    let best = WeightHistogram::of(record.best_epoch, head);
    let mut wall_time = record.time as f64;
    let mut file = EventFile::new(wall_time);
    for epoch in &record.history {
        wall_time += epoch.seconds;
        let mut tags = vec![
            ("train_acc", SummaryValue::Scalar(epoch.train_accuracy)),
            ("train_loss", SummaryValue::Scalar(epoch.train_loss)),
            ("valid_acc", SummaryValue::Scalar(epoch.validation_accuracy)),
            ("valid_loss", SummaryValue::Scalar(epoch.validation_loss)),
            ("seconds", SummaryValue::Scalar(epoch.seconds)),
        ];
        let rate = learning_rate(&record.config, epoch);
        tags.extend(rate.map(|rate| ("learning_rate", SummaryValue::Scalar(rate))));
        let recorded = histograms.0.iter().find(|recorded| recorded.epoch == epoch.epoch);
        if let Some(recorded) = recorded.or(Some(&best).filter(|best| best.epoch == epoch.epoch)) {
            tags.extend([
                ("weights/weight", SummaryValue::Histogram(&recorded.weight)),
                ("weights/bias", SummaryValue::Histogram(&recorded.bias)),
            ]);
        }
        file.add_summary(wall_time, epoch.epoch, tags);
    }
    file.finish()
}

/// Learning rate of the first step of an epoch. A schedule depends on the share of finished steps, which equals that of
/// finished epochs.
fn learning_rate(config: &SolverConfig, epoch: &Epoch) -> Option<f64> {
    match config {
        SolverConfig::Adam(config) => Some(config.lr * config.schedule.share(epoch.epoch - 1, config.epochs)),
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => None,
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
