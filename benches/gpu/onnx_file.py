"""Reads the nodes and weights of an ONNX file, so that peers can run the same network without another package."""

import collections
import struct

import numpy as np

Node = collections.namedtuple("Node", "op inputs outputs attributes")
Graph = collections.namedtuple("Graph", "nodes weights image side")
FLOAT = 1


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """The fields of a protobuf message: number and value, an integer or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = data[at : at + size], at + size
        yield number, value


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(value):
    """One repeated integer, or several packed into bytes."""
    if isinstance(value, int):
        return [signed(value)]
    found, at = [], 0
    while at < len(value):
        one, at = varint(value, at)
        found.append(signed(one))
    return found


def text(value):
    return bytes(value).decode()


def attribute(data):
    name, value, many = "", None, []
    for number, found in fields(data):
        if number == 1:
            name = text(found)
        elif number == 2:
            value = struct.unpack("<f", found)[0]
        elif number == 3:
            value = signed(found)
        elif number == 4:
            value = text(found)
        elif number == 8:
            many += integers(found)
    return name, many if value is None else value


def node(data):
    op, inputs, outputs, attributes = "", [], [], {}
    for number, found in fields(data):
        if number == 1:
            inputs.append(text(found))
        elif number == 2:
            outputs.append(text(found))
        elif number == 4:
            op = text(found)
        elif number == 5:
            name, value = attribute(found)
            attributes[name] = value
    return Node(op, inputs, outputs, attributes)


def tensor(data):
    """Name and values of a weight; `None` for those of other types than 32-bit floats."""
    dims, kind, name, raw = [], 0, "", b""
    for number, found in fields(data):
        if number == 1:
            dims += integers(found)
        elif number == 2:
            kind = found
        elif number == 8:
            name = text(found)
        elif number == 9:
            raw = found
    return name, np.frombuffer(raw, "<f4").reshape(dims) if kind == FLOAT else None


def image_input(data):
    """Name of an input, and its last dimension."""
    name, side = "", None
    for number, found in fields(data):
        if number == 1:
            name = text(found)
        elif number == 2:
            for _, kind in (pair for pair in fields(found) if pair[0] == 1):
                for _, shape in (pair for pair in fields(kind) if pair[0] == 2):
                    dims = [dict(fields(dim)) for number, dim in fields(shape) if number == 1]
                    side = dims[-1].get(1) if len(dims) == 4 else None
    return name, side


def read(path):
    data = memoryview(path.read_bytes())
    graph = next(value for number, value in fields(data) if number == 7)
    nodes, weights, inputs = [], {}, []
    for number, found in fields(graph):
        if number == 1:
            nodes.append(node(found))
        elif number == 5:
            name, values = tensor(found)
            weights[name] = values
        elif number == 11:
            inputs.append(image_input(found))
    image, side = next((name, side) for name, side in inputs if side)
    return Graph(nodes, weights, image, side)
