"""The CSV tables of a report as pandas reads them. Argument: their folder. Prints {table: [rows]}; nothing for NaN."""

import json
import pathlib
import sys

import pandas

tables = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    assert path.suffix == ".csv", path
    frame = pandas.read_csv(path, keep_default_na=False, na_values=[""], float_precision="round_trip")
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    tables[path.stem] = rows
print(json.dumps(tables, default=lambda value: value.item()))
