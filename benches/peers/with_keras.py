"""Keras on TensorFlow: tf.data decodes and resizes, model.predict, pyarrow. Its weights are random: for timing only."""

import time

import common
import keras
import tensorflow as tf

BATCH = 32  # the default of model.predict

args = common.parser().parse_args()
paths = common.files(args.images)
tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.utils.set_random_seed(0)
model = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")


def picture(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (common.SIDE, common.SIDE), method="bilinear", antialias=True)
    return image / 127.5 - 1


def dataset(paths):
    names = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    return names.map(picture, num_parallel_calls=1).batch(BATCH).prefetch(2)


model.predict(dataset(paths[:1]), verbose=0)  # traces the graph, which is start-up

started = time.perf_counter()
common.finish(args, paths, model.predict(dataset(paths), verbose=0), started)
