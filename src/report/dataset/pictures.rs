//! The pictures of the page of a data set.

use super::examine::DatasetStats;
use super::examples::{ClassExamples, ExampleFile};
use super::variants::VariantPreview;
use crate::data::augment::Variant;
use crate::data::thumbnail;
use crate::error::Result;
use crate::io::digest::Digest;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use crate::report::page::{Picture, Thumbnail};
use std::path::Path;

/// A variant of an image, and what enters the network of it.
pub(super) struct VariantPictures {
    pub variant: Variant,
    pub image: Picture,
    pub input: Picture,
}

/// The picture of one file of the data set.
pub(super) fn file(stats: &DatasetStats, path: &str, digest: Digest) -> Picture {
    Picture::read(&stats.root.join(path), digest, path)
}

/// The examples of each class, in the order of `stats.examples`; loaded on all cores.
pub(super) fn examples(stats: &DatasetStats, monitor: &dyn Monitor) -> Result<Vec<Vec<Picture>>> {
    let files: Vec<&ExampleFile> = stats.examples.iter().flat_map(|class| &class.files).collect();
    let task = monitor.task("making thumbnails", Some(files.len() as u64), Unit::Images);
    let load = |example: &&ExampleFile| {
        let picture = file(stats, &example.path, example.image_sha256);
        task.advance(1);
        Ok(picture)
    };
    let mut pictures = in_parallel(parallel::thread_count(0), &files, load)?.into_iter();
    let of_class = |class: &ClassExamples| pictures.by_ref().take(class.files.len()).collect();
    Ok(stats.examples.iter().map(of_class).collect())
}

/// Each variant of the preview; empty frames if the image cannot be read any more.
pub(super) fn variants(root: &Path, preview: &VariantPreview) -> Vec<VariantPictures> {
    let path = root.join(&preview.path);
    let stretch = preview.preprocessing.stretch_16bit;
    let image = thumbnail::read_verified(&path, preview.image_sha256, stretch).ok();
    let pictures = |variant: Variant| {
        let pixels = image.as_ref().map(|image| variant.apply(image));
        let input = pixels.as_ref().map(|pixels| preview.preprocessing.resized(pixels));
        let alt = format!("{}, {variant}", preview.path);
        VariantPictures {
            variant,
            input: Picture {
                thumbnail: input.as_ref().map(Thumbnail::new),
                alt: format!("{alt}, as it enters the network"),
            },
            image: Picture { thumbnail: pixels.as_ref().map(Thumbnail::new), alt },
        }
    };
    preview.variants.iter().map(|previewed| pictures(previewed.variant)).collect()
}
