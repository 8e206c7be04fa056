"""The rows of the environment matrix: a name and a bash script each, which ends in the one command to be looked at."""

from dataclasses import dataclass


@dataclass
class Row:
    name: str
    script: str
    # Exit codes that would be a failure elsewhere.
    may_end: tuple = ()


# `try COMMAND` prints its output and exit code; `left` at the end names processes that are still there.
PRELUDE = r"""
folder=
# Only the command itself is in the control group.
try() { (if [ "$folder" ]; then echo 0 > $folder/cgroup.procs; fi; "$@"); echo "ended $?"; }
untried() { echo "$*"; echo "ended 77"; exit; }
left() {
    for process in /proc/[0-9]*; do
        id=${process#/proc/}
        case "$(cat $process/cmdline 2> /dev/null | tr '\0' ' ')" in
            "" | timeout* | bash\ -c* | cat*) ;;
            *) echo "left $id: $(tr '\0' ' ' < $process/cmdline)" ;;
        esac
    done
}
# A control group with one limit, for what is tried: group CONTROLLER VERSION-1-FILE VERSION-2-FILE VALUE.
group() {
    if [ -d /sys/fs/cgroup/$1 ]; then folder=/sys/fs/cgroup/$1/$GROUP file=$2
    else folder=/sys/fs/cgroup/$GROUP file=$3; fi
    mkdir $folder 2> /dev/null && echo $4 > $folder/$file || untried "no control group of $1 can be made here"
}
tasks() { group pids pids.max pids.max $1; }
memory() { group memory memory.limit_in_bytes memory.max $1; }
# As a user of its own: root has no limit on tasks, and may read everything.
as_user() {
    user=$1; shift
    cp "$LIBRARY" library.so; chmod -R a+rwX .
    ORT_DYLIB_PATH=$PWD/library.so HOME=$PWD setpriv --reuid=$user --clear-groups "$@"
}
extract() { headstart extract in --cache c --backbone "$NETWORK" "$@"; }
cache() { extract "$@" > /dev/null 2>&1; }
run() { cache && headstart train c --run run --epochs 2 > /dev/null 2>&1; }
# What is in the folder becomes the lower layer of an overlay, as in the image of a container.
overlay() {
    mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w || untried "no tmpfs can be mounted"
    mount -t overlay overlay -o lowerdir=$PWD,upperdir=/mnt/u,workdir=/mnt/w $PWD ||
        untried "no overlay can be mounted"
    cd $PWD
}
small() { mkdir -p $1 && mount -t tmpfs -o $2 tmpfs $1 || untried "no tmpfs can be mounted"; }
# A copy of the installed library with zeros inside.
zeros() { cp "$LIBRARY" $1; dd if=/dev/zero of=$1 bs=1M count=10 seek=5 conv=notrunc status=none; }
# A copy of the whole installation, which headstart takes for its own.
own() { mkdir -p home/headstart; cp -r "$(dirname "$LIBRARY")" home/headstart; own=$(echo home/headstart/*/libonnx*); export XDG_CACHE_HOME=$PWD/home; }
# Starts a command, sends it a signal once a file is there, and waits: stopped SIGNAL FILE COMMAND.
stopped() {
    # With job control a program in the background does not ignore SIGINT.
    signal=$1 file=$2; shift 2; set -m
    "$@" & id=$!
    for _ in $(seq 1500); do [ -e $file ] && break; sleep 0.02; done
    kill -$signal $id; wait $id; echo "ended $?"; sleep 0.3
}
# A Python whose pip starts a child and never answers.
slow_pip() {
    mkdir bin; printf '#!/bin/sh\ncase "$*" in *--version*) exit;; esac\ntouch %s/started\nsleep 600\n' $PWD > bin/python3
    chmod +x bin/python3; export PATH=$PWD/bin:$PATH HOME=$PWD/home; mkdir home; unset ORT_DYLIB_PATH
}
"""

