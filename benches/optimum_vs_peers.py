"""The optimum of the head by L-BFGS, beside scikit-learn and linfa, to the same norm of the gradient.

    python benches/optimum_vs_peers.py [--sizes 1027x10,1027x100,5135x10,...] [--l2 0.0001] [--rounds 3] [--threads 2]
                             [--linfa-rows 6000] [--limit 900] [--peers "newton-cg float64"] [--cache CACHE] [--binary FILE]
                             [--json FILE]

Each size is rows x classes of drawn features of width 2,048; --cache takes the train rows of a cache instead, variant none.
headstart fits first; its norm of the gradient, in float64 at the head that it saved, is the goal of the others. scikit-learn
(lbfgs and newton-cg, float32 and float64 features) is given smaller and smaller tolerances until it reaches the goal, and the
seconds are those of that fit alone; --peers leaves its other solvers out. A solver that gives up before the goal, or whose fit
takes longer than --limit seconds, is shown with the norm that it reached, left out of the ratio and not tried again in other
rounds. linfa (`--solver lbfgs-linfa`) ends where its own tolerance is, and is left out for more rows than --linfa-rows. Rounds
interleave the programs; the table has medians, the passes over the features of each search, and how many times as fast headstart is
as scikit-learn's fastest to the goal."""

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


def peer(cache, run, solver, dtype, goal, a, tolerance=None):
    """The fit of scikit-learn that comes to a gradient of `goal`, or nearest; for the solver `head`, the gradient of the run's
    head."""
    environment = os.environ | {f"{name}_NUM_THREADS": str(a.threads) for name in ("OMP", "OPENBLAS")}
    command = [sys.executable, HERE / "training/optimum.py", cache, run, solver, dtype, a.l2, goal, a.limit, tolerance or goal]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measure(cache, rows, a, work):
    """Seconds, iterations and norm of the gradient of each program; of the last round what is not seconds."""
    run, seconds, last = work / "run", {}, {}

    def add(name, reached, **found):
        if "seconds" in found:
            seconds.setdefault(name, []).append(found["seconds"])
        last[name] = {"reached": reached} | found

    for _ in range(a.rounds):
        ours = headstart(a.binary, cache, run, "lbfgs", a.l2, a.threads)
        own = peer(cache, run, "head", "float64", 0, a)
        # One product for the logits and one for the gradient, whatever the line search evaluates.
        passes = 2 + 2 * ours["convergence"]["iterations"]
        add("headstart", True, **ours["convergence"] | own, passes=passes, seconds=ours["seconds"])
        if rows <= a.linfa_rows:
            linfa = headstart(a.binary, cache, work / "linfa", "lbfgs-linfa", a.l2, a.threads)
            norm = peer(cache, work / "linfa", "head", "float64", 0, a)["gradient"]
            add("linfa", norm <= own["gradient"], **linfa["convergence"] | {"gradient": norm}, seconds=linfa["seconds"])
        for solver, dtype in a.peers:
            name = f"scikit-learn {solver} {dtype}"
            before = last.get(name, {"reached": True})
            if before["reached"]:
                add(name, **peer(cache, run, solver, dtype, own["gradient"], a, before.get("tolerance")))
        print(rows, {name: [round(value, 3) for value in values] for name, values in seconds.items()}, file=sys.stderr, flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    peers = [value for name, value in medians.items() if name.startswith("scikit") and last[name]["reached"]]
    return {"rows": rows, "l2": a.l2, "seconds": medians, "last_round": last,
            "times_best_scikit_learn": min(peers) / medians["headstart"] if peers else None}


def table(result):
    """One row a program."""
    size = f"{result['rows']:,} rows, {result['classes']} classes" if result["rows"] else "the train rows of the cache"
    lines = [f"\n{size}, l2 {result['l2']}\n", "| program | seconds | iterations | passes | norm of the gradient | |", "|---|--:|--:|--:|--:|---|"]
    for name, found in result["last_round"].items():
        if "gradient" not in found:
            lines.append(f"| {name} | - | - | - | - | no fit within the limit |")
            continue
        why = "the limit came first" if found.get("over_limit") else "ends before the goal"
        counts = " | ".join(str(found.get(name) or "-") for name in ("iterations", "passes"))
        lines.append(f"| {name} | {result['seconds'][name]:.2f} | {counts} | {found['gradient']:.1e} | {'' if found['reached'] else why} |")
    times = result["times_best_scikit_learn"]
    lines.append(f"\nheadstart is {times:.1f} times as fast as scikit-learn's best." if times else "\nscikit-learn did not reach the goal.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1027x10,1027x100,5135x10,5135x100,50000x10,50000x100")
    parser.add_argument("--l2", default="0.0001")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--linfa-rows", type=int, default=6000)
    parser.add_argument("--limit", type=float, default=900)
    parser.add_argument("--peers", type=lambda peers: [tuple(peer.split()) for peer in peers.split(",")], default=PEERS)
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
            print(table(results[-1]), flush=True)
            # What is measured stays, whatever happens to the larger sizes.
            if a.json:
                a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
