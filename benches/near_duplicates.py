"""Pairs a second and peak memory of `headstart duplicates`, beside NumPy and, where it is installed, FAISS's flat index.

    python benches/near_duplicates.py [--images 20000] [--like CACHE] [--queries 2000] [--binary target/release/headstart] [--models models]

Draws tiny distinct files in a temporary folder that is deleted at the end (TMPDIR says where), has eight of them embedded, and
writes made features for all others straight into the cache: 8 GB for a million images of 2,048 floats. They are drawn with the mean
and the covariance of the features of a real cache (--like), or around a mean with variances that fall as n^-1.5, which is
about how those of real features fall. The rows are of a thousand kinds, and 3 % are nearly others. Negative values become 0, as those of a network are. With
--random they are one of many random centres with noise, whose variance is the same in all directions.

Every way gets the same rows and the same threshold, and must find the same pairs but for rounding. NumPy and FAISS hold all rows in
memory; the time to read them from the cache is not theirs. With --queries they only compare so many rows with all, for which the
number of pairs is not checked. FAISS is `faiss-cpu`. Each way is measured in a process of its own.
"""

import argparse
import hashlib
import multiprocessing
import pathlib
import resource
import tempfile
import time

import numpy as np
import pyarrow.dataset
import pyarrow.parquet

import many_files

BLOCK = 2048
NOISE = 0.05


