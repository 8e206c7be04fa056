//! Runs the ONNX file of a whole classifier, to check what it answers before it leaves the house.

use super::load::load;
use super::sessions::{OpenSessions, open_sessions};
use crate::backbone::SessionOptions;
use crate::backbone::graph::{DISTANCE, FEATURES, INPUT, IS_KNOWN, LABEL_INDEX, PROBABILITIES};
use crate::backbone::runtime_log::{self, plain};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;
use std::path::Path;

/// A classifier in an ONNX Runtime session.
#[derive(Debug)]
pub struct ClassifierSession {
    session: Session,
    provider: &'static str,
}

/// The values of the input of a classifier.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum InputValues {
    /// Bytes.
    Uint8(Vec<u8>),
    /// 32-bit floats.
    Float32(Vec<f32>),
}

/// What a classifier answers for a batch of images.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierAnswers {
    /// Index of the most probable class of each image.
    pub label_index: Vec<i64>,
    /// `[images, classes]`, row after row.
    pub probabilities: Vec<f32>,
    /// `[images, width]`, row after row.
    pub features: Vec<f32>,
    /// Distance from the nearest class and whether it is small enough, image by image; `None` without open-set rejection.
    pub open_set: Option<Vec<(f32, bool)>>,
}

impl ClassifierSession {
    /// Opens the ONNX file `model` with the ONNX Runtime at `library`.
    ///
    /// # Errors
    /// [`Kind::Runtime`] when the library cannot be loaded, [`Kind::Backbone`] when the file cannot be opened.
    pub fn open(
        library: &Path,
        model: &[u8],
        options: SessionOptions,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let environment = load(library)?;
        drop(runtime_log::take());
        let opened = open_sessions(environment, model, options, monitor);
        drop(runtime_log::take());
        let OpenSessions { mut sessions, provider } = opened?;
        Ok(Self { session: sessions.swap_remove(0).session, provider })
    }

    /// Returns the execution provider.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// The batch size, when the file fixes it.
    pub fn batch(&self) -> Option<usize> {
        super::fixed(self.session.inputs()[0].dtype(), 0)
    }

    /// Classifies a batch; `shape` is that of the input.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the network fails.
    pub fn run(&mut self, shape: [usize; 4], values: &InputValues) -> Result<ClassifierAnswers> {
        let has_rejection = self.session.outputs().iter().any(|output| output.name() == DISTANCE);
        let outputs = match values {
            InputValues::Uint8(values) => {
                let input = TensorRef::from_array_view((shape, &values[..])).map_err(fail)?;
                self.session.run(ort::inputs![INPUT => input]).map_err(fail)?
            }
            InputValues::Float32(values) => {
                let input = TensorRef::from_array_view((shape, &values[..])).map_err(fail)?;
                self.session.run(ort::inputs![INPUT => input]).map_err(fail)?
            }
        };
        let open_set = has_rejection.then(|| open_set(&outputs)).transpose()?;
        let (_, label_index) = outputs[LABEL_INDEX].try_extract_tensor::<i64>().map_err(fail)?;
        let (_, probabilities) = outputs[PROBABILITIES].try_extract_tensor::<f32>().map_err(fail)?;
        let (_, features) = outputs[FEATURES].try_extract_tensor::<f32>().map_err(fail)?;
        Ok(ClassifierAnswers {
            label_index: label_index.to_vec(),
            probabilities: probabilities.to_vec(),
            features: features.to_vec(),
            open_set,
        })
    }
}

fn open_set(outputs: &SessionOutputs) -> Result<Vec<(f32, bool)>> {
    let (_, distances) = outputs[DISTANCE].try_extract_tensor::<f32>().map_err(fail)?;
    let (_, is_known) = outputs[IS_KNOWN].try_extract_tensor::<bool>().map_err(fail)?;
    Ok(distances.iter().copied().zip(is_known.iter().copied()).collect())
}

