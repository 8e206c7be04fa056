"""Reads a cache of features (features-v1) with pyarrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Optional, Union

if TYPE_CHECKING:
    import numpy
    import pyarrow

PathLike = Union[str, "os.PathLike[str]"]
Names = Union[str, Iterable[str], None]


class Features(NamedTuple):
    """Features of images with their classes, one row for each file and variant, sorted by path, then by variant."""

    #: `[rows, width]`, float32.
    X: "numpy.ndarray[Any, Any]"
    #: Class of each row, text.
    y: "numpy.ndarray[Any, Any]"
    #: Path of each row, relative to the folder of images, text.
    paths: "numpy.ndarray[Any, Any]"


def table(cache: PathLike, split: Names = None, variants: Names = "none") -> "pyarrow.Table":
    """The samples of a cache joined with their features: path, label, split, image_sha256, variant, embedding.

    `split` is `train`, `validation` or `test`, several of them, or None for all; `variants` names variants (`none`,
    `flip`, `shift:+30:+0`), or None for all. pandas and Polars take the table without copying the features.
    """
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    folder = Path(cache)
    if not (folder / "spec.json").is_file():
        raise FileNotFoundError(f"{folder}: not a cache: it holds no spec.json")
    samples = pq.read_table(folder / "samples.parquet", columns=["path", "label", "split", "image_sha256"])
    splits = _names(split)
    if splits is not None:
        samples = samples.filter(pc.field("split").isin(splits))
    parts = sorted(str(path) for path in (folder / "features").glob("part-*.parquet"))
    if not parts:
        raise FileNotFoundError(f"{folder}: it holds no features yet; run `headstart extract` again")
    wanted = pc.field("image_sha256").isin(samples["image_sha256"].unique())
    names = _names(variants)
    if names is not None:
        wanted = wanted & pc.field("variant").isin(names)
    features = ds.dataset(parts, format="parquet").to_table(filter=wanted)
    return _joined(samples, features)


def load(cache: PathLike, split: Names = "train", variants: Names = "none") -> Features:
    """Features, classes and paths as NumPy arrays: `X, y, paths = headstart.load("cache/photos")`.

    `split` and `variants` select rows as in `table`.
    """
    import numpy as np

    rows = table(cache, split, variants)
    lists = rows["embedding"].combine_chunks()
    if hasattr(lists, "chunks"):
        lists = lists.chunk(0)
    width = lists.type.list_size
    values = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(rows), width)
    text = [np.asarray(rows[name].to_pylist(), dtype=str) for name in ("label", "path")]
    return Features(values, text[0], text[1])


def _joined(samples: "pyarrow.Table", features: "pyarrow.Table") -> "pyarrow.Table":
    """Joins by digest. pyarrow's own join takes no columns of lists."""
    rows_of: dict[str, list[int]] = {}
    for row, digest in enumerate(features["image_sha256"].to_pylist()):
        rows_of.setdefault(digest, []).append(row)
    variants = features["variant"].to_pylist()
    keys = zip(samples["path"].to_pylist(), samples["image_sha256"].to_pylist())
    pairs = [(path, variants[row], at, row) for at, (path, digest) in enumerate(keys) for row in rows_of.get(digest, [])]
    pairs.sort(key=lambda pair: (pair[0].encode(), pair[1]))
    left = samples.take([pair[2] for pair in pairs])
    right = features.take([pair[3] for pair in pairs])
    for name in ("variant", "embedding"):
        left = left.append_column(features.schema.field(name), right[name])
    return left


def _names(names: Names) -> Optional[list[str]]:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)
