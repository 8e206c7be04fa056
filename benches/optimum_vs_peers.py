"""The optimum of the head by L-BFGS, beside scikit-learn and linfa, to the same norm of the gradient.

    python benches/optimum_vs_peers.py [--sizes 1027x10,1027x100,5135x10,...] [--l2 0.0001] [--rounds 3] [--threads 2]
                             [--linfa-rows 6000] [--cache CACHE] [--binary FILE] [--json FILE]

Each size is rows x classes of drawn features of width 2,048; --cache takes the train rows of a cache instead, variant none.
headstart fits first; its norm of the gradient, in float64 at the head that it saved, is the goal of the others. scikit-learn
(lbfgs and newton-cg, float32 and float64 features) is given smaller and smaller tolerances until it reaches the goal; the
seconds are those of that fit alone, and a solver that does not reach it is left out of the ratio. linfa (`--solver
lbfgs-linfa`) ends where its own tolerance is, and is left out for more rows than --linfa-rows. Rounds interleave the programs; medians are reported, with how often headstart is faster than the
fastest peer."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BINARY = HERE.parent / "target/release/headstart"
PEERS = [(solver, dtype) for solver in ("lbfgs", "newton-cg") for dtype in ("float32", "float64")]


def headstart(binary, cache, run, solver, l2, threads):
    command = [binary, "train", cache, "--run", run, "--use", "none", "--solver", solver, "--l2", l2,
               "--threads", threads, "--allow-unconverged", "--json"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def peer(cache, run, solver, dtype, l2, goal, threads):
    """Seconds of scikit-learn to a gradient no larger than `goal`; for the solver `head`, the gradient of the run's head."""
    environment = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS")}
    command = [sys.executable, HERE / "training/optimum.py", cache, run, solver, dtype, l2, goal]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measure(cache, rows, a, work):
    run, seconds, other = work / "run", {}, {}
    for _ in range(a.rounds):
        ours = headstart(a.binary, cache, run, "lbfgs", a.l2, a.threads)
        own = peer(cache, run, "head", "float64", a.l2, 0, a.threads)
        goal = own["gradient"]
        seconds.setdefault("headstart", []).append(ours["seconds"])
        other["headstart"] = {**ours["convergence"], "float64": own}
        if rows <= a.linfa_rows:
            linfa = headstart(a.binary, cache, work / "linfa", "lbfgs-linfa", a.l2, a.threads)
            seconds.setdefault("linfa", []).append(linfa["seconds"])
            other["linfa"] = linfa["convergence"]
        for solver, dtype in PEERS:
            found = peer(cache, run, solver, dtype, a.l2, goal, a.threads)
            name = f"scikit-learn {solver} {dtype}"
            other[name] = found
            if found["reached"]:
                seconds.setdefault(name, []).append(found["seconds"])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    peers = [value for name, value in medians.items() if name.startswith("scikit")]
    return {"rows": rows, "l2": a.l2, "seconds": medians, "details": other,
            "times_best_scikit_learn": min(peers) / medians["headstart"] if peers else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1027x10,1027x100,5135x10,5135x100,50000x10,50000x100")
    parser.add_argument("--l2", default="0.0001")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--linfa-rows", type=int, default=6000)
    parser.add_argument("--cache", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    parser.add_argument("--json", type=pathlib.Path)
    a = parser.parse_args()
    sys.path.insert(0, str(HERE / "training"))
    from data import write

    results = []
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        sizes = [tuple(map(int, size.split("x"))) for size in a.sizes.split(",")]
        for rows, classes in [(0, 0)] if a.cache else sizes:
            cache = a.cache or work / f"cache-{rows}-{classes}"
            if not a.cache:
                write(cache, rows, max(10 * classes, 68), classes)
            results.append({"classes": classes} | measure(cache, rows, a, work))
            print(json.dumps(results[-1], indent=1), flush=True)
    if a.json:
        a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
