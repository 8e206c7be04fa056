//! A small Inception-v3: the same topology and names with a sixteenth of the channels, seeded weights, 75 pixels a
//! side. Built by the project's own graph code, run by the real ONNX Runtime.

use crate::sandbox::{Sandbox, models};
use headstart::backbone::Device;
use headstart::backbone::inception_v3::{Conv, ConvWeights, DenseWeights, Topology, Weights, build};
use headstart::data::augment::Augmentation;
use headstart::error::Result;
use headstart::extract::ExtractConfig;
use headstart::math::random::Rng;
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;

/// Floats in its PreLogits.
pub const WIDTH: usize = 128;

struct Seeded(u64);

impl Weights for Seeded {
    fn conv(&self, conv: &Conv) -> Result<ConvWeights> {
        let mut rng = Rng::new(self.0, conv.index as u64);
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

    fn classifier(&self) -> Result<Vec<DenseWeights>> {
        Ok(vec![DenseWeights { kernel: vec![0.01; WIDTH * 3], bias: vec![0.0; 3] }])
    }
}

static ONNX: LazyLock<Vec<u8>> = LazyLock::new(|| onnx(1));

pub fn onnx(seed: u64) -> Vec<u8> {
    let topology = Topology { depth_multiplier: 1.0 / 16.0, min_depth: 1, input_side: 75 };
    let how = r#"{"crop":1.0,"resize":"bilinear-pillow","size":75,"scale":"symmetric"}"#;
    build(topology, &Seeded(seed), &[("headstart.preprocessing", how)]).unwrap()
}

/// Puts the network into the sandbox and returns its path.
pub fn install(sandbox: &Sandbox) -> String {
    sandbox.write("small.onnx", &ONNX);
    sandbox.text("small.onnx")
}

/// A cache `c` of three classes that differ in colour.
pub fn cache(more: &[&str]) -> Sandbox {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40), ("cat", 60)]);
    assert_eq!(extract(&s, "in", "c", more).code, 0);
    s
}

/// What `train` on the cache `c` tells.
pub fn train(s: &Sandbox, run: &str, more: &[&str]) -> Value {
    s.json(&[&["train", &s.text("c"), "--run", &s.text(run)], more].concat())
}

/// `extract` with the small network: `images` to `cache`, with more arguments.
pub fn extract(sandbox: &Sandbox, images: &str, cache: &str, more: &[&str]) -> crate::sandbox::Said {
    let network = install(sandbox);
    let (images, cache) = (sandbox.text(images), sandbox.text(cache));
    sandbox.run(&[&["extract", &images, "--cache", &cache, "--backbone", &network, "--json"], more].concat())
}

/// Settings of an `extract` in this process: the small network on one thread of the CPU, four shifts of the train images, and
/// a part for each batch of four.
pub fn config(sandbox: &Sandbox, images: &str, cache: &str) -> ExtractConfig {
    let mut config = ExtractConfig::default();
    config.images = sandbox.path(images);
    config.cache = sandbox.path(cache);
    config.backbone.backbone = install(sandbox);
    config.backbone.models = models();
    config.augment = vec![Augmentation::Shift(5)];
    config.device = Device::Cpu;
    config.batch = Some(4);
    config.threads = 1;
    config.commit_every = Duration::ZERO;
    config
}
