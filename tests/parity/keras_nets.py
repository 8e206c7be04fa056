"""Keras' Inception-v3 with random weights: saves the weights as HDF5 with Keras 2, as the published ones are, and
whole models with Keras 3, and asks it about images. `keras_nets.py OUT IMAGES`, or `keras_nets.py OUT --small` for fixtures.

The preprocessing is that of TF-Slim, whose weights Keras ported: `keras.applications` itself only scales the values."""

import numpy as np
import tensorflow as tf
from PIL import Image

import common

out, size, paths = common.arguments()


def network(package, module, with_top):
    if size.small and not hasattr(module, "patched"):
        original = module.conv2d_bn
        module.conv2d_bn = lambda x, filters, *rest, **more: original(x, filters // 16, *rest, **more)
        module.patched = True
    # A network that was made before moves the numbers of the layers on.
    package.layers.Conv2D(1, 1)
    return module.InceptionV3(
        include_top=with_top, weights=None, input_shape=(size.side, size.side, 3), classes=size.classes(1000),
        **({} if with_top else {"pooling": "avg"}),
    )


def randomize(net):
    values = common.Values(11, size)
    for layer in net.layers:
        kind = type(layer).__name__
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if kind in ("Conv2D", "Dense"):
            drawn = [values.kernel(shapes[0], int(np.prod(shapes[0][:-1])))]
            layer.set_weights(drawn + [values.beta(shape) for shape in shapes[1:]])
        if kind == "BatchNormalization":
            n = shapes[0]
            layer.set_weights([values.beta(n), values.mean(n), values.variance(n)])


def prepare(path):
    image = tf.image.convert_image_dtype(tf.constant(np.asarray(Image.open(path).convert("RGB"))), tf.float32)
    image = tf.image.central_crop(image, central_fraction=0.875)
    image = tf.compat.v1.image.resize_bilinear(image[None], [299, 299], align_corners=False)
    return ((image - 0.5) * 2.0).numpy()


def ask(package, net, inputs):
    activations = [layer for layer in net.layers if type(layer).__name__ == "Activation"]
    number = lambda layer: int((layer.name.rsplit("_", 1) + ["0"])[1]) if "_" in layer.name else 0
    stem = sorted(activations, key=number)[:5]
    pools = [layer for layer in net.layers if type(layer).__name__ == "MaxPooling2D"][:2]
    named = dict(zip(common.ENDPOINTS[:3], stem[:3]))
    named |= {"MaxPool_3a_3x3": pools[0], "Conv2d_3b_1x1": stem[3], "Conv2d_4a_3x3": stem[4], "MaxPool_5a_3x3": pools[1]}
    named |= {name: net.get_layer(f"mixed{i}") for i, name in enumerate(common.ENDPOINTS[7:])}
    averages = [layer for layer in net.layers if type(layer).__name__ == "GlobalAveragePooling2D"]
    named |= {"PreLogits": averages[0]}
    outputs = {name: layer.output for name, layer in named.items()}
    top = [layer for layer in net.layers if layer.name == "predictions"]
    whole = package.Model(net.input, list(outputs.values()))
    found = [whole(one, training=False) for one in inputs]
    found = {name: np.concatenate([np.asarray(one[i]) for one in found]) for i, name in enumerate(outputs)}
    found = {name: v if name == "PreLogits" else v.transpose(0, 3, 1, 2) for name, v in found.items()}
    if top:
        kernel, bias = top[0].get_weights()
        found["Logits"] = found["PreLogits"] @ kernel + bias
    return found


def main():
    import keras
    import keras.src.applications.inception_v3 as keras_3
    import tf_keras
    import tf_keras.src.applications.inception_v3 as keras_2

    if size.small:
        inputs = [common.probe(size.side) / np.float32(127.5) - 1]
    else:
        inputs = [prepare(path) for path in paths]
    made = [
        ("keras.h5", tf_keras, keras_2, True, lambda net, path: net.save_weights(path)),
        ("keras-notop.h5", tf_keras, keras_2, False, lambda net, path: net.save_weights(path)),
        ("keras3-model.h5", keras, keras_3, True, lambda net, path: net.save(path)),
        ("keras3.weights.h5", keras, keras_3, True, lambda net, path: net.save_weights(path)),
    ]
    for name, package, module, with_top, save in made:
        net = network(package, module, with_top)
        randomize(net)
        save(net, str(out / name))
        found = ask(package, net, inputs)
        if size.small:
            common.expect(out, name, found)
        else:
            common.store(out, [name], "keras", np.concatenate(inputs).transpose(0, 3, 1, 2), found)


main()
