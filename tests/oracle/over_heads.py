"""Recomputes the test accuracy of a setting of `sweep` and its interval from the files of its runs: python over_heads.py
SWEEP.json. Quantiles of SciPy, Wilson's interval as the roots of its quadratic equation. Prints {mean, interval, over}."""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
from scipy import stats

sweep = json.loads(pathlib.Path(sys.argv[1]).read_text())
splits = {}
for head in sweep["heads"]:
    run = pathlib.Path(head["run"])
    rows = pd.read_parquet(run / "predictions.parquet")
    rows = rows[(rows.split == "test") & (rows.variant == "none")].set_index("image_sha256")
    record = json.loads((run / "run.json").read_text())
    split = splits.setdefault(json.dumps(head["division"]), {"answers": [], "record": record})
    split["answers"].append((rows.label == rows.predicted).astype(float))


def wilson(p, n):
    z = stats.norm.ppf(0.975)
    # (p - x)^2 = z^2 x (1 - x) / n
    return np.sort(np.roots([1 + z**2 / n, -2 * p - z**2 / n, p**2]).real)


def effective(shares, heads):
    p = shares.mean()
    if p in (0, 1):
        return len(shares)
    return min(len(shares) * p * (1 - p) / shares.var(ddof=0), len(shares) * heads)


shares = [pd.concat(split["answers"], axis=1).mean(axis=1) for split in splits.values()]
divisions = [json.loads(name) for name in splits]
if len(shares) == 1 or all(d and "fold" in d for d in divisions):
    pooled = pd.concat(shares)
    assert pooled.index.is_unique
    heads = min(len(split["answers"]) for split in splits.values())
    mean, interval = pooled.mean(), wilson(pooled.mean(), effective(pooled, heads))
else:
    means = np.array([of.mean() for of in shares])
    records = [split["record"] for split in splits.values()]
    train = [sum(c["train"] for c in record["classes"]) for record in records]
    whole = max(sum(c["train"] + c["validation"] + c["test"] for c in record["classes"]) for record in records)
    ratio = np.mean([len(of) / n for of, n in zip(shares, train)])
    k, mean = len(means), means.mean()
    half = stats.t.ppf(0.975, k - 1) * np.sqrt((1 / k + ratio) * means.var(ddof=1))
    low, high = wilson(mean, k * (min(whole, sum(map(len, shares))) // k))
    interval = [max(0, min(mean - half, low)), min(1, max(mean + half, high))]
print(json.dumps({"mean": mean, "interval": list(interval)}))
