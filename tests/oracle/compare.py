"""Compares two runs without code of the project: python compare.py FIRST SECOND. McNemar's exact test by SciPy's
binomial test, the interval after Newcombe 1998 (Statistics in Medicine 17, 2635-2650), method 10."""

import json
import math
import sys

import pyarrow.parquet as pq
from scipy.stats import binomtest, norm


def correct(run):
    rows = pq.read_table(f"{run}/predictions.parquet").to_pylist()
    return {r["image_sha256"]: r["label"] == r["predicted"] for r in rows if r["split"] == "test"}


def wilson(k, n):
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return interval.low, interval.high


def newcombe(a, b, c, d):
    n = a + b + c + d
    p1, p2 = (a + b) / n, (a + c) / n
    (l1, u1), (l2, u2) = wilson(a + b, n), wilson(a + c, n)
    product, excess = (a + b) * (c + d) * (a + c) * (b + d), a * d - b * c
    phi = 0 if product == 0 else (excess if excess < 0 else max(excess - n / 2, 0)) / math.sqrt(product)
    low = p1 - p2 - math.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = p1 - p2 + math.sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return [low, high]


if __name__ == "__main__":
    assert abs(norm.ppf(0.975) - 1.96) < 1e-3
    first, second = map(correct, sys.argv[1:])
    common = sorted(first.keys() & second.keys())
    pairs = [(second[h], first[h]) for h in common]
    a, b, c, d = (pairs.count(p) for p in [(True, True), (True, False), (False, True), (False, False)])
    print(json.dumps({
        "images": len(common),
        "only_run": b,
        "only_first": c,
        "p_value": binomtest(b, b + c).pvalue if b + c else 1.0,
        "interval": newcombe(a, b, c, d),
    }))
