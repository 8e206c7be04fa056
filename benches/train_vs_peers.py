"""Training heads with headstart beside PyTorch, Keras and scikit-learn, on the same cached features.

    benches/train_vs_peers [--rounds 3] [--threads 2] [--large 200000] [--only NAME,NAME] [--work DIR] [--json FILE]

    epoch     milliseconds an epoch, Adam, batch 32, validation included: the slope between 15 and 115 epochs with
              stopping off (3 and 8 for the large cache), beside PyTorch (fused Adam, tensors sliced by hand; and a
              DataLoader), Keras and scikit-learn's SGD; and the floor: the larger of the features' bytes over the
              measured bandwidth and 4 rows width classes operations over the measured peak
    batches   the fastest epoch of headstart alone on the large cache beside the lowest floor, for larger batches with their
              learning rates, and for features kept in 16 bits; peak memory of the command
    optimum   seconds to the optimum, to the same norm of the gradient, beside scikit-learn and linfa: optimum_vs_peers.py
    heads     100 heads (5 rates, 20 seeds, 30 epochs each, no stopping) beside one
    adam      100 steps of Adam beside PyTorch's
    memory    a cache ten times --memory: peak memory, rows a second, beside pyarrow reading the same parts

Caches are drawn in --work (a temporary folder that is deleted, unless one is given). Rounds interleave the programs; the
medians are reported. --large 0 leaves the large cache out."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parent / "target/release/headstart"
PEERS = ["pytorch sliced", "pytorch DataLoader", "keras", "scikit-learn SGD"]


def measured(command, threads, lines=False):
    """What a command printed, as JSON or as lines of it; its wall seconds, its peak memory in MB."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    command = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        complaints.seek(0)
        assert os.waitstatus_to_exitcode(status) == 0, f"{command}\n{complaints.read()}"
    said = [json.loads(line) for line in said.splitlines()] if lines else json.loads(said)
    return said, time.perf_counter() - started, usage.ru_maxrss / 1024


def headstart(*args, threads=2):
    return measured([BINARY, *args, "--threads", threads, "--json"], threads)


def peer(name, cache, epochs, threads):
    return measured([sys.executable, HERE / "training/peers.py", name, cache, epochs, threads], threads)[0]


def floor(rows, width, classes, threads):
    """Seconds of an epoch that this machine cannot go below, with what they follow from."""
    code = (
        "import json, time, numpy as np\n"
        "def best(f): return min(f() for _ in range(7))\n"
        "def timed(f):\n"
        "    t = time.perf_counter(); f(); return time.perf_counter() - t\n"
        "a = np.ones(1 << 28, 'f4'); m = np.ones((4096, 4096), 'f4')\n"
        "print(json.dumps([a.nbytes / best(lambda: timed(lambda: np.dot(a, a))),"
        " 2 * 4096**3 / best(lambda: timed(lambda: m @ m))]))"
    )
    environment = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS")}
    out = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, check=True)
    bandwidth, peak = json.loads(out.stdout)
    seconds = max(4 * rows * width / bandwidth, 4 * rows * width * classes / peak)
    return {"ms": 1e3 * seconds, "bandwidth_GB_s": bandwidth / 1e9, "peak_GFLOP_s": peak / 1e9}


def slope(run, few, many):
    return 1e3 * (run(many) - run(few)) / (many - few)


def epoch(cache, rows, classes, span, a, run):
    ours = ["train", cache, "--run", run, "--patience", 100000]
    timed = {"headstart": lambda n: headstart(*ours, "--epochs", n, threads=a.threads)[0]["seconds"]}
    timed["headstart, 1 thread"] = lambda n: headstart(*ours, "--epochs", n, threads=1)[0]["seconds"]
    for name in PEERS:
        timed[name] = lambda n, name=name: peer(name, cache, n, a.threads)[0]
    if rows > 100_000:
        timed = {name: timed[name] for name in ("headstart", "headstart, 1 thread", "pytorch sliced")}
    results = {name: [] for name in timed}
    for _ in range(a.rounds):
        for name, run_once in timed.items():
            results[name].append(slope(run_once, *span))
    results = {name: statistics.median(values) for name, values in results.items()}
    least = floor(rows, 2048, classes, a.threads)
    best = min(ms for name, ms in results.items() if name.startswith("pytorch"))
    return {"rows": rows, "classes": classes, "ms_per_epoch": results, "floor": least,
            "times_pytorch": best / results["headstart"], "times_floor": results["headstart"] / least["ms"]}


