//! The bad inputs of the table that concern caches.

use super::{AGAIN, cut, nothing};
use crate::error_table::How::{AsNobody, DiskFull, Locked};
use crate::error_table::{Case, case};
use crate::support::{Sandbox, small_network};
use headstart::cache::{CacheWriter, FeatureCache, FeatureRows, Key, Spec};
use headstart::data::augment::Variant;
use std::collections::BTreeMap;

pub(super) const CACHES: &[Case] = &[
    case("no such cache", "train missing --run new", nothing),
    case("a folder that is not a cache", "train in --run new", nothing),
    case(
        "a cache in a folder of other things",
        "extract in --cache mine --backbone small.onnx --dry-run",
        |s| {
            s.write("mine/thesis.tex", b"irreplaceable");
        },
    ),
    case("a cache where a file is", "extract in --cache small.onnx --backbone small.onnx", nothing),
    case(
        "other features than the cache holds",
        "extract in --cache c --backbone small.onnx --layer Mixed_6e --crop 0.5 --preprocess unit",
        nothing,
    ),
    case("another network under the same name", AGAIN, |s| {
        drop(s.write("small.onnx", &small_network::onnx(2)))
    }),
    case("a spec of a later version", AGAIN, |s| {
        s.write("c/spec.json", br#"{"schema": "features-v9"}"#);
    }),
    case("no part at all", "train c --run new", |s| std::fs::remove_file(part(s)).unwrap()),
    case("a part with a flipped bit", "train c --run new", |s| {
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
    }),
    case("a part cut short", AGAIN, |s| {
        let bytes = std::fs::read(part(s)).unwrap();
        std::fs::write(part(s), &bytes[..bytes.len() / 2]).unwrap();
    }),
    case("features that are not numbers", "train c --run new", |s| {
        std::fs::remove_file(part(s)).unwrap();
        let cache = FeatureCache::open(&s.path("c")).unwrap();
        let keys: Vec<Key> = cache
            .samples()
            .unwrap()
            .rows
            .iter()
            .map(|row| Key { image_sha256: row.file.image_sha256, variant: Variant::None })
            .collect();
        let mut embeddings = vec![0.5; keys.len() * small_network::WIDTH];
        embeddings[7] = f32::NAN;
        let mut writer = CacheWriter::open_or_create(&s.path("c"), cache.spec()).unwrap();
        writer
            .append(FeatureRows { keys, width: small_network::WIDTH, embeddings }, BTreeMap::new())
            .unwrap();
    }),
    case("features of another spec", "train c --run new", |s| {
        let store = FeatureCache::open(&s.path("c")).unwrap();
        let other = Spec { layer: "Logits".into(), ..store.spec().clone() };
        let mut writer = CacheWriter::open_or_create(&s.path("other"), &other).unwrap();
        let part = writer.append(store.rows(|_| true).unwrap(), BTreeMap::new()).unwrap();
        std::fs::rename(&part.path, s.path("c/features").join(&part.name)).unwrap();
    }),
    case("features that contradict others", "train c --run new", |s| {
        let store = FeatureCache::open(&s.path("c")).unwrap();
        let mut rows = store.rows(|_| true).unwrap();
        rows.embeddings[3] += 0.5;
        let mut writer = CacheWriter::open_or_create(&s.path("c"), store.spec()).unwrap();
        writer.append(rows, BTreeMap::new()).unwrap();
    }),
    case("a description that is gone", "train c --run new", |s| {
        std::fs::remove_file(s.path("c/samples.parquet")).unwrap();
    }),
    case("a damaged description", AGAIN, |s| cut(s, "c/samples.parquet")),
    case("a damaged list of refused files", "cache verify c", |s| cut(s, "c/refused.parquet")),
    case("another writer", AGAIN, nothing).how(Locked),
    case("a cache that may not be written to", AGAIN, nothing).how(AsNobody),
    case("a full disk", "extract in --cache new --backbone small.onnx --augment shift:5", nothing)
        .how(DiskFull)
        .writes(&["new/", "new/features/", "new/spec.json", "new/refused.parquet", "new/samples.parquet"]),
    case("a compaction of a damaged cache", "cache compact c", |s| {
        let cache = FeatureCache::open(&s.path("c")).unwrap();
        let rows = cache.rows(|_| true).unwrap();
        let keys = vec![Key { variant: Variant::Flip, ..rows.keys[0] }];
        let embeddings = rows.embeddings[..small_network::WIDTH].to_vec();
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
        let noted = cache.parts().unwrap()[0].metadata().unwrap();
        let mut writer = CacheWriter::open_or_create(&s.path("c"), cache.spec()).unwrap();
        writer.append(FeatureRows { keys, width: small_network::WIDTH, embeddings }, noted).unwrap();
    }),
    case("a compaction during a write", "cache compact c", nothing).how(Locked),
    case("an export of a damaged cache", "cache export c --out flat.parquet", |s| {
        let mut bytes = std::fs::read(part(s)).unwrap();
        bytes[2000] ^= 4;
        std::fs::write(part(s), bytes).unwrap();
    }),
    case("an export that may not be written", "cache export c --out flat.parquet", nothing).how(AsNobody),
    case("an export beside another table of the same name", "cache export c --out mine.npy", |s| {
        s.write("mine.csv", b"irreplaceable");
    }),
    case("an export onto somebody's file", "cache export c --out mine.parquet", |s| {
        s.write("mine.parquet", b"irreplaceable");
    }),
    case("an export into the cache", "cache export c --out c/flat.parquet", nothing),
    case("an export in an unknown format", "cache export c --out flat.csv", nothing),
];

fn part(s: &Sandbox) -> std::path::PathBuf {
    FeatureCache::open(&s.path("c")).unwrap().parts().unwrap()[0].path.clone()
}
