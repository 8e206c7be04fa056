"""Repeats the measures of an experiment with scikit-learn and SciPy: python experiment.py OUT IMAGES CACHE NEAREST PIXELS. The
nearest neighbour on the features; principal components of small grey pixels with logistic regression; the corrected
resampled t-test (Nadeau and Bengio 2003). Prints the largest differences from results.json."""

import collections
import hashlib
import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

out, images = map(pathlib.Path, sys.argv[1:3])
cache_name, nearest_name, pixels_name = sys.argv[3:6]
results = json.loads((out / "results.json").read_text())
cache = out / "caches" / cache_name
samples = {row["image_sha256"]: row for row in pq.read_table(cache / "samples.parquet").to_pylist()}
features = {
    row["image_sha256"]: np.array(row["embedding"], np.float32)
    for row in pq.read_table(cache / "features").to_pylist()
    if row["variant"] == "none"
}
_, validation_share, test_share = map(int, pq.read_metadata(cache / "samples.parquet").metadata[b"headstart.fractions"].split(b"/"))


def splits(seed):
    """The documented rule with another seed; the cache's own split for None."""
    if seed is None:
        return {digest: row["split"] for digest, row in samples.items()}
    classes = collections.defaultdict(list)
    for digest, row in samples.items():
        classes[row["label"]].append(digest)
    split = {}
    for own in classes.values():
        own.sort(key=lambda digest: hashlib.sha256(f"{seed}:{digest}".encode()).hexdigest())
        a, b = len(own) * test_share // 100, len(own) * validation_share // 100
        for i, digest in enumerate(own):
            split[digest] = "test" if i < a else "validation" if i < a + b else "train"
    return split


def small(digest, size=(8, 6)):
    image = Image.open(images / samples[digest]["path"]).convert("RGB")
    rgb = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float64)
    return (rgb @ [0.299, 0.587, 0.114] / 255).ravel()


pictures = {digest: small(digest) for digest in samples}
accuracies = {nearest_name: [], pixels_name: []}
for seed in [None, *range(1, results["resplits"] + 1)]:
    split = splits(seed)
    train, test = ([d for d in sorted(samples) if split[d] == part] for part in ["train", "test"])
    labels = [[samples[d]["label"] for d in part] for part in [train, test]]
    neighbour = KNeighborsClassifier(1).fit([features[d] for d in train], labels[0])
    accuracies[nearest_name].append(neighbour.score([features[d] for d in test], labels[1]))
    pca = PCA(12, whiten=True, svd_solver="full").fit([pictures[d] for d in train])
    x, tx = (pca.transform([pictures[d] for d in part]) for part in [train, test])
    logistic = LogisticRegression(C=1 / (0.01 * len(train)), tol=1e-8, max_iter=10000).fit(x, labels[0])
    accuracies[pixels_name].append(logistic.score(tx, labels[1]))

reported = {baseline["name"]: baseline["score"] for baseline in results["baselines"]}
off = {}
for name, own in accuracies.items():
    score = reported[name]
    off[name] = float(np.abs(np.array([score["first"], *score["of_splits"]]) - own).max())


def resampled(values):
    n, ratio = len(values), results["images"][2] / results["images"][0]
    error = np.sqrt((1 / n + ratio) * np.var(values, ddof=1))
    mean = np.mean(values)
    half = stats.t.ppf(0.975, n - 1) * error
    p = 1.0 if mean == 0 else 0.0 if error == 0 else 2 * stats.t.sf(abs(mean) / error, n - 1)
    return np.array([mean, mean - half, mean + half, p])


worst = 0.0
for condition in results["conditions"]:
    runs = {run["name"]: run["score"]["of_splits"] for run in condition["runs"]} | {n: s["of_splits"] for n, s in reported.items()}
    for pair in condition["pairs"]:
        own = pair["splits"]
        expected = resampled(np.array(runs[pair["first"]]) - np.array(runs[pair["second"]]))
        worst = max(worst, np.abs(np.array([own["mean"], *own["interval"], own["p_value"]]) - expected).max())
print(json.dumps({"nearest": off[nearest_name], "pixels": off[pixels_name], "resampled": worst, "accuracies": accuracies}))
