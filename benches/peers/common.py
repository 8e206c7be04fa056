"""What the peers share: arguments, the list of files, a loader of pictures, and the Parquet file that each writes.

A peer is a script of this folder, run by ../extract_vs_peers.py as

    python with_NAME.py IMAGES --out FILE.parquet --threads N

It turns every JPEG of IMAGES/<class>/ into 2048 floats, writes one row for each, and prints one line of JSON: "images", and
"seconds" from the first picture that it opens until the table is written. Imports, making the model and compiling it are
start-up, which only the caller's clock sees.

No script here may be called like the package that it imports: this folder comes first where Python looks.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

NETWORK = pathlib.Path(__file__).resolve().parents[2] / "models/nsfwjs.onnx"
SIDE = 299
WIDTH = 2048
BATCH = 8  # Keras has one of its own


def parser():
    """The arguments that every peer takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser


def files(images):
    """All JPEG files below the class folders, in the order of their names."""
    return sorted(path for path in images.glob("*/**/*") if path.suffix.lower() in (".jpg", ".jpeg"))


def pixels(path):
    """One picture as bytes, in the size of the network."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def batches(paths, threads, size=BATCH, prepare=None):
    """Float32 batches in NCHW, decoded ahead by a pool of threads; never more than a few wait in memory. `prepare` turns a
    path into planes; by default they are those of `pixels` from 0 to 1."""

    def load(part):
        if prepare is not None:
            return np.ascontiguousarray(np.stack([prepare(path) for path in part]), np.float32)
        planes = np.stack([pixels(path) for path in part]).transpose(0, 3, 1, 2)
        return np.divide(planes, 255, dtype=np.float32, order="C")

    waiting = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(paths), size):
            waiting.append(pool.submit(load, paths[start : start + size]))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def padded(batch):
    """The batch filled up to the usual length, for a network that takes no other; the caller drops what was added."""
    return np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), batch.dtype)])


def finish(args, paths, features, started, width=WIDTH):
    """Writes one row a file, after a look at their number and values, and says how long all took since `started`. With `width`
    None any width will do."""
    width = width or features.shape[1]
    assert features.shape == (len(paths), width) and features.dtype == np.float32, (features.shape, features.dtype)
    assert np.isfinite(features).all()
    embedding = pa.FixedSizeListArray.from_arrays(features.reshape(-1), width)
    names = [path.relative_to(args.images).as_posix() for path in paths]
    pq.write_table(pa.table({"path": names, "embedding": embedding}), args.out, compression="zstd")
    print(json.dumps({"images": len(paths), "seconds": time.perf_counter() - started}))
