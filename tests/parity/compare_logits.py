"""Compares the features of a cache with the rows of a file of NumPy, both in the order of the images' names:
`compare_logits.py CACHE LOGITS.npy`. Fails when a value differs by more than 1e-4."""

import pathlib
import sys

import numpy as np
import pyarrow.parquet

cache, expected = pathlib.Path(sys.argv[1]), np.load(sys.argv[2])
samples = pyarrow.parquet.read_table(cache / "samples.parquet").to_pylist()
parts = [pyarrow.parquet.read_table(part).to_pylist() for part in sorted((cache / "features").glob("*.parquet"))]
rows = {row["image_sha256"]: row["embedding"] for part in parts for row in part}
found = np.array([rows[sample["image_sha256"]] for sample in sorted(samples, key=lambda s: s["path"])], np.float64)
difference = float(np.abs(found - expected).max())
print(f"{len(found)} images, {found.shape[1]} logits: the largest difference is {difference:.1e}")
sys.exit(not difference <= 1e-4)
