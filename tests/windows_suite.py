"""Runs test files on the Windows Python under Wine: ``python tests/windows_suite.py [NAME...] [-- PYTEST ARGUMENTS]``.

NAME is what stands between ``test_`` and ``.py``. Without one it runs those that have been seen to pass there; others may
want a package index over there, which it has not.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from support import environments, machine, wine

NAMES = ("config", "places", "executable")
_NEEDED = ("pytest", "filelock", "hypothesis", "jsonschema")
_REPOSITORY = Path(__file__).parent.parent
_SECONDS = 600.0


def main(argv: list[str]) -> int:
    """Run the test files that *argv* names; the exit status is pytest's."""
    names, _, options = " ".join(argv).partition("--")
    try:
        windows = wine.ready()
    except wine.MissingError as error:
        print(f"skipped: {error}")  # noqa: T201 - who runs this reads it
        return 0
    with machine.temporary_folder("keyring-fallback-windows-") as folder:
        wheels = windows.wheels.parent / "suite"
        if not wheels.is_dir():
            wine.download(wheels, *_NEEDED)
        venv = windows.venv(folder / "venv")
        windows.install(venv, environments.build_wheel(_REPOSITORY, folder / "wheel"), *_NEEDED, find=wheels)
        shutil.copytree(_REPOSITORY / "tests", folder / "run" / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for one in ("pyproject.toml", "docs", "README.md"):
            source = _REPOSITORY / one
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / "run" / one)
        failed = 0
        for one in names.split() or NAMES:  # each on its own: what hangs takes no other with it
            command = [venv.python, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-q", *options.split()]
            done = windows.run(
                [*command, f"tests/test_{one}.py"], cwd=folder / "run", timeout=_SECONDS, **_variables(windows)
            )
            print(f"== {one}", done.stdout, done.stderr, sep="\n", flush=True)  # noqa: T201 - who runs this reads it
            failed |= done.returncode
        return failed


def _variables(windows: wine.Windows) -> dict[str, str]:
    """Where environments over there come from: what was downloaded."""
    return {
        "UV_FIND_LINKS": windows.windows(windows.wheels),
        "UV_LINK_MODE": "copy",
        "KEYRING_FALLBACK_WHEEL": machine.ENVIRON.get("KEYRING_FALLBACK_WHEEL", ""),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
