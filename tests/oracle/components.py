"""Whitened principal components with scikit-learn: python components.py FILE. The file holds rows, how many of them are fitted
to, and our components of all rows; prints how far the two are apart, signs left out."""

import json
import pathlib
import sys

import numpy as np
from sklearn.decomposition import PCA

case = json.loads(pathlib.Path(sys.argv[1]).read_text())
rows, ours = np.array(case["rows"]), np.array(case["components"])
pca = PCA(ours.shape[1], whiten=True, svd_solver="full").fit(rows[: case["train"]])
print(np.abs(np.abs(pca.transform(rows)) - np.abs(ours)).max())
