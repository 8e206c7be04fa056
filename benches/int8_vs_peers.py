"""Images per second and fidelity of 8-bit integers: headstart beside ONNX Runtime's, OpenVINO's and PyTorch, from files to Parquet.

    PYTHON benches/int8_vs_peers.py IMAGES --headstart FILE [--backbone nsfwjs] [--rounds 5] [--threads 2] [--limit N]
           [--samples 256] [--min-cosine 0.998] [--models DIR] [--torch COMMAND] [--only NAME,NAME] [--json FILE]

    headstart              32-bit floats, and the integers of `backbone quantize`; each also with `--device openvino`
    onnxruntime int8       its own `quantize_static`: QDQ, a scale a filter, ranges by least and greatest value
    openvino               32-bit floats, and the integers of NNCF
    pytorch                32-bit floats, channels_last

PYTHON has numpy, pillow, pyarrow, onnxruntime, onnx, openvino and nncf; `--torch` is a command that starts a Python with torch
and the first three. What is missing is `not run`, with the reason. Everyone calibrates on the same `--samples` images and is
measured on all. Quantizing is not timed. Each pipeline is a process of its own and its rate is that of its own loop, without
start-up; each round runs all of them and begins with another; ratios are taken within a round. Fidelity is that of the rows of
the first round beside headstart's 32-bit floats: cosine, and cosine after the mean of all images was subtracted.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow.parquet as pq

from extract_vs_peers import environment, gather

ROOT = pathlib.Path(__file__).resolve().parent.parent
PIPELINE = ROOT / "benches/peers/int8_pipeline.py"
sys.path.append(str(ROOT / "benches/peers"))


class NotRun(Exception):
    """Why a pipeline cannot be run here."""


def run(command, threads, folder):
    done = subprocess.run([str(word) for word in command], env=environment(threads, folder), capture_output=True, text=True)
    if done.returncode:
        raise NotRun((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return json.loads(done.stdout if done.stdout.startswith("{") else done.stdout.splitlines()[-1])


def calibration(images, samples):
    """Every so many images of the folder."""
    files = sorted(path for path in images.glob("*/*"))
    return files[:: max(1, len(files) // samples)][:samples]


def make_onnxruntime(args, files, folder):
    import onnx.utils
    from int8_pipeline import prepared
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(files)

        def get_next(self):
            path = next(self.left, None)
            return None if path is None else {"input": prepared(path, args.backbone)[None]}

    cut, made = folder / "cut.onnx", folder / "onnxruntime8.onnx"
    onnx.utils.extract_model(str(args.models / f"{args.backbone}.onnx"), str(cut), ["input"], ["PreLogits"])
    quantize_static(str(cut), str(made), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    calibrate_method=CalibrationMethod.MinMax)
    return made


def make_openvino(args, files, folder):
    import nncf
    import openvino
    from int8_pipeline import prepared

    model = openvino.Core().read_model(args.models / f"{args.backbone}.onnx")
    data = nncf.Dataset(files, lambda path: prepared(path, args.backbone)[None])
    made = folder / "openvino8.xml"
    openvino.save_model(nncf.quantize(model, data, subset_size=len(files)), made)
    return made


def headstart(args, images, name, device):
    def command(folder):
        return [args.headstart, "extract", images, "--cache", folder / "cache", "--backbone", name, "--models", args.models,
                "--device", device, "--threads", args.threads, "--json"]

    return command, lambda folder: folder / "cache/features"


def pipelines(args, images, work):
    """The command and the output of each pipeline, or why there is none."""
    models, eight = args.models, f"{args.backbone}-bench8"

    def peer(runtime, make):
        def command(folder):
            start = shlex.split(args.torch) if runtime == "torch" else [sys.executable]
            return [*start, PIPELINE, images, "--out", folder / "out.parquet", "--threads", args.threads, "--runtime", runtime,
                    "--model", model, "--backbone", args.backbone]

        if runtime == "torch" and not args.torch:
            raise NotRun("no --torch was given")
        model = make()
        return command, lambda folder: folder / "out.parquet"

    float32 = models / f"{args.backbone}.onnx"
    found = {
        "headstart": lambda: headstart(args, images, args.backbone, "cpu"),
        "headstart int8": lambda: headstart(args, images, eight, "cpu"),
        "headstart openvino": lambda: headstart(args, images, args.backbone, "openvino"),
        "headstart openvino int8": lambda: headstart(args, images, eight, "openvino"),
        "onnxruntime int8": lambda: peer("onnxruntime", lambda: make_onnxruntime(args, args.calibration, work)),
        "openvino": lambda: peer("openvino", lambda: float32),
        "openvino int8": lambda: peer("openvino", lambda: make_openvino(args, args.calibration, work)),
        "pytorch": lambda: peer("torch", lambda: float32),
    }
    ready, missing = {}, {}
    for name in args.only or found:
        try:
            ready[name] = found[name]()
        except Exception as error:  # A peer that cannot be prepared must not cost the measurements of the others.
            missing[name] = f"{type(error).__name__}: {error}"
    return ready, missing


def rows(path, images):
    """The features of a pipeline, ordered by image."""
    table = pq.read_table(path)
    column = table["embedding"]
    values = np.concatenate([chunk.flatten().to_numpy() for chunk in column.chunks]).reshape(len(column), -1)
    if "image_sha256" in table.column_names:
        return dict(zip(table["image_sha256"].to_pylist(), values))
    digest = lambda name: hashlib.sha256((images / name).read_bytes()).hexdigest()
    return dict(zip((digest(name) for name in table["path"].to_pylist()), values))


def fidelity(own, other):
    keys = sorted(own)
    a, b = (np.stack([each[key] for key in keys]).astype(np.float64) for each in (own, other))

    def cosine(a, b):
        return float(((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))).mean())

    centre = a.mean(0)
    return {"cosine": cosine(a, b), "centred_cosine": cosine(a - centre, b - centre)}


def quantize_ours(args, work):
    name = f"{args.backbone}-bench8"
    for old in args.models.glob(f"{name}.*"):
        old.unlink()
    command = [args.headstart, "backbone", "quantize", args.backbone, "--images", args.images, "--name", name, "--samples",
               args.samples, "--min-cosine", args.min_cosine, "--models", args.models, "--json"]
    return run(command, args.threads, work)["fidelity"]


def table(result):
    print("\n| pipeline | images/s | least, most | of headstart's floats | cosine | centred cosine |\n|---|--:|--:|--:|--:|--:|")
    rounds = result["rounds"]
    for name in rounds[0]:
        rates = [each[name] for each in rounds if name in each]
        ratios = [each[name] / each["headstart"] for each in rounds if name in each and "headstart" in each]
        near = result["fidelity"].get(name, {})
        print(f"| {name} | {statistics.median(rates):.1f} | {min(rates):.1f}, {max(rates):.1f} | "
              f"{statistics.median(ratios) if ratios else float('nan'):.2f} | {near.get('cosine', 1):.5f} | "
              f"{near.get('centred_cosine', 1):.5f} |")
    for name, why in result["not_run"].items():
        print(f"not run: {name}: {why}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--headstart", type=pathlib.Path, required=True)
    parser.add_argument("--backbone", default="nsfwjs")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--min-cosine", type=float, default=0.998, help="of headstart's integers; 0 leaves no values in floats")
    parser.add_argument("--torch", metavar="COMMAND")
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def main():
    args = parse()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as scratch:
        images, work = pathlib.Path(folder), pathlib.Path(scratch)
        count, _ = gather(args.images, args.limit, images)
        args.calibration = calibration(images, args.samples)
        result = {"images": count, "threads": args.threads, "load_before": os.getloadavg()[0], "rounds": [], "fidelity": {}}
        result["certificate"] = quantize_ours(args, work)
        ready, result["not_run"] = pipelines(args, images, work)
        reference = None
        for number in range(args.rounds):
            names = list(ready)
            turn = 0 if number == 0 else number % len(names)
            result["rounds"].append({})
            for name in names[turn:] + names[:turn]:
                command, output = ready[name]
                with tempfile.TemporaryDirectory() as place:
                    try:
                        said = run(command(pathlib.Path(place)), args.threads, place)
                    except NotRun as error:
                        result["not_run"][name] = str(error)
                        del ready[name]
                        continue
                    rate = said.get("images_per_second") or said["images"] / said["seconds"]
                    result["rounds"][-1][name] = rate
                    if number == 0:
                        own = rows(output(pathlib.Path(place)), images)
                        reference = own if name == "headstart" else reference
                        if reference is not None:
                            result["fidelity"][name] = fidelity(reference, own)
                print(f"round {number + 1}: {name} {rate:.1f} images/s", flush=True)
            if args.json:
                args.json.write_text(json.dumps(result, indent=2) + "\n")
    result["load_after"] = os.getloadavg()[0]
    table(result)
    print(f"\n{count} images, {args.threads} threads, {args.rounds} rounds; load average {result['load_before']:.2f} before, "
          f"{result['load_after']:.2f} after")


if __name__ == "__main__":
    main()
