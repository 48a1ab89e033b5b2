"""The tools of the tests themselves: what they promise is what the other tests build on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Callable

import pytest

import mac
import mutation
from keyring_fallback import discovery
from keyring_fallback.discovery import places
from support import environments, interpreters, machine, providers, trees
from support.feed import Feed
from support.patient import Patient

NASTY = ["", " ", "a\nb", "\x00", "ü\u2028", "\udc80", '"\\', "x" * 5000]


def test_nothing_leads_to_the_real_home(home: Path) -> None:
    """A test's environment names the throw-away home, has no keyring on PATH and no personal settings."""
    assert os.environ["HOME"] == str(home)
    assert shutil.which("keyring") is None
    assert not [name for name in os.environ if name.startswith(("UV_", "PIP", "XDG_", "KEYRING_", "VIRTUAL_ENV"))]
    real = [str(folder) for folder in machine.homes()]
    assert not [entry for entry in os.environ["PATH"].split(os.pathsep) if entry.startswith(tuple(real))]


@pytest.mark.skipif(machine.WINDOWS, reason="there is no such user database")
def test_user_without_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the user database does not know has the home folder that the environment names."""
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    named = {Path(value) for name in ("HOME", "USERPROFILE") if (value := machine.ENVIRON.get(name))}
    assert named >= set(machine.homes())


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv's cache is the user's own, made where it is missing; where it cannot be written, one that nobody else reads."""
    assert tmp_path / "new" / "uv" == machine.usable(tmp_path / "new" / "uv")
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path))
    (tmp_path / "file").write_text("")
    own = machine.usable(tmp_path / "file" / "uv")
    assert tmp_path == own.parent
    assert machine.WINDOWS or (0o700, True) == (own.stat().st_mode & 0o777, own.name.endswith(f"-{os.getuid()}"))
    assert own == machine.usable(Path(".uv_cache"))


