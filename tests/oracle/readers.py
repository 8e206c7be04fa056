"""Reads a cache with pyarrow, pandas, Polars and DuckDB, as docs/cache-format.md describes it; checks that all of them see
the same rows and the same floats, and that the split rule holds. Run in the folder that holds the cache: python readers.py
CACHE."""

import collections
import hashlib
import json
import pathlib
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
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


JOIN = f"""SELECT s.label, s.split, f.variant, f.embedding
FROM '{sys.argv[1]}/features/*.parquet' f JOIN '{sys.argv[1]}/samples.parquet' s USING (image_sha256)"""


def canonical(labels, splits, variants, embeddings):
    """Rows in one order, whatever the reader's: text columns and the bytes of the floats."""
    return sorted(zip(labels, splits, variants, (np.asarray(e, np.float32).tobytes() for e in embeddings)))


def by_pyarrow():
    split = {row["image_sha256"]: (row["label"], row["split"]) for row in rows}
    kept = [(*split[h], v, e) for h, v, e in zip(*(features[c].to_pylist() for c in COLUMNS)) if h in split]
    return canonical(*zip(*kept))


def by_pandas():
    frame = pd.read_parquet(cache / "features").merge(pd.read_parquet(cache / "samples.parquet"), on="image_sha256")
    return canonical(frame["label"], frame["split"], frame["variant"], frame["embedding"])


def by_polars():
    names = [f"{sys.argv[1]}/features/*.parquet", f"{sys.argv[1]}/samples.parquet"]
    frame = pl.SQLContext({name: pl.scan_parquet(name) for name in names}).execute(JOIN, eager=True)
    return canonical(*(frame[c].to_list() for c in ["label", "split", "variant", "embedding"]))


def by_duckdb():
    return canonical(*zip(*duckdb.sql(JOIN).fetchall()))


COLUMNS = ["image_sha256", "variant", "embedding"]
reference = by_pyarrow()
readers = {"pandas": by_pandas, "Polars": by_polars, "DuckDB": by_duckdb}
agreeing = ["pyarrow"] + [name for name, read in readers.items() if read() == reference]

print(json.dumps({
    "agreeing": agreeing,
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
