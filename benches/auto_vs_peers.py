"""`train --auto` beside scikit-learn on the same cached features: over random splits, and as learning curves.

    python benches/auto_vs_peers.py CACHE... [--splits 10] [--variants] [--budget 60s] [--threads 2] [--json FILE]
    python benches/auto_vs_peers.py CACHE... --curves 2,5,10,20,50 [--svg FILE] [--splits 10] ...

The first form trains on each of --splits random splits of each cache (`--resplit 1` and so on), by `--auto --use none` (with
--variants also by plain `--auto`), and fits to the train rows of that split, variant none:

    LogisticRegressionCV   10 penalties, 5 folds, at most 1,000 iterations
    linear SVM             LinearSVC, C from 1e-4 to 10 by 5 folds
    k-NN                   1 to 15 neighbours by 5 folds, cosine distance
    LDA                    shrinkage by Ledoit and Wolf

It prints mean test accuracy and seconds (reading left out for the peers, the whole command for headstart), and the difference of
`--auto` from each with its 95 % interval (Nadeau and Bengio 2003).

The second form takes that many train images of each class, or all that it has, and a quarter of the images for the test; it has
plain `train` as well, and draws the curves with the intervals of their means as an SVG picture."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats
from threadpoolctl import threadpool_limits

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parent / "target/release/headstart"
COLOURS = {"train": "#888888", "train --auto": "#d62728", "LogisticRegressionCV": "#1f77b4", "linear SVM": "#2ca02c",
           "k-NN": "#9467bd", "LDA": "#ff7f0e"}


class Cache:
    """The features of a cache by digest, variant none, and its samples."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.samples = pq.read_table(self.path / "samples.parquet")
        table = pq.read_table(self.path / "features", columns=["image_sha256", "embedding"],
                              filters=[("variant", "=", "none")])
        hashes = table["image_sha256"].to_pylist()
        self.x = np.array(table["embedding"].to_pylist(), np.float32)
        self.row = {digest: i for i, digest in enumerate(hashes)}
        rows = self.samples.select(["image_sha256", "label"]).to_pylist()
        self.label = {row["image_sha256"]: row["label"] for row in rows}

    def rows(self, digests):
        digests = sorted(digests)
        return self.x[[self.row[d] for d in digests]], np.array([self.label[d] for d in digests])

    def by_class(self):
        classes = {}
        for digest, label in sorted(self.label.items()):
            classes.setdefault(label, []).append(digest)
        return classes

    def subset(self, folder, train, test):
        """A cache with the same features whose images are these alone."""
        folder.mkdir()
        (folder / "features").symlink_to((self.path / "features").resolve(), target_is_directory=True)
        (folder / "spec.json").write_bytes((self.path / "spec.json").read_bytes())
        digests = self.samples["image_sha256"].to_pylist()
        first = {d: i for i, d in reversed(list(enumerate(digests)))}
        own = sorted(first[d] for d in [*train, *test])
        table = self.samples.take(pa.array(own))
        split = pa.array(["train" if d in train else "test" for d in table["image_sha256"].to_pylist()])
        place = table.schema.get_field_index("split")
        table = table.set_column(place, table.schema.field("split"), split.cast(table.schema.field("split").type))
        footer = pq.read_metadata(self.path / "samples.parquet").metadata
        table = table.replace_schema_metadata({key: value for key, value in footer.items() if key != b"ARROW:schema"})
        pq.write_table(table, folder / "samples.parquet", compression="zstd")
        return folder


def headstart(a, cache, run, *more):
    """Test accuracy, seconds of the command, and the run's test and train images."""
    command = [a.binary, "train", cache, "--run", run, "--threads", a.threads, "--json", *more]
    started = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    answers = pq.read_table(run / "predictions.parquet", columns=["image_sha256", "variant", "split"]).to_pylist()
    test = {row["image_sha256"] for row in answers if row["split"] == "test" and row["variant"] == "none"}
    train = set(pq.read_table(run / "train-images.parquet")["image_sha256"].to_pylist())
    return json.loads(done.stdout)["test_accuracy"], seconds, train, test


