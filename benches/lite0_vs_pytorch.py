"""Images per second of efficientnet-lite0: headstart beside PyTorch, from files and for the network alone.

    benches/lite0_vs_pytorch IMAGES [--rounds 5] [--threads 2]

    headstart            files of IMAGES/<class>/ to Parquet, in a new cache each time
    pytorch, files       timm's network behind a DataLoader with torchvision's transforms: tensors of both layouts, no worker and two
    pytorch, tensor      the same network on one batch that is ready in memory, both layouts
    bare loop            `session.run` of headstart's network on one batch that is ready in memory

All loops exclude start-up; batches of eight. Each pipeline is a process of its own; each round runs all of them once and begins
with another. Ratios are taken within a round, to the fastest of PyTorch's variants of that round."""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "benches/peers"


def commands(images, count, threads, torch):
    """The command line of each pipeline. `headstart` gets a cache besides."""
    headstart = [os.environ.get("HEADSTART", ROOT / "target/release/headstart"), "extract", images, "--backbone"]
    headstart += ["efficientnet-lite0", "--models", ROOT / "models", "--device", "cpu", "--threads", threads, "--json"]
    peer = [*torch, PEERS / "lite0_with_pytorch.py"]
    network = ROOT / "models/efficientnet-lite0.onnx"
    bare = [sys.executable, PEERS / "lite0_bare_loop.py", network, count, "--threads", threads]
    found = {"headstart": headstart, "bare loop": bare}
    for layout in ([], ["--channels-last"]):
        words = "channels_last" if layout else "contiguous"
        found[f"pytorch, tensor, {words}"] = [*peer, count, "--threads", threads, *layout]
        for workers in (0, 2):
            found[f"pytorch, files, {words}, {workers} workers"] = [
                *peer, images, "--threads", threads, "--workers", workers, *layout]
    return found


def measure(name, command, threads):
    with tempfile.TemporaryDirectory() as folder:
        if name == "headstart":
            command = [*command, "--cache", pathlib.Path(folder, "cache")]
        counts = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], str(threads))
        done = subprocess.run([str(word) for word in command], env={**os.environ, **counts}, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        said = json.loads(done.stdout if name == "headstart" else done.stdout.splitlines()[-1])
        return said.get("images_per_second") or said["images"] / said["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", required=True, help="command that runs Python with PyTorch and timm")
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    count = sum(path.is_file() for path in args.images.glob("*/**/*"))
    pipelines = commands(args.images, count, args.threads, shlex.split(args.torch))
    names, rounds, before = list(pipelines), [], os.getloadavg()[0]
    for number in range(args.rounds):
        turn = number % len(names)
        rounds.append({name: measure(name, pipelines[name], args.threads) for name in names[turn:] + names[:turn]})
        print(f"round {number + 1}: " + "; ".join(f"{name} {rounds[-1][name]:.1f}" for name in names), flush=True)
    print("\n| pipeline | images/s | min | max |\n|---|--:|--:|--:|")
    for name in names:
        found = [figures[name] for figures in rounds]
        print(f"| {name} | {statistics.median(found):.1f} | {min(found):.1f} | {max(found):.1f} |")
    print()
    for kind in ("files", "tensor"):
        own = "headstart" if kind == "files" else "bare loop"
        each = [found[own] / max(found[name] for name in names if name.startswith(f"pytorch, {kind}")) for found in rounds]
        print(f"{own} / pytorch, {kind}: {statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})")
    each = [found["headstart"] / found["bare loop"] for found in rounds]
    print(f"headstart / bare loop: {statistics.median(each):.3f} ({min(each):.3f} to {max(each):.3f})")
    print(f"{count} images, {args.threads} threads; load average {before:.2f} before, {os.getloadavg()[0]:.2f} after")


main()
