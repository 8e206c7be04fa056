"""Stands between a supervisor and a worker, and ends with SIGKILL when it is asked for an image that ends processes.

`ending_worker.py LOG PLACES COMMAND...`: PLACES are those of the images in their chunk, separated by commas. Each request is added to
LOG. Requests and receipts are passed on as they are.
"""

import os
import signal
import subprocess
import sys

import pyarrow as pa

log, places = sys.argv[1], {int(place) for place in sys.argv[2].split(",")}
worker = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
requests = pa.ipc.open_stream(sys.stdin.buffer)
to_worker = pa.ipc.new_stream(worker.stdin, requests.schema)
worker.stdin.flush()
receipts = pa.ipc.open_stream(worker.stdout)
to_supervisor = pa.ipc.new_stream(sys.stdout.buffer, receipts.schema)
sys.stdout.buffer.flush()
for batch in requests:
    row = batch.to_pylist()[0]
    asked = range(row["from"], row["to"]) if row["from"] >= 0 else range(4096)
    without = {int(place) for place in row["without"].split(",") if place}
    with open(log, "a") as file:
        file.write(f"{row['from']} {row['to']} {row['without']}\n")
    if any(place in asked and place not in without for place in places):
        worker.kill()
        os.kill(os.getpid(), signal.SIGKILL)
    to_worker.write_batch(batch)
    worker.stdin.flush()
    to_supervisor.write_batch(receipts.read_next_batch())
    sys.stdout.buffer.flush()
to_worker.close()
worker.stdin.close()
worker.wait()
to_supervisor.close()
