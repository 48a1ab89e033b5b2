"""``uvx keyring-fallback doctor``: asked from an environment of uv's cache, about the one that is in use."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.doctor.cures import is_externally_managed
from support import environments, machine, trees
from support.feed import Feed
from support.patient import CANARY, USERNAME, Patient

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.environments import Text

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="test_windows has a uvx of its own")


@pytest.fixture(scope="module")
def feed(demo_store: Path) -> Iterator[Feed]:
    """A feed whose password the global keyring has."""
    with Feed(demo_store.parent, password=CANARY) as running:
        yield running


@pytest.fixture
def cached(patient: Patient, shared_environments: environments.Environments, python: Path, wheel: Path) -> Patient:
    """Somebody with a global keyring on PATH, and us in nothing but an environment of uv's cache."""
    packages = ("keyring", environments.QUICK, wheel)

    def build(cache: Path) -> None:
        trees.put(cache / "CACHEDIR.TAG")
        environments.create(cache / "ours", python, *packages, compile_bytecode=True, share_files=True)

    cache = shared_environments.once("cache", build, python, *packages)
    patient.environment = environments.Environment(cache / "ours")
    return patient


def variables(person: Patient, active: Text, feed: Feed, **more: str) -> dict[str, str]:
    """What the person has in the terminal: an environment that is active, the global keyring, the feed as pip's index."""
    folders = [os.path.join(active, "bin"), os.fspath(person.tool.scripts), os.environ["PATH"]]
    return {
        **person.variables,
        **feed.proxy_environment(),
        "HOME": os.fspath(person.home),
        "VIRTUAL_ENV": os.fspath(active),
        "PATH": os.pathsep.join(folders),
        "PIP_INDEX_URL": feed.with_username(USERNAME),
        "PIP_TRUSTED_HOST": feed.host,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **more,
    }


