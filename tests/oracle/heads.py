"""Reads heads, caches and runs without any code of the project: NumPy and pyarrow."""

import json
import pathlib

import numpy as np
import pyarrow.parquet as pq


def load_layers(run):
    """All tensors by name, and class names, from head.safetensors."""
    data = (pathlib.Path(run) / "head.safetensors").read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    classes = json.loads(header.pop("__metadata__")["headstart"])["classes"]

    def tensor(name):
        start, end = header[name]["data_offsets"]
        return np.frombuffer(data[8 + n + start : 8 + n + end], "<f4").reshape(header[name]["shape"])

    return {name: tensor(name) for name in header}, classes


def load_head(run):
    """weight [classes, width], bias [classes], class names, of a head without a hidden layer."""
    layers, classes = load_layers(run)
    return layers["weight"], layers["bias"], classes


def load_cache(cache, classes):
    """By split: digests, features and targets of the plain images, sorted by digest."""
    cache = pathlib.Path(cache)
    samples = {r["image_sha256"]: r for r in pq.read_table(cache / "samples.parquet").to_pylist()}
    rows = sorted(pq.read_table(cache / "features").to_pylist(), key=lambda r: r["image_sha256"])
    parts = {}
    for split in ["train", "validation", "test"]:
        own = [r for r in rows if r["variant"] == "none" and samples[r["image_sha256"]]["split"] == split]
        hashes = [r["image_sha256"] for r in own]
        targets = np.array([classes.index(samples[h]["label"]) for h in hashes])
        parts[split] = hashes, np.array([r["embedding"] for r in own], np.float64), targets
    return parts


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cross_entropy(p, targets):
    return float(-np.log(p[np.arange(len(targets)), targets]).mean())


def scaling(x, standardize):
    """What is taken from each feature, and by what it is then divided: its standard deviation, or a tenth of the median of those
    that are not 0 if that is more, or that median if the feature never varies."""
    if not standardize:
        return np.zeros(x.shape[1]), np.ones(x.shape[1])
    deviation = x.std(0) * (np.ptp(x, axis=0) > 0)
    varying = np.sort(deviation[deviation > 0])
    median = varying[len(varying) // 2]
    return x.mean(0), np.where(deviation > 0, np.maximum(deviation, median / 10), median)
