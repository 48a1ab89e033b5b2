"""What is published: the sdist and the wheel, and the files that people find in the repository."""

from __future__ import annotations

import ast
import email.parser
import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import keyring_fallback
from support import machine
from support.environments import run

if TYPE_CHECKING:
    from support.environments import Environments

REPOSITORY = Path(__file__).parent.parent
PACKAGE = Path(keyring_fallback.__file__).parent


def build(folder: Path) -> list[Path]:
    """Build sdist and wheel as `python -m build` does: the wheel from the sdist."""
    run([machine.uv(), "build", "--quiet", "--out-dir", folder, REPOSITORY], env=machine.building(), check=True)
    return sorted(path for path in folder.iterdir() if path.suffix in (".gz", ".whl"))


def committed() -> list[str]:
    """The names of the committed files; the test is skipped where there is no repository."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs the repository")
    names = run(["git", "ls-files", "-z"], cwd=REPOSITORY, env=dict(machine.ENVIRON), check=True).stdout
    return names.rstrip("\0").split("\0")


def held(sdist: Path) -> set[str]:
    """The names of what an sdist holds, below its folder."""
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="session")
def built(shared_environments: Environments) -> list[Path]:
    """The sdist and the wheel."""
    if not (REPOSITORY / "src").exists():
        pytest.skip("the sources are not here: nothing can be built")
    return sorted(path for path in shared_environments.once("dist", build).iterdir() if path.suffix in (".gz", ".whl"))


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> email.message.Message:
    """What the wheel says about itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_builds_are_reproducible(built: list[Path], tmp_path: Path) -> None:
    """A second build has the same bytes."""
    again = build(tmp_path / "again")
    assert [path.name for path in built] == [path.name for path in again]
    assert [path.read_bytes() for path in built] == [path.read_bytes() for path in again]


def test_twine_check(built: list[Path], shared_environments: Environments, python: Path) -> None:
    """``twine check --strict`` passes."""
    result = shared_environments.get(python, "twine").run(["-m", "twine", "check", "--strict", *built])
    assert 0 == result.returncode, result.stdout


def test_wheel_holds_what_it_should(wheel: Path) -> None:
    """The wheel has the modules of this package, py.typed, the licence and metadata, nothing else, and stays small."""
    assert wheel.stat().st_size < 197_500  # the aim is 130 kB: it must not grow further
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"keyring_fallback-{keyring_fallback.__version__}.dist-info"
    files = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*") if path.is_file()]
    modules = {path.as_posix() for path in files if "__pycache__" not in path.parts}
    assert "keyring_fallback/py.typed" in modules
    expected = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert modules | expected == names


def test_sdist_holds_the_tests_and_the_documents(built: list[Path]) -> None:
    """Who packages it for a distribution finds the tests and the documents in the sdist, and no stray files."""
    names = held(next(path for path in built if path.suffix == ".gz"))
    wanted = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "tox.ini",
        "dev.py",
        ".ci/run",
    }
    assert wanted | {"tests/conftest.py", "docs/how-it-works.md", "src/keyring_fallback/py.typed"} <= names
    assert set() == {name for name in names if "__pycache__" in name or name.startswith((".dev", ".tox", "dist"))}


def test_sdist_holds_all_that_is_committed(built: list[Path]) -> None:
    """The sdist's own tests find there what they find in the repository."""
    names = held(next(path for path in built if path.suffix == ".gz"))
    assert [] == [name for name in committed() if name not in names]


def test_lines_end_alike_everywhere() -> None:
    """git gives a checkout on Windows the same bytes, and so does a build there."""
    committed()
    listed = run(["git", "ls-files", "--eol"], cwd=REPOSITORY, env=dict(machine.ENVIRON), check=True).stdout
    ends = {re.sub(r"\s+", " ", line.partition("\t")[0]).strip() for line in listed.splitlines()}
    assert {f"i/{kind} w/{kind} attr/text=auto eol=lf" for kind in ("lf", "none")} >= ends


def test_metadata_that_every_tool_reads(metadata: email.message.Message) -> None:
    """The metadata has the first version that knows licence expressions (PEP 639), whatever hatchling builds it."""
    assert "2.4" == metadata["Metadata-Version"]


