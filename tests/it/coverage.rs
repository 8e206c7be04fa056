//! A small form of the simulation in `examples/coverage`: each interval holds the truth about as often as it promises.

#[expect(dead_code, reason = "`main` reads the command line and prints")]
#[path = "../../examples/coverage/main.rs"]
mod simulation;

use simulation::heads::{Design, Splits};
use simulation::{Coverage, formulas, heads};

/// Checks that an interval holds the truth in no fewer data sets than it promises, within four standard deviations and two
/// points, which the formulas may miss it by in small samples.
fn assert_holds(coverage: &Coverage) {
    let Coverage { promised, data_sets, .. } = *coverage;
    let deviation = (promised * (1.0 - promised) / data_sets as f64).sqrt();
    assert!(data_sets > 0 && coverage.share() > promised - 0.02 - 4.0 * deviation, "{coverage:?}");
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_promise() {
    let all = formulas::simulate(400, 3);
    assert!(all.len() > 15);
    all.iter().for_each(assert_holds);
    // One that is far too wide would hold it always.
    let always = all.iter().filter(|coverage| coverage.held == coverage.data_sets).count();
    assert!(always < 3, "{all:?}");
}

#[test]
fn intervals_over_heads_hold_their_accuracy_on_new_images() {
    let designs = [
        Design { name: "seeds", splits: Splits::Random(1), seeds: 4 },
        Design { name: "splits", splits: Splits::Random(3), seeds: 1 },
        Design { name: "folds", splits: Splits::Folds(3), seeds: 2 },
    ];
    heads::simulate(&designs, 100, 24, 3).iter().for_each(assert_holds);
}
