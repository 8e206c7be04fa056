"""Seconds of the article's five runs as published, with their heads of all seeds and splits, from an empty folder on 8-bit integers.

    python3 benches/article_int8.py IMAGES --headstart FILE [--backbone nsfwjs-int8] [--models models] [--threads 2]
                                    [--device openvino]

The backbone is one that `headstart backbone quantize nsfwjs --images IMAGES --name nsfwjs-int8` made. The experiment is the
condition "as published" of experiments/lfw10.toml alone: its switches are on for every fit, so neither the corrected runs nor
those with a single switch are fitted, and images are embedded stretched only. Prints the mean accuracy of each run,
and the seconds of the rows, of the heads and of the whole process. Needs Python 3.11 and no package.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONDITION = "as published"


def as_published(backbone):
    """The experiment with the switches of the condition as settings of every run, and `backbone` in its cache."""
    whole = tomllib.loads((ROOT / "experiments/lfw10.toml").read_text())
    switches = {switch["name"]: switch for switch in whole["switch"]}
    on = [switches[name] for name in next(c for c in whole["condition"] if c["name"] == CONDITION)["switches"]]
    settings = dict(whole["settings"])
    for switch in on:
        settings |= switch.get("settings", {})
    cache = next(switch["cache"] for switch in on if "cache" in switch)
    assert any(switch.get("ignore_init") for switch in on), "restarts that begin from a head need their order"
    runs = [{key: value for key, value in run.items() if key != "init"} for run in whole["run"] if "published" in run]
    names = {run["name"] for run in runs}
    kept = {key: whole[key] for key in ("title", "seeds", "resplits", "split", "published_minutes")}
    # How images are counted is no setting of a fit, so it stays a switch.
    counted = {"name": CONDITION, "about": "whole batches are scored", "score_whole_batches": True}
    return kept | {
        "pairs": [pair for pair in whole["pairs"] if names.issuperset(pair)],
        "settings": settings,
        "cache": [entry | {"backbone": backbone} for entry in whole["cache"] if entry["name"] == cache],
        "run": runs,
        "switch": [counted],
        "condition": [{"name": CONDITION, "switches": [CONDITION]}],
    }


def toml(table):
    """A table as text: values first, then tables and lists of tables. JSON writes values as TOML does."""
    def value(item):
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{key} = {value(inner)}" for key, inner in item.items()) + " }"
        return json.dumps(item)

    tables = {key: item for key, item in table.items() if isinstance(item, list) and isinstance(item[0], dict)}
    lines = [f"{key} = {value(item)}" for key, item in table.items() if key not in tables]
    for key, entries in tables.items():
        for entry in entries:
            lines += [f"\n[[{key}]]", *(f"{name} = {value(item)}" for name, item in entry.items())]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--headstart", type=pathlib.Path, required=True)
    parser.add_argument("--backbone", default="nsfwjs-int8")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "published.toml")
        file.write_text(toml(as_published(args.backbone)))
        command = [args.headstart, "experiment", file, "--images", args.images, "--out", f"{folder}/out", "--device", args.device,
                   "--models", args.models, "--threads", args.threads, "--json"]
        started = time.perf_counter()
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        seconds = time.perf_counter() - started
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    print("| run | mean accuracy over seeds | published |\n|---|--:|--:|")
    for run in result["conditions"][0]["runs"]:
        accuracies = [100 * run["score"]["seeds"]["mean"], 100 * run["published"]["accuracy"]]
        print(f"| {run['name']} | {accuracies[0]:.1f} % | {accuracies[1]:.1f} % |")
    rows, extraction = (sum(cache[key] for cache in result["caches"]) for key in ["rows", "seconds"])
    print(f"\n{seconds:.1f} s in all: {extraction:.1f} s for {rows} rows of the network, {result['fit_seconds']:.1f} s for "
          f"{result['heads']} heads")


if __name__ == "__main__":
    main()
