"""``doctor --fix``: from nothing to an index that answers, and nothing half done where that cannot be."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import environments, machine, trees, uv7003
from support.clouds import AMAZON, GOOGLE, Clouds
from support.feed import AZURE as AZURE_FEED
from support.feed import Feed
from support.patient import AZURE, Patient

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environments, Text

pytestmark = [
    pytest.mark.skipif(machine.WINDOWS, reason="the set-ups are POSIX'"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML"),
]

PROJECT = """\
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
[tool.uv]
environments = ["platform_python_implementation == '{}' and sys_platform == '{}'"]
[[tool.uv.index]]
name = "feed"
url = "{}"
"""
POETRY = f"""\
[project]
name = "app"
version = "1"
requires-python = ">=3.9"
dependencies = ["six"]
[[tool.poetry.source]]
name = "feed"
url = "{AZURE_FEED.rstrip("/")}"
priority = "primary"
"""
NOTHING, DONE, FIX = "There is nothing to do.", "Done (", ("doctor", "--fix", "--yes")
ASK = 'keyring-provider = "subprocess"\n'


def laptop(home: Path, feed: Feed, clouds: Clouds, *programs: str) -> dict[str, str]:
    """The variables on a new laptop that has nothing but these programs, and reaches the feed and the clouds."""
    env = {**machine.building(), **machine.home_variables(home), **feed.proxy_environment(), **clouds.variables()}
    env.update(uv7003.provider_variables(feed), NO_PROXY="127.0.0.1", no_proxy="127.0.0.1", UV_LINK_MODE="copy")
    env.pop("XDG_CONFIG_HOME", None)
    folder = home / "programs"
    folder.mkdir()
    for program in programs:
        trees.link(folder / os.path.basename(program), program)
    env["PATH"] = os.pathsep.join([f"{home}/.local/bin", str(folder), os.environ["PATH"]])
    return env


@pytest.mark.parametrize("url", [AZURE_FEED, GOOGLE, AMAZON], ids=["Azure", "Google", "Amazon"])
def test_from_nothing(
    wheel: Path, python: Path, home: Path, tmp_path: Path, url: str, feed_wheels: Path, azure: tuple[Path, str]
) -> None:
    """A home with uv alone and a project that names its index: one command, then uv's own, also after ``uv sync``."""
    project = tmp_path / "app"
    project.mkdir()
    file = project / "pyproject.toml"
    file.write_text(PROJECT.format(platform.python_implementation(), sys.platform, url))
    with Clouds() as clouds:
        token = {GOOGLE: clouds.google, AMAZON: clouds.amazon}.get(url, "token-of-azure")
        with Feed(feed_wheels, password=token, url=url) as feed:
            env = laptop(home, feed, clouds, machine.uv())
            env["UV_PYTHON"] = str(azure[0])

            def run(*words: str, active: bool = False) -> subprocess.CompletedProcess[str]:
                variables = environments.Environment(project / ".venv").activated(env) if active else env
                return environments.run([machine.uv(), *words], env=variables, cwd=project)

            def fix(*, active: bool = False) -> str:
                words = ["tool", "run", "--quiet", "--from", str(wheel), "keyring-fallback", *FIX, url]
                result = run(*words, active=active)
                assert 0 == result.returncode, result.stdout + result.stderr
                assert token not in result.stdout + result.stderr
                return result.stdout

            add = ("add", "--quiet", "--no-cache", "--python", str(python))
            assert 0 != run(*add, "six").returncode, "the feed is closed"
            shutil.rmtree(project / ".venv", ignore_errors=True)
            assert 3 == fix().count(DONE), "the provider, the index, the keyring provider"
            env["UV_PYTHON"] = str(python)  # what the feed has wheels for
            before = file.read_bytes()
            assert fix().startswith(NOTHING)
            assert before == file.read_bytes()
            added = run(*add, "six", "keyring")
            assert 0 == added.returncode, added.stderr
            assert 200 in feed.statuses("six-")
            shutil.rmtree(project / ".venv")
            assert 0 == run("sync", "--quiet", "--no-cache").returncode
            if url == AZURE_FEED:  # now the project's keyring is in the way
                assert 0 != run(*add, "more-itertools", active=True).returncode
                assert 1 == fix(active=True).count(DONE), "keyring-fallback where keyring is"
                assert 0 == run("sync", "--quiet", active=True).returncode
                added = run(*add, "more-itertools", active=True)
                assert 0 == added.returncode, added.stderr


