//! How a training went, for TensorBoard: its scalars in each epoch, and how weights and bias were spread in some.

use super::Record;
use crate::events::{Events, Histogram, Told};
use crate::head::{Epoch, Head, SolverConfig};

/// How weights and bias were spread after an epoch.
#[derive(Debug, Clone, PartialEq)]
struct Snapshot {
    epoch: usize,
    weight: Histogram,
    bias: Histogram,
}

/// How weights and bias were spread over the epochs: after 1 to 10, then 20 to 100 in tens, 200 to 1000 in hundreds, and
/// so on. So a training of any length has its early movement in full, few of them, and time to spare: each is two
/// passes over the weights, where an epoch is as many as it has batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshots(Vec<Snapshot>);

impl Snapshots {
    /// Looks at the head as it was after `epoch`, if it is one to be looked at.
    pub fn look(&mut self, epoch: usize, head: &Head) {
        if epoch.is_multiple_of(10usize.pow(epoch.ilog10())) {
            self.0.push(Snapshot::of(epoch, head));
        }
    }
}

impl Snapshot {
    fn of(epoch: usize, head: &Head) -> Self {
        let weight = Histogram::of((0..head.classes()).map(|class| head.weight_of(class)));
        Self { epoch, weight, bias: Histogram::of(std::iter::once(&head.bias()[..])) }
    }
}

/// The event file of a run: the article's `train_acc`, `valid_acc` and `valid_loss`, with `train_loss`, `seconds` of the
/// epoch and, of Adam, the `learning_rate` that it began with; `weights/weight` and `weights/bias` where there are snapshots, and of `head`,
/// the one that was kept. Steps are epochs, from 1; an epoch's wall time is the start of the run and the seconds of all
/// epochs up to it.
pub fn event_file(record: &Record, snapshots: &Snapshots, head: &Head) -> Vec<u8> {
    let kept = Snapshot::of(record.best_epoch, head);
    let mut now = record.time as f64;
    let mut events = Events::begin(now);
    for epoch in &record.history {
        now += epoch.seconds;
        let mut told = vec![
            ("train_acc", Told::Scalar(epoch.train_accuracy)),
            ("train_loss", Told::Scalar(epoch.train_loss)),
            ("valid_acc", Told::Scalar(epoch.validation_accuracy)),
            ("valid_loss", Told::Scalar(epoch.validation_loss)),
            ("seconds", Told::Scalar(epoch.seconds)),
        ];
        told.extend(rate(&record.config, epoch).map(|rate| ("learning_rate", Told::Scalar(rate))));
        let seen = snapshots.0.iter().find(|seen| seen.epoch == epoch.epoch);
        if let Some(seen) = seen.or(Some(&kept).filter(|kept| kept.epoch == epoch.epoch)) {
            told.extend([
                ("weights/weight", Told::Histogram(&seen.weight)),
                ("weights/bias", Told::Histogram(&seen.bias)),
            ]);
        }
        events.tell(now, epoch.epoch, told);
    }
    events.finish()
}

/// The learning rate of an epoch's first step. Schedules go by the share of steps that are behind, which is that of epochs.
fn rate(config: &SolverConfig, epoch: &Epoch) -> Option<f64> {
    match config {
        SolverConfig::Adam(config) => Some(config.lr * config.schedule.share(epoch.epoch - 1, config.epochs)),
        SolverConfig::Lbfgs(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_epochs_are_all_looked_at_and_later_ones_ever_more_rarely() {
        let mut snapshots = Snapshots::default();
        let head = Head::fresh(4, 3, 0);
        (1..=2500).for_each(|epoch| snapshots.look(epoch, &head));
        let epochs: Vec<usize> = snapshots.0.iter().map(|seen| seen.epoch).collect();
        assert_eq!(epochs[..11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]);
        assert_eq!(epochs[17..], [90, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 2000]);
    }
}
