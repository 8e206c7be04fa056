"""Shares of known test images that are rejected, over splits: python rejection_over_splits.py HEADSTART CACHE [--splits N]

For each ALPHA it prints the mean, the least and the greatest share, and in how many splits it is above the bound that
`evaluate` states. The heads are fitted for one epoch: the distance depends on the train images alone."""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("cache")
parser.add_argument("--splits", type=int, default=100)
args = parser.parse_args()


def run(*command):
    return subprocess.run([args.program, *command], capture_output=True, text=True, check=True).stdout


with tempfile.TemporaryDirectory() as folder:
    seeds = ",".join(str(seed) for seed in range(1, args.splits + 1))
    run("sweep", args.cache, "--runs", folder, "--epochs", "1", "--use", "none", "--resplit", seeds)
    for alpha in ("0.05", "0.1"):
        runs = [path for path in pathlib.Path(folder).iterdir() if (path / "run.json").exists()]
        found = [json.loads(run("evaluate", path, "--reject", alpha, "--json"))["reject"] for path in runs]
        rates = [one["rate"] for one in found]
        above = sum(one["rate"] > one["bound"] for one in found)
        print(
            f"ALPHA {alpha}: {len(found)} splits, mean {statistics.mean(rates):.1%}, least {min(rates):.1%}, "
            f"greatest {max(rates):.1%}; above the bound of {found[0]['bound']:.1%}: {above}"
        )
