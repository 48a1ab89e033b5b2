"""The two commands of the README. They need a Python with venv and pip, and the package index; nothing else.

    python3 dev.py demo                  the main job: uv#7003 before and after, with real uv
    python3 dev.py test [pytest args]    lint, types and all tests

What they need goes into the folder .dev beside this file (and .tox), nothing into the Python that runs them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE / ".dev"
PYTHON = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PACKAGES = ("filelock", "pip", "tox", "uv")


def main(argv: list[str]) -> int:
    """Run the command that *argv* names and give its exit status."""
    if sys.version_info < (3, 9):  # noqa: UP036 - who runs this file chose the Python
        return _complain("dev.py needs Python 3.9 or newer, this is " + sys.version.split()[0])
    word, rest = (argv[0], argv[1:]) if argv else ("", [])
    if word == "demo" and not rest:
        command = [str(HERE / "tests" / "demo.py")]
    elif word == "test":
        command = ["-m", "tox", "run", "-e", "lint,py", "--", *rest]
    else:
        return _complain(f"dev.py does not know {' '.join(argv)!r}; it is one of:\n{__doc__.split(chr(10), 1)[1]}")
    if not _prepare():
        return _complain(f"dev.py could not set up {HOME}: it needs Python's venv and pip, and the package index")
    return subprocess.call([str(PYTHON), *command], cwd=HERE)  # noqa: S603


def _prepare() -> bool:
    """Make the environment in .dev, or leave it as it is where it is whole and for this Python."""
    stamp = HOME / "made-for.txt"
    wanted = "\n".join([sys.version, sys.base_prefix, *PACKAGES])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return True
    print(f"Setting up {HOME} ...", flush=True)  # noqa: T201
    try:
        venv.create(HOME, clear=True, with_pip=True, symlinks=os.name != "nt")
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        subprocess.run([*pip, *PACKAGES], check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return False
    stamp.write_text(wanted, encoding="utf-8")
    return True


def _complain(message: str) -> int:
    """Say what is wrong."""
    print(message, file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
