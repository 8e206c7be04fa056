"""Peak memory and time of `cache export` and `train` on a large made-up cache, and of programs that stream through the export.

    target/test-python/bin/python benches/export_memory.py CACHE OUT --binary target/release/headstart [--binary OTHER]...

CACHE is any small cache, whose spec is taken over; the made-up features fit its spec in everything but their values and their
number a row. Writes OUT/cache (0.3 GB as it is by default) unless it is there, and OUT/NUMBER/export.parquet for each binary.
Prints a Markdown table.
"""

import argparse
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PART_ROWS = 4096
READERS = {
    "pyarrow, batches of 1,024": "import pyarrow.parquet as pq\n"
    "for path in PATHS:\n"
    "    for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(1024): batch.num_rows",
    "Polars, streamed": "import polars as pl\n"
    "pl.scan_parquet(PATHS).select(pl.col('embedding').arr.get(0).sum()).collect(engine='streaming')",
}


def schema_of(path):
    """The schema of a file, with its key-value metadata, which Arrow's own leaves out."""
    metadata = {key: value for key, value in pq.read_metadata(path).metadata.items() if key != b"ARROW:schema"}
    return pq.read_schema(path).with_metadata(metadata)


def make_cache(template, cache, rows, width):
    """A cache of `rows` images in ten classes, whose features differ a little between the classes."""
    (cache / "features").mkdir(parents=True)
    spec = json.loads((template / "spec.json").read_text())
    (cache / "spec.json").write_text(json.dumps(spec | {"width": width}))
    rng = np.random.default_rng(0)
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(rows)]
    targets = np.arange(rows) % 10
    centres = rng.normal(size=(10, width)).astype(np.float32)
    schema = schema_of(next((template / "features").glob("*.parquet")))
    vectors = pa.list_(pa.field("item", pa.float32(), False), width)
    schema = pa.schema([*list(schema)[:2], pa.field("embedding", vectors, False)], schema.metadata)
    text = schema.names[:2]
    layout = dict(compression="zstd", compression_level=1, use_dictionary=text, write_statistics=text)
    for number, start in enumerate(range(0, rows, PART_ROWS)):
        these = slice(start, min(start + PART_ROWS, rows))
        values = rng.normal(size=(these.stop - start, width)).astype(np.float32) + 0.1 * centres[targets[these]]
        values = np.maximum(values, 0)  # As the features of a network: half of them are zero.
        embedding = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=vectors)
        file = io.BytesIO()
        table = pa.table([digests[these], ["none"] * len(values), embedding], schema=schema)
        pq.write_table(table, file, **layout)
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        (cache / f"features/part-{number:06d}-{digest[:16]}.parquet").write_bytes(file.getvalue())
    samples = schema_of(template / "samples.parquet")
    columns = {
        "path": [f"class {target}/{i:06d}.jpg" for i, target in enumerate(targets)],
        "label": [f"class {target}" for target in targets],
        "split": [["train", "train", "train", "validation", "test"][i // 10 % 5] for i in range(rows)],
        "image_sha256": digests,
    }
    columns = {name: columns.get(name, [1] * rows) for name in samples.names}
    pq.write_table(pa.table(columns, schema=samples), cache / "samples.parquet", compression="zstd")


def measured(command):
    """Seconds and peak memory in MiB of a command."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # Not from `wait4`, whose value begins with the memory of this process.
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.01)
    if process.returncode != 0:
        sys.exit(f"failed: {command}")
    return time.monotonic() - start, peak / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--binary", action="append", required=True)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--width", type=int, default=2_048)
    options = parser.parse_args()
    cache = options.out / "cache"
    if not cache.exists():
        make_cache(options.cache, cache, options.rows, options.width)
    print("| what | seconds | peak MiB |\n|---|--:|--:|")

    def line(what, command):
        seconds, memory = measured(command)
        print(f"| {what} | {seconds:.1f} | {memory:.0f} |", flush=True)

    def read(what, paths):
        for reader, program in READERS.items():
            line(f"{reader}, {what}", [sys.executable, "-c", f"PATHS = {[str(path) for path in paths]}\n{program}"])

    for reader in READERS.values():
        line("Python with the library alone", [sys.executable, "-c", reader.splitlines()[0]])
    read("the parts", sorted((cache / "features").glob("*.parquet")))
    for number, binary in enumerate(options.binary):
        out = options.out / str(number)
        out.mkdir(exist_ok=True)
        line(f"{binary} cache export", [binary, "cache", "export", str(cache), "--out", str(out / "export.parquet")])
        groups = pq.read_metadata(out / "export.parquet").num_row_groups
        read(f"the export in {groups} row groups", [out / "export.parquet"])
        line(f"{binary} train, 5 epochs", [binary, "train", str(cache), "--run", str(out / "run"), "--epochs", "5"])


if __name__ == "__main__":
    main()
