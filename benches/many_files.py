"""Seconds and peak memory of headstart on very many tiny files: looking at them, and extracting with nothing left to do.

    python benches/many_files.py [--files 50000] [--classes 2000] [--binary target/release/headstart] [--models models]

Draws distinct 8 x 8 PNG files in a temporary folder that is deleted at the end (TMPDIR says where), runs `data summary`,
one extraction of a cheap layer, and the same extraction three times more, which has nothing to do. Peak memory is
the largest resident set of the process, as the kernel counts it. The standard library is all it needs.
"""

import argparse
import json
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


def run(command):
    """The command's JSON, its wall seconds, and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return json.loads(said), time.perf_counter() - started, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=2_000)
    parser.add_argument("--binary", default="target/release/headstart")
    parser.add_argument("--models", default="models")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        images, cache = pathlib.Path(temporary, "images"), pathlib.Path(temporary, "cache")
        draw(images, a.files, a.classes)
        summary = [a.binary, "data", "summary", str(images)]
        extract = [a.binary, "extract", str(images), "--cache", str(cache), "--models", a.models]
        extract += ["--layer", "Conv2d_1a_3x3"]
        rows = [("data summary", *run(summary)), ("data summary --headers", *run([*summary, "--headers"]))]
        rows.append(("extract, everything", *run(extract)))
        rows += [("extract, nothing to do", *run(extract)) for _ in range(3)]
    print("| command | seconds | peak memory, MB |\n|---|--:|--:|")
    for name, said, seconds, memory in rows:
        counted = said.get("images", said.get("samples"))
        assert counted == a.files, (name, counted)
        assert name != "extract, nothing to do" or said["computed"] == 0
        print(f"| {name} | {seconds:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
