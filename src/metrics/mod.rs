//! Measures of a classifier from labels and predictions: scores, intervals, calibration, significance tests.

mod agreement;
mod binomial;
mod bootstrap;
mod brier;
mod calibration;
mod chance_calibration;
mod conformal;
mod curves;
mod grouped;
mod label_issues;
mod macro_f1;
mod multi_label;
mod over_heads;
mod p_value;
mod paired;
mod percent;
mod repeats;
mod resampled;
mod roc;
mod scores;
mod student;
mod temperature;
mod wilson;

pub use agreement::{balanced_accuracy, cohens_kappa, matthews_correlation};
pub use bootstrap::bootstrap_mean_interval;
pub use brier::{BrierScore, brier_score};
pub use calibration::{
    CALIBRATION_BINS, CalibrationBin, GradedPrediction, calibration_bins, expected_calibration_error,
};
pub use chance_calibration::{ChanceCalibration, chance_calibration, debiased_calibration_error};
pub use conformal::{ConformalCalibration, min_calibration_size, min_confident_calibration_size};
pub use curves::{ClassCurve, CurvePoint, class_curves};
pub use grouped::grouped_interval;
pub use label_issues::{SuspectRow, find_label_issues};
pub use macro_f1::{LabelledPrediction, macro_f1_interval, paired_macro_f1_difference};
pub use multi_label::{F1Score, LabelCounts, best_f1_threshold, micro_score};
pub use over_heads::{
    AccuracyInterval, IntervalOver, MeanOverHeads, SplitAnswers, SplitDesign, accuracy_over_heads,
    mean_over_heads,
};
pub use p_value::format_p_value;
pub use paired::{
    PairedCounts, holm_adjusted, mcnemar_mid_p_value, mcnemar_p_value, paired_difference_interval,
};
pub use percent::{percent_number, point_number, without_minus_zero};
pub use repeats::{MeanWithInterval, mean_with_interval};
pub use resampled::{ResampledMean, corrected_resampled_t_test};
pub use roc::{RocArea, roc_area};
pub use scores::{
    ClassScore, ClassShare, accuracy, batch_accuracies, class_scores, composition, confusion,
    constant_accuracy, macro_f1, top_k_accuracy,
};
pub use temperature::{Temperature, apply_temperature, fit_temperature, log_loss};
pub use wilson::{is_few, wilson_interval};
