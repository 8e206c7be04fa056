"""Tries the Python module `headstart` on a cache: python module.py CACHE. The program is on the search path."""

import sys

import headstart
import numpy as np
import pyarrow.parquet as pq

cache = sys.argv[1]
samples = pq.read_table(f"{cache}/samples.parquet").to_pandas()
features = pq.read_table(f"{cache}/features").to_pandas()
joined = samples.merge(features, on="image_sha256").sort_values(["path", "variant"])

for split in ["train", "validation", "test", None, ["train", "test"]]:
    for variants in ["none", ["none", "flip"], None]:
        expected = joined
        if split is not None:
            expected = expected[expected["split"].isin([split] if isinstance(split, str) else split)]
        if variants is not None:
            expected = expected[expected["variant"].isin([variants] if isinstance(variants, str) else variants)]
        X, y, paths = headstart.load(cache, split=split, variants=variants)
        assert X.dtype == np.float32 and np.array_equal(X, np.stack(expected["embedding"]))
        assert y.tolist() == expected["label"].tolist() and paths.tolist() == expected["path"].tolist()
        table = headstart.table(cache, split, variants)
        assert table["variant"].to_pylist() == expected["variant"].tolist()
        assert table["split"].to_pylist() == expected["split"].tolist()
        assert table.column_names == ["path", "label", "split", "image_sha256", "variant", "embedding"]

assert headstart.run("cache", "info", cache)["samples"] == len(samples)
for call, part in [
    (lambda: headstart.run("train", "nowhere", "--run", "r"), "no such cache"),
    (lambda: headstart.run("train", cache, "--run", "r", "--epochs", 0), "epochs"),
    (lambda: headstart.run("evaluate", "r", "--no-such-option"), "--no-such-option"),
]:
    try:
        call()
    except headstart.HeadstartError as error:
        assert part in error.message and error.returncode in (1, 2), (error.message, error.returncode)
    else:
        raise AssertionError(part)
try:
    headstart.run("train", "nowhere", "--run", "r", progress=False)
except headstart.HeadstartError as error:
    assert error.remedy and "help: " in str(error) and error.message.startswith("nowhere: "), error
try:
    headstart.load("nowhere")
except FileNotFoundError as error:
    assert "not a cache" in str(error)
else:
    raise AssertionError("no cache")
print("ok")
