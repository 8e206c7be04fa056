"""Size of a cache and seconds to read it, for the present layout of its Parquet parts and for others.

    pip install numpy pyarrow pandas polars duckdb
    python benches/cache_layouts.py CACHE [--rounds 5] [--binary target/release/headstart]

The rows of CACHE (which is only read) are written with pyarrow in each layout, in a temporary folder that is
deleted at the end (TMPDIR says where). Each round then reads every layout with every reader; the table shows
medians of seconds:

    pyarrow    all columns, the embeddings as one NumPy matrix
    pandas     pandas.read_parquet of the folder; its embeddings are one small array for each row
    Polars     all columns, the embeddings as one NumPy matrix
    DuckDB     features joined with samples by SQL, fetched as an Arrow table
    headstart  `read_seconds` of `headstart train`: hash, decode and sort; it takes fixed-size lists only,
               in compressions that it was built with

All reads are of files that the operating system has in memory. Each read is compared with the rows of CACHE,
by the number of rows and the sum of every column of the matrix; a read that differs ends the program.
headstart gives no matrix: it must learn the same from every layout.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
os.environ["POLARS_MAX_THREADS"] = str(THREADS)  # Polars reads it once, when it is imported

import duckdb
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

JOIN = """SELECT s.label, s.split, f.variant, f.embedding
FROM 'c/features/*.parquet' f JOIN 'c/samples.parquet' s USING (image_sha256)"""
ALL = 1 << 30  # rows: more than any cache here has
READERS = ["pyarrow", "pandas", "Polars", "DuckDB", "headstart"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is not said is as at present."""

    name: str
    fixed: bool = True
    encoding: str = "PLAIN"
    compression: str = "zstd"
    level: int | None = 1
    part: int = 256
    group: int = ALL


SPLIT = "BYTE_STREAM_SPLIT"
LAYOUTS = [
    Layout("present: fixed-size list, plain, zstd 1, parts of 256"),
    Layout("list", fixed=False),
    Layout("dictionary", encoding="DICTIONARY"),
    Layout("byte stream split", encoding=SPLIT),
    Layout("no compression", compression="none", level=None),
    Layout("snappy", compression="snappy", level=None),
    Layout("lz4", compression="lz4", level=None),
    Layout("zstd 3", level=3),
    Layout("zstd 9", level=9),
    Layout("parts of 1024", part=1024),
    Layout("one part, row groups of 256", part=ALL, group=256),
    Layout("one part, row groups of 1024", part=ALL, group=1024),
    Layout("one part, one row group", part=ALL),
    Layout("byte stream split, lz4", encoding=SPLIT, compression="lz4", level=None),
    Layout("byte stream split, zstd 3", encoding=SPLIT, level=3),
    Layout("byte stream split, parts of 1024", encoding=SPLIT, part=1024),
    Layout("zstd 3, parts of 1024", level=3, part=1024),
]


def write(table, layout, folder):
    """Writes the parts of `table`, each named after its hash, and gives the bytes they take."""
    leaf = "embedding.list.item"
    dictionaries = ["image_sha256", "variant"] + [leaf] * (layout.encoding == "DICTIONARY")
    options = {"use_dictionary": dictionaries, "use_compliant_nested_type": False}
    if layout.encoding != "DICTIONARY":
        options["column_encoding"] = {leaf: layout.encoding}
    size = 0
    for number, start in enumerate(range(0, table.num_rows, layout.part)):
        sink = pa.BufferOutputStream()
        part = table.slice(start, layout.part)
        pq.write_table(part, sink, min(layout.group, part.num_rows), compression=layout.compression,
                       compression_level=layout.level, **options)
        data = sink.getvalue()
        digest = hashlib.sha256(data).hexdigest()[:16]
        (folder / f"part-{number:06}-{digest}.parquet").write_bytes(data)
        size += data.size
    return size


def with_lists(table):
    """The same rows, the embeddings as lists of any length."""
    column = table["embedding"]
    at = table.schema.get_field_index("embedding")
    kind = pa.list_(column.type.value_field)
    return table.set_column(at, pa.field("embedding", kind, nullable=False), column.cast(kind))


def matrix(column, width):
    """The floats of an Arrow column, one row for each list."""
    return np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks]).reshape(-1, width)


# The readers that run in this process; `same` checks what they give, outside the clock.


def read_pyarrow(cache, width):
    return matrix(pq.read_table(cache / "features")["embedding"], width)


def read_pandas(cache, width):
    return pandas.read_parquet(cache / "features")


def read_polars(cache, width):
    column = polars.read_parquet(cache / "features" / "*.parquet")["embedding"]
    if column.dtype == polars.List:
        return column.explode().to_numpy().reshape(-1, width)
    return column.to_numpy()


def read_duckdb(cache, width):
    config = {"threads": THREADS, "file_search_path": str(cache.parent)}
    with duckdb.connect(config=config) as connection:
        return connection.sql(JOIN).to_arrow_table()


def same(read, width, want):
    """Ends the program when the rows that were read are not those that were written."""
    if isinstance(read, pandas.DataFrame):
        read = np.stack(read["embedding"])
    elif isinstance(read, pa.Table):
        read = matrix(read["embedding"], width)
    rows, sums = want
    assert read.dtype == np.float32 and read.shape == (rows, width), (read.dtype, read.shape)
    np.testing.assert_allclose(read.sum(axis=0, dtype=np.float64), sums, rtol=1e-9, atol=0)