LIBRARY = [
    Row("`ORT_DYLIB_PATH`: zeros inside, `extract`", "zeros z.so; ORT_DYLIB_PATH=z.so try extract"),
    Row("`ORT_DYLIB_PATH`: zeros inside, `setup`", "zeros z.so; ORT_DYLIB_PATH=z.so try headstart setup --models $MODELS"),
    Row("`ORT_DYLIB_PATH`: zeros inside, `device`", "zeros z.so; ORT_DYLIB_PATH=z.so try headstart device"),
    Row("`ORT_DYLIB_PATH`: zeros inside, no `TMPDIR`, `device`", "zeros z.so; TMPDIR=/nonexistent ORT_DYLIB_PATH=z.so try headstart device"),
    Row("`ORT_DYLIB_PATH`: zeros inside, no `/bin/sh`, `device`", "zeros z.so; mount --bind /dev/null $(readlink -f /bin/sh) || "
        "untried 'nothing can be mounted'; ORT_DYLIB_PATH=z.so try headstart device"),
    Row("`ORT_DYLIB_PATH`: a pipe, `device`", "mkfifo z.so; ORT_DYLIB_PATH=z.so try headstart device"),
    Row("`ORT_DYLIB_PATH`: a text, `setup`", "date > t.txt; ORT_DYLIB_PATH=t.txt try headstart setup --models $MODELS"),
    Row("installed library with zeros inside, `extract`", "own; zeros $own; try extract"),
    Row("installed library with zeros inside, `device`", "own; zeros $own; try headstart device"),
    Row("installed library cut short, `extract`", "own; truncate -s 9M $own; try extract"),
    Row("installed library cut short, `setup --yes` without a network", "own; truncate -s 9M $own; try headstart setup --yes "
        "--models $MODELS"),
    Row("installation on a noexec mount, `setup`", "small home noexec,size=100m; own; try headstart setup --models $MODELS"),
    Row("no libstdc++, `extract`", "lib=$(ldconfig -p | sed -n 's/.*libstdc++.so.6 .*64.* => //p'); at=$(dirname $(readlink -f $lib)); "
        "small /mnt size=9m; mkdir /mnt/u /mnt/w; mount -t overlay overlay -o lowerdir=$at,upperdir=/mnt/u,workdir=/mnt/w $at "
        "|| untried 'no overlay can be mounted'; rm $at/libstdc++.so*; try extract"),
    Row("installation that another user may not read", "own; chmod -R a+rwX .; chmod 700 home/headstart/*; "
        "setpriv --reuid=64905 --clear-groups ./headstart device; echo ended $?"),
    Row("installation of 0.1.0 with zeros inside, `device`", "own; zeros $own; sed -i '/sha256\": {/,/}/d' home/headstart/*/installed.json; "
        "sed -zi 's/},\\s*}/}}/' home/headstart/*/installed.json; try headstart device"),
    Row("installation folder is a file, `device`", "own; rm -r home/headstart/*; touch $(dirname $own); try headstart device"),
    Row("nothing installed, no network, `demo`", "XDG_CACHE_HOME=$PWD/home try headstart demo"),
    Row("nothing installed, no network, `extract`", "XDG_CACHE_HOME=$PWD/home try extract"),
]

THREADS = [
    Row("pids cgroup of 40, `--threads 64`", "tasks 40; try extract --threads 64"),
    Row("pids cgroup of 14, `--threads 64`", "tasks 14; try extract --threads 64"),
    Row("pids cgroup of 14, SIGTERM after 5 s", "tasks 14; try timeout -s TERM 5 bash -c 'exec headstart extract in "
        "--cache c --threads 64 --backbone $NETWORK'", (124,)),
    Row("pids cgroup of 6", "tasks 6; try extract"),
    Row("pids cgroup of 3, `train --threads 8`", "cache; tasks 3; try headstart train c --run r --epochs 2 --threads 8"),
    Row("pids cgroup of 3, `train --solver lbfgs`", "cache; tasks 3; try headstart train c --run r --solver lbfgs --l2 0.01"),
    Row("pids cgroup of 3, `tensorboard`", "run; tasks 3; try headstart tensorboard run --logdir logs"),
    Row("pids cgroup of 3, `data summary`", "tasks 3; try headstart data summary in"),
    Row("pids cgroup of 3, `report`", "run; tasks 3; try headstart report run"),
    Row("pids cgroup of 3, `predict`", "run; tasks 3; try headstart predict run in/ant/0.png"),
    Row("`ulimit -u` 40, `--threads 64`", "as_user 64901 prlimit --nproc=40 bash -c 'headstart extract in --cache c "
        "--backbone $NETWORK --threads 64'; echo ended $?"),
    Row("`ulimit -u` 4", "as_user 64902 prlimit --nproc=4 headstart extract in --cache c --backbone $NETWORK; echo ended $?"),
    Row("`ulimit -u` 1, `train --threads 8`", "cache; as_user 64903 prlimit --nproc=1 headstart train c --run r --epochs 2 "
        "--threads 8; echo ended $?"),
]

