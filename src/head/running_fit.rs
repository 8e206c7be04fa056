//! A head while it is fitted: its state, its best epoch so far, and whether it has stopped.

use super::config::FitConfig;
use super::early_stopping::EarlyStopping;
use super::head_state::HeadState;
use super::result::{Epoch, FitResult};
use super::softmax_head::Head;
use crate::error::{Error, Kind, Result};

/// A head while it is fitted.
pub(super) struct RunningFit {
    pub state: HeadState,
    epochs: usize,
    /// `None` if there are no validation rows: then the last epoch is kept.
    stopping: Option<EarlyStopping>,
    best: Option<Best>,
    history: Vec<Epoch>,
    /// How the fit ended; `None` while it runs.
    outcome: Option<Result<()>>,
}

/// The head after the best epoch so far.
struct Best {
    head: Head,
    epoch: usize,
}

impl RunningFit {
    /// Starts a fit from `state`. Without validation rows it runs all epochs.
    pub fn new(state: HeadState, config: &FitConfig, has_validation: bool) -> Self {
        let FitConfig { epochs, stop_on, min_delta, patience, patience_resets, .. } = *config;
        let stopping =
            has_validation.then(|| EarlyStopping::new(stop_on, min_delta, patience, patience_resets));
        Self { state, epochs, stopping, best: None, history: Vec::new(), outcome: None }
    }

    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// Records an epoch, after which the head was `head`, and decides whether to stop.
    pub fn record(&mut self, epoch: Epoch, head: Head) {
        let number = epoch.epoch;
        if !epoch.is_finite() {
            self.outcome = Some(Err(loss_is_nan(number)));
            return;
        }
        self.history.push(epoch);
        if self.stopping.as_mut().is_none_or(|stopping| stopping.observe(&epoch)) {
            self.best = Some(Best { head, epoch: number });
        }
        if number == self.epochs || self.stopping.as_ref().is_some_and(EarlyStopping::is_exhausted) {
            self.outcome = Some(Ok(()));
        }
    }

    /// Returns the head of the best epoch with the history.
    pub fn finish(self) -> Result<FitResult> {
        self.outcome.unwrap_or(Ok(()))?;
        let best = self.best.expect("the first epoch is the best until there is a better one");
        Ok(FitResult { head: best.head, best_epoch: best.epoch, history: self.history })
    }
}

fn loss_is_nan(epoch: usize) -> Error {
    Error::new(Kind::Run, format!("the loss is not a number in epoch {epoch}"))
        .help("try a smaller `lr`; if that does not help, run `cache::verify`")
}
