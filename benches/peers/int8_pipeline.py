"""One network from files to Parquet in ONNX Runtime, OpenVINO or PyTorch, with two threads for it and a pool for the pictures.

    int8_pipeline.py IMAGES --out FILE.parquet --threads 2 --runtime onnxruntime|openvino|torch --model FILE --backbone nsfwjs

Run by ../int8_vs_peers.py. Each runtime gets the settings that were fastest on two cores: float32 as precision of OpenVINO's
inference, one stream; channels_last in PyTorch, which takes the same ONNX file as the others.
"""

import pathlib
import sys
import time

import common
import numpy as np
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "gpu"))
BATCH = 8


def nsfwjs(image):
    return np.asarray(image.resize((299, 299), Image.Resampling.BILINEAR), np.float32) / 255


def lite0(image):
    shorter = 256 / min(image.size)
    image = image.resize([int(side * shorter) for side in image.size], Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in image.size)
    return np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 127.5 - 1


PREPARE = {"nsfwjs": nsfwjs, "efficientnet-lite0": lite0}


def prepared(path, backbone):
    with Image.open(path) as image:
        return PREPARE[backbone](image.convert("RGB")).transpose(2, 0, 1)


def with_onnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(["PreLogits"], {name: batch})[0]


def with_openvino(model, threads):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    output = compiled.output("PreLogits")
    return lambda batch: compiled(batch)[output]


def with_torch(model, threads):
    import onnx_file
    import torch
    import torch_network

    torch.set_num_threads(threads)
    network = torch_network.Network(onnx_file.read(pathlib.Path(model)), "cpu", torch.float32)

    def run(batch):
        with torch.inference_mode():
            pixels = torch.from_numpy(batch).to(memory_format=torch.channels_last)
            return network(pixels, "PreLogits").numpy()

    return run


RUNTIMES = {"onnxruntime": with_onnxruntime, "openvino": with_openvino, "torch": with_torch}


def main():
    parser = common.parser()
    parser.add_argument("--runtime", choices=RUNTIMES, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--backbone", choices=PREPARE, required=True)
    args = parser.parse_args()
    paths = common.files(args.images)
    run = RUNTIMES[args.runtime](args.model, args.threads)
    started = time.perf_counter()
    rows = []
    for batch in common.batches(paths, args.threads, BATCH, lambda path: prepared(path, args.backbone)):
        rows.append(np.array(run(batch)).reshape(len(batch), -1))
    common.finish(args, paths, np.concatenate(rows), started, width=None)


if __name__ == "__main__":
    main()
