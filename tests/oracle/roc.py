"""Area under the ROC curve with scikit-learn, its interval by Newcombe 2006, method 5, with SciPy's root finder: python roc.py
RUN SCORES, where SCORES are those of strangers as JSON. Prints {area, interval}."""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

known = load_file(pathlib.Path(sys.argv[1]) / "reject.safetensors")["test"]
strangers = np.array(json.loads(sys.argv[2]), dtype=np.float32)
m, n = len(known), len(strangers)
area = roc_auc_score([0] * m + [1] * n, np.concatenate([known, strangers]))


def error(theta):
    half = (m + n) / 2 - 1
    return np.sqrt(theta * (1 - theta) / (m * n) * (1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))))


z = norm.ppf(0.975)
low = brentq(lambda t: area - t - z * error(t), 1e-12, area - 1e-9)
high = brentq(lambda t: t - area - z * error(t), area + 1e-9, 1 - 1e-12)
print(json.dumps({"area": area, "interval": [low, high]}))
