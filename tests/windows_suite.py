"""Runs test files on the Windows Python under Wine: ``python tests/windows_suite.py [NAME...] [-- PYTEST ARGUMENTS]``.

NAME is what stands between ``test_`` and ``.py``; without one it runs those of `NAMES`: half an hour on an idle machine.
There is no package index over there: uv.exe takes what the tests install from wheels that are downloaded for it. What is
made of them (environments, tools) is shared by all files of a run.
"""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from pathlib import Path

from support import environments, machine, wine

#: Those that have been seen to pass there.
NAMES = [
    "config",
    "places",
    "executable",
    "discovery",
    "environment",
    "helper",
    "bridge",
    "secrets",
    "conformance",
    "threads",
    "backends",
]
#: What is installed over there, and what the tests install themselves.
_NEEDED = ("pytest", "pytest-timeout", "filelock", "hypothesis", "jsonschema", "uv")
_MORE = (("rich", "keyrings.alt", "hatchling", "editables"), ("keyring==23.0.0",), ("keyring==23.9.3",))
_REPOSITORY = Path(__file__).parent.parent
#: Seconds for a file, for one test in it, after which the file has failed; Wine looks through a whole folder for each new
#: file, so that tests with twenty thousand take hours.
_SECONDS = 1800.0
_OPTIONS = (
    "-p",
    "no:cacheprovider",
    "--tb=short",
    "-q",
    "-rf",
    "--timeout=240",
    "--deselect=tests/test_environment.py::test_budget",
)


def main(argv: list[str]) -> int:
    """Run the test files that *argv* names; the exit status is pytest's."""
    split = argv.index("--") if "--" in argv else len(argv)
    names, options = argv[:split], argv[split + 1 :]
    try:
        windows = wine.ready()
    except wine.MissingError as error:
        print(f"skipped: {error}")  # noqa: T201 - who runs this reads it
        return 0
    # among the system's programs, as a tool has to be that is not in the user's profile: tests have one each
    shared = windows.drive / "Program Files" / f"tests-{uuid.uuid4().hex[:8]}"
    with machine.temporary_folder("keyring-fallback-windows-") as folder:
        wheels = _wheels(windows.wheels.parent / "suite")
        wheel = environments.build_wheel(_REPOSITORY, folder / "wheel")
        venv = windows.venv(folder / "venv")
        windows.install(venv, wheel, *_NEEDED, find=wheels)
        shutil.copytree(_REPOSITORY / "tests", folder / "run" / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for one in ("pyproject.toml", "docs", "README.md"):
            source = _REPOSITORY / one
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / "run" / one)
        settings = folder / "uv.toml"
        found = [windows.windows(one) for one in (windows.wheels, wheels)]
        settings.write_text(f'no-index = true\noffline = true\nfind-links = {found}\nlink-mode = "copy"\n')
        variables: environments.Keywords = {
            "UV_CONFIG_FILE": windows.windows(settings),
            "KEYRING_FALLBACK_WHEEL": windows.windows(wheel),
            "KEYRING_FALLBACK_SHARED": windows.windows(shared),
        }
        failed = 0
        for one in names or NAMES:  # each on its own: what hangs takes no other with it
            begun = time.monotonic()
            command: list[environments.Text] = [venv.python, "-m", "pytest", *_OPTIONS, *options]
            done = windows.run([*command, f"tests/test_{one}.py"], cwd=folder / "run", timeout=_SECONDS, **variables)
            seconds = time.monotonic() - begun
            print(f"== {one}: {seconds:.0f} s", done.stdout, done.stderr, sep="\n", flush=True)  # noqa: T201 - see above
            failed |= done.returncode
        shutil.rmtree(shared, ignore_errors=True)
        return failed


def _wheels(folder: Path) -> Path:
    """Return the folder with the wheels that are needed, which is filled where it is not."""
    done = folder / "done.txt"
    wanted = f"{_NEEDED} {_MORE}"
    if not done.is_file() or done.read_text() != wanted:
        for names in (_NEEDED, *_MORE):
            wine.download(folder, *names)
        done.write_text(wanted)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
