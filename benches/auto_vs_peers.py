"""`train --auto` beside scikit-learn on the same cached features: over random splits, and as learning curves.

    python benches/auto_vs_peers.py CACHE... [--splits 10] [--only NAME,NAME] [--budget 60s] [--threads 2] [--work DIR] [--json FILE]
    python benches/auto_vs_peers.py CACHE... --curves 2,5,10,20,50 [--svg FILE] ...

The first form trains on each of --splits random splits of each cache (`--resplit 1` and so on), by `--auto --use none`, and fits to
the train rows of that split, variant none:

    LogisticRegressionCV   standardized features, 10 penalties, 5 folds, at most 1,000 iterations
    linear SVM             LinearSVC, C from 1e-4 to 10 by 5 folds
    k-NN                   1 to 15 neighbours by 5 folds, cosine distance
    LDA                    shrinkage by Ledoit and Wolf

It prints mean test accuracy and median seconds of the processor (reading left out for the peers, the whole command for headstart),
which depend little on what else runs, and the difference of `--auto` from each with its 95 % interval (Nadeau and Bengio 2003).
`--only` may name plain `train` too.

The second form takes that many train images of each class, or all that it has, and a quarter of the images for the test; it draws
the curves with the intervals of their means as an SVG picture.

Each answer is kept in --work, and read from there the next time: another run goes on where one was stopped, and several may share
the methods. The answers of headstart are those of one binary; delete `WORK/*/*/train*.json` for another. `--answers FILE` takes those
of earlier runs from a file as well, and writes all that are known into it at the end."""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pyarrow.parquet as pq
from scipy import stats
from threadpoolctl import threadpool_limits

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parent / "target/release/headstart"
sys.path.insert(0, str(HERE / "training"))
from cached_features import Cache  # noqa: E402
from curve_picture import svg  # noqa: E402
from head_peers import PEERS, measure  # noqa: E402

OWN = {"train": [], "train --auto": ["--auto"]}


def children_seconds():
    """Seconds of the processor that ended processes of this one have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def headstart(a, cache, *more):
    """Test accuracy, seconds of the processor, and the run's train and test images."""
    with tempfile.TemporaryDirectory() as temporary:
        run = pathlib.Path(temporary) / "run"
        command = [a.binary, "train", cache, "--run", run, "--use", "none", "--threads", a.threads, "--json", *more]
        started = children_seconds()
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        seconds = children_seconds() - started
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        answers = pq.read_table(run / "predictions.parquet", columns=["image_sha256", "variant", "split"]).to_pylist()
        test = {row["image_sha256"] for row in answers if row["split"] == "test" and row["variant"] == "none"}
        train = set(pq.read_table(run / "train-images.parquet")["image_sha256"].to_pylist())
        return json.loads(done.stdout)["test_accuracy"], seconds, train, test


