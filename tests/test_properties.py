"""Whatever is parsed may hold anything: no exception but the documented ones, no hang, and a bounded part is read."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyring.credentials import Credential
from keyring.errors import KeyringError

import keyring_fallback
from keyring_fallback import config, hidden, hints, plugin, survey
from keyring_fallback.delegation import bridge, call, command_line
from keyring_fallback.discovery import environment, executable, layout, search
from keyring_fallback.discovery.tool import Findings
from keyring_fallback.errors import ToolError
from keyring_fallback.helper import backends, shared
from keyring_fallback.here import config_file

if TYPE_CHECKING:
    from pathlib import Path


SETTINGS = settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PLATFORMS = ["linux", "darwin", "win32"]
CALLS = ["get_password", "get_credential", "set_password", "delete_password"]

#: Any string that Python can hold, lone surrogates and NUL included.
ANY = st.text(st.characters())
#: Any string that an environment variable can hold.
VARIABLE = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=8,
)


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is right, or now and then anything."""
    return st.one_of(good, good, good, JSON)


FAILURE = st.fixed_dictionaries(
    {key: mostly(ANY) for key in ("backend", "type", "message")}
    | {"error": mostly(st.sampled_from(["", "KeyringError", "PasswordSetError", "no such error", "__class__"]))}
)
REPLY = st.fixed_dictionaries(
    {
        "id": mostly(st.just(1)),
        "answer": mostly(
            st.none() | ANY | st.just(value=True) | st.fixed_dictionaries({"username": ANY, "password": ANY})
        ),
        "backend": mostly(ANY),
        "failures": mostly(st.lists(mostly(FAILURE), max_size=2)),
        "unloaded": mostly(st.lists(mostly(FAILURE), max_size=2)),
    }
)


@SETTINGS
@given(REPLY | JSON, st.sampled_from(CALLS))
def test_reply(document: Any, method: str) -> None:
    """A reply of any shape is an answer of the right kind or a ToolError; its errors are keyring's, in one line each."""
    try:
        reply = call.read(hidden.Hidden(json.dumps(document)), method, "the tool")
    except ToolError:
        return
    kinds: dict[str, Any] = {"get_password": str, "get_credential": Credential}
    assert reply.answer is None or isinstance(reply.answer, kinds.get(method, bool))
    for failure in reply.failures + reply.unloaded:
        assert isinstance(failure, KeyringError)
        assert str(failure) == "" or str(failure).isprintable()
        assert len(str(failure)) < 2000


@SETTINGS
@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_reply_that_is_anything(text: str) -> None:
    """Any text in the place of a reply is a ToolError, unless it is a reply."""
    with pytest.raises(ToolError):
        call.read(hidden.Hidden(text), "get_password", "the tool")


@SETTINGS
@given(st.binary(), st.binary(), st.lists(st.integers(1, 40)))
def test_reply_in_any_pieces(before: bytes, after: bytes, sizes: list[int]) -> None:
    """The reply is found in whatever pieces it arrives, whatever stands before and behind it."""
    session = bridge._Session(key=None, runs=None)  # noqa: SLF001
    session._nonce, session._number = b"0123456789abcdef" * 2, 7  # noqa: SLF001
    document = b'{"id": 7, "answer": "x"}'
    data = before + session._nonce + document + b"\n" + after  # noqa: SLF001
    found = []
    while data:
        size = sizes.pop() if sizes else len(data)
        piece, data = data[:size], data[size:]
        found.append(session._found(piece)[1])  # noqa: SLF001
    assert [document.decode()] == [one for one in found if one is not None]


@SETTINGS
@given(ANY, st.sampled_from(["password", "creds"]))
def test_output_of_the_command_line(output: str, mode: str) -> None:
    """Whatever keyring's command line prints is an answer or a ToolError."""
    try:
        answer = command_line._from_json(hidden.Hidden(output), mode, "the tool")  # noqa: SLF001
    except ToolError:
        return
    assert isinstance(answer, (str, Credential))