def batches(cache, rows, classes, a, work):
    """The fastest of all epochs beside the lowest of all floors: what else runs on the machine slows both, at times."""
    options = {f"batch {size}, {features}": ["--batch", size, "--lr", rate, "--features", features]
               for size, rate in [(32, 0.01), (256, 0.028), (1024, 0.057)] for features in ("f32", "bf16")}
    results = {name: {"ms": [], "peak_MB": []} for name in options}
    floors = []
    for _ in range(a.rounds):
        floors.append(floor(rows, 2048, classes, a.threads))
        for name, more in options.items():
            lines, _, peak = measured([BINARY, "train", cache, "--run", work / "run", "--patience", 100000, *more, "--epochs", 6,
                                       "--threads", a.threads, "--json-lines"], a.threads, lines=True)
            results[name]["ms"] += [1e3 * line["seconds"] for line in lines if line.get("event") == "epoch"]
            results[name]["peak_MB"].append(peak)
    least = min(floors, key=lambda one: one["ms"])
    for found in results.values():
        epochs = sorted(found["ms"])
        found.update(ms=epochs[0], median_ms=statistics.median(epochs), epochs=len(epochs), peak_MB=max(found["peak_MB"]))
        found["times_floor"] = found["ms"] / least["ms"]
    return results | {"floor": least, "floors_ms": [one["ms"] for one in floors]}


def optimum(a, work):
    answers = work / "optimum.json"
    command = [sys.executable, HERE / "optimum_vs_peers.py", "--rounds", a.rounds, "--threads", a.threads, "--json", answers]
    subprocess.run([str(part) for part in command], check=True)
    return json.loads(answers.read_text())


def heads(cache, a, work):
    args = ["--epochs", 30, "--patience", 100000]
    results = {"fit": [], "command": []}
    for _ in range(a.rounds):
        one, one_wall, _ = headstart("train", cache, "--run", work / "one", *args, threads=a.threads)
        grid = ["--lr", "0.001,0.003,0.01,0.03,0.1", "--seeds", 20]
        many, many_wall, _ = headstart("sweep", cache, "--runs", work / "many", "--select", "validation", *grid, *args, threads=a.threads)
        results["fit"].append((one["seconds"], many["seconds"], many["seconds"] / one["seconds"]))
        results["command"].append((one_wall, many_wall, many_wall / one_wall))
    return {name: dict(zip(("one_s", "hundred_s", "times"), sorted(values, key=lambda v: v[2])[len(values) // 2]))
            for name, values in results.items()}


def adam(cache, a, work):
    whole = ["--batch", 1000000, "--patience", 1000]
    headstart("train", cache, "--run", work / "start", *whole, "--epochs", 1, "--lr", 1e-30)
    args = ["--init", work / "start", "--epochs", 100, "--lr", 0.001, "--l2", 0.01]
    headstart("train", cache, "--run", work / "steps", *whole, *args)
    command = [sys.executable, HERE / "training/adam_steps.py", work / "start", work / "steps", cache]
    return measured(command, a.threads)[0]


def memory(cache, rows, a, work):
    size = max(rows * 2048 * 4 // 10 >> 20, 64)
    args = ["train", cache, "--run", work / "streamed", "--memory", f"{size}MiB", "--patience", 1000]
    few, _, _ = headstart(*args, "--epochs", 1, threads=a.threads)
    many, _, peak = headstart(*args, "--epochs", 4, threads=a.threads)
    code = (
        "import glob, sys, time, pyarrow.parquet as pq\n"
        "t = time.perf_counter()\n"
        "n = sum(pq.read_table(p, columns=['embedding']).num_rows for p in glob.glob(sys.argv[1] + '/features/*'))\n"
        "print(n / (time.perf_counter() - t))"
    )
    bare = statistics.median(
        measured([sys.executable, "-c", code, cache], a.threads)[0] for _ in range(max(a.rounds, 3))
    )
    rate = 3 * rows / (many["seconds"] - few["seconds"])
    return {"memory_MiB": size, "peak_MB": peak, "rows_per_s": rate, "pyarrow_rows_per_s": bare, "share": rate / bare,
            "validation_loss": many["validation"]["loss"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--only", default="epoch,batches,optimum,heads,adam,memory")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args()
    sys.path.insert(0, str(HERE / "training"))
    from data import write

    only, results = a.only.split(","), {}
    with tempfile.TemporaryDirectory() as temporary:
        work = a.work or pathlib.Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        sizes = [(1027, 68, 10), (2054, 68, 10), (5135, 68, 10)] + ([(a.large, 2000, 100)] if a.large else [])
        for rows, validation, classes in sizes:
            cache = work / f"cache-{rows}"
            if not cache.exists():
                write(cache, rows, validation, classes)
            if "epoch" in only:
                span = (15, 115) if rows <= 10_000 else (3, 8)
                results[f"epoch, {rows} rows"] = epoch(cache, rows, classes, span, a, work / "run")
                print(json.dumps(results[f"epoch, {rows} rows"], indent=1), flush=True)
        middle, large = work / "cache-5135", work / f"cache-{sizes[-1][0]}"
        others = {"batches": lambda: batches(large, *sizes[-1][::2], a, work),
                  "optimum": lambda: optimum(a, work),
                  "heads": lambda: heads(middle, a, work),
                  "adam": lambda: adam(middle, a, work), "memory": lambda: memory(large, sizes[-1][0], a, work)}
        for name, measure in others.items():
            if name in only:
                results[name] = measure()
                print(name, json.dumps(results[name], indent=1), flush=True)
    if a.json:
        a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