def test_temporary_folder() -> None:
    """A temporary folder is removed at its end with all that is in it, and one that cannot be removed is no error."""
    with machine.temporary_folder("keyring-fallback-") as folder:
        (folder / "file").write_text("")
        assert folder == folder.resolve()
    assert not folder.exists()
    with machine.temporary_folder("keyring-fallback-") as folder:
        folder.rmdir()
        folder.write_text("a file cannot be removed as a folder")
    folder.unlink()


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_tool_of_the_doctors_patient(home: Path, platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies where uv puts tools on that platform."""
    monkeypatch.setattr(machine, "WINDOWS", platform == "win32")
    tool = Patient(environments.Environment(home), home, home).tool
    assert tool.root in [
        Path(place.path) for place in places.known({}, str(home), platform) if place.origin == places.UV
    ]


def test_links_that_nobody_may_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Windows makes no links a test that needs one is skipped; elsewhere that is an error."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileExistsError):
        trees.link(tmp_path / "taken", tmp_path)
    monkeypatch.setattr(machine, "WINDOWS", True)
    with pytest.raises(pytest.skip.Exception):
        trees.link(tmp_path / "taken", tmp_path)


def test_interpreters_really_run() -> None:
    """What is found by name is that Python, and starts."""
    for name in interpreters.available():
        result = environments.run(
            [environments.interpreter(name), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], check=True
        )
        assert result.stdout.strip() == name
    assert interpreters.find("3.1") is None


@pytest.mark.parametrize("name", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "pypy3"])
def test_environment_of_every_interpreter(
    name: str,
    interpreter: Callable[[str], Path],
    shared_environments: environments.Environments,
    demo_store: Path,
    home: Path,
) -> None:
    """The demo store keeps any string, in an environment of each interpreter that this machine has."""
    environment = shared_environments.get(interpreter(name), demo_store)
    program = (
        "import sys, json, keyring; [n] = [b for b in keyring.backend.get_all_keyring() if 'demo' in str(b)]\n"
        "for s in json.load(sys.stdin):\n"
        " n.set_password(s, s, s); assert n.get_password(s, s) == s; assert n.get_credential(s, None).password == s\n"
        " n.delete_password(s, s); assert n.get_password(s, s) is None\n"
    )
    env = {**os.environ, "DEMO_STORE_FILE": str(home / "store.json")}
    environment.run(["-c", program], env=env, stdin=json.dumps(NASTY), check=True)


def test_shared_environment_is_built_once(tmp_path: Path) -> None:
    """Asking again for the same thing gives the same folder and does not build again."""
    built: list[Path] = []

    def build(folder: Path) -> None:
        folder.mkdir()
        built.append(folder)

    shared = environments.Environments(tmp_path / "shared")
    assert shared.once("kind", build, "key") == shared.once("kind", build, "key")
    assert shared.once("kind", build, "other") in built
    assert len(built) == 2


def test_uv_tool(python: Path, shared_environments: environments.Environments, stub_tokens: Path) -> None:
    """``uv tool install`` puts keyring and the provider into a throw-away home."""
    tool = shared_environments.uv_tool(python, stub_tokens)
    assert (tool.home / ".local" / "bin" / "keyring").exists() or machine.WINDOWS
    assert "stub_tokens.StubTokens" in tool.environment.keyring("--list-backends", check=True).stdout


def test_pipx_tool(home: Path, python: Path, shared_environments: environments.Environments, stub_tokens: Path) -> None:
    """``pipx install`` and ``pipx inject`` do too."""
    tool = environments.pipx_tool(shared_environments.pipx(), home, python, str(stub_tokens))
    assert (tool.executables / "keyring").exists() or machine.WINDOWS
    assert "stub_tokens.StubTokens" in tool.environment.keyring("--list-backends", check=True).stdout


@pytest.mark.parametrize("kind", ["environment", "uv tool", "pipx tool"])
def test_store_of_the_system_is_left_out(
    kind: str,
    home: Path,
    python: Path,
    tmp_path: Path,
    shared_environments: environments.Environments,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keyring that is built lacks the backend that no home folder hides, here another one, and uv's cache keeps it."""
    monkeypatch.setattr(environments, "LEFT_OUT", ("chainer",))
    if kind == "environment":
        made = environments.create(tmp_path / "made", python, "keyring", share_files=True)
    elif kind == "uv tool":
        made = environments.uv_tool(home, python).environment
    else:
        made = environments.pipx_tool(shared_environments.pipx(), home, python).environment
    monkeypatch.setattr(environments, "LEFT_OUT", ())
    whole = environments.create(tmp_path / "whole", python, "keyring")
    listed = [one.keyring("--list-backends", check=True).stdout.splitlines() for one in (made, whole)]
    assert ["chainer.ChainerBackend"] == [
        line.split()[0].partition(".backends.")[2] for line in set(listed[1]) - set(listed[0])
    ]
    assert set() == set(listed[0]) - set(listed[1])


def test_stores_of_systems() -> None:
    """keyring has a backend of each name that is left out."""
    names = {one.name for one in metadata.distribution("keyring").entry_points if one.group == "keyring.backends"}
    assert {*environments.STORES.values(), *environments.LEFT_OUT} <= names


def test_provider_from_source(tmp_path: Path, python: Path) -> None:
    """A provider written by a test is found by keyring, installed as a wheel or written straight into place."""
    source = "from keyring.backends.null import Keyring as Null\nclass {}(Null):\n    priority = 7\n"
    wheel = providers.make_provider(tmp_path, "from-wheel", source.format("One"))
    environment = environments.create(tmp_path / "env", python, wheel)
    providers.put_provider(environment, "from-text", source.format("Two"))
    providers.put_provider(environment, "hidden", source.format("Three"), entry_point="")
    listed = environment.keyring("--list-backends", check=True).stdout
    assert "from_wheel.One (priority: 7)" in listed
    assert "from_text.Two (priority: 7)" in listed
    assert "Three" not in listed


def _ask(url: str, feed: Feed, user: str | None = None, data: bytes | None = None) -> int:
    """The status code of a request through the feed's proxy."""
    proxy = urllib.request.ProxyHandler({"http": feed.proxy})
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if user is not None:
        passwords.add_password(None, feed.proxy, user, "the-token")
        passwords.add_password(None, url, user, "the-token")
    opener = urllib.request.build_opener(proxy, urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        with opener.open(urllib.request.Request(url, data=data)) as answer:  # noqa: S310 - http only
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_feed(tmp_path: Path) -> None:
    """The feed answers to who knows the password only, takes uploads, and leads to no other host."""
    providers.make_provider(tmp_path, "some-package", "")
    with Feed(tmp_path, password="the-token") as feed:  # noqa: S106
        assert _ask(feed.url, feed) == 401
        assert _ask(feed.url, feed, "anybody") == 200
        assert _ask(feed.url + "some-package/", feed, "anybody") == 200
        assert _ask(feed.url + "-/some_package-1.0-py3-none-any.whl", feed, "anybody") == 200
        assert _ask(feed.url + "-/../" + urllib.parse.quote(__file__), feed, "anybody") == 404
        assert _ask(feed.url + "absent/", feed, "anybody") == 404
        assert _ask("http://example.invalid/", feed, "anybody") == 403
        body = b'--x\r\nContent-Disposition: form-data; name="content"; filename="a_b-1-py3-none-any.whl"\r\n\r\n'
        assert _ask(feed.upload_url, feed, data=body + b"zip\r\n--x--") == 401
        assert _ask(feed.upload_url, feed, "anybody", data=body + b"zip\r\n--x--") == 200
        assert (tmp_path / "a_b-1-py3-none-any.whl").read_bytes() == b"zip"
        assert feed.statuses("/simple/") == [401, 401, 200, 401, 200, 401, 200, 401, 404, 401, 404]
        assert {request.username for request in feed.requests} == {None, "anybody"}
    with Feed(tmp_path, password="the-token", username="ann") as feed:  # noqa: S106
        assert [_ask(feed.url, feed, "bob"), _ask(feed.url, feed, "ann")] == [401, 200]


@pytest.mark.parametrize("name", mac.ANYWHERE)
def test_what_the_pretended_mac_leaves_out_is_there(name: str) -> None:
    """What is left out there is a test of a file that is run there: pytest leaves out a name that is none without a word."""
    file, _, test = name.partition("::")
    assert file.removesuffix(".py") in mac.FILES
    text = (Path(mac.__file__).parent / file).read_text(encoding="utf-8")
    assert f"\ndef {test.partition('[')[0]}(" in text


def test_each_module_that_talks_to_tools_is_broken() -> None:
    """Mutation testing knows which tests are about each module of its wings, but for the one that is named there."""
    wings = ("helper", "delegation", "discovery")
    package = Path(discovery.__file__).parents[1]
    there = {f"{wing}/{file.stem}" for wing in wings for file in (package / wing).glob("[!_]*.py")}
    assert {one for one in mutation.SELECTED if "/" in one} == there - {"helper/windows"}
    files = {name for names, _ in mutation.SELECTED.values() for name in names}
    assert sorted(name for name in files if not (mutation.TESTS / name).is_file()) == []