@pytest.mark.parametrize(
    "unit", ["{", '{"password": ', '{"username": "a", ', "[", '"', "\\", "\n", '{"password": 1}\n']
)
def test_large_output_of_the_command_line(unit: str) -> None:
    """A megabyte of what looks like the beginning of an answer takes no time to speak of."""
    begin = time.monotonic()
    with pytest.raises(ToolError):
        command_line._from_json(hidden.Hidden(unit * (1_000_000 // len(unit))), "password", "the tool")  # noqa: SLF001
    assert 20 > time.monotonic() - begin


#: What the parsed files hold: fragments of what they should, in any order, and anything.
FRAGMENTS = [
    *(
        "[keyring.backends]",
        "[fallback]",
        "[backend]",
        "[DEFAULT]",
        "x = a.b:C",
        "home = /usr",
        "version = 3",
        "=",
        ":",
    ),
    *(
        "tool = /x",
        "tool = rel",
        "timeout = 1e999",
        "services = [",
        "enabled = maybe",
        "default-keyring = x",
        "%(x)s",
        ";",
    ),
    *(
        "include-system-site-packages = true",
        "#!/bin/sh",
        "'''exec' ",
        ' "$0" "$@"',
        "' '''",
        "#!/usr/bin/python3",
        "import x",
    ),
    *(
        "\n",
        "\r\n",
        "\0",
        "\ufeff",
        "\\",
        "\u2028",
        "/../../..",
        "~",
        "\x1b[31m",
        '"$(dirname -- "$(realpath -- "$0")")"/',
    ),
]
CONTENT = st.lists(st.sampled_from(FRAGMENTS) | ANY, max_size=12).map("".join).map(
    lambda text: text.encode("utf-8", "surrogatepass")
) | st.binary(max_size=200)


@SETTINGS
@given(CONTENT)
def test_files_of_an_environment(tmp_path: Path, content: bytes) -> None:
    """pyvenv.cfg, entry_points.txt, .pth files and scripts may hold anything: discovery reads on and raises nothing."""
    root = tmp_path / "environment"
    site = root / "lib" / "python3.11" / "site-packages"
    info = site / "some-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (root / "bin").mkdir(exist_ok=True)
    (site / "keyring-1.dist-info").mkdir(exist_ok=True)
    for file in (
        root / "pyvenv.cfg",
        info / "entry_points.txt",
        info / "METADATA",
        site / "x.pth",
        root / "bin" / "keyring",
    ):
        file.write_bytes(content)
    (root / "bin" / "keyring").chmod(0o755)
    for platform in PLATFORMS:
        interpreter = environment.interpreter(os.fspath(root), platform)
        layout.read(os.fspath(root), interpreter, survey.here()._replace(platform=platform))
        executable.target(os.fspath(root / "bin" / "keyring"), platform)
        executable.target(os.fspath(root), platform)
    here = survey.here()._replace(environ={"PATH": os.fspath(root / "bin")}, home=os.fspath(tmp_path))
    assert isinstance(search.find(here), Findings)
    assert isinstance(search.find(here, [os.fspath(root), os.fspath(root / "bin" / "keyring")]), Findings)


@SETTINGS
@given(CONTENT, st.dictionaries(st.sampled_from(["TOOL", "SERVICES", "TIMEOUT", "ENABLED", "X"]), VARIABLE))
def test_settings(tmp_path: Path, content: bytes, variables: dict[str, str]) -> None:
    """keyringrc.cfg and our variables may hold anything: the settings make sense, and each problem is one line."""
    environ = {f"KEYRING_PROPERTY_FALLBACK_{name}": value for name, value in variables.items()}
    file = config_file(environ, os.fspath(tmp_path), "linux")
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as stream:
        stream.write(content)
    now = config.read(environ, os.fspath(tmp_path), "linux")
    assert 0 < now.timeout <= 86400
    assert isinstance(now.enabled, bool)
    assert all(os.path.isabs(path) for path in now.tool)
    assert now.services
    for problem in map(str, now.problems):
        assert 1 == len(problem.splitlines())
        assert problem.isprintable()
        assert len(problem) < 1000
    assert isinstance(survey.make(survey.here()._replace(environ=environ, home=os.fspath(tmp_path))), survey.Survey)


NAMES = [
    "PATH",
    "HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "PIPX_HOME",
    "UV_TOOL_DIR",
    "CONDA_EXE",
    "APPDATA",
    "VIRTUAL_ENV",
]
PATHS = st.lists(
    st.sampled_from(["/", ".", "..", "", ":", "/usr/bin", "~", "*", "\udcff", "/proc/self"]) | VARIABLE, max_size=6
)


@SETTINGS
@given(st.dictionaries(st.sampled_from(NAMES), PATHS.map("".join)), st.sampled_from(PLATFORMS), PATHS.map("".join))
def test_variables_with_paths(environ: dict[str, str], platform: str, home: str) -> None:
    """PATH, HOME and the others may hold anything: the search ends without an exception."""
    here = survey.here()._replace(environ=environ, home=home, platform=platform, cwd=home)
    assert isinstance(search.find(here), Findings)
    assert isinstance(survey.make(here), survey.Survey)


@SETTINGS
@given(st.dictionaries(st.sampled_from(NAMES), PATHS.map("".join)))
def test_whether_we_are_needed(environ: dict[str, str]) -> None:
    """The question at the start of every program is answered whatever the variables hold."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        assert plugin.is_needed() in (True, False)


@SETTINGS
@given(
    ANY | st.sampled_from(["http://[", "//[x", "https://u:p@h:x/", "a@b", "//", "https://"]) | st.none() | st.integers()
)
def test_services(service: Any) -> None:
    """A service may be anything: what we make of it for messages is one line and not long."""
    hints.host_of(service)
    hints.is_url(service)
    hints.registry_of(service)
    assert hints.shown(service) == "" or hints.shown(service).isprintable()
    assert 200 > len(hints.shown(service))


@SETTINGS
@given(ANY, ANY, ANY)
def test_failure_over_there(message: str, password: str, username: str) -> None:
    """The helper passes on any message in one line, not too long, without the password in any form that holds it."""
    found = backends.failure(
        "backend", ValueError(f"{message}{password!r}{message}"), backends.forms(password, username)
    )
    assert found["message"] == "" or found["message"].isprintable()
    assert shared.MESSAGE_LENGTH >= len(found["message"])
    if len(password) > 3:  # a shorter one may stand in the stars or in what is between them
        assert password not in found["message"] or password in message
    json.dumps(found).encode("ascii")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes in folders")
@pytest.mark.parametrize("kind", ["a named pipe", "a folder", "an endless file", "a link to itself"])
def test_files_that_are_none(tmp_path: Path, kind: str) -> None:
    """What is not a regular file in the place of one keeps nobody waiting, and of a large one a part is read."""
    root = tmp_path / "environment"
    info = root / "lib" / "python3.11" / "site-packages" / "some-1.dist-info"
    info.mkdir(parents=True)
    (root / "bin").mkdir()
    for file in (root / "pyvenv.cfg", info / "entry_points.txt", info.parent / "x.pth", root / "bin" / "keyring"):
        if kind == "a named pipe":
            os.mkfifo(file)
        elif kind == "a folder":
            file.mkdir()
        elif kind == "an endless file":
            file.symlink_to("/dev/zero")
        else:
            file.symlink_to(file)
    layout.read(os.fspath(root), os.fspath(root / "bin" / "python"), survey.here())
    executable.target(os.fspath(root / "bin" / "keyring"), "linux")
    here = survey.here()._replace(environ={"PATH": os.fspath(root / "bin")}, home=os.fspath(tmp_path))
    assert isinstance(search.find(here, [os.fspath(root)]), Findings)


@pytest.mark.usefixtures("tool_with_a_store")
class TestRoundTrip:
    """Service, user name and password arrive as they are."""

    @SETTINGS
    @given(ANY, ANY, ANY)
    def test_round_trip(self, service: str, username: str, password: str) -> None:
        """What was stored comes back, and is gone once it is deleted, for every string that Python can hold."""
        username = username or "user"  # keyring is about to refuse empty ones
        backend = keyring_fallback.GlobalKeyring()
        backend.set_password(service, username, password)
        assert password == backend.get_password(service, username)
        found = backend.get_credential(service, None)
        assert found is not None
        assert (username, password) == (found.username, found.password)
        backend.delete_password(service, username)
        assert backend.get_password(service, username) is None
