"""What of this program's surroundings would mislead another Python does not reach it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Callable

import pytest

from keyring_fallback import config, survey
from keyring_fallback.delegation.environ import DROPPED, child_environ
from keyring_fallback.discovery import places
from keyring_fallback.discovery.tool import Findings, Tool
from keyring_fallback.here import NESTED
from support import machine, trees

if TYPE_CHECKING:
    from pathlib import Path

#: What an interpreter is like, as far as variables could change it.
STATE = """\
import faulthandler, json, locale, site, sys, sysconfig, tracemalloc
names = ["prefix", "exec_prefix", "base_prefix", "executable", "path", "platlibdir", "pycache_prefix", "warnoptions"]
names += ["dont_write_bytecode", "_xoptions", "flags", "_base_executable"]
state = {name: repr(getattr(sys, name, None)) for name in names}
try: state["configuration"] = [sysconfig.get_paths(), sysconfig.get_platform(), sysconfig.get_config_vars()]
except ImportError as error: state["configuration"] = str(error)
state["encodings"] = [sys.stdin.encoding, sys.stdout.errors, sys.getfilesystemencoding(), locale.setlocale(locale.LC_CTYPE)]
state["else"] = [faulthandler.is_enabled(), tracemalloc.is_tracing(), site.getuserbase()]
print(json.dumps(state, sort_keys=True, default=repr))
"""
#: Says where the user's own packages are: it is the user's word, and what is without -I reads it too.
KEPT = {"PYTHONUSERBASE"}
#: What only an interpreter without -I reads.
WITHOUT = {"PYTHONHOME", "PYTHONPATH"}


def state(python: Path, *names: str) -> str:
    """What an isolated interpreter is like with some variables set."""
    environ = {"PATH": os.defpath, "HOME": "/", "LC_ALL": "C.UTF-8", **dict.fromkeys(names, "/nonsense/python")}
    done = subprocess.run([python, "-I", "-c", STATE], env=environ, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def variables(python: Path) -> set[str]:
    """All variables of Python's that an interpreter has in its binary or its library, wherever it reads them."""
    paths = "import json, os, sysconfig; print(json.dumps([os.__file__, sysconfig.get_config_var('LIBDIR')]))"
    library, libraries = json.loads(subprocess.check_output([python, "-I", "-c", paths]))
    folder = os.path.dirname(library)
    files = [os.path.realpath(python)]
    files += [
        os.path.join(libraries, one) for one in os.listdir(libraries) if one.startswith("libpython") and "so" in one
    ]
    files += [
        os.path.join(folder, f"{name}.py") for name in ("site", "os", "sysconfig", "subprocess", "locale", "warnings")
    ]
    files += [os.path.join(folder, "sysconfig", "__init__.py")]
    found = {"__PYVENV_LAUNCHER__"}
    for file in filter(os.path.isfile, files):
        with open(file, "rb") as opened:
            found |= {one.decode() for one in re.findall(rb"(?:(?<=ENV_)|\b)_?PYTHON[A-Z_0-9]+\b", opened.read())}
    return found


@pytest.mark.skipif(machine.WINDOWS, reason="the variables of a start on POSIX")
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_what_an_isolated_start_reads(interpreter: Callable[[str], Path], version: str) -> None:
    """Of all variables that an interpreter knows, those that are not dropped have no effect on one that is isolated."""
    python = interpreter(version)
    known = variables(python)
    assert {"PYTHONHOME", "PYTHONPATH", "PYTHONUTF8", "_PYTHON_PROJECT_BASE"} <= known
    assert state(python) == state(python, *known - set(DROPPED) - KEPT)


@pytest.mark.skipif(machine.WINDOWS, reason="the variables of a start on POSIX")
def test_what_is_dropped_has_an_effect(interpreter: Callable[[str], Path]) -> None:
    """Each variable that is dropped changes a start with -I of one of two interpreters, or is known to be read without."""
    pythons = [interpreter("3.11"), interpreter("3.13")]
    plain = list(map(state, pythons))
    for name in set(DROPPED) - WITHOUT:
        assert plain != [state(python, name) for python in pythons], name


#: What tells the loaders of Linux, AIX and macOS of libraries (ld.so(8), AIX' load, dyld(1)).
LOADERS = (
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "LIBPATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"),
    *("DYLD_FALLBACK_LIBRARY_PATH", "DYLD_FALLBACK_FRAMEWORK_PATH", "DYLD_INSERT_LIBRARIES"),
)
LIBRARIES = {
    "every variable": (dict.fromkeys(LOADERS, "/b/x:/o"), dict.fromkeys(LOADERS, "/o")),
    "a frozen program": ({"LD_LIBRARY_PATH": "/b/x", "LD_LIBRARY_PATH_ORIG": "/o:/p"}, {"LD_LIBRARY_PATH": "/o:/p"}),
    "nothing before": ({"LD_LIBRARY_PATH": "/b/x"}, {}),
    "a folder with a similar name": ({"LD_LIBRARY_PATH": "/bx:/b:/b/lib/"}, {"LD_LIBRARY_PATH": "/bx"}),
    "an AppImage": (
        {"LD_LIBRARY_PATH": "/b/usr/lib:/opt/lib", "LD_PRELOAD": "/b/exec.so"},
        {"LD_LIBRARY_PATH": "/opt/lib"},
    ),
    "macOS": ({"DYLD_LIBRARY_PATH": "/b", "DYLD_FRAMEWORK_PATH": "/b/f:/f"}, {"DYLD_FRAMEWORK_PATH": "/f"}),
}


@pytest.mark.parametrize("case", LIBRARIES)
def test_the_libraries_of_a_bundle(tmp_path: Path, case: str) -> None:
    """A tool gets the libraries that the program had before it was unpacked, not those of the program."""
    environ, expected = LIBRARIES[case]
    root = os.fspath(tmp_path / "tool")
    for bundle, wanted in (("/b", expected), ("", environ)):
        here = trees.make_here(tmp_path, environ=environ)._replace(bundle=bundle)
        now = survey.Survey(config.Settings(), here, Findings(), survey.State.DELEGATING)
        assert {**wanted, NESTED: "1"} == child_environ(
            now, Tool(places.UV, root, root, os.path.join(root, "bin", "python"))
        )
