"""TF-Slim's Inception-v3 with random weights, and a graph like that of 2015-12-05: saves them in TensorFlow's formats and asks
them about images with their own preprocessing. `tf_nets.py OUT IMAGES`, or `tf_nets.py OUT --small` for fixtures.

TF-Slim's preprocessing is not part of the package tf-slim: `prepare` makes the same calls of TensorFlow as its
`inception_preprocessing.preprocess_for_eval`. The graph of 2015-12-05 is not in any package either: `graph_2015` builds it
from TensorFlow's operations under the names that torch-fidelity's converter reads."""

import importlib
import sys

import numpy as np
import tensorflow as tf
from PIL import Image

# Where TensorFlow 2 looks for the layers that TF-Slim is made of.
for module in ["", ".base", ".core", ".convolutional", ".pooling", ".normalization"]:
    name = f"legacy_tf_layers{module}"
    sys.modules[f"tf_keras.{name}"] = importlib.import_module(f"tf_keras.src.{name}")

import tf_slim  # noqa: E402
from tf_slim.nets import inception_v3  # noqa: E402

import common  # noqa: E402

v1 = tf.compat.v1
v1.disable_eager_execution()
v1.disable_resource_variables()
out, size, paths = common.arguments()


def prepare(session, path):
    """The image as it enters the network, `[1, 299, 299, 3]`."""
    image = tf.image.convert_image_dtype(tf.constant(np.asarray(Image.open(path).convert("RGB"))), tf.float32)
    image = tf.image.central_crop(image, central_fraction=0.875)
    image = v1.image.resize_bilinear(image[None], [299, 299], align_corners=False)
    return session.run((image - 0.5) * 2.0)


def slim_net(side, classes, with_aux):
    images = v1.placeholder(tf.float32, [None, side, side, 3], name="input")
    scale = {"depth_multiplier": 1 / 16, "min_depth": 1} if size.small else {}
    with tf_slim.arg_scope(inception_v3.inception_v3_arg_scope()):
        logits, ends = inception_v3.inception_v3(
            images, num_classes=classes, is_training=False, create_aux_logits=with_aux, **scale
        )
    return images, logits, ends


def random_values(variables):
    values = common.Values(7, size)
    for variable in variables:
        shape = tuple(variable.shape.as_list())
        kind = variable.op.name.rsplit("/", 1)[1]
        yield variable, {
            "weights": lambda: values.kernel(shape, int(np.prod(shape[:-1]))),
            "biases": lambda: values.beta(shape),
            "beta": lambda: values.beta(shape),
            "moving_mean": lambda: values.mean(shape),
            "moving_variance": lambda: values.variance(shape),
        }[kind]()


def ask(session, images, ends, logits, inputs):
    wanted = {name: ends[name] for name in common.ENDPOINTS + ["PreLogits"]} | {"Logits": logits}
    answers = [session.run(wanted, {images: one}) for one in inputs]
    found = {name: np.concatenate([answer[name] for answer in answers]) for name in wanted}
    return {
        name: values.reshape(len(values), -1) if name in ("PreLogits", "Logits") else values.transpose(0, 3, 1, 2)
        for name, values in found.items()
    }


def slim():
    classes = size.classes(1001)
    with tf.Graph().as_default(), v1.Session() as session:
        # The auxiliary head needs the full size; a fixture is asked without it.
        images, logits, ends = slim_net(299, classes, with_aux=True)
        variables = v1.global_variables()
        for variable, value in random_values(variables):
            variable.load(value, session)
        v1.train.Saver(write_version=v1.train.SaverDef.V1).save(
            session, str(out / "slim.ckpt"), write_meta_graph=False, write_state=False
        )
        v1.train.Saver(write_version=v1.train.SaverDef.V2).save(
            session, str(out / "slim-v2.ckpt"), write_meta_graph=False, write_state=False
        )
        frozen = v1.graph_util.convert_variables_to_constants(
            session, session.graph_def, ["InceptionV3/Predictions/Reshape_1"]
        )
        (out / "slim.pb").write_bytes(frozen.SerializeToString())
        if not size.small:
            inputs = [prepare(session, path) for path in paths]
            found = ask(session, images, ends, logits, inputs)
    if size.small:
        with tf.Graph().as_default(), v1.Session() as session:
            images, logits, ends = slim_net(size.side, classes, with_aux=False)
            v1.train.Saver().restore(session, str(out / "slim-v2.ckpt"))
            found = ask(session, images, ends, logits, [common.probe(size.side) / np.float32(127.5) - 1])
    names = ["slim.ckpt", "slim-v2.ckpt.index", "slim.pb"]
    if size.small:
        for name in names:
            common.expect(out, name, found)
    else:
        common.store(out, names, "slim", np.concatenate(inputs).transpose(0, 3, 1, 2), found)


# One convolution: kernel height, kernel width, filters, stride, padding.
def block_35(pool):
    return [[(1, 1, 64)], [(1, 1, 48), (5, 5, 64)], [(1, 1, 64), (3, 3, 96), (3, 3, 96)], ["pool", (1, 1, pool)]]


def block_17(n):
    return [
        [(1, 1, 192)],
        [(1, 1, n), (1, 7, n), (7, 1, 192)],
        [(1, 1, n), (7, 1, n), (1, 7, n), (7, 1, n), (1, 7, 192)],
        ["pool", (1, 1, 192)],
    ]


def block_8(pool):
    return [
        [(1, 1, 320)],
        [(1, 1, 384), [(1, 3, 384), (3, 1, 384)]],
        [(1, 1, 448), (3, 3, 384), [(1, 3, 384), (3, 1, 384)]],
        [pool, (1, 1, 192)],
    ]


