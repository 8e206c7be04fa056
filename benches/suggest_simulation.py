"""Accuracy against number of labels, for images labelled at random and as `headstart suggest` ranks them.

    python benches/suggest_simulation.py IMAGES CACHE [--seeds 20] [--start 2] [--step 20] [--steps 9] [--ways random,margin,entropy,coverage,mix]
        [--binary target/release/headstart] [--models models] [--json FILE] [-- TRAIN...]

IMAGES is a folder of class folders such as LFW-10, CACHE a cache of it, which is copied. For each seed a quarter of the images of each
class is the test split. Of the others, --start images of each class have a label at first; then --step more are labelled at a time, as
a person would do it: `extract` of a manifest whose other rows have no label, `train` with the options after `--`, `evaluate` on the
test images, `suggest`. All ways start from the same labels. The interval of a mean, and of the difference from random labels, is that of
the corrected resampled t-test (Nadeau and Bengio 2003): the seeds share images. Prints two tables in Markdown.
"""

import argparse
import csv
import json
import math
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

from scipy.stats import t as student

OPTIONS = ["--solver", "lbfgs", "--l2", "0.01", "--standardize"]


def arguments():
    own = sys.argv[1:]
    at = own.index("--") if "--" in own else len(own)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--start", type=int, default=2)
    parser.add_argument("--step", type=int, default=20)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--ways", default="random,margin,entropy,coverage,mix")
    parser.add_argument("--binary", default="target/release/headstart")
    parser.add_argument("--models", default="models")
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args(own[:at])
    a.options = own[at + 1 :] or OPTIONS
    return a


def drawn(images, seed, start):
    """Paths with their labels: all, those of the test split, and those labelled at first."""
    chance = random.Random(seed)
    labels, test, first = {}, set(), []
    for folder in sorted(path for path in images.iterdir() if path.is_dir()):
        paths = sorted(str(path.relative_to(images)) for path in folder.iterdir())
        chance.shuffle(paths)
        labels.update((path, folder.name) for path in paths)
        quarter = len(paths) // 4
        test.update(paths[:quarter])
        first += paths[quarter : quarter + start]
    return labels, test, first


def accuracies(a, work, seed, way):
    """The accuracy on the test images after each step."""

    def headstart(*command):
        done = subprocess.run([a.binary, *command, "--models", a.models, "--json"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        return json.loads(done.stdout)

    labels, test, first = drawn(a.images, seed, a.start)
    chance, labelled, found = random.Random(seed), set(first), []
    cache, run, manifest = str(work / "cache"), str(work / "run"), work / "manifest.csv"
    for step in range(a.steps + 1):
        with manifest.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["path", "label", "split"])
            for path in sorted(labels):
                known = path in test or path in labelled
                table.writerow([path, labels[path] if known else "", "test" if path in test else "train" if known else ""])
        done = headstart("extract", str(manifest), "--root", str(a.images), "--cache", cache)
        assert (done["computed"], done["unlabelled"]) == (0, len(labels) - len(test) - len(labelled)), done
        headstart("train", cache, "--run", run, *a.options)
        found.append(headstart("evaluate", run)["accuracy"])
        rest = sorted(set(labels) - test - labelled)
        if step == a.steps or not rest:
            break
        if way == "random":
            chosen = chance.sample(rest, min(a.step, len(rest)))
        else:
            chosen = [image["path"] for image in headstart("suggest", run, "--n", str(a.step), "--by", way)["images"]]
        assert set(chosen) <= set(rest) and chosen
        labelled.update(chosen)
    return found


def interval(values, test_to_train):
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{100 * mean:.1f}"
    spread = math.sqrt((1 / len(values) + test_to_train) * statistics.variance(values))
    half = student.ppf(0.975, len(values) - 1) * spread
    return f"{100 * mean:.1f} ({100 * (mean - half):.1f} to {100 * (mean + half):.1f})"


def main():
    a = arguments()
    ways, found = a.ways.split(","), {}
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        shutil.copytree(a.cache, work / "cache")
        for seed in range(a.seeds):
            for way in ways:
                found[f"{way} {seed}"] = accuracies(a, work, seed, way)
                print(way, seed, [f"{accuracy:.3f}" for accuracy in found[f"{way} {seed}"]], file=sys.stderr)
    if a.json:
        a.json.write_text(json.dumps(found, indent=1))
    labels, test, first = drawn(a.images, 0, a.start)
    steps = min(len(row) for row in found.values())
    for less in [None, *(["random"] if "random" in ways and len(ways) > 1 else [])]:
        shown = [way for way in ways if way != less]
        print(f"\n| labels | {' | '.join(f'{way} less {less}' if less else way for way in shown)} |\n|--:|{'--:|' * len(shown)}")
        for step in range(steps):
            number = len(first) + step * a.step
            base = lambda seed: found[f"{less} {seed}"][step] if less else 0.0
            values = [[found[f"{way} {seed}"][step] - base(seed) for seed in range(a.seeds)] for way in shown]
            print(f"| {number} | {' | '.join(interval(row, len(test) / number) for row in values)} |")


if __name__ == "__main__":
    main()
