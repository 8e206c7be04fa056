"""Keras on TensorFlow: tf.data decodes and resizes, model.predict, pyarrow. Its weights are random: for timing only."""

import os
import time

import common
import keras
import tensorflow as tf

BATCH = int(os.environ.get("KB", "32"))

parser = common.parser()
args = parser.parse_args()
paths = common.files(args.images)
tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(int(os.environ.get("INTER", "1")))
keras.utils.set_random_seed(0)
model = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")


def load(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (common.SIDE, common.SIDE), method="bilinear", antialias=True)
    return image / 127.5 - 1


def dataset(paths):
    names = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    ds= names.map(load, num_parallel_calls=int(os.environ.get("MAPS", "1"))).batch(BATCH).prefetch(2)
    if os.environ.get("PRIV"):
        o = tf.data.Options(); o.threading.private_threadpool_size = int(os.environ["PRIV"])
        ds = ds.with_options(o)
    return ds


model.predict(dataset(paths[:1]), verbose=0)  # traces the graph

started = time.perf_counter()
features = model.predict(dataset(paths), verbose=0)
common.finish(args, paths, [features], started)
