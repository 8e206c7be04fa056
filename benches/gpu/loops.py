"""The loops that benches/gpu/run compares headstart with. Prints one line of JSON.

    loops.py onnxruntime MODEL --batches 16,64 --seconds 3 --device cuda     `session.run` with IO binding
    loops.py torch MODEL --precision float32|tf32|float16 ...               the same network in PyTorch, channels_last
    loops.py fidelity MODEL [--half MODEL16] --device cuda                  how far TF32 and 16-bit floats are off
    loops.py compare FILE.npy FILE.npy                                      the rows of two exports
"""

import argparse
import json
import pathlib
import time

import numpy as np

import onnx_file

OUTPUT = "PreLogits"


def batch_of(model, size, seed=0):
    """Smooth noise in the range of the network's input, so that layers see something like pictures."""
    side = onnx_file.read(model).side
    small = np.random.default_rng(seed).random((size, 3, 12, 12), np.float32)
    steps = np.arange(side) * 12 // side
    return np.ascontiguousarray(small[:, :, steps][:, :, :, steps])


def repeat(once, size, seconds, wait=lambda: None):
    """Images per second of `once`, which takes `size` images, after two runs that do not count."""
    once(), once(), wait()
    started, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds or count < 2:
        once()
        count += 1
    wait()
    passed = time.perf_counter() - started
    return count * size / passed


def session(model, device, **options):
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls(directory="")
    providers = [("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", **options})] if device == "cuda" else ["CPUExecutionProvider"]
    opened = onnxruntime.InferenceSession(str(model), providers=providers)
    wanted = providers[0][0] if device == "cuda" else providers[0]
    assert opened.get_providers()[0] == wanted, opened.get_providers()
    return opened


def with_onnxruntime(args):
    """With the copy of each batch to the device and of its features back; and with the batch on the device already."""
    import onnxruntime

    opened = session(args.model, args.device, **dict(option.split("=") for option in args.options.split(",") if option))
    name = opened.get_inputs()[0].name
    found = {"images_per_second": {}, "on_device": {}, "version": onnxruntime.__version__}
    for size in args.batches:
        pixels = batch_of(args.model, size)
        binding = opened.io_binding()
        binding.bind_output(OUTPUT, "cpu")

        def once():
            binding.bind_cpu_input(name, pixels)
            opened.run_with_iobinding(binding)

        found["images_per_second"][size] = repeat(once, size, args.seconds)
        resident = opened.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(pixels, args.device, 0)
        resident.bind_ortvalue_input(name, value)
        resident.bind_output(OUTPUT, args.device)
        found["on_device"][size] = repeat(lambda: opened.run_with_iobinding(resident), size, args.seconds)
    save(args, opened.run([OUTPUT], {name: batch_of(args.model, 2)})[0])
    return found


def with_torch(args):
    import torch

    import torch_network

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    kind = torch.float16 if args.precision == "float16" else torch.float32
    network = torch_network.Network(onnx_file.read(args.model), args.device, kind)
    found = {"images_per_second": {}, "on_device": {}, "version": torch.__version__}
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    with torch.inference_mode():
        for size in args.batches:
            pixels = torch.from_numpy(batch_of(args.model, size))
            if args.device == "cuda":
                pixels = pixels.pin_memory()
            place = pixels.to(args.device, kind, memory_format=torch.channels_last)

            def once():
                moved = pixels.to(args.device, non_blocking=True).to(kind, memory_format=torch.channels_last)
                return network(moved, OUTPUT).float().cpu()

            found["images_per_second"][size] = repeat(once, size, args.seconds, wait)
            found["on_device"][size] = repeat(lambda: network(place, OUTPUT), size, args.seconds, wait)
        few = torch.from_numpy(batch_of(args.model, 2)).to(args.device, kind, memory_format=torch.channels_last)
        save(args, network(few, OUTPUT).float().cpu().numpy())
    return found


def save(args, rows):
    """Keeps the features of two images: the peers must compute the same network, or their speed says nothing."""
    if args.save:
        np.save(args.save, rows.reshape(len(rows), -1))


def distances(a, b):
    return np.linalg.norm(a.astype(np.float64) - b, axis=1) / np.linalg.norm(b.astype(np.float64), axis=1)


def fidelity(args):
    pixels = batch_of(args.model, 16)
    name = onnx_file.read(args.model).image

    def rows(opened):
        return opened.run([OUTPUT], {name: pixels})[0].reshape(len(pixels), -1)

    expected = rows(session(args.model, "cpu"))
    found = {"images": len(pixels)}

    def measure(what, opened):
        off = distances(rows(opened), expected)
        found[what] = {"mean_relative_distance": float(off.mean()), "largest_relative_distance": float(off.max())}

    measure("float32", session(args.model, args.device))
    if args.device == "cuda":
        measure("tf32", session(args.model, args.device, use_tf32="1"))
    else:
        found["tf32"] = {"not_run": "only a GPU has it"}
    if args.half:
        measure("float16", session(args.half, args.device))
    else:
        found["float16"] = {"not_run": "no backbone of 16-bit floats was given"}
    return found


def compare(args):
    """Both exports hold the same keys in the same order: they are of the same images."""
    rows = [np.load(file) for file in (args.model, args.other)]
    off = distances(*rows)
    return {"images": len(off), "largest_relative_distance": float(off.max()), "mean_relative_distance": float(off.mean())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["onnxruntime", "torch", "fidelity", "compare"])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path, nargs="?")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batches", type=lambda text: [int(word) for word in text.split(",")], default=[16])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--save", type=pathlib.Path, help="where to keep the features of two images")
    parser.add_argument("--options", default="", help="options of the CUDA provider, NAME=VALUE,NAME=VALUE")
    parser.add_argument("--half", type=pathlib.Path)
    args = parser.parse_args()
    functions = {"onnxruntime": with_onnxruntime, "torch": with_torch, "fidelity": fidelity, "compare": compare}
    print(json.dumps(functions[args.what](args)))


main()