def uvx(person: Patient, env: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """``uvx keyring-fallback doctor ARGS``: its own environment first on PATH."""
    path = os.pathsep.join([os.fspath(person.environment.scripts), env["PATH"]])
    argv: list[Text] = [person.environment.script("keyring-fallback"), "doctor", *args]
    result = environments.run(argv, env={**os.environ, **env, "PATH": path}, cwd=person.folder)
    assert CANARY not in result.stdout + result.stderr
    return result


def download(
    person: Patient, active: environments.Environment, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Have the pip of an environment get something from the feed."""
    argv: list[Text] = [active.python, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "demo-store"]
    return environments.run(argv, env={**os.environ, **env}, cwd=person.folder)


PIP = "pip==26.1"


@pytest.mark.parametrize(
    ("pip", "more", "named", "cure"),
    [
        (PIP, {}, [], ""),
        (PIP, {"PIP_NO_INPUT": "1"}, ["pip-silent"], "PIP_KEYRING_PROVIDER=subprocess"),
        (PIP, {"PIP_KEYRING_PROVIDER": "subprocess"}, [], ""),
        (PIP, {"PIP_KEYRING_PROVIDER": "import"}, ["pip-no-keyring"], "PIP_KEYRING_PROVIDER=subprocess"),
        (PIP, {"PIP_KEYRING_PROVIDER": "disabled"}, ["pip-disabled"], "PIP_KEYRING_PROVIDER"),
        (PIP, {"PIP_INDEX_URL": "URL"}, ["pip-no-username"], "PIP_INDEX_URL"),
        (PIP, {"PIP_INDEX_URL": "OLD"}, ["password-elsewhere"], "PIP_INDEX_URL"),
        ("pip==22.3.1", {}, ["pip-no-keyring"], "'pip>=23.1'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, (dict, list)) else value,
)
def test_pip_of_an_environment_without_keyring(
    cached: Patient,
    shared_environments: environments.Environments,
    python: Path,
    feed: Feed,
    pip: str,
    more: dict[str, str],
    named: list[str],
    cure: str,
) -> None:
    """Whether pip, which runs the keyring on PATH there, is answered, and what keeps it from asking, is told."""
    active = shared_environments.get(python, pip)
    cached.with_tokens({feed.host: CANARY}).with_uv()
    urls = {"URL": feed.url, "OLD": feed.url.replace("://", f"://{USERNAME}:old@")}
    more = {name: urls.get(value, value) for name, value in more.items()}
    env = variables(cached, active.root, feed, **more)
    real = download(cached, active, env)
    assert (real.returncode == 0) == (not named), real.stderr
    result = uvx(cached, env, "--json", feed.url)
    document = json.loads(result.stdout)
    problems = [one for one in document["causes"] if one["problem"]]
    assert named == [one["name"] for one in problems], result.stdout
    assert (0 if not named else 1) == result.returncode
    if named:
        assert cure in problems[0]["command"] + problems[0]["edit"]
    if cure.startswith("PIP_KEYRING_PROVIDER"):
        name, _, value = cure.partition("=")
        env.pop(name, None)
        env.update({name: value} if value else {})
        real = download(cached, active, env)
        assert (0, 0) == (real.returncode, uvx(cached, env, feed.url).returncode), real.stderr


def test_pip_on_path(cached: Patient, shared_environments: environments.Environments, python: Path, feed: Feed) -> None:
    """Where no environment is active or a project's, the first pip on PATH counts: an image's, for example."""
    active = shared_environments.get(python, PIP)
    env = variables(cached, active.root, feed, PIP_NO_INPUT="1")
    del env["VIRTUAL_ENV"]
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert [PIP.partition("==")[2]] == [one["program"] for one in document["told"] if one["client"] == "pip"]
    assert "pip-silent" in [one["name"] for one in document["causes"] if one["problem"]]


def test_pip_runs_an_old_keyring(cached: Patient, tmp_path: Path, python: Path, feed: Feed) -> None:
    """The command line of an old keyring tells pip no credentials, whatever its providers would answer."""
    old = environments.create(tmp_path / "old", python, "keyring==24.3.1")
    active = environments.create(tmp_path / "active", python, "keyring", "pip")
    env = variables(cached.with_tokens({feed.host: CANARY}), active.root, feed, PIP_KEYRING_PROVIDER="subprocess")
    for scripts, named in ((cached.tool.scripts, []), (old.scripts, ["keyring-too-old"])):
        env["PATH"] = os.pathsep.join([os.fspath(active.scripts), os.fspath(scripts), os.environ["PATH"]])
        real = download(cached, active, env)
        document = json.loads(uvx(cached, env, "--json").stdout)
        problems = [one["name"] for one in document["causes"] if one["problem"]]
        assert (not named, named) == (real.returncode == 0, [one for one in problems if one in named]), problems


def test_a_keyring_for_pip_alone(
    cached: Patient, shared_environments: environments.Environments, python: Path, feed: Feed
) -> None:
    """The keyring beside the first pip on PATH counts for what pip is told of, and is none of uv's: nothing is active."""
    active = shared_environments.get(python, "keyring", PIP)
    env = variables(cached.with_tokens({feed.host: CANARY}).with_uv(), active.root, feed)
    del env["VIRTUAL_ENV"]
    env["PATH"] = os.pathsep.join([str(cached.tool.scripts), str(active.scripts), cached.variables["PATH"]])
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert (str(active.root), False) == (document["environment"]["root"], document["works"])
    del env["PIP_INDEX_URL"]
    env.update(UV_INDEX=f"a={feed.with_username(USERNAME)}", UV_KEYRING_PROVIDER="subprocess")
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert (str(cached.environment.root), []) == (document["environment"]["root"], document["causes"])


@pytest.mark.parametrize("has", [True, False])
def test_pip_that_runs_the_global_keyring(
    cached: Patient, shared_environments: environments.Environments, python: Path, feed: Feed, *, has: bool
) -> None:
    """In its subprocess mode pip passes over the keyring beside it, which need not have us: the one that it runs counts."""
    active = shared_environments.get(python, "keyring", PIP)
    env = variables(cached, active.root, feed, PIP_KEYRING_PROVIDER="subprocess")
    cached.with_tokens({feed.host: CANARY} if has else {})
    real = download(cached, active, env)
    assert has == (real.returncode == 0), real.stderr
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert ([] if has else ["no-provider"]) == [one["name"] for one in document["causes"]]
    # what uv is told of, too, is asked of the environment's own
    env.update(UV_INDEX=f"a={feed.with_username(USERNAME)}", UV_KEYRING_PROVIDER="subprocess")
    env["PATH"] = os.pathsep.join([env["PATH"], os.path.dirname(machine.uv())])
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert "missing-there" in [one["name"] for one in document["causes"] if one["problem"]]


def test_another_release_in_the_environment(
    cached: Patient, python: Path, wheel: Path, feed: Feed, tmp_path: Path
) -> None:
    """The doctor that ``uvx`` runs may be newer than what the environment has of us, and may be older."""
    active = environments.create(tmp_path / "active", python, "keyring", wheel)
    env = variables(cached.with_tokens({feed.host: CANARY}), active.root, feed)
    lookup = active.site_packages / "keyring_fallback" / "doctor" / "lookup.py"
    text = lookup.read_text(encoding="utf-8")
    older = text.replace(" in enumerate(questions)", " in enumerate((one, two) for one, two in questions)")
    assert older != text
    lookup.unlink()  # it may be a link to what others have
    lookup.write_text(older, encoding="utf-8")
    result = uvx(cached, env, "--json", feed.url, USERNAME)
    assert ("answer", 0) == (json.loads(result.stdout)["lookups"][0]["outcome"], result.returncode), result.stdout
    code = (
        f"from keyring_fallback.doctor import lookup as l\nl.look_up(lambda **said: print(said), [{feed.url!r}, 'me'])"
    )
    result = environments.run([active.python, "-c", code], env={**os.environ, **env}, cwd=cached.folder)
    assert "'outcome': 'answer'" in result.stdout, result.stderr


@pytest.mark.parametrize("more", [[], ["--isolated"]], ids=" ".join)
def test_over_another_environment(
    cached: Patient,
    python: Path,
    wheel: Path,
    feed: Feed,
    more: list[str],
) -> None:
    """``uv run --with keyring-fallback`` asks about the environment below its own, and gives a command that one's keyring."""
    active = environments.create(cached.folder / "venv", python, "keyring", share_files=True)
    env = machine.building(**variables(cached.with_tokens({feed.host: CANARY}), active.root, feed))
    if more:  # then it lies over nothing that lasts, and the one of the folder counts
        del env["VIRTUAL_ENV"]
        (cached.folder / ".venv").symlink_to(active.root)
    run = [machine.uv(), "run", "--quiet", "--no-project", *more]
    argv: list[Text] = [*run, "--with", wheel, "keyring-fallback", "doctor"]
    result = environments.run([*argv, "--json", feed.url], env=env, cwd=cached.folder)
    document = json.loads(result.stdout)
    root = cached.folder / ".venv" if more else active.root
    assert (str(root), 1) == (document["environment"]["root"], result.returncode)
    assert "missing-there" in [one["name"] for one in document["causes"] if one["problem"]]
    words = ["sh", "-c", f'echo "$VIRTUAL_ENV"; exec keyring get {feed.url} {USERNAME}']
    result = environments.run([*argv, "--", *words], env=env, cwd=cached.folder)
    assert f": {active.script('keyring')} ended with status 1" in result.stderr
    assert f"{env.get('VIRTUAL_ENV', '')}\n" == result.stdout


@pytest.mark.parametrize("cause", ["broken", "selected-backend-missing"])
def test_the_keyring_that_uv_runs_cannot_be_used(
    cached: Patient, shared_environments: environments.Environments, python: Path, wheel: Path, feed: Feed, cause: str
) -> None:
    """The global keyring itself, which uv runs: that its provider answers us, by the helper, does not make it green."""
    cached.with_tokens({feed.host: CANARY}).with_uv()
    env = variables(cached, "/nowhere", feed, UV_DEFAULT_INDEX=feed.with_username(USERNAME))
    del env["VIRTUAL_ENV"], env["PIP_INDEX_URL"]
    env["PATH"] = os.pathsep.join([os.fspath(cached.tool.scripts), cached.variables["PATH"]])
    env["UV_KEYRING_PROVIDER"] = "subprocess"
    script = cached.tool.script("keyring")
    text = re.sub(r"/[^\s'\"]*/bin/python[^\s'\"]*", os.fspath(cached.tool.python), script.read_text(), count=1)
    script.unlink()  # a copy of another tool's, as all of this one
    trees.put(script, text, executable=True)
    assert 0 == uvx(cached, env).returncode
    module = cached.tool.site_packages / "more_itertools" / "more.py"
    if cause == "broken":
        module.unlink()
        module.write_text("def (\n")
    else:
        cached.with_configuration("[backend]\ndefault-keyring = keyring_fallback.GlobalKeyring\n")
    real = environments.run([cached.tool.script("keyring"), "get", feed.url, USERNAME], env={**os.environ, **env})
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert (1, "answer") == (real.returncode, document["lookups"][0]["outcome"])
    assert [cause] == [one["name"] for one in document["causes"] if one["problem"]]
    # in an environment with us uv runs that one's
    active = shared_environments.get(python, "keyring", wheel)
    env.update(VIRTUAL_ENV=os.fspath(active.root), PATH=os.pathsep.join([os.fspath(active.scripts), env["PATH"]]))
    result = uvx(cached, env, "--json")
    notes = [(one["name"], one["problem"]) for one in json.loads(result.stdout)["causes"]]
    assert (0, True) == (result.returncode, (cause, False) in notes)


def test_pip_of_a_plain_interpreter(cached: Patient, python: Path, feed: Feed) -> None:
    """The same where that is no environment's: unless it is the system's own, or has a keyring, which others ask too."""
    look = "import importlib.util as u; print(bool(u.find_spec('pip')), bool(u.find_spec('keyring')))"
    has = environments.run([python, "-I", "-c", look]).stdout.split()
    counts = has == ["True", "False"] and not is_externally_managed(os.fspath(python), sys.platform)
    env = variables(cached, "/nowhere", feed, PIP_NO_INPUT="1")
    del env["VIRTUAL_ENV"]
    trees.put(cached.home / "bin" / "pip", f"#!{python}\n", executable=True)
    env["PATH"] = os.pathsep.join([os.fspath(cached.home / "bin"), env["PATH"]])
    document = json.loads(uvx(cached, env, "--json").stdout)
    assert counts == ("pip" in [one["client"] for one in document["told"]])
    assert counts == ("pip-silent" in [one["name"] for one in document["causes"] if one["problem"]])


def test_watch_from_outside(
    cached: Patient, shared_environments: environments.Environments, python: Path, feed: Feed
) -> None:
    """A watched command has the person's PATH, not the one of uvx: its environment's keyring would answer."""
    active = shared_environments.get(python, "keyring", PIP)
    cached.with_tokens({feed.host: CANARY})
    env = variables(cached, active.root, feed)
    result = uvx(cached, env, "--", "keyring", "get", feed.url, USERNAME)
    assert 0 != result.returncode
    assert f": {active.script('keyring')} ended with status 1" in result.stderr
    active = shared_environments.get(python, PIP)
    pip = [*map(str, (active.python, "-m", "pip", "download", "--no-deps", "demo-store"))]
    result = uvx(cached, variables(cached, active.root, feed, PIP_NO_INPUT="1"), "--", *pip)
    assert f"  pip asked nobody for {feed.host} ({feed.url})." in result.stderr


@pytest.mark.parametrize("mark", ["uv-receipt.toml", "pipx_metadata.json"])
def test_a_tool_of_our_own(
    cached: Patient, shared_environments: environments.Environments, python: Path, wheel: Path, feed: Feed, mark: str
) -> None:
    """What ``uv tool install keyring-fallback``, or pipx, has installed asks about the environment in use, too."""
    cached.environment = environments.create(
        cached.home / "tools" / "keyring-fallback", python, "keyring", wheel, share_files=True
    )
    env = variables(cached, shared_environments.get(python, "keyring").root, feed)
    assert env["VIRTUAL_ENV"] != json.loads(uvx(cached, env, "--json").stdout)["environment"]["root"]
    trees.put(cached.environment.root / mark)
    result = uvx(cached, env, "--json")
    document = json.loads(result.stdout)
    assert (env["VIRTUAL_ENV"], 1) == (document["environment"]["root"], result.returncode)
    assert "missing-there" in [one["name"] for one in document["causes"] if one["problem"]]
    # with nothing else to look at, it is itself, and nobody is told to have its Python first on PATH
    del env["VIRTUAL_ENV"]
    cached.with_tokens({feed.host: CANARY}).with_uv()
    empty = trees.put(cached.home / "shims" / "keyring", "#!/bin/sh\n", executable=True)
    env.update(PATH=os.pathsep.join([str(empty.parent), cached.variables["PATH"]]), UV_KEYRING_PROVIDER="subprocess")
    document = json.loads(uvx(cached, env, "--json", feed.url).stdout)
    assert str(cached.environment.root) == document["environment"]["root"]
    assert {"missing-there": ""} == {one["name"]: one["command"] for one in document["causes"] if one["problem"]}


@pytest.mark.parametrize("place", ["not synchronised", "without keyring", "without Python", "active"])
def test_another_environment_is_not_looked_at(
    cached: Patient, shared_environments: environments.Environments, python: Path, feed: Feed, place: str
) -> None:
    """The first environment that uv would take counts, also without keyring: none above it, none that is not active."""
    lacks_us, bare = shared_environments.get(python, "keyring").root, shared_environments.get(python, PIP).root
    env = variables(cached.with_uv(), bare, feed)
    others = cached.folder.parent / ".venv"
    if place == "active":
        others = cached.folder / ".venv"
    else:
        del env["VIRTUAL_ENV"]
        env["PATH"] = os.pathsep.join([os.fspath(cached.tool.scripts), os.environ["PATH"], cached.variables["PATH"]])
        (cached.folder / "pyproject.toml").write_text("[project]\nname = 'a'\nversion = '1'\n")
    others.symlink_to(lacks_us)
    if place == "without keyring":
        (cached.folder / ".venv").symlink_to(bare)
    elif place == "without Python":  # an upgrade has taken it away: uv makes the environment anew
        trees.make_environment(cached.folder / ".venv")
        (cached.folder / ".venv/bin/python").unlink()
        (cached.folder / ".venv/bin/python").symlink_to("/nowhere/python")
    document = json.loads(uvx(cached, env, "--json", feed.url).stdout)
    assert str(cached.environment.root) == document["environment"]["root"]
    assert [] == [one["name"] for one in document["causes"] if one["problem"] and one["name"] == "missing-there"]
    if place != "active":  # where it is uv's own, it is
        (cached.folder / "pyproject.toml").unlink()
        if os.path.lexists(cached.folder / ".venv"):
            (cached.folder / ".venv").rename(cached.home / "old")
        document = json.loads(uvx(cached, env, "--json", feed.url).stdout)
        assert str(others) == document["environment"]["root"]


def test_a_member_has_no_environment_of_its_own(
    cached: Patient, shared_environments: environments.Environments, python: Path, wheel: Path, feed: Feed
) -> None:
    """uv uses the one of the workspace's root: one that a member had before it was one says nothing."""
    roots = [shared_environments.get(python, "keyring", *more).root for more in ((), (wheel,))]
    env = variables(cached.with_uv(), "/nowhere", feed)
    del env["VIRTUAL_ENV"]
    env["PATH"] = os.pathsep.join([os.fspath(cached.tool.scripts), cached.variables["PATH"]])
    project, member = "[project]\nname = '{}'\nversion = '1'\n", cached.folder / "m"
    (cached.folder / "pyproject.toml").write_text(project.format("r") + "[tool.uv.workspace]\nmembers = ['m']\n")
    trees.put(member / "pyproject.toml", project.format("m"))
    env.update(FORCE_COLOR="1", CLICOLOR_FORCE="1")  # as in many a CI
    above, own = cached.folder / ".venv", member / ".venv"
    cached.folder = member
    for lacks in (above, own):
        for place in (above, own):
            place.unlink(missing_ok=True)
            place.symlink_to(roots[place != lacks])
        document = json.loads(uvx(cached, env, "--json", feed.url).stdout)
        missing = "missing-there" in [one["name"] for one in document["causes"] if one["problem"]]
        assert (str(above), lacks == above) == (document["environment"]["root"], missing)
