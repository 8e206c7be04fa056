//! Readers of files that come from elsewhere, each as a function of bytes: whatever the bytes are, it must return. The
//! result says whether they were accepted. The fuzz targets call these functions, and so do ordinary tests.

use headstart::backbone::graph::{graph_summary, inspect};
use headstart::backbone::import::tfjs::TfjsModel;
use headstart::backbone::import::{
    WeightsFile, keras as hdf5, pytorch as state_dict, safetensors as arrays, tensorflow,
};
use headstart::backbone::inception_v3::Weights;
use headstart::cache::{FeatureCache, Spec, read_refused};
use headstart::data::augment::Variant;
use headstart::data::decode;
use headstart::data::preprocess::Preprocessing;
use headstart::io::digest::sha256;
use headstart::run::StoredRun;
use headstart::{experiment, head, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A reader of bytes, by the name of its fuzz target.
pub type Reader = fn(&[u8]) -> bool;

/// A record that is sound, for readers of the other files of a run.
const RECORD: &[u8] = include_bytes!("../../tests/fixtures/v0.1.0/run/run.json");

/// All readers by name.
pub const READERS: [(&str, Reader); 25] = [
    ("onnx", onnx),
    ("tfjs", tfjs),
    ("spec", spec),
    ("samples", samples),
    ("refused", refused),
    ("part", part),
    ("record", record),
    ("predictions", predictions),
    ("trained_on", trained_on),
    ("head", saved_head),
    ("rejection", rejection),
    ("experiment", experiment_file),
    ("pytorch", pytorch),
    ("safetensors", safetensors),
    ("keras", keras),
    ("checkpoint_v1", checkpoint_v1),
    ("checkpoint_v2", checkpoint_v2),
    ("frozen", frozen),
    ("weights_archive", weights_archive),
    ("jpeg", jpeg),
    ("png", png),
    ("webp", webp),
    ("gif", gif),
    ("bmp", bmp),
    ("tiff", tiff),
];

/// An ONNX file.
pub fn onnx(data: &[u8]) -> bool {
    let summary = graph_summary(data, "PreLogits");
    inspect(data).is_ok() | summary.is_ok()
}

/// The scripts of a TensorFlow.js model: the model, a zero byte, its one shard `s1`.
pub fn tfjs(data: &[u8]) -> bool {
    let names = ["model.min.js", "s1.min.js"].map(String::from);
    let files: BTreeMap<String, Vec<u8>> =
        names.into_iter().zip(data.splitn(2, |&byte| byte == 0).map(<[u8]>::to_vec)).collect();
    TfjsModel::read(&files).is_ok_and(|model| model.classifier(1).is_ok())
}

/// A state dict of PyTorch, of either format.
pub fn pytorch(data: &[u8]) -> bool {
    state_dict::read_pytorch(data).is_ok()
}

/// A safetensors file of weights.
pub fn safetensors(data: &[u8]) -> bool {
    arrays::read_safetensors(data).is_ok()
}

/// An HDF5 file of Keras.
pub fn keras(data: &[u8]) -> bool {
    hdf5::read_keras(data.to_vec()).is_ok()
}

/// A checkpoint of TensorFlow in one file.
pub fn checkpoint_v1(data: &[u8]) -> bool {
    tensorflow::read_checkpoint_v1(data).is_ok()
}

/// A checkpoint of an index and one file of values: the length of the index in four bytes, the index, the values.
pub fn checkpoint_v2(data: &[u8]) -> bool {
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return false };
    let Some((index, values)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
        return false;
    };
    tensorflow::read_checkpoint_v2(index, &mut |_, _| Ok(values.to_vec())).is_ok()
}

/// A frozen graph of TensorFlow.
pub fn frozen(data: &[u8]) -> bool {
    tensorflow::read_frozen(data).is_ok()
}

/// A weights file inside a `.tar.gz`.
pub fn weights_archive(data: &[u8]) -> bool {
    let folder = folder("weights_archive");
    write(&folder, "weights.tar.gz", data);
    data.starts_with(&[0x1f, 0x8b]) && WeightsFile::read(&folder.join("weights.tar.gz")).is_ok()
}

/// `spec.json` of a cache. One that is accepted is written and read back as it was.
pub fn spec(data: &[u8]) -> bool {
    let folder = folder("spec");
    write(&folder, "spec.json", data);
    let Ok(Some(spec)) = Spec::read(&folder) else { return false };
    write(&folder, "spec.json", &spec.encode());
    assert_eq!(Spec::read(&folder).ok().flatten().map(|again| again.encode()), Some(spec.encode()));
    true
}

/// `samples.parquet` of a cache. Samples that are accepted are written and read back as they were.
pub fn samples(data: &[u8]) -> bool {
    let (folder, cache) = cache("samples");
    write(&folder, "samples.parquet", data);
    let Ok(samples) = cache.samples() else { return false };
    write(&folder, "samples.parquet", &samples.encode());
    assert_eq!(cache.samples().ok(), Some(samples));
    true
}

/// `refused.parquet` of a cache.
pub fn refused(data: &[u8]) -> bool {
    let folder = folder("refused");
    write(&folder, "refused.parquet", data);
    read_refused(&folder).is_ok()
}

