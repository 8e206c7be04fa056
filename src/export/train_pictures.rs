//! Train pictures that a page shows beside an answer: some of each class, with their features.

use crate::data::augment::Variant;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::report::page::Thumbnail;
use crate::run::StoredRun;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Pictures of a class at most.
const OF_A_CLASS: usize = 12;

/// Small pictures with their class, and their features.
#[derive(Debug)]
pub(super) struct TrainPictures {
    /// For each picture its class, the picture as a data URI, and its size.
    pub list: Vec<Value>,
    /// Features of unit length, `[pictures, width]`: 32-bit floats, the low byte first.
    pub features: Vec<u8>,
}

impl TrainPictures {
    /// Reads pictures of the train split from the folder of images, evenly chosen in the order of their digests.
    ///
    /// # Errors
    /// Those of [`StoredRun::open_cache`]; [`Kind::Input`] where no picture can be read.
    pub fn read(run: &StoredRun, classes: &[String]) -> Result<Self> {
        let cache = run.open_cache(None)?;
        let samples = cache.samples()?;
        let (trained_on, by_digest) = (run.trained_on()?, samples.by_digest());
        let mut of_class: BTreeMap<usize, Vec<Digest>> = BTreeMap::new();
        let mut digests: Vec<Digest> = trained_on.into_iter().collect();
        digests.sort_by_key(Digest::bytes);
        for digest in digests {
            let label = by_digest.get(&digest).map(|sample| &sample.file.label);
            let class = label.and_then(|label| classes.iter().position(|class| class == label));
            class.into_iter().for_each(|class| of_class.entry(class).or_default().push(digest));
        }
        let chosen: BTreeMap<[u8; 32], usize> = of_class
            .into_iter()
            .flat_map(|(class, digests)| {
                evenly(&digests).into_iter().map(move |digest| (digest.bytes(), class))
            })
            .collect();
        let rows = cache
            .rows(|key| key.variant == Variant::None && chosen.contains_key(&key.image_sha256.bytes()))?;
        let root = samples.images_root(cache.root());
        let mut pictures = Self { list: Vec::new(), features: Vec::new() };
        for (key, row) in rows.keys.iter().zip(rows.embeddings.chunks_exact(rows.width.max(1))) {
            let digest = key.image_sha256;
            let Some(sample) = by_digest.get(&digest) else { continue };
            let Ok(small) = Thumbnail::read(&root.join(&sample.file.path), digest) else { continue };
            let [width, height] = small.size();
            let class = chosen[&digest.bytes()];
            pictures
                .list
                .push(json!({"class": class, "picture": small.uri(), "width": width, "height": height}));
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            pictures.features.extend(row.iter().flat_map(|value| (value / length).to_le_bytes()));
        }
        match pictures.list.is_empty() {
            false => Ok(pictures),
            true => Err(Error::new(Kind::Input, "none of the train images can be read")
                .at(root)
                .help("put the images back there, or leave `pictures` out")),
        }
    }
}

/// At most [`OF_A_CLASS`] of `all`, from the first on at equal steps.
fn evenly(all: &[Digest]) -> Vec<Digest> {
    let every = all.len().div_ceil(OF_A_CLASS).max(1);
    all.iter().step_by(every).copied().collect()
}
