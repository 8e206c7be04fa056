//! Reads a folder as a network: `model.onnx`, and the file that says how pixels enter it.

use super::hugging_face::ProcessorConfig;
use super::onnx_file::read_onnx;
use crate::backbone::Pool;
use crate::backbone::graph::{ModelSettings, PREPROCESSING_KEY, inspect};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::io::toml::parse_toml;
use crate::io::{fs, json};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of our own settings.
const SETTINGS: &str = "headstart.toml";
/// The name of Hugging Face's settings.
const PROCESSOR: &str = "preprocessor_config.json";
/// Where exporters put the network.
const MODELS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The content of `headstart.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Path of the ONNX file in the folder.
    model: Option<String>,
    /// A few words that describe the network.
    title: Option<String>,
    /// The input that takes the image.
    image: Option<String>,
    /// The layer to embed by default.
    layer: Option<String>,
    /// How its values become features.
    pool: Option<String>,
    /// Constants of the other inputs.
    #[serde(default)]
    inputs: BTreeMap<String, f64>,
    /// How pixels enter the network; that of `preprocessor_config.json` by default.
    preprocessing: Option<Preprocessing>,
}

/// Reads the network of `folder`, with its settings inside the ONNX file.
pub(super) fn read(folder: &Path) -> Result<Vec<u8>> {
    let own = folder.join(SETTINGS);
    let settings: Settings = match own.is_file() {
        true => parse_toml(&String::from_utf8_lossy(&fs::read(&own)?)).map_err(|e| e.at(&own))?,
        false => Settings::default(),
    };
    let onnx = find_onnx(folder, settings.model.as_deref())?;
    let preprocessing = match settings.preprocessing {
        Some(steps) => steps.checked().map_err(|e| e.at(&own))?,
        None => hugging_face(folder)?,
    };
    let pool = settings.pool.as_deref().map(str::parse::<Pool>).transpose().map_err(|e| e.at(&own))?;
    let layer = match (settings.layer, pool) {
        (Some(layer), Some(pool)) => Some(pool.of_layer(&layer)),
        (None, Some(_)) => {
            return Err(Error::new(Kind::Usage, "`pool` needs `layer` beside it").at(&own));
        }
        (layer, None) => layer,
    };
    let mut metadata = vec![(PREPROCESSING_KEY.to_string(), json::encode(&preprocessing))];
    metadata.extend(settings.title.map(|title| ("headstart.title".to_string(), title)));
    let model = ModelSettings { image: settings.image, constants: settings.inputs, layer, metadata };
    let bytes = read_onnx(&onnx, &model)?;
    match inspect(&bytes).map_err(|e| e.at(&onnx))?.input_side {
        Some(side) if side != preprocessing.size => {
            let size = preprocessing.size;
            let message =
                format!("the network takes {side} x {side} pixels, but its settings make {size} x {size}");
            Err(Error::new(Kind::Usage, message).at(folder).help("export it for that size"))
        }
        _ => Ok(bytes),
    }
}

/// Finds the ONNX file of `folder`.
pub(super) fn find_onnx(folder: &Path, model: Option<&str>) -> Result<PathBuf> {
    let names = model.map_or(MODELS.to_vec(), |model| vec![model]);
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::new(Kind::Backbone, format!("the folder holds no {}", names.join(" or ")))
            .at(folder)
            .help("give a folder with model.onnx, and preprocessor_config.json or headstart.toml")
    })
}

fn hugging_face(folder: &Path) -> Result<Preprocessing> {
    let path = folder.join(PROCESSOR);
    if !path.is_file() {
        return Err(Error::new(Kind::Usage, "the folder does not say how pixels enter the network")
            .at(folder)
            .help(format!("put Hugging Face's {PROCESSOR} there, or {SETTINGS} with `preprocessing`")));
    }
    let config: ProcessorConfig = json::decode(&fs::read(&path)?)
        .map_err(|e| Error::new(Kind::Usage, "it is not an image processor").because(e).at(&path))?;
    let steps = config.preprocessing().and_then(Preprocessing::checked);
    steps.map_err(|e| match e.remedy() {
        Some(_) => e.at(&path),
        None => e.at(&path).help(format!("state it in {SETTINGS} as `preprocessing`")),
    })
}
