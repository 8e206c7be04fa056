"""Extraction on several machines: passes of a plan, and the process that works on its chunks. Engines bring the machines."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from ._command import Argument, executable, run

if TYPE_CHECKING:
    import pyarrow as pa


def passes(work: Callable[[Sequence[int]], None], images: Argument, cache: Argument, *options: Argument) -> None:
    """Plans what is missing, has `work` send every chunk to a worker, and finishes, until nothing is missing.

    `options` are those of `headstart extract`. A chunk that `work` loses is planned again: the call fails at the end of a pass, and
    when it is repeated goes on from there.
    """
    extract = ("extract", images, "--cache", cache, *options)
    finishing = ("--mixed-hardware",)
    planning = tuple(option for option in extract if option not in finishing)
    while (plan := run(*planning, "--plan"))["pass"] is not None:
        if plan["remaining"]:
            work(plan["remaining"])
        run(*extract, "--finish")


class Worker:
    """A process `headstart worker`, started when it is first needed, and again after it has ended."""

    def __init__(self, cache: Argument, *options: Argument) -> None:
        self._command = [executable(), "worker", "--cache", str(cache), *map(str, options)]
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __call__(self, chunks: Sequence[int]) -> pa.Table:
        """Works on chunks, and returns a receipt for each."""
        import pyarrow as pa

        receipts = []
        for chunk in chunks:
            if self._process is None or self._process.poll() is not None:
                self._start()
            try:
                self._requests.write_batch(pa.record_batch({"chunk": pa.array([chunk], pa.int64())}))
                self._process.stdin.flush()
                if self._receipts is None:
                    self._receipts = pa.ipc.open_stream(self._process.stdout)
                receipts.append(self._receipts.read_next_batch())
            except (OSError, StopIteration, pa.ArrowException) as error:
                self._process.kill()
                raise RuntimeError(f"the worker ended ({self._process.wait()}) during chunk {chunk}") from error
        return pa.Table.from_batches(receipts)

    def _start(self) -> None:
        import pyarrow as pa

        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._receipts: Any = None
        self._requests = pa.ipc.new_stream(self._process.stdin, pa.schema({"chunk": pa.int64()}))
        self._process.stdin.flush()
