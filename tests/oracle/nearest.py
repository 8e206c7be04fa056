"""The cached images nearest to one of them, by one less the cosine of the angle between features, with pandas and NumPy.

Arguments: a cache, and the path of the image in it. Prints a list, nearest first.
"""

import json
import sys

import numpy as np
import pandas as pd

cache, path = sys.argv[1:]
features = pd.read_parquet(f"{cache}/features")
samples = pd.read_parquet(f"{cache}/samples.parquet")
rows = features[features.variant == "none"].merge(samples, on="image_sha256")
matrix = np.stack(rows["embedding"].to_numpy()).astype(np.float64)
matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
query = matrix[(rows["path"] == path).to_numpy()][0]
distances = 1 - matrix @ query
order = np.argsort(distances, kind="stable")
print(json.dumps([
    {"label": rows["label"].iloc[i], "split": rows["split"].iloc[i], "distance": float(distances[i])} for i in order
]))
