"""Seconds and peak memory of headstart on very many tiny files: looking at them, and extracting with nothing left to do.

    python benches/many_files.py [--files 50000] [--classes 2000] [--fill] [--manifests] [--binary target/release/headstart] [--models models]

Draws distinct 8 x 8 PNG files in a temporary folder that is deleted at the end (TMPDIR says where), runs `data summary`,
one extraction of a cheap layer, and the same extraction three times more, which has nothing to do. Peak memory is
the largest resident set of the process, as the kernel counts it. The standard library is all it needs.

With --fill the network sees eight files only; pyarrow writes the rows of all others (zeros) into parts of 256 rows, as the
cache's format says. So a million files take minutes. `cache compact` is then run as well.

With --manifests the files are also listed in a manifest of each format, and extracted from it with nothing to do.
"""

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import pathlib
import struct
import subprocess
import tempfile
import time
import zlib


def png(number):
    """An 8 x 8 grey picture that shows the bits of its number."""
    rows = b"".join(b"\0" + bytes((number >> bit & 1) * 200 for bit in range(8 * y, 8 * y + 8)) for y in range(8))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def draw(folder, files, classes):
    for number in range(files):
        path = folder / f"class {number % classes:05}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))


def zeros(rows, width):
    return [0.0] * (rows * width)


def fill(images, cache, rows_a_part=256, features=zeros):
    """Rows of `features` for all files that the cache has none of."""
    import pyarrow
    import pyarrow.parquet

    there = set(pyarrow.parquet.read_table(cache / "features", columns=["image_sha256"])["image_sha256"].to_pylist())
    width = len(pyarrow.parquet.read_table(cache / "features", columns=["embedding"])["embedding"][0])
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in images.rglob("*.png"))
    digests = [digest for digest in digests if digest not in there]
    field = pyarrow.field("item", pyarrow.float32(), nullable=False)
    for number, start in enumerate(range(0, len(digests), rows_a_part), 1):
        part = digests[start : start + rows_a_part]
        values = pyarrow.array(features(len(part), width), pyarrow.float32())
        embedding = pyarrow.FixedSizeListArray.from_arrays(values, type=pyarrow.list_(field, width))
        table = pyarrow.table({"image_sha256": part, "variant": ["none"] * len(part), "embedding": embedding})
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression="zstd", use_dictionary=["variant"])
        data = sink.getvalue().to_pybytes()
        name = f"part-{number:06}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
        (cache / "features" / name).write_bytes(data)


def first_files(images, some, number=8):
    """Links to the first files, as a folder of images of their own."""
    for path in itertools.islice(sorted(images.rglob("*.png")), number):
        link = some / path.relative_to(images)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return some


def run(command):
    """The command's JSON, its wall seconds, and its peak memory in MB."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as notes:
        process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=notes, text=True)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        notes.seek(0)
        assert os.waitstatus_to_exitcode(status) == 0, (command, notes.read()[-2000:])
    return json.loads(said), time.perf_counter() - started, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=2_000)
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--manifests", action="store_true")
    parser.add_argument("--binary", default="target/release/headstart")
    parser.add_argument("--models", default="models")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        images, cache = pathlib.Path(temporary, "images"), pathlib.Path(temporary, "cache")
        draw(images, a.files, a.classes)
        summary = [a.binary, "data", "summary", str(images)]
        options = ["--cache", str(cache), "--models", a.models, "--layer", "Conv2d_1a_3x3"]
        extract = [a.binary, "extract", str(images), *options]
        rows = [("data summary", *run(summary)), ("data summary --headers", *run([*summary, "--headers"]))]
        if a.fill:
            some = first_files(images, pathlib.Path(temporary, "some"))
            run([a.binary, "extract", str(some), *options])
            # In a process of its own: a child's peak memory counts from its parent's.
            filler = multiprocessing.get_context("spawn").Process(target=fill, args=(images, cache))
            filler.start()
            filler.join()
            assert filler.exitcode == 0
        rows.append(("extract, everything new", *run(extract)))
        rows += [("extract, nothing to do", *run(extract)) for _ in range(3)]
        if a.fill:
            rows.append(("cache compact", *run([a.binary, "cache", "compact", str(cache)])))
            rows += [("extract, nothing to do", *run(extract)) for _ in range(3)]
        for kind in ["csv", "jsonl", "parquet"] if a.manifests else []:
            manifest = str(pathlib.Path(temporary, f"m.{kind}"))
            rows.append((f"data manifest, {kind}", *run([a.binary, "data", "manifest", str(images), "--out", manifest])))
            extract = [a.binary, "extract", manifest, "--root", temporary, *options]
            run(extract)
            rows += [(f"extract, {kind}, nothing to do", *run(extract)) for _ in range(3)]
    print("| command | seconds | peak memory, MB |\n|---|--:|--:|")
    for name, said, seconds, memory in rows:
        counted = said.get("images", said.get("samples", said.get("rows")))
        assert counted == a.files, (name, counted)
        assert not name.endswith("nothing to do") or said["computed"] == 0
        print(f"| {name} | {seconds:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
