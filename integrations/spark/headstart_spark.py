"""`headstart extract` on Spark: executors compute the chunks of a plan, and write the parts of the cache themselves.

    from headstart_spark import extract
    extract(spark, "/shared/photos", "/shared/cache", "--augment", "flip")

Images and cache must have the same paths on all machines, or be URLs of object storage; `headstart` of the same version must be
installed there. Spark schedules, retries and speculates; the receipts of chunks are in the cache. Chunk numbers and receipts are
all that goes through the JVM.
"""

from __future__ import annotations

import functools
from typing import Any, Iterator, Sequence

import pyarrow as pa
from headstart import Worker, passes

RECEIPT = (
    "chunk long, part string, sha256 string, rows long, refused long, provider string, known_answer string, seconds float"
)


@functools.lru_cache(maxsize=1)
def _worker(cache: str, *options: str) -> Worker:
    """One worker for each Python process, which Spark uses again for later tasks."""
    return Worker(cache, *options)


def extract(spark: Any, images: str, cache: str, *options: str, worker: Sequence[str] = ("--threads", "1")) -> None:
    """Extracts `images` into `cache`. `options` are those of `headstart extract`, `worker` those of `headstart worker`."""

    def work(chunks: Sequence[int]) -> None:
        def compute(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for index in batch["id"].to_pylist():
                    yield from _worker(cache, *worker)([chunks[index]]).to_batches()

        spark.range(0, len(chunks), 1, len(chunks)).mapInArrow(compute, RECEIPT).foreach(lambda receipt: None)

    passes(work, images, cache, *options)