def test_dependencies_are_three(metadata: email.message.Message) -> None:
    """What goes into everybody's environment: keyring, jaraco.classes, importlib-metadata below Python 3.12."""
    required = metadata.get_all("Requires-Dist") or []
    assert ["importlib-metadata", "jaraco-classes", "keyring"] == sorted(
        re.split(r"[<>=; ]", one)[0].replace(".", "-") for one in required
    )
    (backport,) = [one for one in required if one.startswith("importlib-metadata")]
    assert "python_version < '3.12'" in backport.replace('"', "'")


def test_entry_point_names_a_module(wheel: Path) -> None:
    """keyring finds us in its group, by a module: a class would be instantiated for nothing."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        text = archive.read(name).decode()
    assert "[keyring.backends]\nfallback = keyring_fallback.plugin\n" in text


def test_version_stands_in_one_place(metadata: email.message.Message) -> None:
    """The version is that of the package, and nowhere else in the project's files."""
    assert keyring_fallback.__version__ == metadata["Version"]
    assert "version =" not in (REPOSITORY / "pyproject.toml").read_text().split("[tool.")[0].replace("dynamic", "")


def test_classifiers_agree_with_tox(metadata: email.message.Message) -> None:
    """Each Python of the classifiers has an environment in tox.ini, and the lowest is requires-python."""
    pythons = [
        name.rpartition(" ")[2] for name in metadata.get_all("Classifier") or [] if re.search(r":: 3\.\d+$", name)
    ]
    line = re.search(r"py3\{([\d,]+)\}", (REPOSITORY / "tox.ini").read_text())
    assert line is not None
    assert [f"3.{minor}" for minor in line[1].split(",")] == pythons
    assert f">={pythons[0]}" == metadata["Requires-Python"]


#: Modules that are missing on one of the systems.
POSIX_ONLY = ["_posixsubprocess", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"]
WINDOWS_ONLY = ["_winapi", "msvcrt", "winreg", "nt"]
#: Modules of ours that only one of the systems ever loads, and what is missing on the other.
OF_ONE_SYSTEM = {"keyring_fallback.helper.far": POSIX_ONLY, "keyring_fallback.helper.windows": WINDOWS_ONLY}


@pytest.mark.parametrize("absent", [POSIX_ONLY, WINDOWS_ONLY], ids=["POSIX", "Windows"])
def test_every_module_imports_where_system_modules_are_absent(absent: list[str]) -> None:
    """No module of ours needs a module of one system at import, but those that only that system loads."""
    files = [path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = [".".join(file.parts) for file in files if file.name not in ("__main__", "__init__", "start")]
    others = WINDOWS_ONLY if sys.platform != "win32" else POSIX_ONLY  # what is missing here anyhow
    names = [name for name in names if OF_ONE_SYSTEM.get(name) not in (absent, others)]
    code = f"""
import importlib, os, sys
import keyring.backends.chainer, subprocess, threading, configparser, json, logging, select, selectors
before = set(sys.modules)
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError(name)
for name in {absent!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for name in {names!r}:
    importlib.import_module(name)
"""
    result = run([sys.executable, "-c", code], env=dict(os.environ))
    assert ("", 0) == (result.stderr, result.returncode)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "tests").rglob("*.py")), ids=lambda path: path.name)
def test_every_test_says_what_it_proves(path: Path) -> None:
    """Each test, fixture and test module has a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert [] == [function.name for function in functions if not ast.get_docstring(function)]


#: Where it is said which indexes are public, so that nobody is asked for a password for them.
PUBLIC = ("docs/troubleshooting.md", "src/keyring_fallback/doctor/told.py", "tests/test_doctor_indexes.py")


def test_no_machine_in_what_is_committed() -> None:
    """No committed file names this machine's folders or a package registry's host, but where the doctor knows it."""
    home = os.fspath(machine.homes()[0])
    forbidden = [host for host in ("pypi" + ".org", "pythonhosted" + ".org") if host]
    forbidden += [f"{home}/"] if len(home) > 1 else []
    found = []
    for name in committed():
        text = (REPOSITORY / name).read_bytes().decode("utf-8", "replace")
        words = forbidden[2:] if name in PUBLIC else forbidden
        found += [f"{name}: {word}" for word in words if word in text]
    assert [] == found
