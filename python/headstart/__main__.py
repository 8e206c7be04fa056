"""`python -m headstart ...` is the command."""

import subprocess
import sys

from ._command import executable

sys.exit(subprocess.call([executable(), *sys.argv[1:]]))