fn fail(error: ort::Error) -> Error {
    Error::new(Kind::Backbone, "the classifier failed").because(plain(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Device;
    use crate::backbone::graph::{
        AttributeProto, ClassifierInput, ClassifierParts, GraphBuilder, classifier as build,
    };
    use crate::data::pixels::Pixels;
    use crate::data::preprocess::{Normalization, Preprocessing, Resize};
    use crate::head::Head;
    use crate::math::random::Rng;
    use crate::monitor::Silent;

    /// A network whose features are its input. Its values have the names of a classifier's.
    fn network(size: usize) -> Vec<u8> {
        let mut flat = GraphBuilder::new("flat", size);
        flat.node("Identity", &["input"], INPUT, Vec::new());
        flat.node("Flatten", &[INPUT], FEATURES, vec![AttributeProto::int("axis", 1)]);
        flat.output(FEATURES, 3 * size * size);
        flat.finish(&[("headstart.layer", "old")])
    }

    fn picture(width: usize, height: usize) -> Pixels {
        let mut rng = Rng::new((width * 1000 + height) as u64, 3);
        Pixels::new(width, height, (0..width * height * 3).map(|_| rng.uniform(3.0, 255.9) as u8).collect())
    }

    fn features(steps: &Preprocessing, pictures: &[Pixels]) -> Vec<Vec<f32>> {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run");
        let head = Head::fresh(steps.input_len(), 2, 1);
        let parts = ClassifierParts {
            layer: FEATURES,
            ranks: &[2],
            preprocessing: steps,
            input: ClassifierInput::Uint8,
            head: &head,
            is_multi_label: false,
            temperature: 1.0,
            decider: None,
            rejection: None,
            metadata: &[],
        };
        let model = build(&network(steps.size), &parts).unwrap();
        let options = SessionOptions { threads: 1, ..SessionOptions::new(Device::Cpu) };
        let mut session = ClassifierSession::open(&library.path, &model, options, &Silent).unwrap();
        let mut answer = |picture: &Pixels| {
            let shape = [1, picture.height(), picture.width(), 3];
            session.run(shape, &InputValues::Uint8(picture.data().to_vec())).unwrap().features
        };
        pictures.iter().map(&mut answer).collect()
    }

    #[test]
    fn pictures_are_resized_inside_the_file_as_outside_byte_for_byte() {
        let sizes = [(1, 1), (1, 40), (8, 8), (9, 7), (31, 64), (64, 48), (250, 250), (301, 97), (97, 640)];
        let pictures: Vec<Pixels> = sizes.iter().map(|&(width, height)| picture(width, height)).collect();
        let whole = Preprocessing::whole(8, Normalization::None);
        let bicubic = Preprocessing { resize: Resize::BicubicPillow, ..whole };
        for steps in [
            whole,
            bicubic,
            Preprocessing { size: 33, ..bicubic },
            Preprocessing { crop: 0.875, normalization: Normalization::Imagenet, ..whole },
            Preprocessing { crop: 0.3, stretch: true, ..whole },
            Preprocessing { shorter_side: Some(11), ..bicubic },
            Preprocessing { shorter_side: Some(11), margin_rounds_down: true, ..whole },
            Preprocessing { both_sides: Some(13), crop: 0.5, ..bicubic },
        ] {
            for (features, picture) in features(&steps, &pictures).iter().zip(&pictures) {
                let at = (picture.width(), picture.height());
                assert!(*features == steps.tensor(picture), "{at:?}, {steps:?}");
            }
        }
    }

    #[test]
    fn pictures_are_resized_inside_the_file_as_tensorflow_does_but_for_rounding() {
        let pictures = [picture(1, 3), picture(64, 48), picture(97, 301)];
        for crop in [1.0, 0.875] {
            let steps = Preprocessing {
                resize: Resize::BilinearTensorflow1,
                crop,
                ..Preprocessing::whole(8, Normalization::None)
            };
            for (features, picture) in features(&steps, &pictures).iter().zip(&pictures) {
                let expected = steps.tensor(picture);
                let largest = features.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-4, "{largest}");
            }
        }
    }
}