/// A part of a cache, under the name that its bytes have.
pub fn part(data: &[u8]) -> bool {
    let (folder, cache) = cache("part");
    let name = format!("features/part-000000-{}.parquet", &sha256(data).to_string()[..16]);
    write(&folder, &name, data);
    let keys = cache.keys();
    let rows = cache.rows(|_| true);
    let is_accepted = keys.is_ok() && rows.is_ok();
    std::fs::remove_file(folder.join(name)).expect("a file of ours");
    is_accepted
}

/// `run.json` of a run.
pub fn record(data: &[u8]) -> bool {
    let folder = folder("record");
    write(&folder, "run.json", data);
    run::read_record(&folder).is_ok()
}

/// `predictions.parquet` of a run.
pub fn predictions(data: &[u8]) -> bool {
    let folder = folder("predictions");
    write(&folder, "run.json", RECORD);
    write(&folder, "predictions.parquet", data);
    StoredRun::open(&folder).is_ok_and(|run| run.predictions().is_ok())
}

/// `train-images.parquet` of a run.
pub fn trained_on(data: &[u8]) -> bool {
    let folder = folder("trained_on");
    write(&folder, "run.json", RECORD);
    write(&folder, "train-images.parquet", data);
    StoredRun::open(&folder).is_ok_and(|run| run.trained_on().is_ok())
}

/// `head.safetensors` of a run. A head that is accepted answers.
pub fn saved_head(data: &[u8]) -> bool {
    let folder = folder("head");
    write(&folder, "head.safetensors", data);
    let Ok(saved) = head::load(&folder.join("head.safetensors")) else { return false };
    let width = saved.head.width();
    assert_eq!(saved.head.probabilities(&vec![0.5; width]).row(0).len(), saved.classes.len());
    true
}

/// `reject.safetensors` of a run. A measure that is accepted measures.
pub fn rejection(data: &[u8]) -> bool {
    let Ok(saved) = head::rejection::decode(data, Path::new("reject.safetensors")) else { return false };
    saved.distance.of(&vec![0.5; saved.distance.width()]);
    true
}

/// The file of an experiment.
pub fn experiment_file(data: &[u8]) -> bool {
    experiment::check_file(data).is_ok()
}

/// A JPEG image, and what extraction makes of its pixels.
pub fn jpeg(data: &[u8]) -> bool {
    data.starts_with(b"\xff\xd8\xff") && image(data)
}

/// A PNG image, and what extraction makes of its pixels.
pub fn png(data: &[u8]) -> bool {
    data.starts_with(b"\x89PNG\r\n\x1a\n") && image(data)
}

/// A WebP image, and what extraction makes of its pixels.
pub fn webp(data: &[u8]) -> bool {
    data.starts_with(b"RIFF") && image(data)
}

/// A GIF image, and what extraction makes of its pixels.
pub fn gif(data: &[u8]) -> bool {
    data.starts_with(b"GIF8") && image(data)
}

/// A BMP image, and what extraction makes of its pixels.
pub fn bmp(data: &[u8]) -> bool {
    data.starts_with(b"BM") && image(data)
}

/// A TIFF image, and what extraction makes of its pixels.
pub fn tiff(data: &[u8]) -> bool {
    (data.starts_with(b"II") || data.starts_with(b"MM")) && image(data)
}

/// Pixels of the images that are decoded. Larger ones take the same code and more time.
const MAX_PIXELS: u64 = 1 << 18;

/// Decodes an image that is not large, and takes it through augmentation and preprocessing. The size in its header, which
/// the description of a data set holds, must be that of its pixels.
fn image(data: &[u8]) -> bool {
    let Ok(size) = decode::dimensions(data) else { return false };
    if u64::from(size.width) * u64::from(size.height) > MAX_PIXELS {
        return false;
    }
    let image = match decode::decode(data) {
        Ok(image) => image,
        Err(reason) => {
            assert!(!reason.to_string().is_empty());
            return false;
        }
    };
    let mut sides = [size.width as usize, size.height as usize];
    if sides != [image.width(), image.height()] {
        sides.reverse();
    }
    assert_eq!(sides, [image.width(), image.height()]);
    for variant in [Variant::None, Variant::Flip, Variant::Shift { dx: 3, dy: -2 }] {
        let changed = variant.apply(&image);
        assert_eq!([changed.width(), changed.height()], sides);
        if variant == Variant::Flip {
            assert_eq!(Variant::Flip.apply(&changed), image);
        }
        let preprocessing =
            Preprocessing { size: 13, ..Preprocessing::named("inception").expect("a known name") };
        let tensor = preprocessing.tensor(&changed);
        assert!(tensor.iter().all(|value| (-1.0..=1.0).contains(value)));
    }
    true
}

/// A folder of this process and thread for the files of one reader.
fn folder(reader: &str) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let name = format!("headstart-fuzz-{}-{thread}", std::process::id());
    let folder = std::env::temp_dir().join(name).join(reader);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// A cache of vectors of two floats.
fn cache(reader: &str) -> (PathBuf, FeatureCache) {
    let folder = folder(reader);
    std::fs::create_dir_all(folder.join("features")).expect("a temporary folder");
    write(&folder, "spec.json", include_bytes!("spec.json"));
    let cache = FeatureCache::open(&folder).expect("a spec of this version");
    (folder, cache)
}

fn write(folder: &Path, name: &str, data: &[u8]) {
    std::fs::write(folder.join(name), data).expect("a temporary file");
}
