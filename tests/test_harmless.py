"""Harmless: where there is nothing to delegate, everything is as without us, and keyring's own tests pass everywhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from support import environments, machine, trees
from support.stage import Stage

if TYPE_CHECKING:
    from support.environments import Environment, Environments

#: Uses all of keyring and prints what came of it.
EVERYTHING = """\
import json, sys
import keyring, keyring.backend, keyring.core, keyring.util.platform_
def shown(thing):
    if isinstance(thing, keyring.credentials.Credential): return [type(thing).__name__, thing.username, thing.password]
    return thing
seen = []
def record(call, *arguments):
    try: seen.append([call.__name__, repr(arguments), shown(call(*arguments))])
    except BaseException as error: seen.append([call.__name__, repr(arguments), type(error).__mro__[0].__name__, str(error)])
chosen = keyring.get_keyring()
seen.append([type(chosen).__module__ + "." + type(chosen).__name__, str(chosen), chosen.name, str(chosen.priority)])
seen.append(sorted(str(one) for one in keyring.backend.get_all_keyring()))
for service in ["https://host/simple/", "host", "", "raises", "https://pkgs.dev.azure.com/org/", "\\ud800\\0", None, 7]:
    for username in ["user", "", "raises", None]:
        record(keyring.get_password, service, username)
        record(keyring.get_credential, service, username)
        record(keyring.set_password, service, username, "password")
        record(keyring.get_password, service, username)
        record(keyring.delete_password, service, username)
        record(keyring.delete_password, service, username)
json.dump(seen, sys.stdout)
"""

#: A stand-in for the store of an operating system: in memory, and sometimes locked or broken.
STORE = """
class Store(backend.KeyringBackend):
    priority = 5
    kept = {}
    def check(self, service, username):
        if service == "raises": raise errors.KeyringLocked("the collection is locked")
        if username == "raises": raise OSError(5, "the daemon is gone")
    def get_password(self, service, username):
        self.check(service, username)
        return self.kept.get((service, username))
    def set_password(self, service, username, password):
        self.check(service, username)
        self.kept[service, username] = password
    def delete_password(self, service, username):
        self.check(service, username)
        try: del self.kept[service, username]
        except KeyError: raise errors.PasswordDeleteError("not found")
"""
PROVIDER = """
class Provider(backend.KeyringBackend):
    priority = 9
    def get_password(self, service, username): return None
    def set_password(self, service, username, password): raise NotImplementedError
    def delete_password(self, service, username): raise NotImplementedError
