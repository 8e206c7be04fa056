"""Pairs a second and peak memory of `headstart duplicates`, beside NumPy and, where it is installed, FAISS's flat index.

    python benches/near_duplicates.py [--images 20000] [--binary target/release/headstart] [--models models]

Draws tiny distinct files in a temporary folder that is deleted at the end (TMPDIR says where), has eight of them embedded, and
writes random features for all others straight into the cache: 2,048 floats around one of many centres, so 8 GB for a million
images. Every way gets the same rows and the same threshold, and must find the same pairs but for rounding. NumPy and FAISS hold
all rows in memory; the time to read them from the cache is not theirs. FAISS is `faiss-cpu`.
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np
import pyarrow.dataset

import many_files

THRESHOLD = 0.05


def clustered(random, centres):
    """Features of rows: each is one of the centres with some noise."""

    def features(rows, width):
        chosen = centres[random.integers(len(centres), size=rows), :width]
        return (chosen + 0.2 * random.standard_normal((rows, width), np.float32)).ravel()

    return features


def rows_of(cache):
    table = pyarrow.dataset.dataset(cache / "features").to_table(["embedding"])
    width = len(table["embedding"][0])
    values = [chunk.flatten().to_numpy() for chunk in table["embedding"].chunks]
    rows = np.concatenate(values).reshape(-1, width)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def with_numpy(rows, block=2048):
    pairs = 0
    for start in range(0, len(rows), block):
        for other in range(start, len(rows), block):
            near = rows[start : start + block] @ rows[other : other + block].T >= 1 - THRESHOLD
            pairs += int(np.triu(near, 1).sum() if start == other else near.sum())
    return pairs


def with_faiss(rows):
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    pairs = 0
    for start in range(0, len(rows), 2048):
        limits, _, _ = index.range_search(rows[start : start + 2048], 1 - THRESHOLD)
        pairs += int(limits[-1])
    return (pairs - len(rows)) // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--binary", default="target/release/headstart")
    parser.add_argument("--models", default="models")
    a = parser.parse_args()
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        images, cache = pathlib.Path(temporary, "images"), pathlib.Path(temporary, "cache")
        many_files.draw(images, a.images, 100)
        options = ["--cache", str(cache), "--models", a.models]
        some = many_files.first_files(images, pathlib.Path(temporary, "some"))
        many_files.run([a.binary, "extract", str(some), *options])
        centres = random.standard_normal((max(a.images // 10, 1), 2048), np.float32)
        many_files.fill(images, cache, 4096, clustered(random, centres))
        many_files.run([a.binary, "extract", str(images), *options])
        command = [a.binary, "duplicates", str(cache), "--threshold", str(THRESHOLD)]
        found, seconds, memory = many_files.run(command)
        measured = [("headstart duplicates, with reading", found["pairs"], seconds, f"{memory:.0f}")]
        rows = rows_of(cache)
    for name, search in [("NumPy", with_numpy), ("FAISS", with_faiss)]:
        started = time.perf_counter()
        try:
            pairs = search(rows)
        except ImportError:
            continue
        measured.append((name, pairs, time.perf_counter() - started, "all rows"))
    print("| | near pairs | seconds | pairs a second | peak memory, MB |\n|---|--:|--:|--:|--:|")
    for name, pairs, seconds, memory in measured:
        assert abs(pairs - found["pairs"]) <= 1e-4 * found["pairs"] + 2, (name, pairs, found["pairs"])
        print(f"| {name} | {pairs} | {seconds:.1f} | {a.images**2 / 2 / seconds:.3g} | {memory} |")


if __name__ == "__main__":
    main()
