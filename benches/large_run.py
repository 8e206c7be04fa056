#!/usr/bin/env python3
"""A run of 100 classes and 50,000 test images, made up, for the time and size of its report.

    target/test-python/bin/python benches/large_run.py RUN IMAGES OUT
    headstart report OUT/run --images OUT/images --out large.html

RUN is any run, whose settings are taken over; IMAGES a folder of 100 pictures or more, of which the made-up images are copies
with other digests. Writes 0.5 GB.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLASSES, TEST, VALIDATION = 100, 50_000, 5_000
template, images, out = map(pathlib.Path, sys.argv[1:])
run = out / "run"
run.mkdir(parents=True)
names = [f"species_{i:03d}_with_a_name" for i in range(CLASSES)]

record = json.loads((template / "run.json").read_text())
counts = {"train": 2000, "validation": VALIDATION // CLASSES, "test": TEST // CLASSES}
record["classes"] = [{"name": name, **counts} for name in names]
(run / "run.json").write_text(json.dumps(record))

# Every class is taken for the next one more often than for others, so that all cells of the matrix are filled.
rng = np.random.default_rng(0)
truth = np.concatenate([np.repeat(np.arange(CLASSES), n // CLASSES) for n in (VALIDATION, TEST)])
logits = 1.2 * rng.gumbel(size=(len(truth), CLASSES))
logits[np.arange(len(truth)), truth] += 5
logits[np.arange(len(truth)), (truth + 1) % CLASSES] += 3
shares = np.exp(logits - logits.max(1, keepdims=True))
shares = (shares / shares.sum(1, keepdims=True)).astype(np.float32)

pictures = [path.read_bytes() for path in sorted(images.rglob("*.jpg"))[:CLASSES]]
rows = []
for i, label in enumerate(truth):
    # A JPEG ends before these bytes.
    picture = pictures[label] + i.to_bytes(4, "little")
    path = pathlib.Path(names[label]) / f"{i}.jpg"
    if i >= VALIDATION:
        (out / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (out / "images" / path).write_bytes(picture)
    rows.append((hashlib.sha256(picture).hexdigest(), i, str(path)))
rows.sort()
order = [i for _, i, _ in rows]

columns = {
    "path": [path for _, _, path in rows],
    "image_sha256": [digest for digest, _, _ in rows],
    "variant": ["none"] * len(rows),
    "split": ["validation" if i < VALIDATION else "test" for i in order],
    "label": [names[truth[i]] for i in order],
    "predicted": [names[shares[i].argmax()] for i in order],
    "probabilities": list(shares[order]),
}
schema = pq.read_schema(template / "predictions.parquet")
item = pa.field("item", pa.float32(), nullable=False)
schema = schema.set(schema.get_field_index("probabilities"), pa.field("probabilities", pa.list_(item, CLASSES), nullable=False))
table = pa.Table.from_arrays([pa.array(columns[field.name], type=field.type) for field in schema], schema=schema)
pq.write_table(table, run / "predictions.parquet", compression="zstd", use_dictionary=False)
