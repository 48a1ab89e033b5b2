"""Runs tests on a pretended Mac, as root on Linux: ``python tests/mac.py [pytest's arguments]``.

There is no /proc, ``ps`` takes only the options that macOS' takes, and every interpreter of the tests' environments says
that it is on macOS (``support/mac/sitecustomize.py``). What that cannot show: the Keychain, APFS, frameworks, Rosetta.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
MAC = TESTS / "support" / "mac"
#: What is about processes and platforms, and stands it.
FILES = (
    *("test_hostile_tool", "test_hostile_surroundings", "test_helper", "test_bridge", "test_waiting", "test_secrets"),
    *("test_config", "test_discovery", "test_environment", "test_executable", "test_places"),
    *("test_trust", "test_untrusted"),
)
#: What in them is neither, and the same wherever it runs: what providers raise, the form of replies, values, variables.
ANYWHERE = (
    "test_hostile_tool.py::test_provider_that_fails",
    "test_hostile_tool.py::test_password_in_a_providers_message",
    "test_hostile_tool.py::test_credential_that_is_none",
    "test_hostile_tool.py::test_provider_that_cannot_be_loaded",
    "test_hostile_tool.py::test_interpreter_that_speaks_badly[a reply that is ",
    "test_hostile_surroundings.py::test_variables",
    "test_hostile_surroundings.py::test_poison",
    "test_hostile_surroundings.py::test_settings_that_make_no_sense",
    "test_hostile_surroundings.py::test_threads",
    "test_hostile_surroundings.py::test_time_limit_of_the_program_itself[lent",
)
#: In a mount namespace of its own: /proc is empty, and its real contents are at a place that only ``ps`` knows.
WORLD = """
mount --make-rprivate /
mount --bind /proc "$1"
mount --bind "$2" "$(readlink -f /bin/ps)"
mount --bind "$3" /proc
shift 3
exec "$@"
"""


def main(arguments: list[str]) -> int:
    """Run pytest there; give its exit status, or 0 where there can be no such world."""
    if not sys.platform.startswith("linux") or os.getuid() != 0 or not shutil.which("unshare"):
        print("1 skipped: a pretended Mac needs root on Linux, and unshare")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        ps, real, empty = (os.path.join(folder, name) for name in ("ps", "real", "empty"))
        os.mkdir(real)
        os.mkdir(empty)
        Path(ps).write_text((MAC / "ps").read_text(encoding="utf-8").replace("@REAL_PROC@", real), encoding="utf-8")
        os.chmod(ps, 0o755)  # noqa: S103 - all may run it
        variables = {"KEYRING_FALLBACK_MAC": os.fspath(MAC), "PYTHONPATH": os.fspath(MAC)}
        if not arguments:
            arguments = [os.fspath(TESTS / f"{name}.py") for name in FILES]
            arguments += [f"--deselect=tests/{name}" for name in ANYWHERE]
        tests = [sys.executable, "-m", "pytest", "-n", "4", "--reruns", "1", *arguments]
        world = ["unshare", "-m", "sh", "-ec", WORLD, "sh", real, ps, empty, *tests]
        return subprocess.call(world, env={**os.environ, **variables})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