def peers(fewest):
    """Estimators as their users write them, for `fewest` train images of the smallest class."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import LinearSVC

    folds = min(5, fewest)
    neighbours = [k for k in (1, 3, 5, 9, 15) if k <= max(1, fewest)]
    return {
        "LogisticRegressionCV": LogisticRegressionCV(cv=folds, max_iter=1000),
        "linear SVM": GridSearchCV(LinearSVC(), {"C": [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]}, cv=folds),
        "k-NN": GridSearchCV(KNeighborsClassifier(metric="cosine"), {"n_neighbors": neighbours}, cv=folds),
        "LDA": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    }


def measure_peers(cache, train, test):
    (x, y), (tx, ty) = cache.rows(train), cache.rows(test)
    fewest = np.unique(y, return_counts=True)[1].min()
    for name, model in peers(int(fewest)).items():
        started = time.perf_counter()
        model.fit(x, y)
        yield name, float((model.predict(tx) == ty).mean()), time.perf_counter() - started


def resampled(values, test_to_train):
    """Mean and half of its 95 % interval, for splits that share images."""
    values = np.asarray(values)
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) * (1 / n + test_to_train) ** 0.5 if n > 1 else float("nan")
    return float(values.mean()), float(half)


def compare(a, work):
    results = []
    for path in a.caches:
        cache, accuracy, seconds = Cache(path), {}, {}
        for split in range(1, a.splits + 1):
            ways = {"train --auto": ["--auto", "--use", "none", "--budget", a.budget]}
            if a.variants:
                ways["train --auto, all variants"] = ["--auto", "--budget", a.budget]
            for name, more in ways.items():
                found, took, train, test = headstart(a, path, work / "run", *more, "--resplit", split)
                accuracy.setdefault(name, []).append(found)
                seconds.setdefault(name, []).append(took)
            for name, found, took in measure_peers(cache, train, test):
                accuracy.setdefault(name, []).append(found)
                seconds.setdefault(name, []).append(took)
            print(f"{path} split {split}", {k: round(v[-1], 4) for k, v in accuracy.items()}, file=sys.stderr, flush=True)
        ratio, own = len(test) / len(train), np.array(accuracy["train --auto"])
        rows = {name: {"accuracy": float(np.mean(values)), "seconds": float(np.median(seconds[name])),
                       "auto_less_this": resampled(own - np.array(values), ratio)} for name, values in accuracy.items()}
        results.append({"cache": str(path), "train": len(train), "test": len(test), "splits": a.splits, "methods": rows})
        print(table(results[-1]), flush=True)
    return results


def table(result):
    lines = [f"\n{result['cache']}: {result['train']} train and {result['test']} test images, {result['splits']} splits\n",
             "| | test accuracy | `--auto` less this, 95 % interval | seconds |", "|---|---|---|---|"]
    for name, row in result["methods"].items():
        mean, half = (100 * value for value in row["auto_less_this"])
        less = "-" if name == "train --auto" else f"{mean:+.1f}, {mean - half:+.1f} to {mean + half:+.1f}"
        lines.append(f"| {name} | {100 * row['accuracy']:.1f} % | {less} | {row['seconds']:.2f} |")
    return "\n".join(lines)


def curves(a, work):
    results = []
    for path in a.caches:
        cache = Cache(path)
        points = {}
        for number in map(int, a.curves.split(",")):
            accuracy = {}
            for split in range(a.splits):
                rng, train, test = np.random.default_rng(split), set(), set()
                for digests in cache.by_class().values():
                    order = [digests[i] for i in rng.permutation(len(digests))]
                    held_out = max(1, len(order) // 4)
                    test |= set(order[:held_out])
                    train |= set(order[held_out:held_out + number])
                own = cache.subset(work / f"{pathlib.Path(path).name}-{number}-{split}", train, test)
                for name, more in (("train", []), ("train --auto", ["--auto", "--budget", a.budget])):
                    found = headstart(a, own, work / "run", "--use", "none", *more)[0]
                    accuracy.setdefault(name, []).append(found)
                for name, found, _ in measure_peers(cache, train, test):
                    accuracy.setdefault(name, []).append(found)
            for name, values in accuracy.items():
                points.setdefault(name, []).append([number, *resampled(values, 0 if number < 10 else len(test) / len(train))])
            print(path, number, {k: round(float(np.mean(v)), 4) for k, v in accuracy.items()}, file=sys.stderr, flush=True)
        results.append({"cache": str(path), "splits": a.splits, "points": points})
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


def svg(results, numbers):
    """One panel a cache: accuracy against images a class, with intervals."""
    width, height, left, top = 420, 300, 52, 34
    x = lambda n: left + (width - left - 16) * np.log(n / numbers[0]) / max(np.log(numbers[-1] / numbers[0]), 1e-9)  # noqa: E731
    out = []
    for panel, result in enumerate(results):
        ends = [end for line in result["points"].values() for _, m, h in line for end in (m - h, m + h) if end == end]
        low, high = np.floor(10 * max(0, min(ends))) / 10, np.ceil(10 * min(1, max(ends))) / 10
        y = lambda v: top + (height - top - 40) * (high - v) / max(high - low, 0.1)  # noqa: E731
        out.append(f'<g transform="translate({panel * width},0)">')
        name = pathlib.Path(result["cache"]).name
        out.append(f'<text x="{left}" y="18" font-weight="bold">{name}: test accuracy</text>')
        for tick in np.arange(low, high + 0.01, 0.1):
            out.append(f'<path d="M{left} {y(tick):.1f}H{width - 16}" stroke="#ddd"/>'
                       f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{100 * tick:.0f} %</text>')
        for number in numbers:
            out.append(f'<text x="{x(number):.1f}" y="{height - 24}" text-anchor="middle">{number}</text>')
        out.append(f'<text x="{(left + width) / 2}" y="{height - 8}" text-anchor="middle">train images a class</text>')
        for i, (method, line) in enumerate(result["points"].items()):
            colour, off = COLOURS[method], 2.5 * (i - 2.5)
            places = [(x(n) + off, y(m), y(m - h), y(m + h)) for n, m, h in line]
            points = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in places)
            bars = "".join(f"M{px:.1f} {a:.1f}V{b:.1f}" for px, _, a, b in places if a == a)
            bold = 2.5 if method == "train --auto" else 1.3
            out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{bold}"/>'
                       f'<path d="{bars}" stroke="{colour}"/>')
        out.append("</g>")
    for i, (method, colour) in enumerate(COLOURS.items()):
        px = left + 130 * (i % 3) if len(results) == 1 else left + 135 * i
        py = height + 14 + (18 * (i // 3) if len(results) == 1 else 0)
        out.append(f'<path d="M{px} {py - 4}h18" stroke="{colour}" stroke-width="2"/><text x="{px + 23}" y="{py}">{method}</text>')
    size = (max(width * len(results), 440), height + 44)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}" '
            f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caches", nargs="+", type=pathlib.Path)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--curves")
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(a.threads):
        results = (curves if a.curves else compare)(a, pathlib.Path(temporary))
    if a.json:
        a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
