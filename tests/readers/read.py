"""Reads files of headstart with the Python readers that are named, and prints what each of them saw.

    python read.py FOLDER READER...

FOLDER holds `cache`, `export.*`, `predictions.parquet`, and of version 0.1.0 `v0.1.0` and `v0.1.0.parquet`. The output is JSON: for each reader its version, and
for each thing in FOLDER that it can be expected to open the digest of all rows, or the error. All representations of one
cache give the same digest, whatever their layout.
"""

import csv
import hashlib
import importlib.metadata
import json
import pathlib
import sys


def digest(rows):
    """The digest of rows of text columns and one vector, in an order that depends on neither reader nor layout."""
    import numpy as np

    encoded = sorted("\t".join(text).encode() + b"\0" + np.asarray(vector, "<f4").tobytes() for *text, vector in rows)
    return hashlib.sha256(b"".join(encoded)).hexdigest()[:16]


class PyArrow:
    package = "pyarrow"

    def parquet(self, path):
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pydict()

    def arrow(self, path):
        import pyarrow.feather as feather

        return feather.read_table(path).to_pydict()


class Pandas:
    package = "pandas"

    def parquet(self, path):
        import pandas as pd

        return pd.read_parquet(path).to_dict("list")

    def arrow(self, path):
        import pandas as pd

        return pd.read_feather(path).to_dict("list")


class Polars:
    package = "polars"

    def parquet(self, path):
        import polars as pl

        return pl.read_parquet(files(path)).to_dict(as_series=False)

    def arrow(self, path):
        import polars as pl

        return pl.read_ipc(path).to_dict(as_series=False)


class DuckDB:
    package = "duckdb"

    def parquet(self, path):
        import duckdb

        result = duckdb.connect().execute(f"SELECT * FROM read_parquet('{files(path)}')")
        names = [column[0] for column in result.description]
        return dict(zip(names, map(list, zip(*result.fetchall()))))


class DataFusion:
    package = "datafusion"

    def parquet(self, path):
        import datafusion

        context = datafusion.SessionContext()
        context.register_parquet("t", path)
        return context.sql("SELECT * FROM t").to_pydict()


class Daft:
    package = "daft"

    def parquet(self, path):
        import daft

        return daft.read_parquet(files(path)).to_pydict()


class Spark:
    package = "pyspark"

    def parquet(self, path):
        from pyspark.sql import SparkSession

        session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
        frame = session.read.parquet(path)
        return dict(zip(frame.columns, map(list, zip(*frame.collect()))))


class NumPy:
    package = "numpy"

    def npy(self, path):
        import numpy as np

        with open(pathlib.Path(path).with_suffix(".csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [row[name] for row in rows] for name in rows[0]} | {"embedding": np.load(path)}


class Safetensors:
    package = "safetensors"

    def safetensors(self, path):
        from safetensors import safe_open

        with safe_open(path, "numpy") as file:
            notes = json.loads(file.metadata()["headstart"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        return {
            "label": [notes["classes"][i] for i in tensors["target"]],
            "split": [notes["splits"][i] for i in tensors["split"]],
            "variant": [notes["variants"][i] for i in tensors["variant"]],
            "image_sha256": [bytes(row).hex() for row in tensors["image_sha256"]],
            "embedding": tensors["embedding"],
        }


READERS = {
    reader.package: reader
    for reader in [PyArrow, Pandas, Polars, DuckDB, DataFusion, Daft, Spark, NumPy, Safetensors]
}


def files(path):
    """The pattern of all files in a folder; of a file its path."""
    return f"{path}/*.parquet" if pathlib.Path(path).is_dir() else path


def rows(table, names):
    return zip(*(table[name] for name in names))


ROW = ["label", "split", "variant", "image_sha256", "embedding"]
PREDICTION = ["path", "image_sha256", "variant", "split", "label", "predicted", "probabilities"]


def joined(reader, cache):
    """The rows of a cache: the join of its samples and its features."""
    samples = reader.parquet(f"{cache}/samples.parquet")
    features = reader.parquet(f"{cache}/features")
    by_image = {}
    for label, split, image in rows(samples, ["label", "split", "image_sha256"]):
        by_image.setdefault(image, []).append((label, split))
    for image, variant, embedding in rows(features, ["image_sha256", "variant", "embedding"]):
        for label, split in by_image.get(image, []):
            yield label, split, variant, image, embedding


def attempts(reader, folder):
    """What a reader of these formats can be expected to open: name of the thing and a function that reads its rows."""
    if hasattr(reader, "parquet"):
        yield "cache", lambda: joined(reader, f"{folder}/cache")
        yield "export.parquet", lambda: rows(reader.parquet(f"{folder}/export.parquet"), ROW)
        yield "predictions.parquet", lambda: rows(reader.parquet(f"{folder}/predictions.parquet"), PREDICTION)
        yield "v0.1.0", lambda: joined(reader, f"{folder}/v0.1.0")
        yield "v0.1.0.parquet", lambda: rows(reader.parquet(f"{folder}/v0.1.0.parquet"), PREDICTION)
    for format in ["arrow", "npy", "safetensors"]:
        if hasattr(reader, format):
            read = getattr(reader, format)
            yield f"export.{format}", lambda read=read, format=format: rows(read(f"{folder}/export.{format}"), ROW)


def seen(read):
    try:
        return {"digest": digest(read())}
    except BaseException as error:  # A panic of a reader in Rust is no Exception.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"error": lines[0][:120]}


def main(folder, *names):
    results = {}
    for name in names:
        reader = READERS[name]()
        things = {thing: seen(read) for thing, read in attempts(reader, folder)}
        results[name] = {"version": importlib.metadata.version(name), "things": things}
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
