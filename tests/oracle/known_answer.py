"""Makes models/known/nsfwjs.txt: the PreLogits of the known-answer image, by an implementation that shares nothing with
headstart: Node evaluates the model's scripts, NumPy (float64) runs the Keras graph exactly as the model's own JSON
describes it, Pillow resizes. There is no table of Inception-v3 here.

    npm pack nsfwjs@4.4.0
    python tests/oracle/known_answer.py nsfwjs-4.4.0.tgz > models/known/nsfwjs.txt
    python tests/oracle/known_answer.py nsfwjs-4.4.0.tgz --image some.png     # PreLogits of any image
"""

import argparse
import base64
import json
import subprocess
import tarfile
import tempfile

import numpy as np
from PIL import Image

FOLDER = "package/dist/models/inception_v3"


def probe_image():
    y, x = np.mgrid[0:240, 0:320].astype(np.int64)
    dx, dy = x - 200, y - 110
    disc = dx * dx + dy * dy < 70 * 70
    stripes = (x + 2 * y) // 16 % 2 == 0
    halves = np.trunc(dx / 2).astype(np.int64)
    inside = np.stack([220 - (dy + 70), 120 + halves, np.full_like(x, 40)], -1)
    bright = np.stack([x * 255 // 320, y * 255 // 240, np.full_like(x, 160)], -1)
    dark = np.stack([np.full_like(x, 30), (x * y // 97) % 256, 255 - x * 255 // 320], -1)
    pixels = np.where(disc[..., None], inside, np.where(stripes[..., None], bright, dark))
    return Image.fromarray((pixels % 256).astype(np.uint8))


def load(tarball):
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(tarball) as archive:
            archive.extractall(folder)
        script = """
            const d = process.argv[1], m = require(d + '/model.min.js');
            const out = {model: m, shards: {}};
            for (const g of m.weightsManifest) for (const p of g.paths) out.shards[p] = require(d + '/' + p + '.min.js');
            process.stdout.write(JSON.stringify(out));"""
        text = subprocess.run(["node", "-e", script, f"{folder}/{FOLDER}"], check=True, capture_output=True).stdout
    bundle = json.loads(text)
    weights = {}
    for group in bundle["model"]["weightsManifest"]:
        data = b"".join(base64.b64decode(bundle["shards"][path]) for path in group["paths"])
        at = 0
        for w in group["weights"]:
            n = int(np.prod(w["shape"]))
            q = np.frombuffer(data, np.uint8, n, at).astype(np.float64)
            quantization = w["quantization"]
            value = (q * quantization["scale"] + quantization["min"]).astype(np.float32)
            weights[w["name"]] = value.reshape(w["shape"]).astype(np.float64)
            at += n
        assert at == len(data)
    return bundle["model"]["modelTopology"]["model_config"]["config"], weights


def padded(x, size, stride, padding, fill):
    if padding == "valid":
        return x
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(x.shape[:2], size, stride)]
    return np.pad(x, [(t // 2, t - t // 2) for t in total] + [(0, 0)], constant_values=fill)


def windows(x, size, stride):
    return np.lib.stride_tricks.sliding_window_view(x, size, (0, 1))[:: stride[0], :: stride[1]]


def run(config, weights, image):
    """All layer outputs, channels last, for one preprocessed image."""
    out = {}
    for layer in config["layers"]:
        name, kind, c = layer["name"], layer["class_name"], layer["config"]
        inputs = [out[node[0]] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
        x = inputs[0] if inputs else None
        if kind == "InputLayer":
            y = image
        elif kind == "Conv2D":
            assert not c["use_bias"] and c["dilation_rate"] == [1, 1] and c["activation"] == "linear"
            w = windows(padded(x, c["kernel_size"], c["strides"], c["padding"], 0), c["kernel_size"], c["strides"])
            y = np.tensordot(w, weights[name + "/kernel"].transpose(2, 0, 1, 3), 3)
        elif kind == "BatchNormalization":
            assert c["center"] and not c["scale"]
            mean, variance = weights[name + "/moving_mean"], weights[name + "/moving_variance"]
            y = (x - mean) / np.sqrt(variance + c["epsilon"]) + weights[name + "/beta"]
        elif kind == "Activation":
            assert c["activation"] == "relu"
            y = np.maximum(x, 0)
        elif kind == "MaxPooling2D":
            y = windows(padded(x, c["pool_size"], c["strides"], c["padding"], -np.inf), c["pool_size"], c["strides"])
            y = y.max((3, 4))
        elif kind == "AveragePooling2D":
            # TensorFlow leaves padding out of the mean.
            parts = [padded(a, c["pool_size"], c["strides"], c["padding"], 0) for a in (x, np.ones_like(x))]
            total, count = (windows(p, c["pool_size"], c["strides"]).sum((3, 4)) for p in parts)
            y = total / count
        elif kind == "Concatenate":
            y = np.concatenate(inputs, -1)
        elif kind == "Flatten":
            y = x.reshape(-1)
        elif kind == "Dropout":
            y = x
        elif kind == "Dense":
            y = x @ weights[name + "/kernel"] + weights[name + "/bias"]
            if c["activation"] == "relu":
                y = np.maximum(y, 0)
            elif c["activation"] == "softmax":
                y = np.exp(y - y.max())
                y /= y.sum()
        else:
            raise ValueError(kind)
        out[name] = y
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tarball")
    parser.add_argument("--image")
    args = parser.parse_args()
    image = Image.open(args.image).convert("RGB") if args.image else probe_image()
    pixels = np.asarray(image.resize((299, 299), Image.BILINEAR), np.float32) / np.float32(255)
    out = run(*load(args.tarball), pixels.astype(np.float64))
    if not args.image:
        print("# PreLogits of the known-answer image, made by tests/oracle/known_answer.py")
    for value in out["flatten_1"].astype(np.float32):
        print(np.format_float_positional(value, unique=True))


if __name__ == "__main__":
    main()
