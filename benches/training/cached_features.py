"""The features of a cache as NumPy arrays, the images of its splits, and smaller caches made of it. No code of the project."""

import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


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

    def draw(self, number, seed):
        """At most `number` images of each class to train on, and a quarter of all for the test."""
        rng, train, test = np.random.default_rng(seed), set(), set()
        for digests in self.by_class().values():
            order = [digests[i] for i in rng.permutation(len(digests))]
            held_out = max(1, len(order) // 4)
            test |= set(order[:held_out])
            train |= set(order[held_out:held_out + number])
        return train, test

    def subset(self, folder, train, test):
        """A cache with the same features whose images are these alone."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
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
