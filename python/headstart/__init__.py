"""Features of images as arrays, and the command `headstart` from Python.

`load` and `table` read a cache that `headstart extract` wrote; they need NumPy and pyarrow (`pip install headstart[data]`).
`run` calls the command and raises what it reports. `passes` and `Worker` are what engines of many machines need.
"""

from ._command import HeadstartError, executable, run
from ._distributed import Worker, passes
from ._features import Features, load, table

__all__ = ["Features", "HeadstartError", "Worker", "executable", "load", "passes", "run", "table"]
