"""What goals of classes reach on test images, over splits: python thresholds.py HEADSTART CACHE GOAL... [--splits 20] [-- TRAIN...]

A GOAL is what `train --threshold` takes, such as "Tony Blair=precision>=0.9". For each split the run is trained anew
(`--resplit`), once for each goal, with the options after `--`, and measured on its test images. The interval of the mean rate is
that of the corrected resampled t-test (Nadeau and Bengio 2003): splits share images. Prints a table in Markdown, and with --json
FILE writes every rate."""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

from scipy.stats import t as student

own = sys.argv[1:]
at = own.index("--") if "--" in own else len(own)
own, options = own[:at], own[at + 1 :]
parser = argparse.ArgumentParser()
parser.add_argument("headstart")
parser.add_argument("cache")
parser.add_argument("goals", nargs="+")
parser.add_argument("--splits", type=int, default=20)
parser.add_argument("--json", type=pathlib.Path)
args = parser.parse_args(own)


def headstart(*command):
    done = subprocess.run([args.headstart, *command, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-2:]


def resampled(values, test_to_train):
    n, mean = len(values), statistics.mean(values)
    if n < 2:
        return f"{100 * mean:.1f}"
    half = student.ppf(0.975, n - 1) * math.sqrt((1 / n + test_to_train) * statistics.variance(values))
    return f"{100 * mean:.1f}, {100 * max(mean - half, 0):.1f} to {100 * min(mean + half, 1):.1f}"


found = []
for goal in args.goals:
    for seed in range(args.splits):
        with tempfile.TemporaryDirectory() as folder:
            run = f"{folder}/run"
            trained = headstart("train", args.cache, "--run", run, "--resplit", str(seed), "--threshold", goal, *options)
            if isinstance(trained, list):
                found.append({"goal": goal, "seed": seed, "refused": trained})
                continue
            scores = headstart("evaluate", run)
            reached, decision = scores["decision"]["goals"][0], scores["decision"]
            record = json.loads(pathlib.Path(run, "run.json").read_text())
            train = sum(c["train"] for c in record["classes"])
            plain = next(c for c in scores["classes"] if c["name"] == reached["class"])
            found.append(
                {
                    "goal": goal,
                    "seed": seed,
                    "from": reached["chosen_on"]["from"],
                    "chosen_rate": reached["chosen_rate"],
                    "rate": reached["rate"],
                    "plain": plain[reached["measure"]],
                    "at_least": reached["at_least"],
                    "precision": reached["precision"],
                    "recall": reached["recall"],
                    "answered": decision["answered"] / scores["images"],
                    "test_to_train": scores["images"] / train,
                }
            )

print("| goal | splits, refused | chosen by | where chosen | on test, 95 % interval | least, most | splits that reach it | without it | precision, recall | answered |")
print("|---|---|---|--:|---|---|--:|--:|---|--:|")
for goal in args.goals:
    rows = [row for row in found if row["goal"] == goal]
    good = [row for row in rows if row.get("rate") is not None]
    if not good:
        print(f"| {goal} | {len(rows)}, {len(rows)} | | | | | | | | |")
        continue
    rates = [row["rate"] for row in good]
    mean = lambda name: 100 * statistics.mean(row[name] for row in good if row[name] is not None)
    reached = sum(row["rate"] >= row["at_least"] for row in good)
    print(
        f"| {goal} | {len(rows)}, {len(rows) - len(good)} | {', '.join(sorted({row['from'] for row in good}))} "
        f"| {mean('chosen_rate'):.1f} | {resampled(rates, good[0]['test_to_train'])} "
        f"| {100 * min(rates):.1f}, {100 * max(rates):.1f} | {reached} of {len(good)} | {mean('plain'):.1f} "
        f"| {mean('precision'):.1f}, {mean('recall'):.1f} | {mean('answered'):.1f} |"
    )
if args.json:
    args.json.write_text(json.dumps(found, indent=1))