def test_from_nothing_with_pipx(
    shared_environments: Environments,
    wheel: Path,
    python: Path,
    home: Path,
    tmp_path: Path,
    feed_wheels: Path,
    azure: tuple[Path, str],
) -> None:
    """No uv but pipx: keyring is installed, the provider injected, and pip installs from the feed."""
    venv = environments.create(tmp_path / "venv", python, "pip", "keyring", wheel)
    with Clouds() as clouds, uv7003.feed(feed_wheels) as feed:
        env = laptop(home, feed, clouds, str(shared_environments.pipx().script("pipx")))
        env = venv.activated({**env, "PIPX_DEFAULT_PYTHON": str(azure[0])})
        result = environments.run([venv.script("keyring-fallback"), *FIX, feed.url], env=env)
        assert (0, 2) == (result.returncode, result.stdout.count(DONE)), result.stdout
        assert "$ pipx inject keyring artifacts-keyring\n" in result.stdout
        words = ["-m", "pip", "install", "--no-input", "--keyring-provider", "import", "--no-cache-dir"]
        words += ["--trusted-host", feed.host, "--index-url", feed.with_username(uv7003.USERNAME), "six"]
        installed = venv.run(words, env=env)
        assert 0 == installed.returncode, installed.stderr
        assert 200 in feed.statuses("six-")


def test_from_nothing_with_poetry(
    shared_environments: Environments,
    wheel: Path,
    python: Path,
    home: Path,
    tmp_path: Path,
    feed_wheels: Path,
    azure: tuple[Path, str],
) -> None:
    """pipx and poetry, and a source without a slash at the end: keyring, its provider, and we beside poetry."""
    project = tmp_path / "app"
    project.mkdir()
    (project / "pyproject.toml").write_text(POETRY)
    with Clouds() as clouds, uv7003.feed(feed_wheels) as feed:
        pipx = str(shared_environments.pipx().script("pipx"))
        env = laptop(home, feed, clouds, pipx)
        env.update(
            PIPX_DEFAULT_PYTHON=str(azure[0]), PIP_FIND_LINKS=str(wheel.parent), POETRY_VIRTUALENVS_IN_PROJECT="1"
        )
        # in this variable the URL has to be exactly what is asked for
        name = "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"
        env[name] = env[name].replace(feed.url, feed.url.rstrip("/"))
        environments.run([pipx, "install", "--quiet", "poetry"], env=env, check=True)
        doctor = shared_environments.get(python, "keyring", wheel).script("keyring-fallback")
        result = environments.run([doctor, *FIX], env=env, cwd=project)
        assert (0, 3) == (result.returncode, result.stdout.count(DONE)), result.stdout
        assert "$ pipx inject --include-apps poetry keyring-fallback\n" in result.stdout
        done = environments.run(["poetry", "install", "--no-cache", "--no-root", "-n"], env=env, cwd=project)
        assert 0 == done.returncode, done.stdout + done.stderr
        assert 200 in feed.statuses("six-")


@pytest.fixture
def patient(patient: Patient) -> Patient:
    """A person whose keyring answers, and whose uv is not told to ask it."""
    return patient.with_uv()


