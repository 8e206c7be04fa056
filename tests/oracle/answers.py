"""Reads files of answers with other people's readers and prints what each holds as JSON: python answers.py FILE...

The answers are those of the columns that all three formats share, with the probabilities by class."""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


def rows(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".csv":
        frame = pd.read_csv(path, keep_default_na=False)
        classes = [name.removeprefix("probability_") for name in frame if name.startswith("probability_")]
        records = frame.to_dict("records")
        return [
            {k: v for k, v in row.items() if not k.startswith("probability_")}
            | {"probabilities": {name: row[f"probability_{name}"] for name in classes}}
            for row in records
        ]
    table = pq.read_table(path)
    classes = json.loads(pq.read_metadata(path).metadata[b"headstart.classes"])
    return [
        row | {"probabilities": dict(zip(classes, row["probabilities"]))} for row in table.to_pylist()
    ]


print(json.dumps([rows(Path(path)) for path in sys.argv[1:]]))
