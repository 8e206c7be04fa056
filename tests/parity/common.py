"""What the networks of all frameworks share: random weights, images, endpoints, and where results go."""

import json
import pathlib
import sys

import numpy as np

ENDPOINTS = """Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 MaxPool_3a_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3 MaxPool_5a_3x3
Mixed_5b Mixed_5c Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e Mixed_7a Mixed_7b Mixed_7c""".split()


class Size:
    """The published network, or one with a sixteenth of the channels and few classes for the fixtures of the tests."""

    def __init__(self, small):
        self.small = small
        self.side = 75 if small else 299

    def channels(self, n):
        return n if n == 3 or not self.small else n // 16

    def classes(self, n):
        return 7 if self.small else n


class Values:
    """Random weights and statistics of batch norm. Those of a fixture have few bits, so that they pack well."""

    def __init__(self, seed, size):
        self.draw = np.random.default_rng(seed)
        self.small = size.small

    def rounded(self, values):
        values = np.asarray(values, np.float32)
        return np.round(values * 32) / np.float32(32) if self.small else values

    def kernel(self, shape, inputs):
        scale = (2 / inputs) ** 0.5
        values = self.draw.standard_normal(shape).astype(np.float32)
        if not self.small:
            return values * np.float32(scale)
        # Halves, times a power of two near the scale.
        return np.round(values * 2) / 2 * np.float32(2.0 ** np.round(np.log2(scale)))

    def gamma(self, n):
        return self.rounded(self.draw.uniform(0.6, 1.4, n))

    def beta(self, n):
        return self.rounded(self.draw.normal(0, 0.2, n))

    def mean(self, n):
        return self.rounded(self.draw.normal(0, 0.2, n))

    def variance(self, n):
        return self.rounded(self.draw.uniform(0.5, 2, n))


def images(folder):
    """Paths of the images, in order."""
    return sorted(pathlib.Path(folder).glob("*.png"))


def probe(side):
    """The bytes that the small networks are asked about, `[1, side, side, 3]`."""
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 101 + x * y // 5) % 256).astype(np.uint8)[None]


def store(folder, files, source, inputs, found):
    """Stores the input tensor `[n, 3, side, side]` and the endpoints `[n, channels, height, width]` of one network, whose
    `files` are imported by the rules of `source`."""
    answers = files[0] + ".npz"
    np.savez(folder / answers, input=inputs, **found)
    with open(folder / "cases.jsonl", "a") as cases:
        for file in files:
            cases.write(json.dumps({"file": file, "source": source, "answers": answers}) + "\n")


def expect(folder, file, found):
    """Notes what a small network answers."""
    path = pathlib.Path(folder) / "expected.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    expected[file] = {key: [float(v) for v in np.ravel(found[key])] for key in ("PreLogits", "Logits") if key in found}
    path.write_text(json.dumps(dict(sorted(expected.items())), indent=0) + "\n")


def arguments():
    """The command line: OUT IMAGES for the published size, OUT --small for fixtures."""
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    small = "--small" in sys.argv
    return out, Size(small), [] if small else images(sys.argv[2])
