//! The head of a run opened for classifying feature rows, with its temperature and its open-set rejection.

use super::config::PredictorConfig;
use super::prediction::{ClassProbability, ImagePrediction, NONE, OpenSetScore, UNKNOWN, UNSURE, ranked};
use crate::backbone::{BackboneSearch, ResolvedBackbone};
use crate::cache::Spec;
use crate::data::dataset::label_set_text;
use crate::data::decode::{DECODE_VERSION, is_known_version};
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::head::decision::Decider;
use crate::metrics::{self, Temperature};
use crate::monitor::Monitor;
use crate::run::{MultiLabel, RejectionRule, StoredRun, TrainedHead};
use std::path::Path;

/// The head of a run with everything that turns a feature row into a prediction. Neither backbone nor cache is opened.
#[derive(Debug)]
pub struct Classifier {
    head: Head,
    classes: Vec<String>,
    spec: Spec,
    temperature: f64,
    decider: Option<Decider>,
    reject: Option<RejectionRule>,
    /// How labels are answered, where images have several.
    multi_label: Option<MultiLabel>,
}

impl Classifier {
    /// Opens the head of `stored`, with the rejection that `config` asks for.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run is damaged or its features were made with decoders that this version does not know;
    /// [`Kind::Usage`] for a value of `reject` that the run does not allow.
    pub fn open(stored: &StoredRun, config: &PredictorConfig) -> Result<Self> {
        let run = stored.path();
        let reject = stored.rejection(config.reject, config.confidence)?;
        let TrainedHead { head, classes, spec } = stored.head()?;
        check_reject_width(run, reject.as_ref(), &head)?;
        check_decoder(run, &spec)?;
        spec.preprocessing.steps.checked().map_err(|e| e.at(run))?;
        let temperature = Temperature::effective(stored.record().temperature);
        let decider = stored.record().decider(run)?;
        let multi_label = stored.record().multi_label.clone();
        Ok(Self { head, classes, spec, temperature, decider, reject, multi_label })
    }

    /// Class labels in the order of their indices.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What the features are.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The rule of rejection, where one was asked for.
    pub fn rejection(&self) -> Option<&RejectionRule> {
        self.reject.as_ref()
    }

    /// The network of the features. It is known by its digest; its file need not be found yet.
    ///
    /// # Errors
    /// Those of [`Spec::resolve_backbone`].
    pub fn resolve_backbone(&self, config: &PredictorConfig) -> Result<ResolvedBackbone> {
        let given = config.backbone.as_deref();
        self.spec.resolve_backbone(BackboneSearch { models: &config.models, given, near: &config.run })
    }

    /// The probabilities of a feature row in class order, at the temperature; where images have several labels, that of each label
    /// on its own.
    pub fn probabilities(&self, features: &[f32]) -> Vec<f64> {
        let own = self.own_probabilities(features);
        match self.multi_label {
            Some(_) => own.into_iter().map(f64::from).collect(),
            None => metrics::apply_temperature(&own, self.temperature),
        }
    }

    /// The probabilities of a feature row in class order as the head gives them, before the temperature.
    pub fn own_probabilities(&self, features: &[f32]) -> Vec<f32> {
        match self.multi_label {
            Some(_) => self.head.label_probabilities(features),
            None => self.head.probabilities(features).row(0).to_vec(),
        }
    }

    /// How far a feature row is from the classes, where a rejection was asked for.
    pub fn open_set(&self, features: &[f32]) -> Option<OpenSetScore> {
        let reject = self.reject.as_ref()?;
        let score = reject.distance.of(features)[0];
        Some(OpenSetScore {
            unknown: reject.rejects(score),
            score,
            p_value: reject.calibration.p_value(score),
        })
    }

    /// All classes with their probabilities, given in class order; the most probable first.
    pub fn ranked(&self, probabilities: &[f64]) -> Vec<ClassProbability> {
        ranked(&self.classes, probabilities)
    }

    /// Classifies a feature row.
    pub(super) fn classify(&self, features: &[f32]) -> ImagePrediction {
        let probabilities = self.probabilities(features);
        let open_set = self.open_set(features);
        let is_unknown = open_set.as_ref().is_some_and(|score| score.unknown);
        let decided = self.decide(&probabilities).map(|answer| match answer {
            _ if is_unknown => UNKNOWN.to_string(),
            Some(class) => self.classes[class].clone(),
            None => UNSURE.to_string(),
        });
        let decided = decided.or_else(|| self.labels(&probabilities));
        let predictions = self.ranked(&probabilities);
        ImagePrediction { predictions, decided, open_set, neighbours: None }
    }

    /// The text of the labels that are answered, where images have several.
    fn labels(&self, probabilities: &[f64]) -> Option<String> {
        let probabilities: Vec<f32> = probabilities.iter().map(|&p| p as f32).collect();
        let answers = self.multi_label.as_ref()?.answers(&probabilities);
        let names =
            self.classes.iter().zip(answers).filter(|(_, is_answer)| *is_answer).map(|(name, _)| name);
        let names: Vec<&String> = names.collect();
        Some(if names.is_empty() { NONE.into() } else { label_set_text(&names) })
    }

    /// Whether the run has a rule of decision.
    pub fn has_rule(&self) -> bool {
        self.decider.is_some()
    }

    /// What the rule of the run decides for probabilities in class order: a class, or `Some(None)` where the answer is withheld.
    /// `None` without a rule.
    pub fn decide(&self, probabilities: &[f64]) -> Option<Option<usize>> {
        self.decider.as_ref().map(|decider| decider.answer(probabilities))
    }

    /// Says how many `images` decode to other pixels now than the training images did.
    pub fn note_decoders(&self, images: usize, monitor: &dyn Monitor) {
        if images > 0 {
            monitor.note(&format!(
                "the head was trained on images decoded by {}; {DECODE_VERSION} decodes {images} of these a little \
                 otherwise: `extract` into another cache and `train` again for the same pixels",
                self.spec.preprocessing.decode
            ));
        }
    }

    /// Checks that a backbone gives as many features as the head of `run` takes.
    pub(super) fn check_width(&self, width: usize, run: &Path) -> Result<()> {
        if width == self.head.width() {
            return Ok(());
        }
        let message = format!("its head takes {} features, the backbone gives {width}", self.head.width());
        Err(Error::new(Kind::Run, message).at(run).help("train again"))
    }
}

fn check_decoder(run: &Path, spec: &Spec) -> Result<()> {
    let decoder = &spec.preprocessing.decode;
    if is_known_version(decoder) {
        return Ok(());
    }
    Err(Error::new(Kind::Run, format!("its features were decoded by {decoder}, this is {DECODE_VERSION}"))
        .at(run)
        .help("extract and train again with this version"))
}

/// Checks that the head and the distance for open-set rejection take features of one width.
fn check_reject_width(run: &Path, reject: Option<&RejectionRule>, head: &Head) -> Result<()> {
    match reject.map(|reject| reject.distance.width()) {
        Some(width) if width != head.width() => {
            let message =
                format!("its head takes {} features, its open-set rejection takes {width}", head.width());
            Err(Error::new(Kind::Run, message).at(run).help("train again"))
        }
        _ => Ok(()),
    }
}
