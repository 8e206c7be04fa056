//! Plans the features of very many images that do not exist, and says what that takes: time, memory, objects and bytes. The keys are
//! generated in order. `cargo run --release --example plan_many_images -- 100000000` takes some minutes and keeps no files.
//!
//! With `samples N` it describes a data set of N images instead, and says how much memory an image takes in it.

use headstart::cache::plan::{ChunkImage, MAX_CHUNK_ROWS, write_plan};
use headstart::cache::{BackboneSpec, CacheWriter, PreprocessingSpec, Samples, Spec};
use headstart::data::augment::Variant;
use headstart::data::dataset::{ImageFile, assign_splits};
use headstart::data::preprocess::Preprocessing;
use headstart::error::Result;
use headstart::io::digest::{Digest, sha256};
use std::path::Path;
use std::time::Instant;

/// What a plan takes.
#[derive(Debug)]
pub struct Cost {
    /// Number of images.
    pub images: u64,
    /// Number of chunks, one object each.
    pub chunks: u32,
    /// Size of all chunks.
    pub bytes: u64,
    /// Seconds from the first key to the finished plan.
    pub seconds: f64,
}

/// The digest of a generated image; later images have larger ones.
fn generated(number: u64, of: u64) -> Digest {
    let place = (u128::from(number) << 64) / u128::from(of);
    let rest = sha256(&number.to_le_bytes()).to_string();
    format!("{:016x}{}", place as u64, &rest[16..]).parse().expect("64 digits")
}

fn spec() -> Spec {
    Spec {
        schema: headstart::cache::spec::SCHEMA.into(),
        backbone: BackboneSpec { name: "none".into(), title: "none".into(), graph_sha256: sha256(b"none") },
        layer: "PreLogits".into(),
        width: 2048,
        preprocessing: PreprocessingSpec {
            decode: "none".into(),
            steps: Preprocessing::named("unit").expect("a known name"),
        },
        known_answer: None,
    }
}

/// Plans `images` generated images in the folder `cache`. Chunks are counted and removed as soon as they are written.
///
/// # Errors
/// Those of the cache.
pub fn plan(cache: &Path, images: u64) -> Result<Cost> {
    drop(CacheWriter::open_or_create(cache, &spec())?);
    let started = Instant::now();
    let chunks = cache.join("plan/chunks.parquet");
    let mut bytes = 0;
    let remove = |bytes: &mut u64| {
        for entry in std::fs::read_dir(&chunks).into_iter().flatten().flatten() {
            *bytes += entry.metadata().map_or(0, |metadata| metadata.len());
            let _ = std::fs::remove_file(entry.path());
        }
    };
    let generate = |number: u64| {
        if number.is_multiple_of(1 << 20) {
            remove(&mut bytes);
        }
        ChunkImage {
            path: format!("{:04}/{number:09}.jpg", number % 1000),
            image_sha256: Some(generated(number, images)),
            variants: vec![Variant::None],
        }
    };
    let header = write_plan(cache, Path::new("/images"), (0..images).map(generate), MAX_CHUNK_ROWS)?;
    remove(&mut bytes);
    Ok(Cost { images: header.rows, chunks: header.chunks, bytes, seconds: started.elapsed().as_secs_f64() })
}

/// Describes `images` generated images; returns the size of `samples.parquet`.
pub fn describe(images: u64) -> usize {
    let file = |number: u64| ImageFile {
        path: format!("{:04}/{number:09}.jpg", number % 1000),
        label: format!("{:04}", number % 1000),
        labels: None,
        fixed_split: None,
        group: None,
        weight: Default::default(),
        image_sha256: generated(number, images),
        width: 640,
        height: 480,
        bytes: 100_000 + number,
        mtime_ns: number as i64,
        identity: Default::default(),
    };
    let rows = assign_splits((0..images).map(file).collect(), 0, Default::default());
    Samples { rows, root: "/images".into(), ..Samples::default() }.encode().len()
}

/// The largest memory that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0, |kib: u64| kib * 1024)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = args.last().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    if args.first().is_some_and(|what| what == "samples") {
        let started = Instant::now();
        let bytes = describe(number);
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{number} images: {seconds:.1} s, {bytes} bytes, peak memory {} bytes an image",
            peak_memory() / number
        );
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("plan-{}", std::process::id()));
    let Cost { images, chunks, bytes, seconds } = plan(&folder, number)?;
    let _ = std::fs::remove_dir_all(&folder);
    println!(
        "{images} images in {chunks} chunks: {seconds:.0} s, {bytes} bytes, peak memory {} MB",
        peak_memory() >> 20
    );
    Ok(())
}
