"""Reads the exports of a cache with other people's readers and compares each with the join of the cache's own files:
python exports.py CACHE FLAT.parquet FLAT.npy FLAT.safetensors FLAT.arrow."""

import json
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.feather
import pyarrow.parquet as pq
from safetensors import safe_open

cache, parquet, npy, safetensors, arrow = sys.argv[1:]
samples = pq.read_table(f"{cache}/samples.parquet").to_pandas()
features = pq.read_table(f"{cache}/features").to_pandas()
expected = samples.merge(features, on="image_sha256")
keys = ["path", "label", "split", "image_sha256", "variant"]
classes = sorted(set(samples["label"]), key=str.encode)


def same(frame, matrix):
    """Whether rows and floats are those of the join, in the promised order of paths."""
    paths = [p.encode() for p in frame["path"]]
    assert paths == sorted(paths)
    order = ["path", "variant"]
    theirs = frame.assign(row=range(len(frame))).sort_values(order)
    ours = expected.sort_values(order)
    assert theirs[keys].values.tolist() == ours[keys].values.tolist()
    assert [classes[t] for t in theirs["target"]] == list(ours["label"])
    assert np.array_equal(np.asarray(matrix)[theirs["row"]], np.stack(ours["embedding"]))
    return len(frame)


checked = {}
frame = pd.read_parquet(parquet)
checked["pandas, Parquet"] = same(frame, np.stack(frame["embedding"]))
frame = pl.read_parquet(parquet)
checked["Polars, Parquet"] = same(frame.drop("embedding").to_pandas(), frame["embedding"].to_numpy())
frame = pyarrow.feather.read_table(arrow).to_pandas()
checked["pyarrow, Arrow IPC"] = same(frame, np.stack(frame["embedding"]))
frame = pl.read_ipc(arrow)
checked["Polars, Arrow IPC"] = same(frame.drop("embedding").to_pandas(), frame["embedding"].to_numpy())
frame = pd.read_csv(npy.replace(".npy", ".csv"), keep_default_na=False)
matrix = np.load(npy, mmap_mode="r")
assert matrix.dtype == np.float32
checked["NumPy and CSV"] = same(frame, matrix)
with safe_open(safetensors, "numpy") as file:
    noted = json.loads(file.metadata()["headstart"])
    t = {name: file.get_tensor(name) for name in file.keys()}
tensors = pd.DataFrame({
    "label": [noted["classes"][i] for i in t["target"]],
    "split": [noted["splits"][i] for i in t["split"]],
    "variant": [noted["variants"][i] for i in t["variant"]],
    "image_sha256": [bytes(row).hex() for row in t["image_sha256"]],
})
assert noted["spec"]["schema"] == "features-v1"
assert tensors.equals(frame[tensors.columns.tolist()]), "the same order in every format"
assert np.array_equal(t["embedding"], matrix)
checked["safetensors"] = len(tensors)
print(json.dumps(checked))