def expected(table, samples):
    """Rows and sums of columns: of all features, and of features joined with samples."""
    width = table["embedding"].type.list_size
    floats = matrix(table["embedding"], width).astype(np.float64)
    counts = samples["image_sha256"].to_pandas().value_counts()
    times = counts.reindex(table["image_sha256"].to_pandas(), fill_value=0).to_numpy()
    return (len(floats), floats.sum(axis=0)), (int(times.sum()), times @ floats)


def train(binary, cache, answers):
    """The seconds that headstart takes to read, or none when it was built without the layout's compression.

    What it learns must not depend on the layout.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "train", cache, "--run", f"{folder}/run", "--epochs", "1", "--json"]
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if "Disabled feature at compile time" in out.stderr:
        return None
    if out.returncode:
        sys.exit(f"headstart train: {out.stderr}")
    stats = json.loads(out.stdout)
    answer = {name: value for name, value in stats.items() if "seconds" not in name}
    assert answer == answers.setdefault("headstart", answer), (answer, answers)
    return stats["read_seconds"]


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def read(cache, layout, width, wants, binary, answers):
    """The seconds of each reader, once."""
    seconds = {}
    every, joined = wants
    readers = [read_pyarrow, read_pandas, read_polars, read_duckdb]
    for name, reader in zip(READERS, readers):
        seconds[name], result = timed(reader, cache, width)
        same(result, width, joined if name == "DuckDB" else every)
        del result
    if binary and layout.fixed:
        seconds["headstart"] = train(binary, cache, answers)
    return {name: value for name, value in seconds.items() if value is not None}


def machine():
    """Cores, CPU and versions, in a line."""
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    libraries = ", ".join(f"{m.__name__} {m.__version__}" for m in [np, pa, pandas, polars, duckdb])
    return f"{THREADS} cores, {model}; Python {platform.python_version()}, {libraries}"


def show(sizes, writes, reads):
    """Prints the Markdown table."""
    print("| layout | MB | of present | write s |", " s | ".join(READERS), "s |")
    print("|---|" + "--:|" * (3 + len(READERS)))
    for layout in LAYOUTS:
        cells = [layout.name, f"{sizes[layout] / 1e6:.1f}", f"{sizes[layout] / sizes[LAYOUTS[0]]:.2f}"]
        cells.append(f"{statistics.median(writes[layout]):.2f}")
        for name in READERS:
            seconds = [one[name] for one in reads[layout] if name in one]
            cells.append(f"{statistics.median(seconds):.3f}" if seconds else "-")
        print("| " + " | ".join(cells) + " |")


def write_all(table, cache, folder, rounds):
    """A cache for each layout, its size and its seconds to write in each round."""
    caches, sizes, writes = {}, {}, {layout: [] for layout in LAYOUTS}
    tables = {True: table, False: with_lists(table)}
    for number, layout in enumerate(LAYOUTS):
        caches[layout] = folder / str(number) / "c"
        (caches[layout] / "features").mkdir(parents=True)
        for name in ["samples.parquet", "spec.json"]:
            shutil.copy(cache / name, caches[layout])
    write(table, LAYOUTS[0], caches[LAYOUTS[0]] / "features")  # not counted: libraries start
    for number in range(1, rounds + 1):
        print(f"writing, round {number} of {rounds}", file=sys.stderr)
        for layout in LAYOUTS:
            seconds, sizes[layout] = timed(write, tables[layout.fixed], layout, caches[layout] / "features")
            writes[layout].append(seconds)
    return caches, sizes, writes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--binary", type=pathlib.Path)
    args = parser.parse_args()
    binary = args.binary.resolve() if args.binary and args.binary.exists() else None
    if args.binary and not binary:
        print(f"{args.binary} is not there: its column stays empty", file=sys.stderr)
    pa.set_cpu_count(THREADS)
    table = pq.read_table(args.cache / "features").combine_chunks()
    wants = expected(table, pq.read_table(args.cache / "samples.parquet"))
    width = table["embedding"].type.list_size
    answers, reads = {}, {layout: [] for layout in LAYOUTS}
    with tempfile.TemporaryDirectory() as folder:
        caches, sizes, writes = write_all(table, args.cache, pathlib.Path(folder), args.rounds)
        if hasattr(os, "sync"):
            os.sync()  # no writing behind the reads
        read(caches[LAYOUTS[0]], LAYOUTS[0], width, wants, binary, answers)  # not counted, the same
        for number in range(1, args.rounds + 1):
            print(f"reading, round {number} of {args.rounds}", file=sys.stderr)
            for layout in LAYOUTS:
                reads[layout].append(read(caches[layout], layout, width, wants, binary, answers))
    show(sizes, writes, reads)
    own = sum(part.stat().st_size for part in (args.cache / "features").glob("*.parquet"))
    print(f"\n{table.num_rows} rows of {width} floats; rounds: {args.rounds}. "
          f"The cache as headstart wrote it: {own / 1e6:.1f} MB.\n{machine()}")


if __name__ == "__main__":
    main()
