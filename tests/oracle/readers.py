"""Reads a cache with pyarrow alone, as docs/cache-format.md describes it, and checks the split rule."""

import collections
import hashlib
import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq

cache = pathlib.Path(sys.argv[1])
samples = pq.read_table(cache / "samples.parquet")
features = pq.read_table(cache / "features")
rows = samples.to_pylist()
known = {row["image_sha256"] for row in rows}
vectors = features["embedding"].combine_chunks()
metadata = pq.read_metadata(cache / "samples.parquet").metadata
noted = {k.decode(): v.decode() for k, v in metadata.items() if k.startswith(b"headstart")}
part = sorted((cache / "features").glob("part-*.parquet"))[0]
provider = pq.read_metadata(part).metadata[b"headstart.provider"].decode()
name = part.name.split("-")[2].split(".")[0]
assert hashlib.sha256(part.read_bytes()).hexdigest().startswith(name)


def rule(seed, fractions):
    _, validation, test = map(int, fractions.split("/"))
    classes = collections.defaultdict(set)
    for row in rows:
        classes[row["label"]].add(row["image_sha256"])
    split = {}
    for images in classes.values():
        order = sorted(images, key=lambda h: hashlib.sha256(f"{seed}:{h}".encode()).hexdigest())
        a, b = len(order) * test // 100, len(order) * validation // 100
        for i, image in enumerate(order):
            split[image] = "test" if i < a else "validation" if i < a + b else "train"
    return all(split[row["image_sha256"]] == row["split"] for row in rows)


print(json.dumps({
    "samples": len(rows),
    "joined": sum(h in known for h in features["image_sha256"].to_pylist()),
    "splits": dict(collections.Counter(row["split"] for row in rows)),
    "labels": sorted({row["label"] for row in rows}),
    "provider": provider,
    "width": vectors.type.list_size,
    "type": str(vectors.type.value_type),
    "sum": float(vectors.flatten().to_numpy().astype(np.float64).sum()),
    "seed": noted["headstart.seed"],
    "fractions": noted["headstart.fractions"],
    "split_rule_holds": rule(noted["headstart.seed"], noted["headstart.fractions"]),
}))
