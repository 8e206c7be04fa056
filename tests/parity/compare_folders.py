"""Compares headstart's features of folders with those that `folder_nets.py` stored: `compare_folders.py OUT IMAGES HEADSTART`.
Fails when a relative L2 distance of an image is above 1e-5 (1e-3 for the network of 16-bit floats)."""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow.parquet

out, images, headstart = map(pathlib.Path, sys.argv[1:4])
worst = 0.0
print("| folder | layer | pool | width | largest relative L2 |\n|---|---|---|---:|---:|")
for case in json.loads((out / "cases.json").read_text()):
    expected = np.load(out / case["expected"]).astype(np.float64)
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work) / "images" / "all"
        folder.mkdir(parents=True)
        for image in images.glob("*.png"):
            (folder / image.name).write_bytes(image.read_bytes())
        cache = pathlib.Path(work) / "cache"
        pool = ["--pool", case["pool"]] if case["pool"] else []
        command = [headstart, "extract", folder.parent, "--cache", cache, "--backbone", out / case["folder"],
                   "--layer", case["layer"], *pool, "--device", "cpu", "--yes"]
        ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"{case}: {ran.stderr}")
        samples = pyarrow.parquet.read_table(cache / "samples.parquet").to_pylist()
        parts = [pyarrow.parquet.read_table(part).to_pylist() for part in (cache / "features").glob("*.parquet")]
        rows = {row["image_sha256"]: row["embedding"] for part in parts for row in part}
        found = np.array([rows[s["image_sha256"]] for s in sorted(samples, key=lambda s: s["path"])], np.float64)
    assert found.shape == expected.shape, (case, found.shape, expected.shape)
    distance = float((np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())
    worst = max(worst, distance / (100 if case["folder"] == "bytes" else 1))
    print(f"| {case['folder']} | {case['layer']} | {case['pool'] or ''} | {found.shape[1]} | {distance:.1e} |")
sys.exit(not worst <= 1e-5)
