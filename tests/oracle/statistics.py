"""Recomputes the scores that `evaluate` and `compare` print, from the files of two runs of one cache: python statistics.py RUN
FIRST. Scores of scikit-learn, quantiles of SciPy, the rest by definition; macro F1's interval by a bootstrap of images, which
has another formula altogether. Prints {evaluate: {...}, compare: {...}}."""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
from safetensors.numpy import load_file
from scipy.stats import beta, binom, binomtest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, log_loss, matthews_corrcoef

run, first = map(pathlib.Path, sys.argv[1:3])


def held_out(path):
    rows = pd.read_parquet(path / "predictions.parquet")
    rows = rows[(rows.split == "test") & (rows.variant == "none")].sort_values("image_sha256").reset_index(drop=True)
    return rows


record = json.loads((run / "run.json").read_text())
classes = [c["name"] for c in record["classes"]]
rows = held_out(run)
y = np.array([classes.index(label) for label in rows.label])
predicted = np.array([classes.index(label) for label in rows.predicted])
p = np.stack(rows.probabilities).astype(np.float64)


def bootstrap(of, n, draws=1500):
    rng = np.random.default_rng(1)
    return np.percentile([of(rng.integers(0, n, n)) for _ in range(draws)], [2.5, 97.5]).tolist()


def wilson(k, n):
    interval = binomtest(int(k), int(n)).proportion_ci(0.95, method="wilson")
    return [interval.low, interval.high]


def brier():
    onehot = np.eye(len(classes))[y]
    score = ((p - onehot) ** 2).sum(1).mean()
    reliability = resolution = uncertainty = 0.0
    for c in range(len(classes)):
        hit = onehot[:, c]
        uncertainty += hit.mean() * (1 - hit.mean())
        bins = np.minimum((p[:, c] * 15).astype(int), 14)
        for b in set(bins):
            at = bins == b
            reliability += at.mean() * (p[at, c].mean() - hit[at].mean()) ** 2
            resolution += at.mean() * (hit[at].mean() - hit.mean()) ** 2
    return {"score": score, "reliability": reliability, "resolution": resolution, "uncertainty": uncertainty}


def chance():
    """Errors of calibrated predictions of the same confidences, by NumPy."""
    confidence = p.max(1)
    bins = np.clip(np.digitize(confidence, np.arange(16) / 15, right=True), 1, 15)
    draws = np.random.default_rng(2).random((20000, len(y))) < confidence
    error = np.zeros(len(draws))
    for b in set(bins):
        at = bins == b
        error += np.abs(draws[:, at].mean(1) - confidence[at].mean()) * at.mean()
    correct = p.argmax(1) == y
    observed = sum(abs(correct[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins))
    squares = [(bins == b).sum() * ((correct[bins == b].mean() - confidence[bins == b].mean()) ** 2
               - correct[bins == b].mean() * (1 - correct[bins == b].mean()) / ((bins == b).sum() - 1))
               for b in set(bins) if (bins == b).sum() > 1]
    used = sum((bins == b).sum() for b in set(bins) if (bins == b).sum() > 1)
    return {
        "expected": error.mean(),
        "upper": np.quantile(error, 0.95),
        "p_value": (error >= observed).mean(),
        "debiased": max(0.0, sum(squares) / used) ** 0.5,
    }


def bound(alpha):
    stored = np.sort(load_file(run / "reject.safetensors")["validation"])
    n = len(stored)
    rank = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    return float(beta.ppf(0.95, n + 1 - rank, rank))


frequencies = np.array([c["train"] for c in record["classes"]], dtype=float)
frequencies /= frequencies.sum()
macro = lambda at: f1_score(y[at], predicted[at], average="macro")
evaluate = {
    "balanced_accuracy": balanced_accuracy_score(y, predicted),
    "matthews_correlation": matthews_corrcoef(y, predicted),
    "cohens_kappa": cohen_kappa_score(y, predicted),
    "macro_f1_interval": bootstrap(macro, len(y)),
    "brier": brier(),
    "frequencies_loss": log_loss(y, np.tile(frequencies, (len(y), 1)), labels=range(len(classes))),
    "chance": chance(),
    "bound": bound(0.1),
    "recall": [wilson(((y == c) & (predicted == c)).sum(), (y == c).sum()) for c in range(len(classes))],
    "precision": [wilson(((y == c) & (predicted == c)).sum(), (predicted == c).sum()) if (predicted == c).any() else None
                  for c in range(len(classes))],
}

other = held_out(first)
theirs = np.array([classes.index(label) for label in other.predicted])
only_run, only_first = ((predicted == y) & (theirs != y)).sum(), ((predicted != y) & (theirs == y)).sum()
few, n = min(only_run, only_first), only_run + only_first
exact = binomtest(int(few), int(n)).pvalue if n else 1.0
difference = lambda at: f1_score(y[at], predicted[at], average="macro") - f1_score(y[at], theirs[at], average="macro")
compare = {
    "p_value": exact,
    "mid_p_value": exact - binom.pmf(few, n, 0.5) if n else 1.0,
    "macro_f1_difference": difference(np.arange(len(y))),
    "macro_f1_interval": bootstrap(difference, len(y)),
}
print(json.dumps({"evaluate": evaluate, "compare": compare}))