def test_uv_is_told_for_good(patient: Patient, home: Path) -> None:
    """Where no file names the index, the person's own uv.toml says it; a second run has nothing to do."""
    file = home / ".config" / "uv" / "uv.toml"
    result = patient.run("doctor", "--dry-run", AZURE)
    assert ("+" + ASK in result.stdout, False) == (True, file.exists())
    result = patient.run(*FIX, AZURE)
    assert (0, ASK) == (result.returncode, file.read_text())
    before = os.stat(file)
    result = patient.run(*FIX, AZURE)
    assert (0, True) == (result.returncode, result.stdout.startswith(NOTHING))
    assert (before.st_ino, before.st_mtime_ns) == (os.stat(file).st_ino, os.stat(file).st_mtime_ns)


#: Variables, files before, and the file that is to say it: of the home folder (~), or of the project.
PLACES = {
    "a variable names the index": ({"UV_DEFAULT_INDEX": AZURE.replace("://", "://me@")}, "", "~/.config/uv/uv.toml"),
    "another file is named": ({"UV_CONFIG_FILE": "mine.toml"}, "mine.toml", "mine.toml"),
    "the person's file names it": ({}, "~/.config/uv/uv.toml", "~/.config/uv/uv.toml"),
    "the project names it": ({}, "uv.toml", "uv.toml"),
    "no file is read": ({"UV_NO_CONFIG": "1"}, "", ""),
    "a variable says otherwise": ({"UV_KEYRING_PROVIDER": "disabled"}, "uv.toml", ""),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_where_uv_is_told(patient: Patient, home: Path, place: tuple[dict[str, str], str, str]) -> None:
    """It is told where the index is told, or in the person's file; what only a shell can change is said."""
    variables, named, told = place

    def path(name: str) -> Path:
        return home / name[2:] if name.startswith("~/") else patient.folder / name

    index = f'[[index]]\nname = "feed"\nurl = "{AZURE.replace("://", "://me@")}"\n'
    for name in filter(None, [named]):
        path(name).parent.mkdir(parents=True, exist_ok=True)
        path(name).write_text(index)
    result = patient.run(*FIX, AZURE, "me", **variables)
    if told:
        assert DONE in result.stdout
        assert path(told).read_text().startswith(ASK)
    else:
        assert "export UV_KEYRING_PROVIDER=subprocess" in result.stdout
        assert index * bool(named) == (path(named).read_text() if named else "")


def test_without_a_terminal_nobody_agrees(patient: Patient, home: Path) -> None:
    """No terminal and no --yes: nothing is done, that is said, and the status is 1."""
    result = patient.run("doctor", "--fix", AZURE)
    assert (1, True) == (result.returncode, "there is no terminal to ask on; --yes asks nobody." in result.stdout)
    assert [] == list((home / ".config").glob("uv/*"))


def test_a_person_is_asked(patient: Patient, home: Path) -> None:
    """On a terminal: Ctrl-C and "n" leave all as it was, "y" does it."""
    from support.terminal import Terminal  # POSIX only

    file = home / ".config" / "uv" / "uv.toml"
    argv: list[Text] = [patient.environment.script("keyring-fallback"), "doctor", "--fix", AZURE]
    for keys, status, there in (("\x03", 130, False), ("n\n", 1, False), ("y\n", 0, True)):
        kinds = dict.fromkeys(("stdin", "stdout", "stderr"), "terminal")
        with Terminal(argv, env=patient.env(), cwd=patient.folder, **kinds) as terminal:
            terminal.until("Do this? [y/N]")
            terminal.press(keys)
            assert status == terminal.end().returncode, keys
        assert ("Traceback" in terminal.shown, file.exists()) == (False, there)


def test_a_cure_that_fails(patient: Patient, home: Path) -> None:
    """Of a command that fails the last lines are shown; nothing is half done, the status is 1."""
    shutil.rmtree(patient.tool.root)
    variables = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(home / "empty"), "PATH": patient.variables["PATH"]}
    result = patient.run(*FIX, AZURE, **variables)
    assert 1 == result.returncode
    assert "The command failed (exit status 1)." in result.stdout
    assert "No solution found when resolving" in result.stdout, "uv's own words"
    assert (False, []) == (patient.tool.root.exists(), list((home / ".config").glob("uv/*")))


