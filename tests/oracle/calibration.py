"""Recomputes calibration and rejection of a run from its files and the cache: python calibration.py RUN CACHE ALPHA.
Temperature by SciPy's bounded search, its interval by SciPy's root finder, bins by NumPy's digitize, distances with the
whole covariance matrix inverted, averages over variants by pandas."""

import json
import math
import pathlib
import sys

import numpy as np
import pandas as pd
from heads import load_cache
from safetensors.numpy import load_file
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import chi2

run, cache, alpha = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3])
record = json.loads((run / "run.json").read_text())
classes = [c["name"] for c in record["classes"]]
rows = pd.read_parquet(run / "predictions.parquet")


def held_out(split, tta):
    """Probabilities and targets of a split, by digest: of variant none, or the mean over variants."""
    part = rows[(rows.split == split) & (tta | (rows.variant == "none"))]
    means = part.groupby("image_sha256").probabilities.apply(lambda p: np.mean(np.stack(p), axis=0, dtype=np.float64))
    labels = part.groupby("image_sha256").label.first()
    return np.stack(means.sort_index()), np.array([classes.index(label) for label in labels.sort_index()])


def loss(p, y, inverse):
    return -log_softmax(np.log(p) * inverse, axis=1)[np.arange(len(y)), y].sum()


def temperature(p, y):
    best = minimize_scalar(lambda s: loss(p, y, math.exp(s)), bounds=(-8, 8), method="bounded", options={"xatol": 1e-10})
    best = math.exp(best.x)
    excess = lambda s: 2 * (loss(p, y, s) - loss(p, y, best)) - chi2.ppf(0.95, 1)
    high = 1 / brentq(excess, 1e-9, best) if excess(1e-9) > 0 else None
    return 1 / best, [1 / brentq(excess, best, 1e4), high]


def calibration(p, y, t):
    p = softmax(np.log(p) / t, axis=1)
    confidence, correct = p.max(1), p.argmax(1) == y
    bins = np.clip(np.digitize(confidence, np.arange(16) / 15, right=True), 1, 15)
    gaps = [abs(correct[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    counts = [int((bins == b).sum()) for b in range(1, 16)]
    return {"ece": float(sum(gaps)), "loss": loss(p, y, 1) / len(y), "bins": counts}


def evaluation(tta):
    t, interval = temperature(*held_out("validation", tta))
    p, y = held_out("test", tta)
    return {
        "images": len(y),
        "accuracy": float((p.argmax(1) == y).mean()),
        "temperature": t,
        "interval": interval,
        "before": calibration(p, y, 1.0),
        "after": calibration(p, y, t),
        "validation": calibration(*held_out("validation", tta), t),
    }


def distances():
    """Means, shared covariance and distances by their definitions, from the features themselves."""
    parts = load_cache(cache, classes)
    _, x, y = parts["train"]
    stored = {name: v.astype(np.float64) for name, v in load_file(run / "reject.safetensors").items()}
    means = np.stack([x[y == k].mean(0) for k in range(len(classes))])
    centred = x - means[y]
    covariance = centred.T @ centred / len(y)
    q = stored["directions"]
    variances = np.diag(q @ covariance @ q.T)
    mean_variance = np.trace(covariance) / len(covariance)
    shrunk = 0.5 * mean_variance * np.eye(len(covariance)) + 0.5 * q.T @ np.diag(variances) @ q
    inverse = np.linalg.inv(shrunk)

    def of(rows):
        away = rows[:, None, :] - means
        return np.sqrt(np.einsum("nkd,de,nke->nk", away, inverse, away).min(1))

    validation, test = of(parts["validation"][1]), of(parts["test"][1])
    threshold = np.sort(validation)[math.ceil((len(validation) + 1) * (1 - alpha)) - 1]
    most = np.sort(np.linalg.eigvalsh(covariance))[::-1][: len(q)].sum()
    off = lambda ours, theirs: float(np.abs(ours / theirs - 1).max())
    return {
        "orthonormal": float(np.abs(q @ q.T - np.eye(len(q))).max()),
        "directions": len(q),
        "share_of_largest_variance": float(variances.sum() / most),
        "means_off": float(np.abs(means - stored["means"]).max()),
        "distances_off": max(off(stored["validation"], validation), off(stored["test"], test)),
        "threshold": float(threshold),
        "unknown": int((test > threshold).sum()),
    }


print(json.dumps({"plain": evaluation(False), "tta": evaluation(True), "reject": distances()}))