def kept(path, make):
    """What `make` returns, from `path` where that is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = json.dumps(make())
        path.with_suffix(".new").write_text(found)
        path.with_suffix(".new").rename(path)
    return json.loads(path.read_text())


def answer(a, method, cache, folder, images, path, *more):
    """Accuracy and seconds of one method on one split, kept in `folder`. headstart trains on the cache at `path`."""
    def make():
        if method in PEERS:
            return measure(method, cache, *images)
        return headstart(a, path, *OWN[method], *(["--budget", a.budget] if "--auto" in OWN[method] else []), *more)[:2]

    return kept(folder / f"{method.replace(' ', '_')}.json", make)


def split(a, path, number, folder):
    """Train and test images of a random split of the cache."""
    def make():
        return [sorted(images) for images in headstart(a, path, "--epochs", 1, "--resplit", number)[2:]]

    return [set(images) for images in kept(folder / "images.json", make)]


def resampled(values, test_to_train):
    """Mean and half of its 95 % interval, for splits that share images."""
    values = np.asarray(values)
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) * (1 / n + test_to_train) ** 0.5 if n > 1 else float("nan")
    return float(values.mean()), float(half)


def compare(a):
    methods = [method for method in [*OWN, *PEERS] if method in a.only]
    caches = {path: Cache(path) for path in a.caches}
    found = {path: {method: [] for method in methods} for path in a.caches}
    sizes = {}
    for number in range(1, a.splits + 1):
        for path, cache in caches.items():
            folder = a.work / path.name / f"split-{number}"
            images = split(a, path, number, folder)
            sizes[path] = [len(part) for part in images]
            for method in methods:
                found[path][method].append(answer(a, method, cache, folder, images, path, "--resplit", number))
            now = {method: round(answers[-1][0], 4) for method, answers in found[path].items()}
            print(path, number, now, file=sys.stderr, flush=True)
    results = []
    for path, methods in found.items():
        train, test = sizes[path]
        accuracy = {method: np.array([accuracy for accuracy, _ in answers]) for method, answers in methods.items()}
        own = accuracy.get("train --auto", next(iter(accuracy.values())))
        rows = {method: {"accuracy": float(values.mean()), "auto_less_this": resampled(own - values, test / train),
                         "seconds": float(np.median([seconds for _, seconds in methods[method]]))}
                for method, values in accuracy.items()}
        results.append({"cache": path.name, "train": train, "test": test, "splits": a.splits, "methods": rows})
        print(table(results[-1]), flush=True)
    print(summary(results))
    return results


def table(result):
    lines = [f"\n{result['cache']}: {result['train']} train and {result['test']} test images, {result['splits']} splits\n",
             "| | test accuracy | `--auto` less this, 95 % interval | seconds |", "|---|---|---|---|"]
    for name, row in result["methods"].items():
        mean, half = (100 * value for value in row["auto_less_this"])
        less = "-" if name == "train --auto" else f"{mean:+.1f}, {mean - half:+.1f} to {mean + half:+.1f}"
        lines.append(f"| {name} | {100 * row['accuracy']:.1f} % | {less} | {row['seconds']:.2f} |")
    return "\n".join(lines)


def summary(results):
    """One row a cache, and the mean over all, with the best peer of each cache beside `--auto`."""
    names = list(results[0]["methods"])
    rows = [[result["methods"][name]["accuracy"] for name in names] for result in results]
    peers = [i for i, name in enumerate(names) if name in PEERS]
    lines = ["\n| features | " + " | ".join(names) + " | `--auto` less the best peer |", "|---" * (len(names) + 2) + "|"]
    less = []
    for result, row in [*zip(results, rows), (None, np.mean(rows, 0))]:
        best = max((row[i] for i in peers), default=float("nan"))
        own = row[names.index("train --auto")] if "train --auto" in names else float("nan")
        less.append(100 * (own - best))
        # The mean over all is that of the differences, not the difference of the means.
        last = less[-1] if result else float(np.mean(less[:-1]))
        cells = " | ".join(f"{100 * value:.1f} %" for value in row)
        lines.append(f"| {result['cache'] if result else 'mean'} | {cells} | {last:+.1f} |")
    return "\n".join(lines)


def curves(a):
    results = []
    methods = [method for method in [*OWN, *PEERS] if method in a.only]
    for path in a.caches:
        cache, points = Cache(path), {method: [] for method in methods}
        for number in map(int, a.curves.split(",")):
            found = {method: [] for method in methods}
            for seed in range(a.splits):
                folder = a.work / path.name / f"curve-{number}-{seed}"
                images = cache.draw(number, seed)
                if not (folder / "cache/samples.parquet").exists():
                    cache.subset(folder / "cache", *images)
                for method in methods:
                    found[method].append(answer(a, method, cache, folder, images, folder / "cache")[0])
            # Draws share images as splits of three quarters and a quarter do, however few are trained on.
            ratio = len(images[1]) / (len(cache.label) - len(images[1]))
            for method, values in found.items():
                points[method].append([number, *resampled(values, ratio)])
            print(path, number, {k: round(float(np.mean(v)), 4) for k, v in found.items()}, file=sys.stderr, flush=True)
        results.append({"cache": path.name, "splits": a.splits, "points": points})
        print(curve_table(results[-1]), flush=True)
    if a.svg:
        a.svg.write_text(svg(results, [int(n) for n in a.curves.split(",")]))
    return results


def curve_table(result):
    names, numbers = list(result["points"]), [point[0] for point in next(iter(result["points"].values()))]
    lines = [f"\n{result['cache']}: test accuracy over {result['splits']} splits\n",
             "| images a class | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for i, number in enumerate(numbers):
        cells = [f"{100 * m:.1f} +- {100 * h:.1f} %" for _, m, h in (result["points"][name][i] for name in names)]
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def take_answers(a):
    """Puts what earlier runs found into the folder of answers."""
    if a.answers and a.answers.exists():
        for name, found in json.loads(a.answers.read_text()).items():
            kept(a.work / f"{name}.json", lambda: found)


def write_answers(a):
    """Writes all answers into one file: accuracy and seconds by cache, draw and method."""
    if a.answers:
        found = {str(path.relative_to(a.work).with_suffix("")): json.loads(path.read_text())
                 for path in sorted(a.work.glob("*/*/*.json")) if path.name != "images.json"}
        lines = (f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in found.items())
        a.answers.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caches", nargs="+", type=pathlib.Path)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--only", type=lambda names: names.split(","))
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--curves")
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--answers", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args()
    a.only = a.only or (list(OWN) if a.curves else ["train --auto"]) + list(PEERS)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(a.threads):
        a.work = a.work or pathlib.Path(temporary)
        take_answers(a)
        results = (curves if a.curves else compare)(a)
        write_answers(a)
    if a.json:
        a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
