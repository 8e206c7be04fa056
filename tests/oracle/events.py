"""Reads event files as TensorBoard does and compares them with what the runs hold: python events.py RUN FOLDER...

RUN is the run that was fitted, FOLDER each folder that holds an event file of it. Prints what was found, one entry a folder.
"""

import json
import math
import pathlib
import sys

import numpy as np
from heads import load_head
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {name: 0 for name in ["scalars", "histograms", "tensors", "graph", "images", "audio", "compressedHistograms"]}


def rate(config, epoch):
    """The learning rate of the first step of an epoch (from 1)."""
    passed = (epoch - 1) / config["epochs"]
    share = {
        "constant": 1.0,
        "linear": 1 - passed,
        "cosine": 0.5 * (1 + math.cos(math.pi * passed)),
    }
    return config["lr"] * share[config["schedule"]]


def check_scalars(events, record):
    """Every scalar of every epoch, as float32, at its step and time."""
    names = {
        "train_acc": "train_accuracy",
        "train_loss": "train_loss",
        "valid_acc": "validation_accuracy",
        "valid_loss": "validation_loss",
        "seconds": "seconds",
    }
    history = record["history"]
    now, times = float(record["time"]), []
    for epoch in history:
        now += epoch["seconds"]
        times.append(now)
    wanted = {tag: [epoch[name] for epoch in history] for tag, name in names.items()}
    if record["config"]["solver"] == "adam":
        wanted["learning_rate"] = [rate(record["config"], epoch["epoch"]) for epoch in history]
    assert sorted(wanted) == sorted(events.Tags()["scalars"]), events.Tags()
    for tag, values in wanted.items():
        reported = events.Scalars(tag)
        assert [event.step for event in reported] == [epoch["epoch"] for epoch in history], tag
        assert np.array_equal(np.float32([event.value for event in reported]), np.float32(values)), tag
        assert [event.wall_time for event in reported] == times, tag
    return len(history)


def check_histogram(reported, values):
    """A histogram against the values themselves."""
    exact = values.astype(np.float64).ravel()
    assert (reported.min, reported.max, reported.num) == (exact.min(), exact.max(), exact.size)
    assert np.isclose(reported.sum, exact.sum(), rtol=1e-9, atol=1e-9)
    assert np.isclose(reported.sum_squares, (exact**2).sum(), rtol=1e-9)
    assert sum(reported.bucket) == exact.size and len(reported.bucket) == len(reported.bucket_limit) == 30
    # Which of two buckets a value belongs to that lies on their border is a matter of rounding.
    for edge in (-1e-9, 1e-9):
        edges = [exact.min() - 1, *(limit + edge for limit in reported.bucket_limit[:-1]), exact.max() + 1]
        assert np.abs(np.histogram(exact, edges)[0] - np.array(reported.bucket)).sum() <= 4
    assert math.isclose(reported.bucket_limit[-1], exact.max())


def main(run, folders):
    record = json.loads((run / "run.json").read_text())
    weight, bias, _ = load_head(run)
    found = []
    for folder in folders:
        events = EventAccumulator(str(folder), size_guidance=EVERYTHING)
        events.Reload()
        epochs = check_scalars(events, record)
        assert sorted(events.Tags()["histograms"]) == ["weights/bias", "weights/weight"], events.Tags()
        steps = {}
        for tag, values in [("weights/weight", weight), ("weights/bias", bias)]:
            reported = {event.step: event.histogram_value for event in events.Histograms(tag)}
            check_histogram(reported[record["best_epoch"]], values)
            steps[tag] = reported
        assert list(steps["weights/bias"]) == list(steps["weights/weight"])
        first = steps["weights/weight"][min(steps["weights/weight"])]
        graph = events.Graph() if events.Tags()["graph"] else None
        found.append({
            "epochs": epochs,
            "histograms": sorted(steps["weights/weight"]),
            "first": [getattr(first, name) for name in ["min", "max", "num", "sum", "sum_squares"]] + list(first.bucket),
            "graph": None if graph is None else {node.name: [node.op, list(node.input)] for node in graph.node},
            "weights": 0 if graph is None else sum(node.ByteSize() for node in graph.node),
        })
    print(json.dumps(found))


main(pathlib.Path(sys.argv[1]), [pathlib.Path(folder) for folder in sys.argv[2:]])
