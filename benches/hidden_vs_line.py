"""Whether a hidden layer beats the line, over splits of caches: python hidden_vs_line.py HEADSTART CACHE... [--splits 20]

For each split (`--resplit`) each of these heads is fitted to the plain images: Adam, AdamW, L-BFGS with the penalty that the train
images choose, and hidden layers with dropout and weight decay; `--head "NAME=OPTIONS"` adds one. Differences of test accuracy are
paired by split; their intervals and p-values are those of the corrected resampled t-test (Nadeau and Bengio 2003), since splits share
images. `--json FILE` writes every accuracy."""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

from scipy.stats import t as student

HEADS = {
    "line, L-BFGS, l2 auto": "--solver lbfgs --l2 auto --standardize",
    "line, Adam": "",
    "line, AdamW": "--weight-decay 0.1",
    "line, Adam, standardized": "--standardize --lr 0.001 --weight-decay 0.1",
    "64 hidden": "--hidden 64 --lr 0.001 --dropout 0.5 --weight-decay 0.1",
    "256 hidden": "--hidden 256 --lr 0.001 --dropout 0.5 --weight-decay 0.1",
    "256 hidden, standardized": "--hidden 256 --lr 0.0003 --dropout 0.5 --weight-decay 0.1 --standardize",
}

parser = argparse.ArgumentParser()
parser.add_argument("headstart")
parser.add_argument("caches", nargs="+")
parser.add_argument("--splits", type=int, default=20)
parser.add_argument("--head", action="append", default=[])
parser.add_argument("--json", type=pathlib.Path)
args = parser.parse_args()
heads = HEADS | dict(head.split("=", 1) for head in args.head)


def headstart(*command):
    done = subprocess.run([args.headstart, *command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def difference(a, b, test_to_train):
    """Mean difference with its interval, and the p-value, in points."""
    differences = [100 * (x - y) for x, y in zip(a, b, strict=True)]
    n, mean = len(differences), statistics.mean(differences)
    error = math.sqrt((1 / n + test_to_train) * statistics.variance(differences))
    if error == 0:
        return f"{mean:+.2f} | -"
    half = student.ppf(0.975, n - 1) * error
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f}) | {2 * student.sf(abs(mean) / error, n - 1):.3g}"


found = []
for cache in args.caches:
    accuracies, seconds, ratio = {name: [] for name in heads}, {name: [] for name in heads}, 0.0
    for seed in range(args.splits):
        for name, options in heads.items():
            with tempfile.TemporaryDirectory() as folder:
                run = f"{folder}/run"
                trained = headstart("train", cache, "--run", run, "--use", "none", "--resplit", str(seed), *options.split())
                accuracies[name].append(trained["test_accuracy"])
                seconds[name].append(trained["seconds"])
                ratio = trained["test_images"] / trained["train_rows"]
    found.append({"cache": cache, "accuracies": accuracies, "seconds": seconds, "test_to_train": ratio})
    best, line, *_ = heads
    print(f"\n{pathlib.Path(cache).name}, {args.splits} splits\n")
    print(f"| head | test accuracy | less {best} (95 %) | p | less {line} (95 %) | p | seconds |")
    print("|---|--:|---|--:|---|--:|--:|")
    for name, own in accuracies.items():
        against = [difference(own, accuracies[other], ratio) if name != other else "- | -" for other in (best, line)]
        print(f"| {name} | {100 * statistics.mean(own):.1f} | {against[0]} | {against[1]} | {statistics.median(seconds[name]):.2f} |", flush=True)
if args.json:
    args.json.write_text(json.dumps(found, indent=1))
