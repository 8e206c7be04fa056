"""The same network on OpenVINO: Pillow in a pool of threads, requests in flight, pyarrow."""

import os
import time

import common
import numpy as np
import openvino

parser = common.parser()
args = parser.parse_args()
paths = common.files(args.images)
core = openvino.Core()
network = core.read_model(common.NETWORK)
B = int(os.environ.get("OVB", "8"))
if B:
    common.BATCH = B
    network.reshape([B, 3, common.SIDE, common.SIDE])
config = {
    "PERFORMANCE_HINT": os.environ.get("OVH", "THROUGHPUT"),
    "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it, with other features
    "INFERENCE_NUM_THREADS": args.threads,
}
compiled = core.compile_model(network, "CPU", config)
print(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"), compiled.get_property("INFERENCE_NUM_THREADS"), compiled.get_property("NUM_STREAMS"))
queue = openvino.AsyncInferQueue(compiled)
features = {}


def keep(request, at):
    features[at] = request.get_tensor("PreLogits").data.reshape(-1, common.WIDTH).copy()


queue.set_callback(keep)

started = time.perf_counter()
for at, batch in enumerate(common.batches(paths, args.threads)):
    queue.start_async({"input": common.padded(batch) if B else batch}, at)
queue.wait_all()
rows = np.concatenate([features[at] for at in sorted(features)])[: len(paths)]
common.finish(args, paths, [rows], started)
