//! Writes how a classifier decides: by the most probable class, or by the rule of its run.

use super::messages::{AttributeProto, DOUBLE};
use super::node_writer::NodeWriter;
use crate::head::decision::Decider;

/// Writes the index of the label as `label`, from the probabilities `given`: that of the most probable class,
/// or what `decider` decides, -1 where it withholds the answer.
/// Its comparisons are those of 64-bit floats.
pub(super) fn write(w: &mut NodeWriter, decider: Option<&Decider>, given: &str, label: &str) {
    let first = || vec![AttributeProto::int("axis", 1), AttributeProto::int("keepdims", 0)];
    match decider {
        None => w.named("ArgMax", &[given], label, first()),
        Some(Decider::Costs(costs)) => {
            let probabilities = w.cast(given, DOUBLE);
            let costs = w.doubles(&[costs.len(), costs.len()], &costs.concat());
            let expected = w.op("MatMul", &[&probabilities, &costs]);
            w.named("ArgMin", &[&expected], label, first());
        }
        Some(Decider::Thresholds { claims, withheld_below }) => {
            let probabilities = w.cast(given, DOUBLE);
            let classes = claims.len();
            let claims = w.doubles(&[1, classes], claims);
            let is_below = w.op("Less", &[&probabilities, &claims]);
            let none = w.doubles(&[], &[-1.0]);
            let claimed = w.op("Where", &[&is_below, &none, &probabilities]);
            let most_claimed = w.op_with("ArgMax", &[&claimed], first());
            let claimed = w.reduce_rows("ReduceMax", &claimed, false);
            let zero = w.doubles(&[], &[0.0]);
            let is_unclaimed = w.op("Less", &[&claimed, &zero]);
            let most = w.op_with("ArgMax", &[&probabilities], first());
            let largest = w.reduce_rows("ReduceMax", &probabilities, false);
            let limits = w.doubles(&[classes], withheld_below);
            let limit = w.op("Gather", &[&limits, &most]);
            let is_withheld = w.op("Less", &[&largest, &limit]);
            let unsure = w.ints(&[], &[-1]);
            let likely = w.op("Where", &[&is_withheld, &unsure, &most]);
            w.named("Where", &[&is_unclaimed, &likely, &most_claimed], label, Vec::new());
        }
    }
}