MEMORY = [
    Row(f"memory cgroup of {size} MB, two threads", "[ -f $MODELS/nsfwjs.onnx ] || untried 'nsfwjs is not built'; rm "
        f"in/*/1?.png in/*/[4-9].png; memory {size}000000; try headstart extract in --cache c --models $MODELS --threads 2")
    for size in [900, 600, 400, 250]
] + [
    Row("`ulimit -v` of 500 MB, `extract`", "[ -f $MODELS/nsfwjs.onnx ] || untried 'nsfwjs is not built'; ulimit -v 500000; try headstart "
        "extract in --cache c --models $MODELS --threads 1 --batch 1"),
    Row("`ulimit -f` of 1 block, `train`", "cache; ulimit -f 1; try headstart train c --run r --epochs 1"),
]

FILES = [
    Row("overlay, run in the lower layer, `train`", "run; overlay; try headstart train c --run run --epochs 3"),
    Row("overlay, cache in the lower layer, `extract`", "cache; overlay; try extract --augment flip"),
    Row("overlay, cache in the lower layer, `cache compact`",
        "cache; cache --augment flip; overlay; try headstart cache compact c"),
    Row("ONNX Runtime on a noexec mount", "small m noexec,size=100m; cp $LIBRARY m/lib.so; ORT_DYLIB_PATH=m/lib.so try extract"),
    Row("cache on a tmpfs of 16 kB", "small m size=16k; try headstart extract in --cache m/c --backbone $NETWORK"),
    Row("run on a tmpfs of 16 kB", "cache; small m size=16k; try headstart train c --run m/run --epochs 2"),
    Row("cache on a read-only mount", "small m size=1m,ro; try headstart extract in --cache m/c --backbone $NETWORK"),
    Row("cache and run on a file system that folds case", "truncate -s 40m disk; mkfs.ext4 -q -O casefold disk && mkdir m && "
        "mount -o loop disk m && mkdir m/d && chattr +F m/d || untried 'no case-folding ext4 can be mounted'; "
        "headstart extract in --cache m/d/Cache --backbone $NETWORK > /dev/null; "
        "headstart train m/d/cache --run m/d/Run --epochs 2 > /dev/null; "
        "try headstart train m/d/CACHE --run m/d/RUN --epochs 2"),
]

PATHS = [
    Row("images: a dangling link", "ln -s nowhere odd; try headstart data summary odd"),
    Row("cache: a dangling link", "ln -s nowhere odd; try headstart extract in --cache odd --backbone $NETWORK"),
    Row("cache: below a file", "touch odd; try headstart extract in --cache odd/c --backbone $NETWORK"),
    Row("run: below a dangling link", "cache; ln -s nowhere odd; try headstart train c --run odd/run --epochs 2"),
    Row("run to be evaluated: a file", "touch odd; try headstart evaluate odd"),
    Row("current folder deleted", "mkdir gone; cd gone; rmdir ../gone; try headstart data summary ."),
    Row("current folder deleted, `train`", "mkdir gone; cd gone; rmdir ../gone; try headstart train c --run r"),
    Row("cache path that is not UTF-8", "try headstart extract in --cache $'c\\xff' --backbone $NETWORK"),
    Row("run of a cache whose path is not UTF-8", "cache; mv c $'c\\xff'; try headstart train $'c\\xff' --run r --epochs 2"),
]

TERMINAL = [
    Row("a failing network, `NO_COLOR`", "NO_COLOR=1 try headstart extract in --cache c --backbone $FAILING --preprocess unit "
        "--batch 4"),
    Row("`TERM=dumb` terminal, ten seconds of work", "[ -f $MODELS/nsfwjs.onnx ] || untried 'nsfwjs is not built'; "
        "TERM=dumb script -qec 'headstart extract in --cache c --threads 1 --augment shift:9 --models $MODELS' /dev/null > said; code=$?; "
        "echo \"$(grep -c ^embedding: said) lines of progress, $(grep -c $'\\x1b' said) with codes\"; echo ended $code"),
    Row("no `HOME`", "unset HOME; try headstart device"),
    Row("a user without a name or home", "unset HOME; setpriv --reuid=64904 --clear-groups ./headstart device; "
        "echo ended $?"),
]

STOPS = [
    Row(f"`{name}` stopped by {signal}", f"{before}; stopped {signal} {file} {command}", (137,))
    for signal in ["TERM", "INT", "HUP", "KILL"]
    for name, before, file, command in [
        ("extract", "true", "c/features", "headstart extract in --cache c --commit-every 0 --augment shift:3 --backbone $NETWORK"),
        ("train", "cache", "c", "headstart train c --run r --epochs 100000 --patience 100000"),
        ("setup", "slow_pip", "started", "headstart setup --yes --models m"),
        ("predict", "run; slow_pip", "started", "headstart predict run in/ant/0.png --yes"),
    ]
]

ROWS = LIBRARY + THREADS + MEMORY + FILES + PATHS + TERMINAL + STOPS
