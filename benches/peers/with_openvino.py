"""The same network on OpenVINO: Pillow in a pool of threads, requests in flight, pyarrow."""

import time

import common
import numpy as np
import openvino

args = common.parser().parse_args()
paths = common.files(args.images)
core = openvino.Core()
network = core.read_model(common.NETWORK)
network.reshape([common.BATCH, 3, common.SIDE, common.SIDE])  # slower for any length
config = {
    "PERFORMANCE_HINT": "THROUGHPUT",
    "INFERENCE_NUM_THREADS": args.threads,
    "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it, with other features
}
queue = openvino.AsyncInferQueue(core.compile_model(network, "CPU", config))
features = {}


def keep(request, number):
    features[number] = request.get_tensor("PreLogits").data.copy()  # the request's memory is used again


queue.set_callback(keep)

started = time.perf_counter()
for number, batch in enumerate(common.batches(paths, args.threads)):
    queue.start_async({"input": common.padded(batch)}, number)
queue.wait_all()
rows = np.concatenate([features[number] for number in sorted(features)])
common.finish(args, paths, rows[: len(paths)], started)