BLOCKS = [
    block_35(32),
    block_35(64),
    block_35(64),
    [[(3, 3, 384, 2, "VALID")], [(1, 1, 64), (3, 3, 96), (3, 3, 96, 2, "VALID")], ["reduce"]],
    block_17(128),
    block_17(160),
    block_17(160),
    block_17(192),
    [
        [(1, 1, 192), (3, 3, 320, 2, "VALID")],
        [(1, 1, 192), (1, 7, 192), (7, 1, 192), (3, 3, 192, 2, "VALID")],
        ["reduce"],
    ],
    block_8("pool"),
    block_8("max"),
]


class Graph2015:
    """Builds the graph with constants under the names of 2015: the second of its kind in a scope gets `_1`."""

    def __init__(self):
        self.values = common.Values(9, size)

    def conv(self, x, scope, height, width, filters, stride=1, padding="SAME"):
        inputs, filters = x.shape[-1], size.channels(filters)
        kernel = self.values.kernel((height, width, inputs, filters), height * width * inputs)
        x = tf.nn.conv2d(x, tf.constant(kernel, name=f"{scope}/conv2d_params"), stride, padding, name=f"{scope}/Conv2D")
        kinds = ["moving_mean", "moving_variance", "beta", "gamma"]
        drawn = [self.values.mean, self.values.variance, self.values.beta, self.values.gamma]
        mean, variance, beta, gamma = [
            tf.constant(draw(filters), name=f"{scope}/batchnorm/{kind}") for kind, draw in zip(kinds, drawn)
        ]
        # The operation of 2015, BatchNormWithGlobalNormalization, was removed from TensorFlow; this is its successor.
        x = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 0.001)
        return tf.nn.relu(x, name=scope)

    def step(self, x, scope, counts, step):
        def name(kind):
            counts[kind] = counts.get(kind, -1) + 1
            return kind if counts[kind] == 0 else f"{kind}_{counts[kind]}"

        if step == "pool":
            return tf.nn.avg_pool2d(x, 3, 1, "SAME")
        if step == "max":
            return tf.nn.max_pool2d(x, 3, 1, "SAME")
        if step == "reduce":
            return tf.nn.max_pool2d(x, 3, 2, "VALID")
        if isinstance(step, list):
            inner = {}
            return tf.concat([self.step(x, f"{scope}/mixed", inner, one) for one in step], 3)
        return self.conv(x, f"{scope}/{name('conv')}", *step)

    def block(self, x, scope, branches):
        ends, towers = [], 0
        for branch in branches:
            if len(branch) == 1:
                ends.append(self.step(x, scope, {}, branch[0]))
                continue
            tower = f"{scope}/tower" if towers == 0 else f"{scope}/tower_{towers}"
            towers += 1
            end, counts = x, {}
            for step in branch:
                end = self.step(end, tower, counts, step)
            ends.append(end)
        return tf.concat(ends, 3, name=f"{scope}/join")

    def build(self):
        images = v1.placeholder(tf.float32, [1, None, None, 3], name="images")
        resized = v1.image.resize_bilinear(images, [size.side, size.side], name="ResizeBilinear")
        x = entered = (resized - 128.0) * 0.0078125
        ends = {}
        stem = [
            ("Conv2d_1a_3x3", (3, 3, 32, 2, "VALID")), ("Conv2d_2a_3x3", (3, 3, 32, 1, "VALID")),
            ("Conv2d_2b_3x3", (3, 3, 64)), ("MaxPool_3a_3x3", "reduce"), ("Conv2d_3b_1x1", (1, 1, 80, 1, "VALID")),
            ("Conv2d_4a_3x3", (3, 3, 192, 1, "VALID")), ("MaxPool_5a_3x3", "reduce"),
        ]
        number = 0
        for name, step in stem:
            if step == "reduce":
                x = self.step(x, "", {}, step)
            else:
                x = self.conv(x, "conv" if number == 0 else f"conv_{number}", *step)
                number += 1
            ends[name] = x
        for number, branches in enumerate(BLOCKS):
            x = self.block(x, "mixed" if number == 0 else f"mixed_{number}", branches)
            ends[common.ENDPOINTS[len(stem) + number]] = x
        features = ends["PreLogits"] = tf.reduce_mean(x, [1, 2])
        width, classes = features.shape[-1], size.classes(1008)
        weights = tf.constant(self.values.kernel((width, classes), width), name="softmax/weights")
        biases = tf.constant(self.values.beta(classes), name="softmax/biases")
        logits = tf.matmul(features, weights, name="softmax/logits/MatMul") + biases
        tf.nn.softmax(logits, name="softmax")
        return images, entered, ends, logits


def graph_2015():
    with tf.Graph().as_default() as graph, v1.Session() as session:
        images, entered, ends, logits = Graph2015().build()
        (out / "fid.pb").write_bytes(graph.as_graph_def().SerializeToString())
        if size.small:
            inputs = [common.probe(size.side).astype(np.float32)]
        else:
            inputs = [np.asarray(Image.open(path).convert("RGB"), np.float32)[None] for path in paths]
        tensors = np.concatenate([session.run(entered, {images: one}) for one in inputs])
        found = ask(session, images, ends, logits, inputs)
    if size.small:
        common.expect(out, "fid.pb", found)
    else:
        common.store(out, ["fid.pb"], "fid", tensors.transpose(0, 3, 1, 2), found)


slim()
graph_2015()
