#!/usr/bin/env python3
"""Images per second of Spark and Ray beside plain `extract` on the same files and cores, and the bytes that go through the engine.

    benches/engines.py IMAGES [--backbone NAME] [--rounds N] [--limit N]

It needs what tests/scale/run installs, and a release build. Every cache is compared with that of plain `extract`. Seconds are medians
over the rounds, each of which runs all jobs one after the other. `--limit` takes some of the images, spread over all of them.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = os.environ.get("HEADSTART_SCALE_PYTHON", str(ROOT / "target/scale-python/bin/python"))
PROGRAM = pathlib.Path(os.environ.get("HEADSTART", ROOT / "target/release/headstart")).resolve()

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("images", type=pathlib.Path)
parser.add_argument("--backbone", default="nsfwjs")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--chunk-rows", type=int, default=128)
parser.add_argument("--limit", type=int, help="number of images")
args = parser.parse_args()
options = ["--backbone", args.backbone, "--models", str(ROOT / "models")]
chunk = ["--chunk-rows", str(args.chunk_rows)]
folder = pathlib.Path(tempfile.mkdtemp(prefix="headstart-engines-"))
paths = os.pathsep.join(str(ROOT / path) for path in ["python", "integrations/spark", "integrations/ray"])
environment = os.environ | {
    "PYTHONPATH": paths,
    "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",
    "PYSPARK_PYTHON": PYTHON,
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Without this Ray gives its processes the lowest priority.
    "RAY_worker_niceness": "0",
}


def headstart(*arguments):
    out = subprocess.run([PROGRAM, *map(str, arguments), "--json"], capture_output=True, text=True)
    assert out.returncode in (0, 3), out.stderr
    return json.loads(out.stdout)


def plain(cache):
    headstart("extract", args.images, "--cache", cache, *options, "--threads", "2")


def two_processes(cache):
    """Plan, two processes of one thread, finish: what a plan costs without an engine."""
    extract = ["extract", args.images, "--cache", cache, *options]
    while headstart(*extract, "--plan", *chunk)["pass"]:
        share = lambda n: [PROGRAM, *map(str, extract), "--threads", "1", "--shard", f"{n}/2"]
        processes = [subprocess.Popen(share(n), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for n in (1, 2)]
        assert all(process.wait() == 0 for process in processes)
        headstart(*extract, "--finish", *chunk)


def engine(name):
    def run(cache):
        command = [PYTHON, ROOT / "tests/scale/driver.py", name, "2", args.images, cache, *options, *chunk]
        out = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        return float(out.stdout.split("start of the engine: ")[1].split()[0])

    return run


def some_of(images, number):
    """A folder with about so many of the images."""
    files = sorted(file.relative_to(images) for file in images.rglob("*") if file.is_file())
    for file in files[:: max(1, len(files) // number)][:number]:
        (folder / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / file, folder / "images" / file)
    return folder / "images"


# Bytes of a chunk number and of a receipt on the way to a worker and back.
STREAMS = """
import pyarrow as pa
asked = pa.record_batch({"chunk": pa.array([0], pa.int64())})
texts = {"part": "part-000000-" + "0" * 16 + ".parquet", "sha256": "0" * 64, "provider": "CPUExecutionProvider", "known_answer": "0" * 64}
columns = {"chunk": pa.array([0], pa.int64()), "rows": pa.array([4096], pa.int64()), "refused": pa.array([0], pa.int64())}
answer = pa.record_batch(columns | {name: pa.array([text]) for name, text in texts.items()} | {"seconds": pa.array([1.0], pa.float32())})
print(*[pa.ipc.get_record_batch_size(batch) for batch in (asked, answer)])
"""


jobs = {"plain extract, 2 threads": plain, "plan, 2 processes": two_processes, "Spark, 2 executors": engine("spark"), "Ray, 2 workers": engine("ray")}
if args.limit:
    args.images = some_of(args.images, args.limit)
images = headstart("data", "summary", args.images)["images"]
expected, seconds, inner = None, {name: [] for name in jobs}, {name: [] for name in jobs}
for _ in range(args.rounds):
    for name, job in jobs.items():
        cache = folder / "cache"
        started = time.monotonic()
        work = job(cache)
        seconds[name].append(time.monotonic() - started)
        inner[name].append(work or seconds[name][-1])
        info = headstart("cache", "info", cache)
        found = headstart("cache", "digest", cache)["sha256"]
        expected = expected or found
        assert found == expected, f"{name}: {found} is not {expected}"
        shutil.rmtree(cache)
print(f"{images} images, {args.rounds} rounds, load {os.getloadavg()[0]:.1f} at the end")
print("| job | images/s | of plain extract | seconds | seconds without the start of the engine |\n|---|---|---|---|---|")
plain_work = statistics.median(inner["plain extract, 2 threads"])
for name in jobs:
    total, work = statistics.median(seconds[name]), statistics.median(inner[name])
    print(f"| {name} | {images / work:.1f} | {plain_work / work:.2f} | {total:.1f} | {work:.1f} |")
asked, answer = map(int, subprocess.run([PYTHON, "-c", STREAMS], check=True, capture_output=True, text=True).stdout.split())
chunks = -(-images // args.chunk_rows)
features = info["rows"] * info["spec"]["width"] * 4
print(f"through the engine: {asked} bytes a chunk to the worker and {answer} back, {chunks * 2 * (asked + answer)} bytes for the")
print(f"{chunks} chunks of both passes; past it, into the cache: {features} bytes of features")
shutil.rmtree(folder)