def clustered(random, images):
    """Features of rows: each is one of many centres with some noise."""
    centres = random.standard_normal((max(images // 10, 1), 2048), np.float32)

    def features(rows, width):
        chosen = centres[random.integers(len(centres), size=rows), :width]
        return (chosen + 0.2 * random.standard_normal((rows, width), np.float32)).ravel()

    return features


def decaying(random):
    """A mean and scaled axes of 2,048 features: the variance is 7 % of the squared length, and falls as n^-1.5."""
    axes = np.linalg.qr(random.standard_normal((2048, 2048), np.float32))[0]
    scales = 3.1 * np.arange(1, 2049, dtype=np.float32) ** -0.75
    return 0.4 * np.ones(2048, np.float32), scales[:, None] * axes.T


def like(cache):
    """The mean and the scaled principal axes of a cache's features."""
    rows = pyarrow.dataset.dataset(cache + "/features").to_table(["embedding"])["embedding"]
    width = len(rows[0])
    rows = np.concatenate([chunk.flatten().to_numpy() for chunk in rows.chunks]).reshape(-1, width)
    mean = rows.mean(0)
    axes = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, axes[1][:, None] / len(rows) ** 0.5 * axes[2]


def realistic(random, mean, axes):
    """Features of rows of a thousand kinds: two thirds of the variance are between them."""
    kinds = (2 / 3) ** 0.5 * random.standard_normal((1000, len(axes)), np.float32)

    def features(rows, width):
        own = kinds[random.integers(len(kinds), size=rows)]
        own = own + (1 / 3) ** 0.5 * random.standard_normal((rows, len(axes)), np.float32)
        made = np.maximum(mean + own @ axes, 0)[:, :width]
        near = np.flatnonzero(random.random(rows) < 0.03)
        made[near] = made[near - 1] * (1 + NOISE * random.standard_normal((len(near), width), np.float32))
        return made.ravel()

    return features


def normalized(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def rows_of(cache, images):
    """All rows of length 1, read part by part, so that memory holds them once."""
    all_rows, at = None, 0
    for part in sorted((cache / "features").glob("*.parquet")):
        column = pyarrow.parquet.read_table(part, columns=["embedding"])["embedding"].combine_chunks()
        rows = column.flatten().to_numpy().reshape(len(column), -1)
        if all_rows is None:
            all_rows = np.empty((images, rows.shape[1]), np.float32)
        all_rows[at : at + len(rows)] = normalized(rows)
        at += len(rows)
    assert at == images, (at, images)
    return all_rows


def with_numpy(rows, queries, threshold):
    """Near pairs, and how many were compared."""
    pairs = compared = 0
    for start in range(0, queries, BLOCK):
        first = rows[start : min(start + BLOCK, queries)]
        for other in range(start, len(rows), BLOCK):
            near = first @ rows[other : other + BLOCK].T >= 1 - threshold
            pairs += int(np.triu(near, 1).sum() if start == other else near.sum())
        compared += len(first) * (len(rows) - start) - len(first) * (len(first) + 1) // 2
    return pairs, compared


def with_faiss(rows, queries, threshold):
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    pairs = 0
    for start in range(0, queries, BLOCK):
        limits, _, _ = index.range_search(rows[start : min(start + BLOCK, queries)], 1 - threshold)
        pairs += int(limits[-1])
    # It compares each pair twice, and each row with itself.
    return (pairs - queries) // 2, queries * len(rows) // (2 if queries == len(rows) else 1)


def measured(name, search, cache, images, queries, threshold, out):
    rows = rows_of(cache, images)
    started = time.perf_counter()
    try:
        pairs, compared = search(rows, queries, threshold)
    except ImportError:
        return out.put(None)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.put((name, pairs, seconds, compared / seconds, memory))


def in_a_process(*arguments):
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=measured, args=(*arguments, out))
    process.start()
    result = out.get()
    process.join()
    return result


def fill(images, cache, count, kind, like_cache):
    random = np.random.default_rng(0)
    if kind == "random":
        features = clustered(random, count)
    else:
        features = realistic(random, *(like(like_cache) if like_cache else decaying(random)))
    many_files.fill(images, cache, 4096, features)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--like", metavar="CACHE", help="a cache whose features are imitated")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--queries", type=int, help="rows that NumPy and FAISS compare with all [default: all]")
    parser.add_argument("--threshold", type=float, default=0.01)
    parser.add_argument("--skip", nargs="*", default=[], choices=["NumPy", "FAISS"])
    parser.add_argument("--binary", action="append", help="may be given several times, to compare versions")
    parser.add_argument("--models", default="models")
    a = parser.parse_args()
    queries = min(a.queries or a.images, a.images)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        images, cache = pathlib.Path(temporary, "images"), pathlib.Path(temporary, "cache")
        binaries = a.binary or ["target/release/headstart"]
        many_files.draw(images, a.images, 100)
        options = ["--cache", str(cache), "--models", a.models]
        some = many_files.first_files(images, pathlib.Path(temporary, "some"))
        many_files.run([binaries[0], "extract", str(some), *options])
        # In a process of its own: a child's peak memory counts from its parent's.
        kind = "random" if a.random else "realistic"
        filler = multiprocessing.get_context("spawn").Process(target=fill, args=(images, cache, a.images, kind, a.like))
        filler.start()
        filler.join()
        assert filler.exitcode == 0
        many_files.run([binaries[0], "extract", str(images), *options])
        digests = set()
        for binary in binaries:
            command = [binary, "duplicates", str(cache), "--threshold", str(a.threshold)]
            found, seconds, memory = many_files.run(command)
            digests.add(hashlib.sha256(repr(found).encode()).hexdigest()[:8])
            name = "headstart duplicates, with reading" + (f" ({binary})" if len(binaries) > 1 else "")
            rows.append((name, found["pairs"], seconds, a.images * (a.images - 1) / 2 / seconds, memory))
            print(name, found["pairs"], f"{seconds:.1f}", [near["images"] for near in found["nearest"]], flush=True)
        for name, search in [("NumPy", with_numpy), ("FAISS", with_faiss)]:
            if name not in a.skip:
                rows.append(in_a_process(name, search, cache, a.images, queries, a.threshold))
    print("| | near pairs | seconds | pairs a second | peak memory, MB |\n|---|--:|--:|--:|--:|")
    for name, pairs, seconds, rate, memory in filter(None, rows):
        is_whole = name.startswith("headstart") or queries == a.images
        assert not is_whole or abs(pairs - found["pairs"]) <= 1e-4 * found["pairs"] + 2, (name, pairs, found["pairs"])
        note = "" if is_whole else f", {queries} rows with all"
        print(f"| {name}{note} | {pairs if is_whole else ''} | {seconds:.1f} | {rate:.3g} | {memory:.0f} |")
    if len(binaries) > 1:
        print("same results:", len(digests) == 1)


if __name__ == "__main__":
    main()
