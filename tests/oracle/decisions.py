"""The rule of a run by definition, from its files: python decisions.py RUN. Thresholds are searched for by trying all of them on
the validation images, and the rule that the run keeps is applied to its test images. Prints {chosen, test}."""

import json
import pathlib
import sys

import numpy as np
import pandas as pd

run = pathlib.Path(sys.argv[1])
record = json.loads((run / "run.json").read_text())
classes = [c["name"] for c in record["classes"]]
t = record["temperature"]


def split(name):
    rows = pd.read_parquet(run / "predictions.parquet")
    rows = rows[(rows.split == name) & (rows.variant == "none")].sort_values("image_sha256")
    y = np.array([classes.index(label) for label in rows.label])
    p = np.stack(rows.probabilities).astype(np.float64)
    if t and (t["low"] > 1 or (t["high"] is not None and t["high"] < 1)):
        p = p ** (1 / t["value"])
    return y, p / p.sum(1, keepdims=True)


def answers(p, thresholds):
    """-1 where the answer is withheld."""
    found = []
    for row in p:
        claimed = [c for c, (measure, at) in thresholds.items() if measure == "recall" and row[c] >= at]
        best = max(claimed, key=lambda c: row[c]) if claimed else int(row.argmax())
        measure, at = thresholds.get(best, ("", 0))
        found.append(-1 if not claimed and measure == "precision" and row[best] < at else best)
    return np.array(found)


def counts(y, found, c):
    return {"of_class": int((y == c).sum()), "answered": int((found == c).sum()), "correct": int(((found == c) & (y == c)).sum())}


def choose(y, p, goal):
    """The counts at the threshold that reaches one goal with the least change."""
    c = classes.index(goal["class"])
    best = None
    for at in sorted({*p[:, c], 2.0}, reverse=True):
        tried = counts(y, answers(p, {c: (goal["measure"], at)}), c)
        if goal["measure"] == "recall" and tried["correct"] / tried["of_class"] >= goal["at_least"]:
            return tried
        needed = max(10, int(np.ceil(1 / (1 - goal["at_least"]) - 1e-9)))
        if goal["measure"] == "precision" and tried["answered"] >= needed and tried["correct"] / tried["answered"] >= goal["at_least"]:
            best = tried
    return best


decision = record["decision"]
y, p = split("validation")
test_y, test_p = split("test")
if "costs" in decision:
    costs = np.array(decision["costs"]["costs"])
    found = (test_p @ costs).argmin(1)
    plain = test_p.argmax(1)
    print(json.dumps({"mean": costs[test_y, found].mean(), "most_probable": costs[test_y, plain].mean()}))
else:
    goals = decision["thresholds"]
    kept = {classes.index(g["class"]): (g["measure"], g["threshold"]) for g in goals}
    found = answers(test_p, kept)
    print(
        json.dumps(
            {
                "chosen": [choose(y, p, g) for g in goals],
                "kept": [counts(y, answers(p, kept), classes.index(g["class"])) for g in goals],
                "test": [counts(test_y, found, classes.index(g["class"])) for g in goals],
                "unsure": int((found == -1).sum()),
                "correct": int((found == test_y).sum()),
            }
        )
    )
