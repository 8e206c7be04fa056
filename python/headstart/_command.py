"""Calls the program that came with this package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, Optional, Union

Argument = Union[str, "os.PathLike[str]", int, float]

#: The program finished, and some inputs could not be used.
FINISHED_WITH_REFUSALS = 3


class HeadstartError(RuntimeError):
    """A failure that the command reports: `message` with its path, and the `remedy` where one is known.

    `returncode` is that of the command: 1 failed, 2 wrong arguments, above 128 stopped by a signal.
    """

    def __init__(self, message: str, remedy: Optional[str], returncode: int) -> None:
        super().__init__(message if remedy is None else f"{message}\n  help: {remedy}")
        self.message = message
        self.remedy = remedy
        self.returncode = returncode


def executable() -> str:
    """The path of the program: that of this installation, or else the one on the search path."""
    name = "headstart" + (sysconfig.get_config_var("EXE") or "")
    user = "nt_user" if os.name == "nt" else "posix_user"
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", user)]
    # pip install --target DIR puts the program into DIR/bin.
    folders.append(str(Path(__file__).parent.parent / "bin"))
    for folder in folders:
        if (Path(folder) / name).is_file():
            return str(Path(folder) / name)
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is neither in {', '.join(folders)} nor on the search path")
    return found


def run(*arguments: Argument, progress: bool = True) -> Any:
    """Runs the command and returns its result, as `--json` prints it.

    `run("extract", "photos", cache="c")` is not supported: give the options as they are typed, as in
    `run("extract", "photos", "--cache", "c")`. With `progress`, notes and progress go to `sys.stderr` while it runs.
    Files that could not be used are no failure; most results list them as `refused`.
    """
    command = [executable(), *[os.fspath(a) if isinstance(a, os.PathLike) else str(a) for a in arguments], "--json"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        import threading

        said: list[str] = []
        listener = threading.Thread(target=_listen, args=(process.stderr, said, progress))
        listener.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read()
        except BaseException:
            # As Ctrl-C in a shell: what is under way is finished and kept.
            process.terminate()
            raise
        finally:
            listener.join()
        returncode = process.wait()
    if returncode not in (0, FINISHED_WITH_REFUSALS):
        raise _error(said, returncode)
    return json.loads(output) if output.strip() else None


def _listen(stream: Any, said: list[str], progress: bool) -> None:
    for line in stream:
        said.append(line.rstrip("\n"))
        if progress:
            print(line, end="", file=sys.stderr, flush=True)


def _error(said: list[str], returncode: int) -> HeadstartError:
    starts = [at for at, line in enumerate(said) if line.startswith("error: ")]
    if not starts:
        return HeadstartError("\n".join(said) or "it ended without a word", None, returncode)
    lines = said[starts[-1] :]
    helps = [at for at, line in enumerate(lines) if line.startswith("  help: ")]
    message = "\n".join(lines[: helps[0]] if helps else lines).removeprefix("error: ").strip()
    remedy = "\n".join(lines[helps[0] :]).removeprefix("  help: ").strip() if helps else None
    return HeadstartError(message, remedy, returncode)
