//! Observes the values of a network over the images of the calibration.

use super::images::{ChosenImages, embed};
use crate::backbone::graph::{Observed, Quantizer};
use crate::backbone::onnx_runtime::OnnxBackbone;
use crate::data::dataset::ImageFile;
use crate::data::preprocess::Preprocessing;
use crate::error::Result;
use crate::monitor::Monitor;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs the network of floats on `files` and observes each value that the quantization needs.
///
/// # Errors
/// Those of opening and running the network, and of reading the images.
pub(super) fn calibrate(
    library: &Path,
    quantizer: &Quantizer,
    images: &ChosenImages,
    files: &[ImageFile],
    steps: &Preprocessing,
    monitor: &dyn Monitor,
) -> Result<BTreeMap<String, Observed>> {
    let (values, mut observed): (Vec<String>, Vec<Observed>) = quantizer.to_observe()?.into_iter().unzip();
    let names: Vec<&str> = values.iter().map(String::as_str).collect();
    let mut network = OnnxBackbone::open_values(library, quantizer.float_network(), &names, steps, monitor)?;
    embed(images, files, "calibrating", steps, monitor, &mut |pixels, n| {
        for image in pixels.chunks_exact(pixels.len() / n) {
            network.read_values(image, &mut |found| {
                observed[found.layer].add(found.shape.first().copied().unwrap_or(1), found.values);
            })?;
        }
        Ok(())
    })?;
    Ok(values.into_iter().zip(observed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::graph::{AttributeProto, GraphBuilder};
    use crate::backbone::{Device, SessionOptions, known_answer};
    use crate::data::preprocess::Normalization;
    use crate::monitor::Silent;

    const SIDE: usize = 12;

    /// A stem and a branch with an average pool, whose padding counts or not.
    fn network(counts_padding: bool) -> Vec<u8> {
        let mut graph = GraphBuilder::new("pooled", SIDE);
        let values = |n: usize| (0..n).map(|i| (i * 29 % 31) as f32 / 16.0 - 0.9).collect::<Vec<f32>>();
        let pads = || vec![AttributeProto::ints("pads", &[1, 1, 1, 1])];
        graph.weight("stem/w", &[4, 3, 3, 3], &values(108));
        graph.weight("stem/b", &[4], &values(4));
        graph.weight("w", &[6, 4, 1, 1], &values(24));
        graph.weight("b", &[6], &values(6));
        graph.node("Conv", &["input", "stem/w", "stem/b"], "stem/conv", pads());
        graph.node("Relu", &["stem/conv"], "stem", Vec::new());
        let counts = AttributeProto::int("count_include_pad", i64::from(counts_padding));
        let pool = [pads(), vec![AttributeProto::ints("kernel_shape", &[3, 3]), counts]].concat();
        graph.node("AveragePool", &["stem"], "pool", pool);
        graph.node("Conv", &["pool", "w", "b"], "conv", Vec::new());
        graph.node("Relu", &["conv"], "out", Vec::new());
        graph.node("GlobalAveragePool", &["out"], "pooled", Vec::new());
        graph.node("Flatten", &["pooled"], "flat", vec![AttributeProto::int("axis", 1)]);
        graph.output("flat", 6);
        graph.finish(&[])
    }

    fn embed(library: &Path, model: Vec<u8>, pixels: &[u8]) -> Vec<f32> {
        let steps = Preprocessing::whole(SIDE, Normalization::Unit);
        let options = SessionOptions::new(Device::Cpu);
        let mut opened = OnnxBackbone::open(library, model, "flat", &steps, options, &Silent).unwrap();
        opened[0].embed(pixels, 1).unwrap().into_finite().unwrap()
    }

    #[test]
    fn the_network_of_the_calibration_answers_as_the_original_and_the_integers_nearly_so() {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run").path;
        let pixels: Vec<u8> = (0..3 * SIDE * SIDE).map(|i| (i * 37 % 256) as u8).collect();
        let steps = Preprocessing::whole(SIDE, Normalization::Unit);
        for counts_padding in [false, true] {
            let original = embed(&library, network(counts_padding), &pixels);
            let quantizer = Quantizer::new(&network(counts_padding)).unwrap();
            let moved = embed(&library, quantizer.float_network(), &pixels);
            assert!(known_answer::relative_distance(&moved, &original) < 1e-6, "{moved:?} {original:?}");
            let (mut observed, float) = (quantizer.to_observe().unwrap(), quantizer.float_network());
            let names: Vec<String> = observed.keys().cloned().collect();
            let names_of: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut open = OnnxBackbone::open_values(&library, float, &names_of, &steps, &Silent).unwrap();
            open.read_values(&pixels, &mut |found| {
                let name = &names[found.layer];
                assert_eq!(found.values.len(), found.shape.iter().product::<usize>(), "{name}");
                observed.get_mut(name).unwrap().add(found.shape[0], found.values);
            })
            .unwrap();
            let calibrated = quantizer.calibrated(observed, 7);
            let write = |floats: &[&str]| {
                let floats = floats.iter().map(|value| (*value).to_string()).collect();
                calibrated.write(&floats, &[]).unwrap().onnx
            };
            let integers = embed(&library, write(&[]), &pixels);
            let distance = known_answer::relative_distance(&integers, &original);
            assert!(distance > 0.0 && distance < 0.02, "{distance}: {integers:?} {original:?}");
            // Without rounding nothing is left but the order of sums.
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let distance =
                known_answer::relative_distance(&embed(&library, write(&names), &pixels), &original);
            assert!(distance < 1e-6, "{distance}");
            let (costs, all) = calibrated.float_costs(SIDE).unwrap();
            let of = |value: &str| costs.iter().find(|(name, _)| name == value).unwrap().1;
            // 24 products at each position, and 4 channels in and 6 out that cost as much as 64 products each.
            let work = 24 * 144 + 64 * (4 + 6) * 144;
            assert_eq!((of("stem"), all), (work, work), "the one convolution behind the first");
        }
    }
}
