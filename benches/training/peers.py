"""The same softmax head in other programs, as their users would write it: python peers.py NAME CACHE EPOCHS THREADS.

Adam 0.01, batch 32, shuffled, the validation loss after each epoch. Prints seconds of the fit, start-up and reading apart,
and the last validation loss."""

import json
import os
import sys
import time

name, cache, epochs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = threads
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np  # noqa: E402
from data import load  # noqa: E402

(x, y), (vx, vy) = load(cache)
width, classes = x.shape[1], int(y.max()) + 1


def with_pytorch(batches):
    import torch

    torch.set_num_threads(int(threads))
    X, Y, VX, VY = (torch.from_numpy(a) for a in (x, y.astype(np.int64), vx, vy.astype(np.int64)))
    torch.manual_seed(0)
    head = torch.nn.Linear(width, classes)
    loss = torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01, fused=True)
    started = time.perf_counter()
    for _ in range(epochs):
        for xb, yb in batches(torch, X, Y):
            optimiser.zero_grad(set_to_none=True)
            loss(head(xb), yb).backward()
            optimiser.step()
        with torch.no_grad():
            validation = float(loss(head(VX), VY))
    return time.perf_counter() - started, validation


def sliced(torch, X, Y):
    order = torch.randperm(len(X))
    for start in range(0, len(X), 32):
        rows = order[start : start + 32]
        yield X[rows], Y[rows]


loader = None


def loaded(torch, X, Y):
    global loader
    if loader is None:
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True)
    return loader


def with_keras():
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    started = time.perf_counter()
    results = model.fit(x, y, batch_size=32, epochs=epochs, validation_data=(vx, vy), verbose=0)
    return time.perf_counter() - started, results.history["val_loss"][-1]


def with_sgd():
    # One against the rest: scikit-learn's SGD has no softmax loss. No validation inside.
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    model = SGDClassifier(loss="log_loss", max_iter=epochs, tol=None, random_state=0, n_jobs=int(threads))
    started = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - started, log_loss(vy, model.predict_proba(vx), labels=range(classes))


run = {
    "pytorch sliced": lambda: with_pytorch(sliced),
    "pytorch DataLoader": lambda: with_pytorch(loaded),
    "keras": with_keras,
    "scikit-learn SGD": with_sgd,
}[name]
print(json.dumps(run()))
