"""Runs the nodes of an ONNX file with PyTorch's functions, channels last."""

import numpy as np
import torch
from torch.nn import functional


class Network:
    def __init__(self, graph, device, kind):
        self.graph = graph
        self.weights = {}
        for name, values in graph.weights.items():
            if values is not None:
                moved = torch.from_numpy(np.array(values)).to(device, kind)
                self.weights[name] = moved.to(memory_format=torch.channels_last) if moved.dim() == 4 else moved

    def __call__(self, pixels, output):
        values = {**self.weights, self.graph.image: pixels}
        for node in self.graph.nodes:
            inputs = [values.get(name) for name in node.inputs]
            values[node.outputs[0]] = OPERATORS[node.op](inputs, node.attributes)
            if node.outputs[0] == output:
                return values[output]
        raise KeyError(output)


def padded(x, pads, value=0.0):
    """Pads given as top, left, bottom, right; equal ones are left to the operator."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return x, (top, left)
    return functional.pad(x, (left, right, top, bottom), value=value), (0, 0)


def conv(inputs, a):
    x, pads = padded(inputs[0], a.get("pads", [0] * 4))
    bias = inputs[2] if len(inputs) > 2 else None
    return functional.conv2d(x, inputs[1], bias, a.get("strides", [1, 1]), pads, a.get("dilations", [1, 1]), a.get("group", 1))


def max_pool(inputs, a):
    x, pads = padded(inputs[0], a.get("pads", [0] * 4), float("-inf"))
    return functional.max_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), pads)


def average_pool(inputs, a):
    x, pads = padded(inputs[0], a.get("pads", [0] * 4))
    return functional.avg_pool2d(x, a["kernel_shape"], a.get("strides", [1, 1]), pads,
                                 count_include_pad=bool(a.get("count_include_pad", 0)))


def clip(inputs, a):
    low, high = ((float(bound) if bound is not None else None) for bound in (*inputs[1:], None, None)[:2])
    return torch.clamp(inputs[0], a.get("min", low), a.get("max", high))


OPERATORS = {
    "Conv": conv,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "Clip": clip,
    "Relu": lambda inputs, a: torch.relu(inputs[0]),
    "Concat": lambda inputs, a: torch.cat(inputs, a["axis"]),
    "Add": lambda inputs, a: inputs[0] + inputs[1],
    "GlobalAveragePool": lambda inputs, a: inputs[0].mean((2, 3), keepdim=True),
    "Flatten": lambda inputs, a: torch.flatten(inputs[0], a.get("axis", 1)),
}
