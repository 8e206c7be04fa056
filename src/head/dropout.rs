//! Dropout (Srivastava et al. 2014): which hidden units a step leaves out.
//!
//! Whether a unit is left out follows from the seed, the number of the step, the position of the row in its batch and the
//! unit alone, by a formula that any program can repeat. It so depends neither on threads nor on heads fitted beside it.

/// Leaves out hidden units at random, and scales the others up so that their mean stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    /// The share of units that is left out.
    rate: f64,
    seed: u64,
}

impl Dropout {
    pub fn new(rate: f64, seed: u64) -> Self {
        Self { rate, seed }
    }

    /// By how much the units that stay are scaled up.
    pub fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.rate)) as f32
    }

    /// Leaves out units of one row in step `step`, from 0, and scales the others. `row` is its position in the batch.
    pub fn apply(&self, step: usize, row: usize, units: &mut [f32]) {
        if self.rate == 0.0 {
            return;
        }
        let key = mixed(mixed(mixed(self.seed).wrapping_add(step as u64)).wrapping_add(row as u64));
        let scale = self.scale();
        for (unit, value) in units.iter_mut().enumerate() {
            *value = if self.drops(key, unit) { 0.0 } else { *value * scale };
        }
    }

    /// Whether the row with this key loses a unit: the top 24 bits of a hash are a number from 0 to below 1.
    fn drops(&self, key: u64, unit: usize) -> bool {
        let number = mixed(key.wrapping_add(unit as u64)) >> 40;
        (number as f64) < self.rate * f64::from(1 << 24)
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014, *Fast Splittable Pseudorandom Number Generators*): a hash of 64 bits.
fn mixed(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_splitmix64() {
        // The first outputs of the reference implementation from the state 1234567.
        let outputs = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        for (i, expected) in outputs.into_iter().enumerate() {
            let state = 1_234_567u64.wrapping_add((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            assert_eq!(mixed(state), expected);
        }
    }

    #[test]
    fn the_share_that_is_left_out_is_the_rate_and_the_mean_stays() {
        for rate in [0.1, 0.5, 0.9] {
            let dropout = Dropout::new(rate, 7);
            let mut rows = vec![vec![1.0f32; 256]; 400];
            rows.iter_mut().enumerate().for_each(|(row, units)| dropout.apply(row / 32, row % 32, units));
            let all: Vec<f32> = rows.concat();
            let dropped = all.iter().filter(|&&value| value == 0.0).count() as f64 / all.len() as f64;
            assert!((dropped - rate).abs() < 0.005, "{dropped}");
            let mean = all.iter().map(|&value| f64::from(value)).sum::<f64>() / all.len() as f64;
            assert!((mean - 1.0).abs() < 0.03, "{mean}");
            // Rows, steps and seeds differ.
            assert!(rows.windows(2).all(|pair| pair[0] != pair[1]));
        }
        let mut kept = [1.0, -2.0];
        Dropout::new(0.0, 7).apply(0, 0, &mut kept);
        assert_eq!(kept, [1.0, -2.0]);
    }
}
