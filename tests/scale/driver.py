"""A job as a person would write it: extracts images into a cache with Spark or Ray.

`driver.py spark EXECUTORS|ray WORKERS IMAGES CACHE OPTION...`; in SPECULATE=1 Spark starts every task twice that it can.
"""

import os
import sys
import time

engine, number, images, cache, *options = sys.argv[1:]
worker = ("--models", options[options.index("--models") + 1])

if engine == "spark":
    from headstart_spark import extract
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local-cluster[{number},1,1024]").appName("headstart")
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "1024m",
        "spark.task.maxFailures": "20",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
    }
    if os.environ.get("SPECULATE"):
        settings |= {
            "spark.speculation": "true",
            "spark.speculation.interval": "20ms",
            "spark.speculation.quantile": "0.01",
            "spark.speculation.multiplier": "1.01",
            "spark.speculation.minTaskRuntime": "1ms",
        }
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    ready = time.monotonic()
    extract(spark, images, cache, *options, worker=("--threads", "1", *worker))
    done = time.monotonic()
    spark.stop()
else:
    import ray
    from headstart_ray import extract

    ray.init(num_cpus=int(number), include_dashboard=False, log_to_driver=False)
    ready = time.monotonic()
    extract(images, cache, *options, workers=int(number), threads=1, worker=worker)
    done = time.monotonic()
    ray.shutdown()
print(f"seconds without the start of the engine: {done - ready:.1f}")
