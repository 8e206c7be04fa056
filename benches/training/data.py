"""Caches of features-v1 for measurements, written by pyarrow and read by NumPy: no code of the project.

    python data.py CACHE --rows 5135 --validation 340 --classes 10 [--width 2048] [--seed 0]

Each feature is that of a network behind a ReLU: about half are exact zeros, the others of size 1. A class shifts some
features, so that heads have something to learn and do not reach everything."""

import argparse
import hashlib
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PART = 256
SPEC = {
    "schema": "features-v1",
    "backbone": {"name": "drawn", "title": "random numbers for measurements", "graph_sha256": "00" * 32},
    "layer": "PreLogits",
    "preprocessing": {"decode": "none", "crop": 1.0, "resize": "bilinear-pillow", "size": 299, "scale": "unit"},
}


def digest(number):
    return hashlib.sha256(f"image {number}".encode()).hexdigest()


def draw(rng, targets, centres):
    noise = rng.standard_normal((len(targets), centres.shape[1]), dtype=np.float32)
    return np.maximum(noise + centres[targets], 0)


def write(cache, rows, validation, classes, width=2048, seed=0):
    """`rows` train rows, `validation` validation rows and as many test rows."""
    cache = pathlib.Path(cache)
    (cache / "features").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    centres = (rng.standard_normal((classes, width)) * (rng.random((classes, width)) < 0.05) * 0.5).astype("f4")
    total = rows + 2 * validation
    split = np.array(["train"] * rows + ["validation"] * validation + ["test"] * validation)
    target = np.arange(total) % classes
    order = rng.permutation(total)
    item = pa.field("item", pa.float32(), nullable=False)
    schema = pa.schema([
        pa.field("image_sha256", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("embedding", pa.list_(item, width), nullable=False),
    ])
    for number, start in enumerate(range(0, total, PART)):
        own = order[start : start + PART]
        x = draw(rng, target[own], centres)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), type=schema.field("embedding").type)
        columns = [pa.array([digest(i) for i in own]), pa.array(["none"] * len(own)), lists]
        name = cache / "features" / "part"
        pq.write_table(
            pa.table(columns, schema=schema), name, compression="zstd", compression_level=1, use_dictionary=["variant"]
        )
        short = hashlib.sha256(name.read_bytes()).hexdigest()[:16]
        name.rename(cache / "features" / f"part-{number:06}-{short}.parquet")
    (cache / "spec.json").write_text(json.dumps(SPEC | {"width": width}))
    samples = {
        "path": [f"{target[i]:04}/{i}.png" for i in range(total)],
        "label": [f"{target[i]:04}" for i in range(total)],
        "split": split.tolist(),
        "image_sha256": [digest(i) for i in range(total)],
        "width": pa.array([8] * total, pa.int32()),
        "height": pa.array([8] * total, pa.int32()),
        "bytes": pa.array([1] * total, pa.int64()),
        "mtime_ns": pa.array([0] * total, pa.int64()),
    }
    metadata = {"headstart.root": "/nowhere", "headstart.seed": "0", "headstart.fractions": "70/5/25"}
    table = pa.table(samples)
    fields = [field.with_nullable(False) for field in table.schema]
    pq.write_table(table.cast(pa.schema(fields)).replace_schema_metadata(metadata), cache / "samples.parquet", compression="zstd")


def load(cache):
    """Train and validation rows of the variant none, sorted by digest: (x, y), (vx, vy)."""
    cache = pathlib.Path(cache)
    samples = pq.read_table(cache / "samples.parquet", columns=["image_sha256", "label", "split"]).to_pydict()
    known = {h: (label, split) for h, label, split in zip(*samples.values())}
    labels = sorted(set(samples["label"]))
    table = pq.read_table(cache / "features", columns=["image_sha256", "embedding"], filters=[("variant", "=", "none")])
    hashes = table["image_sha256"].to_pylist()
    lists = table["embedding"].combine_chunks()
    lists = lists if not isinstance(lists, pa.ChunkedArray) else pa.concat_arrays(lists.chunks)
    x = lists.flatten().to_numpy().reshape(len(hashes), -1)
    order = np.argsort(np.array(hashes))
    parts = {"train": [], "validation": [], "test": []}
    for row in order:
        parts[known[hashes[row]][1]].append(row)
    index = {label: i for i, label in enumerate(labels)}
    y = np.array([index[known[h][0]] for h in hashes])
    return [(np.ascontiguousarray(x[parts[s]]), y[parts[s]]) for s in ("train", "validation")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=pathlib.Path)
    for name in ("rows", "validation", "classes"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    write(a.cache, a.rows, a.validation, a.classes, a.width, a.seed)
