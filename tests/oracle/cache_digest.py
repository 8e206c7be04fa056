"""Prints the digest of all feature rows of a cache, computed from what docs/cache-format.md says of it: one line for each row,
sorted. `cache_digest.py CACHE`"""

import hashlib
import pathlib
import sys

import pyarrow.parquet as pq

lines = set()
for part in sorted(pathlib.Path(sys.argv[1], "features").glob("part-*.parquet")):
    table = pq.read_table(part)
    width = table.schema.field("embedding").type.list_size
    floats = table["embedding"].combine_chunks().flatten().to_numpy().astype("<f4").reshape(-1, width)
    for image, variant, row in zip(table["image_sha256"].to_pylist(), table["variant"].to_pylist(), floats):
        lines.add((image.encode(), variant.encode(), hashlib.sha256(row.tobytes()).hexdigest().encode()))
everything = hashlib.sha256()
for line in sorted(lines):
    everything.update(b" ".join(line) + b"\n")
print(everything.hexdigest(), len(lines))
