"""`headstart extract` on Ray: actors compute the chunks of a plan, and write the parts of the cache themselves.

    from headstart_ray import extract
    extract("/shared/photos", "/shared/cache", "--augment", "flip", workers=8)

Images and cache must have the same paths on all machines, or be URLs of object storage; `headstart` of the same version must be
installed there. Ray schedules and retries; the receipts of chunks are in the cache. Chunk numbers and receipts are all that goes
through Ray.
"""

from __future__ import annotations

from typing import Any, Sequence

import pyarrow as pa
import ray.data
from headstart import Worker, passes


class _Work:
    """One worker for each actor."""

    def __init__(self, cache: str, options: Sequence[str]) -> None:
        self._worker = Worker(cache, *options)

    def __call__(self, chunks: pa.Table) -> pa.Table:
        return self._worker(chunks["id"].to_pylist())


def extract(
    images: str, cache: str, *options: str, workers: int = 1, threads: int = 1, worker: Sequence[str] = (), **ray_options: Any
) -> None:
    """Extracts `images` into `cache` with `workers` actors of `threads` cores each. `options` are those of `headstart extract`,
    `worker` those of `headstart worker`, `ray_options` those of `map_batches`, such as `num_gpus`."""

    def work(chunks: Sequence[int]) -> None:
        rows = ray.data.from_items([{"id": chunk} for chunk in chunks], override_num_blocks=len(chunks))
        rows.map_batches(
            _Work,
            fn_constructor_args=(cache, ("--threads", str(threads), *worker)),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=threads,
            **ray_options,
        ).materialize()

    passes(work, images, cache, *options)
