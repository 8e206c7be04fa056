"""Mean, deviation and Student's interval with NumPy and SciPy: python repeats.py FILE. Prints the largest difference."""

import json
import pathlib
import sys

import numpy as np
from scipy import stats

worst = 0.0
for case in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    x, own = np.array(case["values"]), case["own"]
    interval = stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
    off = [own["mean"] - x.mean(), own["deviation"] - x.std(ddof=1), *(np.array(own["interval"]) - interval)]
    worst = max(worst, np.abs(off).max())
print(worst)
