"""Holm's correction by its definition, and the threshold of a rejection with confidence by SciPy's beta distribution: python
tests_of_several.py P_VALUES DISTANCES ALPHA CONFIDENCE. Prints {holm, threshold}."""

import json
import sys

import numpy as np
from scipy.stats import beta

p_values, distances, alpha, confidence = map(json.loads, sys.argv[1:5])
# Holm 1979: the smallest level at which a test, and every one before it, is rejected.
order = np.argsort(p_values)
holm = [0.0] * len(p_values)
for rank, at in enumerate(order):
    holm[at] = min(1.0, max((len(order) - i) * p_values[order[i]] for i in range(rank + 1)))
scores, n = sorted(distances), len(distances)
# The share beyond the r-th of n scores follows Beta(n + 1 - r, r).
threshold = next((scores[r - 1] for r in range(1, n + 1) if beta.cdf(alpha, n + 1 - r, r) >= confidence), None)
print(json.dumps({"holm": holm, "threshold": threshold}))
