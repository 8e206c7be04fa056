"""Test accuracy of linear heads on the features of several backbones and layers, over random splits, with paired intervals.

    python benches/backbone_accuracy.py CACHE... [--join A+B]... [--splits 20] [--first 1] [--binary PATH] [--threads 2] [--json FILE]
    python benches/backbone_accuracy.py --read FILE...

The caches hold features of the same images, as `extract` writes them; the first one is what the others are compared with, and a cache
is called by the name of its folder. `--join A+B` adds the features of two caches, one behind the other: a temporary cache holds them.

Each head is fitted by `train --auto --use none --resplit S` for S from 1 on: L-BFGS, with the penalty and the standardization chosen
by folds within the train images. The table has the mean test accuracy with its interval, and the difference from the first
cache, split by split, with its interval (Nadeau and Bengio 2003, allowing for the overlap of the splits). With --json the accuracies
are written after each split, and --read makes the table of such a file; several files with different splits are put together."""

import argparse
import hashlib
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

HERE = pathlib.Path(__file__).resolve().parent


def features(cache):
    """The plain features of a cache by digest."""
    table = pq.read_table(cache / "features", columns=["image_sha256", "embedding"], filters=[("variant", "=", "none")])
    values = np.array(table["embedding"].to_pylist(), np.float32)
    return dict(zip(table["image_sha256"].to_pylist(), values))


def join(first, second, folder):
    """A cache with the features of two caches of the same images side by side."""
    own, added = features(first), features(second)
    assert own.keys() == added.keys(), f"{first} and {second} have different images"
    digests = sorted(own)
    rows = np.stack([np.concatenate([own[d], added[d]]) for d in digests])
    (folder / "features").mkdir(parents=True)
    part = next((first / "features").glob("part-*.parquet"))
    schema = pq.read_schema(part).remove_metadata()
    place = schema.get_field_index("embedding")
    wide = pa.list_(schema.field(place).type.value_field, rows.shape[1])
    schema = schema.set(place, schema.field(place).with_type(wide))
    columns = {"image_sha256": digests, "variant": ["none"] * len(digests), "embedding": list(rows)}
    table = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    written = folder / "features" / "part.parquet"
    pq.write_table(table, written, compression="zstd")
    digest = hashlib.sha256(written.read_bytes()).hexdigest()[:16]
    written.rename(written.with_name(f"part-000000-{digest}.parquet"))
    specs = [json.loads((cache / "spec.json").read_text()) for cache in (first, second)]
    specs[0] |= {"layer": f"{first.name}+{second.name}", "width": rows.shape[1]}
    specs[0].pop("known_answer", None)
    (folder / "spec.json").write_text(json.dumps(specs[0]))
    (folder / "samples.parquet").write_bytes((first / "samples.parquet").read_bytes())
    return folder


def accuracy(binary, cache, run, split, threads):
    command = [binary, "train", cache, "--run", run, "--auto", "--use", "none", "--budget", "none", "--resplit", str(split)]
    subprocess.run([*command, "--threads", str(threads)], check=True, capture_output=True)
    scores = subprocess.run([binary, "evaluate", run, "--json"], check=True, capture_output=True).stdout
    scores = json.loads(scores)
    return scores["accuracy"], scores["images"]


def interval(values, test_to_train):
    values = np.asarray(values)
    error = np.sqrt((1 / len(values) + test_to_train) * values.var(ddof=1))
    half = stats.t.ppf(0.975, len(values) - 1) * error
    return values.mean(), values.mean() - half, values.mean() + half


def table(found):
    """Lines of a table in Markdown."""
    names, splits = list(found["accuracy"]), sorted(found["accuracy"][next(iter(found["accuracy"]))], key=int)
    splits = [s for s in splits if all(s in found["accuracy"][name] for name in names)]
    ratio = found["test"] / (found["images"] - found["test"])
    lines = [f"{len(splits)} splits, {found['test']} of {found['images']} images for the test", ""]
    lines += [f"| features | accuracy | minus {names[0]} |", "|---|---|---|"]
    for name in names:
        own = [100 * found["accuracy"][name][s] for s in splits]
        mean, low, high = interval(own, ratio)
        less = interval([a - 100 * found["accuracy"][names[0]][s] for a, s in zip(own, splits)], ratio)
        difference = "" if name == names[0] else "{:+.1f} ({:+.1f} to {:+.1f})".format(*less)
        lines.append(f"| {name} | {mean:.1f} % ({low:.1f} to {high:.1f}) | {difference} |")
    return "\n".join(lines)


def read(paths):
    found = None
    for path in paths:
        one = json.loads(path.read_text())
        found = found or one
        for name, values in one["accuracy"].items():
            found["accuracy"][name] |= values
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caches", nargs="*", type=pathlib.Path, metavar="CACHE")
    parser.add_argument("--join", action="append", default=[], metavar="A+B")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first split")
    parser.add_argument("--binary", default=HERE.parent / "target/release/headstart")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--read", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    if args.read:
        print(table(read(args.read)))
        return
    caches = {cache.name: cache.resolve() for cache in args.caches}
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for joined in args.join:
            first, second = joined.split("+")
            caches[joined] = join(caches[first], caches[second], work / joined)
        images = len(set(pq.read_table(args.caches[0] / "samples.parquet")["image_sha256"].to_pylist()))
        found = {"images": images, "test": 0, "accuracy": {name: {} for name in caches}}
        for split in range(args.first, args.first + args.splits):
            for name, cache in caches.items():
                value, found["test"] = accuracy(args.binary, cache, work / "run", split, args.threads)
                found["accuracy"][name][str(split)] = value
            if args.json:
                args.json.write_text(json.dumps(found))
        print(table(found))


if __name__ == "__main__":
    main()
