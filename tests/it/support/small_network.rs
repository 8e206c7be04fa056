//! A small Inception-v3: the same topology and names with a sixteenth of the channels, seeded weights, 75 pixels a
//! side. Built by the project's own graph code, run by the real ONNX Runtime.

use super::Sandbox;
use headstart::backbone::inception_v3::{Conv, ConvWeights, DenseWeights, Topology, Weights, build};
use headstart::error::Result;
use headstart::math::random::Rng;
use std::sync::LazyLock;

/// Floats in its PreLogits.
pub const WIDTH: usize = 128;

struct Seeded {
    seed: u64,
    /// The bias of each class; without any there is no classifier.
    biases: Vec<f32>,
}

impl Weights for Seeded {
    fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
        let mut rng = Rng::new(self.seed, conv.index as u64);
        let inputs = conv.kernel.area() * conv.inputs;
        let scale = (2.0 / inputs as f32).sqrt();
        let mut draw =
            |n: usize, low: f32, high: f32| (0..n).map(|_| rng.uniform(low, high)).collect::<Vec<_>>();
        let kernel = draw(inputs * conv.filters, -1.7 * scale, 1.7 * scale);
        Ok(ConvWeights {
            kernel,
            gamma: Some(draw(conv.filters, 0.8, 1.2)),
            beta: draw(conv.filters, -0.1, 0.3),
            mean: draw(conv.filters, -0.1, 0.1),
            variance: draw(conv.filters, 0.7, 1.3),
            epsilon: 0.001,
        })
    }

    fn classifier(&self, _inputs: usize) -> Result<Vec<DenseWeights>> {
        let kernel = vec![0.01; WIDTH * self.biases.len()];
        Ok(match self.biases.is_empty() {
            true => Vec::new(),
            false => vec![DenseWeights { kernel, bias: self.biases.clone() }],
        })
    }
}

static ONNX: LazyLock<Vec<u8>> = LazyLock::new(|| onnx(1));

pub fn onnx(seed: u64) -> Vec<u8> {
    build_with(seed, vec![0.0; 3], &[])
}

/// The network with so many classes, of which the last of the first seven is the most probable for any image, and with more
/// metadata.
pub fn with_classes(classes: usize, metadata: &[(&str, &str)]) -> Vec<u8> {
    build_with(1, (0..classes).map(|class| (class % 7) as f32).collect(), metadata)
}

fn build_with(seed: u64, biases: Vec<f32>, metadata: &[(&str, &str)]) -> Vec<u8> {
    let topology =
        Topology { depth_multiplier: 1.0 / 16.0, min_depth: 1, input_side: 75, ..Topology::default() };
    let how = r#"{"crop":1.0,"resize":"bilinear-pillow","size":75,"scale":"symmetric"}"#;
    let metadata = [&[("headstart.preprocessing", how)], metadata].concat();
    build(topology, &Seeded { seed, biases }, &metadata).unwrap()
}

/// The network without its classifier.
pub fn headless() -> Vec<u8> {
    build_with(1, Vec::new(), &[])
}

/// Puts the network into the sandbox and returns its path.
pub fn install(sandbox: &Sandbox) -> String {
    sandbox.write("small.onnx", &ONNX);
    sandbox.text("small.onnx")
}
