//! Sums and means of loss and accuracy over rows.

/// Sums of the loss and of the correct answers over rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RunningLoss {
    /// Sum of `-log p(target)`. NaN in, NaN out.
    pub loss: f64,
    /// Rows whose largest logit, the first of equals, is the target's.
    pub correct: usize,
}

impl std::ops::AddAssign for RunningLoss {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
    }
}

impl RunningLoss {
    /// The means over `rows` rows.
    pub fn mean(&self, rows: usize) -> MeanLoss {
        let n = rows as f64;
        MeanLoss { loss: self.loss / n, accuracy: self.correct as f64 / n }
    }
}

/// Mean cross entropy and accuracy (0 to 1) over rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct MeanLoss {
    pub loss: f64,
    pub accuracy: f64,
}
