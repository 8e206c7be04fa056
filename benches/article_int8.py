"""Seconds of the article's five runs, as published and with all their heads, from an empty folder on 8-bit integers.

    python3 benches/article_int8.py IMAGES --headstart FILE [--backbone nsfwjs-int8] [--models models] [--threads 2]

The backbone is one that `headstart backbone quantize nsfwjs --images IMAGES --name nsfwjs-int8` made. The experiment is
experiments/lfw10.toml without the condition `corrected`, the run that the article never tried and the baselines. Prints the
accuracy of each run and the seconds of the whole process.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def as_published(backbone):
    """The experiment as text, with `backbone` in each cache."""
    head, *tables = (ROOT / "experiments/lfw10.toml").read_text().split("\n[[")
    kept = []
    for table in tables:
        kind, body = table.split("]]", 1)
        wanted = {"cache": '"centre"' not in body, "run": "published" in body, "condition": "as published" in body,
                  "switch": True, "baseline": False}
        if wanted[kind]:
            kept.append(f"\n[[{kind}]]" + (f'\nbackbone = "{backbone}"' if kind == "cache" else "") + body)
    # Pairs with the run that is left out.
    lines = [line for line in head.splitlines() if '"both"' not in line]
    return "\n".join(lines) + "".join(kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--headstart", type=pathlib.Path, required=True)
    parser.add_argument("--backbone", default="nsfwjs-int8")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "published.toml")
        file.write_text(as_published(args.backbone))
        command = [args.headstart, "experiment", file, "--images", args.images, "--out", f"{folder}/out", "--device", "cpu",
                   "--models", args.models, "--threads", args.threads, "--json"]
        started = time.perf_counter()
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        seconds = time.perf_counter() - started
    if done.returncode not in (0, 3):
        sys.exit(done.stderr)
    print(json.dumps({"seconds": seconds, "result": json.loads(done.stdout)}, indent=1)[:4000])
    print(f"{seconds:.1f} s")


if __name__ == "__main__":
    main()
