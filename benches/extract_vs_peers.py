"""Images per second of `headstart extract` beside other ways to turn a folder of JPEG files into Inception-v3 features.

    benches/extract_vs_peers IMAGES [--rounds 5] [--threads 2] [--limit N] [--only NAME,NAME] [--json FILE]

    headstart              files to Parquet, in a new cache each time
    bare loop              no peer but the limit of the runtime: `session.run` of the same network on one batch in memory
    onnxruntime            the same network on the same runtime, from Python
    openvino               the same network on OpenVINO, in float32
    pytorch channels_last  torchvision's network and transforms, one convolution after the other
    pytorch compiled       the same through torch.compile, with nothing compiled before
    keras                  Keras' network on TensorFlow, tf.data

PyTorch and Keras run the same layers with random weights: what they take does not depend on the values, and their
features are good for nothing else. Each script in peers/ is what its users would write, in float32, with the settings that were
fastest on two cores.

Every pipeline is a process of its own. Its images per second are those of the whole process: start, imports, loading or
making the network, compiling, and one row a file in Parquet; "without start-up" is what it says of its own loop. All get
the same files, which are in memory, as many threads for the network, and no more processor cores than threads. Each round
runs all of them once, each round beginning with another, so that a busy moment of the machine does not always meet
the same; ratios are taken within a round. The first round also reads libraries from the disk, which a median of five hides.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/release/headstart"
PEERS = ROOT / "benches/peers"
SCRIPTS = {
    "bare loop": ["bare_loop.py"],
    "onnxruntime": ["with_onnxruntime.py"],
    "openvino": ["with_openvino.py"],
    "pytorch channels_last": ["with_pytorch.py"],
    "pytorch compiled": ["with_pytorch.py", "--compile"],
    "keras": ["with_keras.py"],
}
NAMES = ["headstart", *SCRIPTS]
PACKAGES = ["numpy", "pillow", "pyarrow", "onnxruntime", "openvino", "torch", "torchvision", "tensorflow-cpu", "keras"]


def gather(images, limit, folder):
    """Links the JPEG files, or `limit` of them spread over the sorted list, into `folder`, and reads each once."""
    files = sorted(path for path in images.glob("*/**/*") if path.suffix.lower() in (".jpg", ".jpeg"))
    count = len(files) if limit is None else min(limit, len(files))
    if count < 1:
        sys.exit(f"{images} has no class folder with JPEG files, or --limit wants none")
    size = 0
    for path in (files[number * len(files) // count] for number in range(count)):
        link = folder / path.relative_to(images)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
        size += len(path.read_bytes())
    return count, size


def environment(threads, folder):
    """Libraries that ask the environment get as many threads; no GPU, little chatter, and nothing compiled is kept."""
    counts = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    settings = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor"}
    return {**os.environ, **dict.fromkeys(counts, str(threads)), **settings}


def run(name, images, threads):
    """The JSON that a pipeline printed, its wall seconds, and how many rows it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "headstart":
            out = pathlib.Path(folder, "cache/features")
            command = [BINARY, "extract", images, "--cache", out.parent, "--models", ROOT / "models"]
            command += ["--device", "cpu", "--threads", str(threads), "--json"]
        else:
            out = pathlib.Path(folder, "features.parquet")
            script, *options = SCRIPTS[name]
            command = [sys.executable, PEERS / script, images, "--out", out, "--threads", str(threads), *options]
        started = time.perf_counter()
        done = subprocess.run(command, env=environment(threads, folder), capture_output=True, text=True)
        wall = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        rows = None if name == "bare loop" else finite_rows(out)
        return json.loads(done.stdout), wall, rows


def finite_rows(path):
    """How many rows a Parquet file or a folder of them holds, all of 2048 finite floats."""
    column = pq.read_table(path, columns=["embedding"])["embedding"]
    floats = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks]).reshape(len(column), 2048)
    assert np.isfinite(floats).all(), path
    return len(column)


def measure(name, images, count, threads):
    """Images per second of one run, with start-up and without."""
    said, wall, rows = run(name, images, threads)
    assert rows in (None, count) and said.get("images", said.get("computed")) == count, (name, rows, said)
    return {"with_startup": count / wall, "loop": said.get("images_per_second") or count / said["seconds"]}


def ratios(rounds, name, other, kind):
    """Median, least and greatest of what `name` reaches of `other`, round by round."""
    each = [figures[name][kind] / figures[other][kind] for figures in rounds]
    return statistics.median(each), min(each), max(each)


def table(rounds, names):
    print("\n| pipeline | images/s | min | max | of headstart | range | without start-up |\n|---|--:|--:|--:|--:|--:|--:|")
    for name in names:
        whole = [figures[name]["with_startup"] for figures in rounds]
        loop = statistics.median(figures[name]["loop"] for figures in rounds)
        cells = [f"{statistics.median(whole):.2f}", f"{min(whole):.2f}", f"{max(whole):.2f}", "-", "-", f"{loop:.2f}"]
        if "headstart" in names:
            median, low, high = ratios(rounds, name, "headstart", "with_startup")
            cells[3:5] = f"{median:.3f}", f"{low:.3f} to {high:.3f}"
        print(f"| {name} | {' | '.join(cells)} |")
    if {"headstart", "bare loop"} <= set(names):
        print()
        for kind, words in (("with_startup", "with"), ("loop", "without")):
            median, low, high = ratios(rounds, "headstart", "bare loop", kind)
            print(f"headstart / bare loop, both {words} start-up: {median:.3f} ({low:.3f} to {high:.3f})")


def machine():
    """Processor, system and versions, in words."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    own = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return f"{model}, {os.cpu_count()} cores", f"{own}, Python {platform.python_version()}, {versions}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path, metavar="IMAGES", help="folder of <class>/<file>")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, metavar="N", help="only N images, spread over all")
    parser.add_argument("--only", metavar="NAME,NAME", default=",".join(NAMES))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all figures, written after each round")
    args = parser.parse_args()
    args.only = args.only.split(",")
    if unknown := set(args.only) - set(NAMES):
        parser.error(f"no pipeline is called {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    if not BINARY.exists():
        parser.error(f"{BINARY} is missing: benches/extract_vs_peers builds it")
    return args


def main():
    args = parse()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])  # what it starts inherits this
    before = os.getloadavg()[0]
    processor, versions = machine()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder)
        count, size = gather(args.images, args.limit, images)
        facts = {"images": count, "bytes": size, "threads": args.threads, "processor": processor, "versions": versions}
        for number in range(args.rounds):
            turn = number % len(args.only)
            rounds.append({})
            for name in args.only[turn:] + args.only[:turn]:
                figures = rounds[-1][name] = measure(name, images, count, args.threads)
                print(f"round {number + 1}: {name} {figures['with_startup']:.2f} images/s, "
                      f"{figures['loop']:.2f} without start-up", flush=True)
            if args.json:
                args.json.write_text(json.dumps({**facts, "images_per_second": rounds}, indent=2) + "\n")
    table(rounds, args.only)
    print(f"\n{count} images ({size / 1e6:.1f} MB), {args.threads} threads, rounds: {args.rounds}; {processor}; "
          f"load average {before:.2f} before, {os.getloadavg()[0]:.2f} after\n{versions}")


if __name__ == "__main__":
    main()
