"""Many files scored into one Parquet file, by a command that is killed on the way: rows, seconds, peak memory, work lost.

    python benches/score_killed.py HEADSTART RUN PICTURES [--files 20000] [--kills 3] [--models models] [--commit-every 15] [--whole]

Makes distinct small pictures from those below PICTURES, 75 pixels the longer side, in a temporary folder that is deleted at the
end (TMPDIR says where; 20,000 take 250 MB). Runs `predict --out answers.parquet`, ends it with SIGKILL when its progress has
passed a quarter, a half and three quarters of what is left to it, and runs it again to the end. With --whole it is also run once
without a kill, and both files must be equal byte for byte. Peak memory is the largest resident set of the process, as the kernel
counts it. Python needs Pillow, NumPy and pyarrow (tests/requirements.lock). Prints one JSON document.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

# What is printed every few seconds where stderr is no terminal: `predicting: 49/50, 9.6/s, 0 s left`.
PROGRESS = re.compile(r"(\d[\d,]*)/(\d[\d,]*), ")


def draw(source, folder, files):
    """Small pictures, each with noise of its own."""
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    small = []
    for path in paths[:500]:
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((75, 75))
        small.append(np.asarray(picture, np.int16))
    for number in range(files):
        noise = np.random.default_rng(number)
        pixels = small[number % len(small)]
        pixels = np.clip(pixels + noise.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)
        path = folder / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, compress_level=1)


def run(command, log, stop_at=None):
    """Runs until the end, or until the share `stop_at` of the images is done. Seconds, peak memory in MB, JSON."""
    started = time.perf_counter()
    with open(log, "w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        while stop_at is not None and process.poll() is None:
            found = PROGRESS.findall(log.read_text())
            done, total = (int(number.replace(",", "")) for number in found[-1]) if found else (0, 1)
            if done / total >= stop_at:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.2)
        said = process.stdout.read()
        # Not `wait`, which does not tell the memory.
        _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == (0 if stop_at is None else -signal.SIGKILL), (code, log.read_text())
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
        **({"computed": json.loads(said)["computed"]} if stop_at is None else {"killed_at": f"{done} of {total}"}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headstart")
    parser.add_argument("run")
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--models", default="models")
    parser.add_argument("--commit-every", default="15")
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        images, log = folder / "images", folder / "log"
        images.mkdir()
        draw(given.pictures, images, given.files)

        def command(out):
            to = ["--out", str(folder / out), "--device", "cpu", "--models", given.models]
            return [given.headstart, "predict", given.run, str(images), *to, "--commit-every", given.commit_every, "--json"]

        # Each time the same share of what the command has left to do.
        shares = [1 / (given.kills + 1 - kill) for kill in range(given.kills)]
        runs = [run(command("killed.parquet"), log, share) for share in shares]
        runs.append(run(command("killed.parquet"), log))
        table = pq.read_table(folder / "killed.parquet", columns=["path", "image_sha256", "answer"])
        assert len(set(table["path"].to_pylist())) == len(set(table["image_sha256"].to_pylist())) == table.num_rows
        assert table.num_rows == given.files, table.num_rows
        result = {
            "rows": table.num_rows,
            "seconds": round(sum(one["seconds"] for one in runs), 1),
            "peak_mb": max(one["peak_mb"] for one in runs),
            "runs": runs,
            "left_over": sorted(path.name for path in folder.glob("killed.parquet.*")),
        }
        if given.whole:
            result["whole"] = run(command("whole.parquet"), log)
            same = (folder / "killed.parquet").read_bytes() == (folder / "whole.parquet").read_bytes()
            assert same, "an interrupted command writes another file"
        print(json.dumps(result, indent=2))


main()