def test_neither_uv_nor_pipx(patient: Patient) -> None:
    """Where nothing can install a global keyring, it is said what to install first."""
    shutil.rmtree(patient.tool.root)
    result = patient.run(*FIX, AZURE, PATH=os.environ["PATH"])
    if shutil.which("uv") or shutil.which("pipx"):
        pytest.skip("this machine has one on PATH")
    assert (1, True) == (result.returncode, "there is no uv here: install it first" in result.stdout)


def test_no_program_of_a_project_is_run(patient: Patient) -> None:
    """A uv in the project comes first on PATH: the command is shown, and what the project brings is not run."""
    shutil.rmtree(patient.tool.root)
    (patient.folder / "pyproject.toml").touch()
    brought = patient.folder / "bin" / "uv"
    brought.parent.mkdir()
    brought.write_text("#!/bin/sh\ntouch ran\n")
    brought.chmod(0o755)
    result = patient.run(*FIX, AZURE, PATH=os.pathsep.join([str(brought.parent), patient.variables["PATH"]]))
    assert (1, False) == (result.returncode, (patient.folder / "ran").exists())
    assert f"The command failed ({brought} is not run: " in result.stdout


def test_a_file_that_is_read_only(patient: Patient) -> None:
    """A file that its owner has closed is left as it is, with the reason."""
    file = patient.folder / "uv.toml"
    text = f'[[index]]\nurl = "{AZURE}"\nauthenticate = "always"\n'
    file.write_text(text)
    file.chmod(0o444)
    result = patient.run(*FIX, AZURE)
    assert (1, text) == (result.returncode, file.read_text())
    assert f"{file} was left as it is: it is read-only." in result.stdout


def test_two_at_once(patient: Patient, home: Path) -> None:
    """Two runs at once both end well, and each change is made once."""
    argv: list[Text] = [patient.environment.script("keyring-fallback"), *FIX, AZURE]
    both = [
        subprocess.Popen(argv, env=patient.env(), cwd=patient.folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=environments.TIMEOUT)[0].decode() for one in both]
    assert [0, 0] == [one.returncode for one in both], said
    assert ASK == (home / ".config" / "uv" / "uv.toml").read_text()


def test_uv_run_dies_in_its_own_sync(
    shared_environments: Environments, python: Path, tmp_path: Path, feed_wheels: Path, azure: tuple[Path, str]
) -> None:
    """A stale lock and an index that answers 401: ``uv run`` never gets to the doctor; what the README says does."""
    with uv7003.feed(feed_wheels) as feed:
        story = uv7003.Story(tmp_path / "project", shared_environments.uv_tool(*azure), feed, python)
        added = story.uv_add("keyring", "keyring-fallback", active=False)
        assert 0 == added.returncode, added.stderr
        file = story.folder / "pyproject.toml"
        file.write_text(file.read_text().replace('"keyring-fallback', '"six",\n    "keyring-fallback'))
        env = story.environment(active=True)
        env.pop("VSS_NUGET_EXTERNAL_FEED_ENDPOINTS")  # nobody is logged in any more
        words = ["run", "--no-cache", "keyring-fallback", "doctor", feed.url]
        dead = environments.run([machine.uv(), *words], env=env, cwd=story.folder)
        assert (True, "") == ("(401 Unauthorized)" in dead.stderr, dead.stdout)
        words.insert(1, "--no-sync")
        doctor: list[Text] = [story.venv.script("keyring-fallback"), "doctor", feed.url]
        for argv in ([machine.uv(), *words], doctor):
            said = environments.run(argv, env=env, cwd=story.folder)
            assert (1, True) == (said.returncode, said.stdout.startswith("It does not work.\n")), said.stderr
