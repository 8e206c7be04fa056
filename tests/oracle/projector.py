"""Reads the embedding projector's files as TensorBoard does: python projector.py FOLDER CACHE IMAGES.

Compares every point with the cache and every thumbnail with Pillow's, and prints what was found.
"""

import collections
import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import projector_plugin
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

folder, cache, images = map(pathlib.Path, sys.argv[1:])
config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
(embedding,) = config.embeddings
tensors = folder / embedding.tensor_path
# As the plugin does: text, unless it cannot be.
try:
    points = projector_plugin._read_tensor_tsv_file(str(tensors))
except UnicodeDecodeError:
    points = projector_plugin._read_tensor_binary_file(str(tensors), embedding.tensor_shape)
assert list(points.shape) == list(embedding.tensor_shape)

with open(folder / embedding.metadata_path, encoding="utf-8", newline="\n") as file:
    names, *rows = [line.rstrip("\n").split("\t") for line in file]
assert len(rows) == len(points) and all(len(row) == len(names) for row in rows)
rows = [dict(zip(names, row)) for row in rows]


def plain(cell):
    """What a cell stands for."""
    return cell.encode().decode("unicode_escape").encode("latin-1").decode() if "\\" in cell else cell


samples = {sample["path"]: sample for sample in pq.read_table(cache / "samples.parquet").to_pylist()}
features = {
    (row["image_sha256"], row["variant"]): row["embedding"]
    for part in sorted((cache / "features").glob("*.parquet"))
    for row in pq.read_table(part).to_pylist()
}
for row, point in zip(rows, points):
    sample = samples[plain(row["path"])]
    assert plain(row["label"]) == sample["label"], row
    assert np.array_equal(point, np.float32(features[sample["image_sha256"], row["variant"]])), row


def thumbnail(path, variant, side):
    """The picture as it should stand in its tile, or white."""
    tile = Image.new("RGB", (side, side), "white")
    try:
        picture = Image.open(path).convert("RGB")
    except OSError:
        return tile
    if variant == "flip":
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    longer = max(picture.size)
    size = [-(-length * side // longer) for length in picture.size]
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    tile.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2))
    return tile


blank, sprite = 0, None
if embedding.HasField("sprite"):
    side, same = embedding.sprite.single_image_dim
    assert side == same
    sprite = Image.open(folder / embedding.sprite.image_path)
    columns = sprite.width // side
    assert max(sprite.size) <= 8192 and columns * side == sprite.width
    assert sprite.height == side * -(-len(rows) // columns)
    for number in range(columns * (sprite.height // side)):
        x, y = number % columns * side, number // columns * side
        shown = np.asarray(sprite.crop((x, y, x + side, y + side)))
        row = rows[number] if number < len(rows) else None
        wanted = thumbnail(images / plain(row["path"]), row["variant"], side) if row else Image.new("RGB", (side, side), "white")
        assert np.array_equal(shown, np.asarray(wanted)), (number, row)
        blank += int(row is not None and bool((shown == 255).all()))

print(json.dumps({
    "points": len(points),
    "sprite": sprite and list(sprite.size),
    "blank": blank,
    "labels": sorted({plain(row["label"]) for row in rows}),
    "variants": dict(collections.Counter(row["variant"] for row in rows)),
    "splits": dict(collections.Counter(row["split"] for row in rows if row["variant"] == "none")),
    "right": [
        sum(row["answer"] == "right" for row in rows if row["split"] == "test" and row["variant"] == "none"),
        sum(row["split"] == "test" and row["variant"] == "none" for row in rows),
    ],
}))
