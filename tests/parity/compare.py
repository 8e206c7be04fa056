"""Imports each file that the frameworks saved, and compares what its ONNX graph gives with what the framework gave:
`compare.py OUT IMAGES HEADSTART`. Writes `table.md` and fails when a relative L2 distance is above 1e-5.

Of each endpoint all values are compared, for the tensor that the framework's preprocessing made. `whole path` is PreLogits
from the image files, through headstart's own preprocessing."""

import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import pyarrow.parquet

out, images, headstart = map(pathlib.Path, sys.argv[1:])
LIMIT = 1e-5


def field(number, payload):
    length, size = len(payload), b""
    while True:
        size += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + size + payload


def distance(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def measured(arguments):
    """Runs headstart. Returns its JSON, seconds, and the most memory that it used in MB."""
    script = "import resource,subprocess,sys\nr=subprocess.run(sys.argv[1:])\n" + (
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,file=sys.stderr)\nsys.exit(r.returncode)"
    )
    start = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", script, str(headstart), *arguments, "--json"], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"headstart {' '.join(arguments)}: {ran.stderr}")
    return json.loads(ran.stdout), time.monotonic() - start, int(ran.stderr.split()[-1]) // 1024


def endpoints(network, expected, pixels):
    """Every endpoint for the framework's own input. Appending a ModelProto that holds only outputs adds these."""
    inner = [name for name in expected if name not in ("PreLogits", "Logits")]
    # ModelProto.graph = 7, GraphProto.output = 12, ValueInfoProto.name = 1.
    outputs = b"".join(field(12, field(1, name.encode())) for name in inner)
    session = onnxruntime.InferenceSession(network.read_bytes() + field(7, outputs), providers=["CPUExecutionProvider"])
    rows = [session.run(list(expected), {"input": one[None]}) for one in pixels]
    return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(expected)}


def whole_path(name, folder):
    """PreLogits of the image files, in the order of their names."""
    cache = out / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    measured(["extract", str(folder), "--cache", str(cache), "--backbone", name, "--models", str(out / "models"), "--yes"])
    samples = pyarrow.parquet.read_table(cache / "samples.parquet").to_pylist()
    parts = [pyarrow.parquet.read_table(part).to_pylist() for part in sorted((cache / "features").glob("*.parquet"))]
    rows = {row["image_sha256"]: row["embedding"] for part in parts for row in part}
    return np.array([rows[sample["image_sha256"]] for sample in sorted(samples, key=lambda s: s["path"])], np.float32)


def main():
    lines, worst_of_all = [], 0.0
    folder = out / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "all").mkdir(parents=True)
    for image in sorted(images.glob("*.png")):
        shutil.copy(image, folder / "all")
    for case in map(json.loads, (out / "cases.jsonl").read_text().splitlines()):
        name = case["file"]
        backbone = "parity-" + re.sub(r"[^a-z0-9]", "-", name)
        imported = ["backbone", "import", str(out / name), "--source", case["source"], "--name", backbone]
        built, seconds, memory = measured(imported + ["--models", str(out / "models")])
        stored = np.load(out / case["answers"])
        expected = {key: stored[key] for key in stored.files if key != "input"}
        network = pathlib.Path(built["onnx"])
        found = endpoints(network, expected, stored["input"])
        errors = {key: distance(found[key], value) for key, value in expected.items()}
        path = distance(whole_path(backbone, folder), expected["PreLogits"])
        worst = max(errors, key=errors.get)
        logits = f"{errors['Logits']:.1e}" if "Logits" in errors else "-"
        lines.append(
            f"| `{name}` | {case['source']} | {len(errors)} | {errors[worst]:.1e} ({worst}) | {errors['PreLogits']:.1e} | "
            f"{logits} | {path:.1e} | {seconds:.1f} | {memory} |"
        )
        print(lines[-1], flush=True)
        worst_of_all = max(worst_of_all, errors[worst], path)
        network.unlink()
    head = (
        "| file | source | endpoints | largest | PreLogits | Logits | whole path | seconds to import | peak memory, MB |\n"
        "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    (out / "table.md").write_text("\n".join([head, *lines]) + "\n")
    print(f"largest relative L2 distance: {worst_of_all:.1e}, at most {LIMIT:.0e} allowed")
    sys.exit(worst_of_all > LIMIT)


main()
