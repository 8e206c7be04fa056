//! Measures by simulation how often each interval holds the true value, with data sets of which the truth is known.
//!
//! ```text
//! cargo run --release --example coverage -- 500
//! ```
//!
//! The number is that of data sets for each line. Formulas that need no head are simulated with ten times as many.

pub(crate) mod formulas;
pub(crate) mod heads;

use headstart::metrics::{percent_number, wilson_interval};

fn main() {
    let data_sets = std::env::args().nth(1).map_or(500, |n| n.parse().expect("a number of data sets"));
    print_table("Formulas", &formulas::simulate(10 * data_sets, 1));
    print_table("Accuracy over heads", &heads::simulate(&heads::DESIGNS, 400, data_sets, 1));
}

/// How often an interval held the true value.
#[derive(Debug, Clone)]
pub(crate) struct Coverage {
    pub name: String,
    /// The share of data sets that the interval promises to be right for.
    pub promised: f64,
    pub held: usize,
    pub data_sets: usize,
    width: f64,
}

impl Coverage {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), promised: 0.95, held: 0, data_sets: 0, width: 0.0 }
    }

    /// Counts one data set. Without an interval it does not count.
    pub fn add(&mut self, interval: Option<[f64; 2]>, truth: f64) {
        let Some([low, high]) = interval else { return };
        self.data_sets += 1;
        // Numbers that are equal but for rounding are equal.
        self.held += usize::from(low - 1e-9 <= truth && truth <= high + 1e-9);
        self.width += high - low;
    }

    /// Adds the data sets of another part of the simulation.
    pub fn join(&mut self, other: &Self) {
        self.held += other.held;
        self.data_sets += other.data_sets;
        self.width += other.width;
    }

    /// The share of data sets for which the interval held the truth.
    pub fn share(&self) -> f64 {
        self.held as f64 / self.data_sets.max(1) as f64
    }
}

fn print_table(title: &str, rows: &[Coverage]) {
    println!("## {title}\n");
    println!("| interval | promised | holds the truth | 95 % interval of that | mean width | data sets |");
    println!("|----------|---------:|----------------:|----------------------:|-----------:|----------:|");
    for row in rows {
        let [low, high] = wilson_interval(row.held, row.data_sets).unwrap_or([0.0, 1.0]);
        println!(
            "| {} | {} | {} | {} to {} | {:.3} | {} |",
            row.name,
            percent_number(row.promised),
            percent_number(row.share()),
            percent_number(low),
            percent_number(high),
            row.width / row.data_sets.max(1) as f64,
            row.data_sets
        );
    }
    println!();
}