"""
#: Backends of an environment: none, a store (keyring takes it alone), a store and a provider (keyring chains them).
LOCAL = {"no backend": "", "a store": STORE, "a provider and a store": PROVIDER + STORE}


@pytest.fixture(scope="session")
def without(shared_environments: Environments, python: Path) -> Environment:
    """An environment without us."""
    return shared_environments.get(python, "keyring")


def uv_tool(home: Path, environment: Environment) -> None:
    """Put an environment where uv keeps its tools."""
    folder = home / ".local" / "share" / "uv" / "tools"
    folder.mkdir(parents=True)
    (folder / "keyring").symlink_to(environment.root)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
@pytest.mark.parametrize("local", LOCAL)
@pytest.mark.parametrize(
    "tool", ["no tool", "a tool that adds nothing", "switched off", "a tool with us that adds nothing"]
)
def test_nothing_changes(
    stage: Stage,
    without: Environment,
    bare_tool: Environment,
    scripted_tool: Environment,
    shared_environments: Environments,
    python: Path,
    wheel: Path,
    home: Path,
    local: str,
    tool: str,
) -> None:
    """Where nothing is delegated: the same backend, the same answers, the same exceptions with the same texts, no line more."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    if tool == "switched off":
        uv_tool(home, scripted_tool)
        stage.variables["KEYRING_PROPERTY_FALLBACK_ENABLED"] = "false"
    elif tool != "no tool":
        uv_tool(home, bare_tool if "us" not in tool else shared_environments.get(python, "keyring", wheel, "pip"))
    if LOCAL[local]:
        stage.here(LOCAL[local])
    expected = without.run(["-c", EVERYTHING], env=stage.env(), check=True)
    actual = stage.environment.run(["-c", EVERYTHING], env=stage.env(), check=True)
    assert json.loads(expected.stdout) == json.loads(actual.stdout)
    assert expected.stderr.replace(os.fspath(without.root), "") == actual.stderr.replace(
        os.fspath(stage.environment.root), ""
    )


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
@pytest.mark.parametrize("local", LOCAL)
@pytest.mark.parametrize("tool", ["Debian's shape", "Homebrew's shape", "Debian's python3-keyring"])
def test_a_keyring_that_everybody_has(
    stage: Stage, without: Environment, tmp_path: Path, local: str, tool: str
) -> None:
    """On an ordinary machine, where a system's keyring has no provider, nobody can tell that we are there."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    keyring = Path("/usr/bin/keyring")
    if tool == "Debian's shape":
        keyring = trees.debian(tmp_path / "usr")
    elif tool == "Homebrew's shape":
        keyring = trees.homebrew(tmp_path / "brew")
        stage.variables["HOMEBREW_PREFIX"] = os.fspath(tmp_path / "brew")
    elif not keyring.exists() or not Path("/usr/lib/python3/dist-packages/keyring").exists():
        pytest.skip("this machine has no python3-keyring")
    stage.variables["PATH"] = os.pathsep.join([os.environ["PATH"], os.fspath(keyring.parent)])
    if LOCAL[local]:
        stage.here(LOCAL[local])
    runs = [where.run(["-c", EVERYTHING], env=stage.env(), check=True) for where in (without, stage.environment)]
    assert json.loads(runs[0].stdout) == json.loads(runs[1].stdout)
    assert ["", ""] == [run.stderr for run in runs]
    assert [] == [*tmp_path.rglob("ran")], "somebody has run it"
    code = (
        "from keyring_fallback import survey; now = survey.current(); print([one.path for one in now.findings.tools])"
    )
    assert os.fspath(keyring.parent.parent) in stage.environment.run(["-c", code], env=stage.env(), check=True).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
@pytest.mark.parametrize("local", ["a store", "a provider and a store"])
def test_what_is_local_stays_with_a_tool(stage: Stage, without: Environment, local: str) -> None:
    """With a tool that adds a provider, all that the local store answers, takes and raises is as without us."""
    stage.here(LOCAL[local])
    stage.there(PROVIDER)
    runs = [where.run(["-c", EVERYTHING], env=stage.env(), check=True) for where in (without, stage.environment)]
    expected, actual = (json.loads(run.stdout)[2:] for run in runs)
    # what JSON or a command line cannot carry is not asked over there; everything else is
    assert expected == actual
    assert "keyring_fallback.backend.FallbackKeyring" in runs[1].stdout


PROPERTIES = [
    "FOO",
    "PRIORITY",
    "NAME",
    "VIABLE",
    "GET_PASSWORD",
    "SET_PROPERTIES_FROM_ENV",
    "SCHEME",
    "BACKENDS",
    "_CLASSES",
]


@pytest.mark.parametrize("tool", ["no tool", "a tool"])
@pytest.mark.parametrize("name", PROPERTIES)
def test_keyrings_properties(stage: Stage, without: Environment, name: str, tool: str) -> None:
    """KEYRING_PROPERTY_* of any kind works or fails with us as it does without us."""
    code = "import keyring\ntry: print(keyring.get_keyring().get_password('service', 'user'))\nexcept Exception as e: print(type(e), e)"
    stage.here(STORE).there(PROVIDER)
    if tool == "no tool":
        del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    stage.variables[f"KEYRING_PROPERTY_{name}"] = "1"
    results = [where.run(["-c", code], env=stage.env()) for where in (without, stage.environment)]
    assert results[0].stdout == results[1].stdout
    assert results[0].returncode == results[1].returncode


# ---------------------------------------------------------------------------------------------------------------------
# keyring's own tests

#: What keyring's tests need (keyring 25.7.0, pyproject.toml).
_SUITE = ["pytest", "pyfakefs"]


@pytest.fixture(scope="session")
def suite(shared_environments: Environments, without: Environment) -> Path:
    """The folder with the tests of keyring's sdist, of the version that the environments have."""
    code = "from importlib.metadata import version; print(version('keyring'))"
    version = without.run(["-c", code], check=True).stdout.strip()

    def build(folder: Path) -> None:
        folder.mkdir(parents=True)
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "keyring", f"keyring=={version}"]
        environments.run([sys.executable, *command, "--dest", folder], env=machine.building(), check=True)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            for member in archive.getmembers():
                name = member.name.partition("/")[2]
                if member.isfile() and (name == "conftest.py" or name.startswith("tests/")):
                    file = archive.extractfile(member)
                    assert file is not None
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(file.read())

    return shared_environments.once("keyring-suite", build, version)


def outcomes(environment: Environment, suite: Path, folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """What became of each of keyring's tests: passed, skipped, failed or error."""
    shutil.copytree(suite, folder)
    options = ["-q", "--import-mode=importlib", "-o", "consider_namespace_packages=true", "-p", "no:cacheprovider"]
    result = environment.run(
        ["-m", "pytest", *options, "--junitxml=report.xml", "tests"], cwd=folder, env={**os.environ, **variables}
    )
    assert (folder / "report.xml").exists(), result.stdout + result.stderr
    found = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):  # noqa: S314 - pytest wrote it
        # keyring itself expects these to fail on Linux (its #410); from Python 3.14 on their processes ask a keyring anew, and have
        # an answer where there is a provider
        if sys.version_info >= (3, 14) and str(case.get("classname")).endswith(".test_multiprocess"):
            continue
        kinds = [child.tag for child in case if child.tag in ("skipped", "failure", "error")]
        found[f"{case.get('classname')}.{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


@pytest.fixture(scope="session")
def baseline(
    shared_environments: Environments, python: Path, suite: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What becomes of keyring's tests without us."""
    environment = shared_environments.get(python, "keyring", *_SUITE)
    folder = tmp_path_factory.mktemp("baseline")
    variables = machine.running(folder / "home", folder / "path")
    return outcomes(environment, suite, folder / "suite", variables)


@pytest.mark.parametrize("tool", ["no tool", "a tool"])
def test_keyrings_own_tests(
    shared_environments: Environments,
    python: Path,
    wheel: Path,
    suite: Path,
    baseline: dict[str, str],
    scripted_tool: Environment,
    tmp_path: Path,
    tool: str,
) -> None:
    """keyring's own test suite has the same results with us, with a tool present and without, and none fails."""
    environment = shared_environments.get(python, "keyring", wheel, *_SUITE)
    variables = {}
    if tool == "a tool":
        there = tmp_path / "there.py"
        there.write_text("from keyring import backend\n" + PROVIDER)
        variables = {"KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(scripted_tool.root), "SCRIPT_THERE": os.fspath(there)}
        listed = environment.keyring("--list-backends", env={**os.environ, **variables}, check=True).stdout
        assert "keyring_fallback.backend.FallbackKeyring" in listed
    actual = outcomes(environment, suite, tmp_path / "suite", variables)
    assert baseline == actual
    assert not {"failure", "error"} & set(actual.values())
    assert 20 <= list(actual.values()).count("passed")
