"""Largest differences of the curves of `evaluate` from scikit-learn's: python curves_vs_sklearn.py HEADSTART RUN...

Prints a line for each run: images, classes, points, and the largest difference of an area, of an end of an interval (another
bootstrap, so a few thousandths), and of a coordinate of a point."""

import json
import pathlib
import subprocess
import sys

program, *runs = sys.argv[1:]
oracle = pathlib.Path(__file__).resolve().parents[1] / "tests/oracle/curves.py"


def read(*command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


for run in runs:
    scores = read(program, "evaluate", run, "--json")
    ours, theirs = scores["curves"]["classes"], read(sys.executable, str(oracle), run)
    areas, ends, coordinates, points = 0, 0, 0, 0
    for a, b in zip(ours, theirs, strict=True):
        for area in ("average_precision", "roc_area"):
            areas = max(areas, abs(a[area] - b[area]))
            if a[area + "_interval"]:
                ends = max(ends, *(abs(x - y) for x, y in zip(a[area + "_interval"], b[area + "_interval"])))
        for p, q in zip(a["points"], b["points"], strict=True):
            coordinates = max(coordinates, *(abs(p[name] - q[name]) for name in q))
        points += len(a["points"])
    print(
        f"{run}: {scores['images']} images, {len(ours)} classes, {points} points; areas differ by {areas:.1e}, "
        f"ends of intervals by {ends:.3f}, points by {coordinates:.1e}"
    )
