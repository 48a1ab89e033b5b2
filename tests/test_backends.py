"""What each call does, row by row: who is asked, in which order, and what becomes of errors."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from support import environments, providers
from support.stage import PRELUDE

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environment, Environments
    from support.stage import Stage

READER = """
    class {name}(KeyringBackend):
        priority = {priority}
        def get_password(self, service, username):
            note("{name} get_password %r %r" % (service, username))
            {body}
        def get_credential(self, service, username):
            note("{name} get_credential %r %r" % (service, username))
            {body}
        def set_password(self, service, username, password):
            raise NotImplementedError
        def delete_password(self, service, username):
            raise NotImplementedError
"""
WRITER = """
    class {name}(KeyringBackend):
        priority = {priority}
        def get_password(self, service, username):
            return None
        def set_password(self, service, username, password):
            note("{name} set %r" % password)
            {body}
        def delete_password(self, service, username):
            note("{name} delete")
            {body}
"""


def reader(name: str, priority: float, body: str) -> str:
    """The code of a backend that is asked."""
    return READER.format(name=name, priority=priority, body=body)


def writer(name: str, priority: float, body: str) -> str:
    """The code of a backend that stores and deletes."""
    return WRITER.format(name=name, priority=priority, body=body)


def test_both_listed_where_a_tool_adds_something(stage: Stage) -> None:
    """``keyring --list-backends`` shows both classes where there is a tool that adds something."""
    listed = stage.environment.keyring("--list-backends", env=stage.env(), check=True).stdout
    assert "keyring_fallback.backend.GlobalKeyring (priority: 8)" in listed
    assert "keyring_fallback.backend.FallbackKeyring (priority: 10.5)" in listed


@pytest.mark.parametrize(
    "variables",
    [
        {"KEYRING_PROPERTY_FALLBACK_TOOL": ""},
        {"KEYRING_PROPERTY_FALLBACK_ENABLED": "false"},
        {"KEYRING_FALLBACK_NESTED": "1"},
    ],
    ids=["no tool", "switched off", "nested"],
)
def test_neither_listed_without(stage: Stage, variables: dict[str, str]) -> None:
    """Neither class is viable without a tool, where we are switched off, and inside a helper."""
    stage.variables.update(variables)
    listed = stage.environment.keyring("--list-backends", env=stage.env(), check=True)
    assert "keyring_fallback" not in listed.stdout
    assert "" == listed.stderr


def test_neither_listed_with_a_tool_that_adds_nothing(stage: Stage, bare_tool: Environment) -> None:
    """Neither class is viable where the tool has no provider that this environment lacks; the priorities stay."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(bare_tool.root)
    assert "keyring_fallback" not in stage.environment.keyring("--list-backends", env=stage.env()).stdout
    code = "import keyring_fallback as k; print(k.GlobalKeyring.viable, k.GlobalKeyring.priority, k.FallbackKeyring.priority)"
    assert "False 8.0 10.5\n" == stage.environment.run(["-c", code], env=stage.env(), check=True).stdout


def test_provider_here_too_is_not_asked_there(stage: Stage) -> None:
    """A provider that is installed here as well is not asked a second time over there, and then we add nothing."""
    stage.there(reader("There", 9, "return 'there'"))
    _, site = stage.here(reader("Here", 9, "return None")), stage.folder / "here"
    info = site / "scripted_there-9.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[keyring.backends]\nx = scripted_there\n")
    (site / "scripted_there.py").write_text("")
    result = stage.call("get_password", "https://host/", "user")
    assert (None, []) == (result["answer"], result["error"])
    assert ["Here get_password 'https://host/' 'user'"] == stage.notes()


#: What a program that knows keyring's chain sees of the selected keyring.
CHAIN = """\
import json, keyring
from keyring.backends.chainer import ChainerBackend
chosen = keyring.get_keyring()
names = lambda backends: [type(one).__name__ for one in backends]
print(json.dumps([isinstance(chosen, ChainerBackend), names(chosen.backends), names(ChainerBackend.backends)]))
print(keyring.get_password("service", "user"))
"""


@pytest.mark.parametrize("version", ["keyring==23.0.0", "keyring"])
def test_it_is_a_chain_of_keyrings(
    stage: Stage, shared_environments: Environments, python: Path, wheel: Path, version: str
) -> None:
    """FallbackKeyring is a ChainerBackend with the same backends in it; neither chain is a link of the other."""
    stage = dataclasses.replace(stage, environment=shared_environments.get(python, version, wheel))
    stage.here(reader("Provider", 9.9, "return None") + reader("Store", 5, "return 'mine'"))
    stage.there(reader("There", 9, "return None"))
    listed, answer = stage.environment.run(["-c", CHAIN], env=stage.env(), check=True).stdout.splitlines()
    links = ["Provider", "GlobalKeyring", "Store"]
    assert ([True, links, links], "mine") == (json.loads(listed), answer)


#: Notes the class of the selected keyring, or loads the one that was noted, and looks something up with it.
NOTING_CLASS = """\
import os, sys, keyring, keyring.core
if not os.path.exists(sys.argv[1]):
    one = type(keyring.get_keyring())
    open(sys.argv[1], "w").write(f"{one.__module__}.{one.__name__}")
name = open(sys.argv[1]).read()
one = keyring.core.load_keyring(name)
one.set_password("service", "user", "pw")
print(name, one.get_password("service", "user"), one.get_credential("service", "user"))
"""


@pytest.mark.parametrize("version", ["keyring==23.0.0", "keyring"])
def test_loaded_by_its_name_later(
    stage: Stage, shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path, version: str
) -> None:
    """The selected class can be loaded by its name after we were switched off or the tool has gone: as osc does."""
    stage = dataclasses.replace(stage, environment=shared_environments.get(python, version, wheel))
    stage.here(reader("Store", 5, "return 'mine'") + writer("Writer", 4, "pass"))
    stage.there(reader("There", 9, "return None"))
    printed = []
    for variables in (
        {},
        {"KEYRING_PROPERTY_FALLBACK_ENABLED": "false"},
        {"KEYRING_FALLBACK_NESTED": "1"},
        {"KEYRING_PROPERTY_FALLBACK_TOOL": "/nowhere"},
        {"KEYRING_PROPERTY_FALLBACK_TOOL": ""},
    ):
        command = ["-c", NOTING_CLASS, os.fspath(tmp_path / "noted")]
        printed.append(stage.environment.run(command, env={**stage.env(), **variables}, check=True).stdout)
    assert ["keyring_fallback.backend.FallbackKeyring mine mine\n"] * 5 == printed


@pytest.mark.parametrize("tool", ["/nowhere", ""])
def test_global_keyring_alone_without_a_tool(stage: Stage, tool: str) -> None:
    """As the selected keyring, GlobalKeyring says why it has nobody to ask: None would say that nothing is stored."""
    stage.variables.update(PYTHON_KEYRING_BACKEND="keyring_fallback.GlobalKeyring", KEYRING_PROPERTY_FALLBACK_TOOL=tool)
    for call in (["get_password", "s", "u"], ["get_credential", "s", None], ["set_password", "s", "u", "pw"]):
        result = stage.call(*call)
        assert "NoKeyringError" == result["error"][0]
        assert result["message"].startswith("no global keyring was found")


def test_whatever_happens_keyring_has_its_other_backends(stage: Stage) -> None:
    """An exception while it is found out whether we are viable hides no backend: keyring does not catch it."""
    stage.here(reader("Here", 5, "return 'mine'"))
    program = (
        "import keyring, keyring_fallback.survey as survey\n"
        "survey.time = None\n"  # as a module is that the program has taken apart
        "print(keyring.get_password('service', 'user'))"
    )
    assert "mine\n" == stage.environment.run(["-c", program], env=stage.env(), check=True).stdout


@pytest.mark.parametrize("method", ["get_password", "get_credential"])
def test_order_is_by_priority(stage: Stage, method: str) -> None:
    """Providers here come before the tools, the tools before the stores here."""
    stage.here(reader("Provider", 9.9, "return None") + reader("Store", 5, "return None"))
    stage.there(reader("There", 0.5, "return None"))
    stage.call(method, "service", "user")
    assert ["Provider", "There", "Store"] == [line.split()[0] for line in stage.notes()]


def test_method_and_arguments_arrive_as_they_were(stage: Stage) -> None:
    """The method that was called is called over there, with service and username byte for byte, None included."""
    hostile = "https://h/\u00e9\ud800\n\0%20 '\"\\ "
    stage.there(reader("There", 9, "return None"))
    stage.calls(["get_password", hostile, hostile], ["get_credential", hostile, None], ["get_credential", "", ""])
    expected = [
        f"There get_password {hostile!r} {hostile!r}",
        f"There get_credential {hostile!r} None",
        "There get_credential '' ''",
    ]
    assert expected == stage.notes()


def test_first_answer_wins(stage: Stage) -> None:
    """The first answer that is not None ends the walk, an empty password too."""
    stage.here(reader("Provider", 9.9, "return None") + reader("Store", 5, "return 'store'"))
    stage.there(reader("There", 9, "return ''"))
    assert "" == stage.call("get_password", "service", "user")["answer"]
    assert ["Provider", "There"] == [line.split()[0] for line in stage.notes()]


def test_credential_comes_with_the_providers_username(stage: Stage) -> None:
    """A lookup without a username gives the username of the provider."""
    stage.there(reader("There", 9, "return credentials.SimpleCredential('token-user', 'secret')"))
    assert ["token-user", "secret"] == stage.call("get_credential", "https://host/", None)["answer"]


def test_exception_does_not_hide_an_answer(stage: Stage) -> None:
    """A backend that raises does not end the lookup: the next one answers, and nothing is printed."""
    stage.here(reader("Broken", 9.9, "raise RuntimeError('broken')"))
    stage.there(reader("There", 9, "return 'there'"))
    result = stage.call("get_password", "service", "user")
    assert ("there", "") == (result["answer"], result["stderr"])


def test_failing_tool_does_not_hide_a_local_answer(stage: Stage) -> None:
    """A provider over there that raises does not hide what a store here has, and nothing is printed."""
    stage.here(reader("Store", 5, "return 'store'"))
    stage.there(reader("There", 9, "raise RuntimeError('broken')"))
    result = stage.call("get_password", "service", "user")
    assert ("store", "") == (result["answer"], result["stderr"])


def test_first_local_exception_is_raised_where_nobody_answers(stage: Stage) -> None:
    """Nobody answered: the first exception of a local backend is raised as it was, since None would invite overwriting."""
    stage.here(
        reader("Locked", 9.9, "raise errors.KeyringLocked('unlock me')") + reader("Store", 5, "raise ValueError('no')")
    )
    stage.there(reader("There", 9, "return None"))
    result = stage.call("get_password", "service", "user")
    assert (["KeyringLocked", "KeyringError", "Exception"], "unlock me") == (result["error"][:3], result["message"])


def test_failure_over_there_is_one_warning_line_and_none(stage: Stage) -> None:
    """Nobody answered and a provider over there raised: None, and one line with its message, however often it is asked."""
    stage.there(reader("There", 9, "raise RuntimeError('run gcloud auth login\\nor else')"))
    results, stderr = stage.calls(["get_password", "service", "user"], ["get_password", "service", "user"])
    assert [(None, []), (None, [])] == [(result["answer"], result["error"]) for result in results]
    assert 1 == len(stderr.splitlines())
    assert "RuntimeError: run gcloud auth login or else" in stderr


def test_a_provider_of_the_same_version_that_cannot_be_loaded_here(
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    stub_tokens: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it imports may be missing here only: it is asked in the tool. As long as it can be loaded, we are not there."""
    environment = environments.create(tmp_path / "env", python, "keyring", wheel, stub_tokens)
    tool = shared_environments.uv_tool(python, stub_tokens).environment
    (tmp_path / "tokens.json").write_text('{"host.example": "from there"}')
    monkeypatch.setenv("STUB_TOKENS_FILE", str(tmp_path / "tokens.json"))
    monkeypatch.setenv("KEYRING_PROPERTY_FALLBACK_TOOL", str(tool.root))
    assert "keyring_fallback" not in environment.keyring("--list-backends").stdout
    assert "from there" == environment.keyring("get", "https://host.example/", "VssSessionToken").stdout.strip()
    (module,) = environment.site_packages.glob("stub_tokens.py")
    module.write_text(f"import no_such_module\n{module.read_text()}")
    assert "FallbackKeyring" in environment.keyring("--list-backends").stdout
    assert "from there" == environment.keyring("get", "https://host.example/", "VssSessionToken").stdout.strip()


def test_tool_with_nothing_else_than_a_provider_that_cannot_be_loaded(stage: Stage) -> None:
    """A provider over there that cannot be imported is named in one warning line."""
    stage.there("import no_such_module")
    result = stage.call("get_password", "service", "user")
    assert (None, 1) == (result["answer"], len(result["stderr"].splitlines()))
    assert "scripted_there" in result["stderr"]
    assert "no_such_module" in result["stderr"]


def test_global_keyring_alone_raises(stage: Stage) -> None:
    """As the selected keyring, GlobalKeyring raises a KeyringError that says what failed and where."""
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    stage.there(reader("There", 9, "raise RuntimeError('broken')"))
    result = stage.call("get_password", "service", "user")
    assert ["ProviderError", "KeyringError", "Exception"] == result["error"][:3]
    assert "RuntimeError: broken" in result["message"]
    assert stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] in result["message"]


def test_keyrings_own_errors_come_back_as_themselves(stage: Stage) -> None:
    """An error type of keyring's keeps its type and its message on the way."""
    kinds = ["KeyringError", "PasswordSetError", "PasswordDeleteError", "InitError", "KeyringLocked", "NoKeyringError"]
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    stage.there(reader("There", 9, "raise getattr(errors, service)('why')"))
    results, _ = stage.calls(*(["get_password", kind, "user"] for kind in kinds))
    assert [(kind, "why") for kind in kinds] == [(result["error"][0], result["message"]) for result in results]


def test_an_error_without_a_message(stage: Stage) -> None:
    """What one of keyring's errors does not say itself is said for it: who failed where, and with what."""
    stage.there(reader("There", 9, "raise errors.KeyringLocked()"))
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    expected = f"keyring-fallback: scripted_there.There in the global keyring {tool} failed: KeyringLocked\n"
    assert expected == stage.call("get_password", "service", "user")["stderr"]


@pytest.mark.skipif(os.name == "nt", reason="its tool is a shell script")
@pytest.mark.parametrize("call", [["set_password", "service", "user", "pw"], ["delete_password", "service", "user"]])
def test_second_tool_does_not_store_where_the_first_may_have(stage: Stage, tmp_path: Path, call: list[str]) -> None:
    """Where a tool gave no reply, it may have stored or deleted: no other one does it instead, and that is an error."""
    first = tmp_path / "keyring"
    first.write_text("#!/bin/sh\nexit 3\n")
    first.chmod(0o755)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = f"{first}\n{stage.variables['KEYRING_PROPERTY_FALLBACK_TOOL']}"
    stage.there(writer("There", 9, "pass"))
    result = stage.call(*call)
    assert "ToolError" in result["error"]
    assert f"the global keyring {first} ended with exit status 3" in result["message"]
    assert [] == stage.notes()


@pytest.mark.skipif(os.name == "nt", reason="a file without a program in it")
def test_second_tool_stores_where_the_first_does_not_start(stage: Stage, tmp_path: Path) -> None:
    """A tool that cannot be started has stored nothing: the next one does."""
    first = tmp_path / "keyring"
    first.write_bytes(b"\0 no program")
    first.chmod(0o755)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = f"{first}\n{stage.variables['KEYRING_PROPERTY_FALLBACK_TOOL']}"
    stage.there(writer("There", 9, "pass"))
    results, _ = stage.calls(["set_password", "service", "user", "pw"], ["delete_password", "service", "user"])
    assert [[], []] == [result["error"] for result in results]
    assert ["There set 'pw'", "There delete"] == stage.notes()


@pytest.mark.parametrize("password", [None, b"bytes", 12])
def test_a_password_that_is_no_string(stage: Stage, password: object) -> None:
    """What is no string arrives as it is, here and at a tool, or not at all; never as a text."""
    stage.here(writer("Store", 5, "pass")).there(writer("There", 9, "pass"))
    program = f"import keyring; keyring.set_password('service', 'user', {password!r})"
    stage.environment.run(["-c", program], env=stage.env(), check=True)
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    stage.environment.run(["-c", program], env=stage.env())
    there = [] if isinstance(password, bytes) else [f"There set {password!r}"]
    assert [f"Store set {password!r}", *there] == stage.notes()


def test_second_tool_is_asked_where_the_first_has_no_answer(
    stage: Stage,
    shared_environments: Environments,
    python: Path,
    demo_store: Path,
    tmp_path: Path,
) -> None:
    """Tools are asked in order until one answers; one that is broken does not end it."""
    store = shared_environments.get(python, "keyring", demo_store)
    file = tmp_path / "store.json"
    file.write_text('{"service": {"user": "from the second"}}')
    missing = tmp_path / "missing"
    tools = [missing, stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"], store.root]
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = "\n".join(map(str, tools))
    stage.variables["DEMO_STORE_FILE"] = os.fspath(file)
    stage.there(reader("There", 9, "raise RuntimeError('broken')"))
    result = stage.call("get_password", "service", "user")
    assert "from the second" == result["answer"]
    (line,) = result["stderr"].splitlines()
    assert line.startswith(f"keyring-fallback: KEYRING_PROPERTY_FALLBACK_TOOL: the tool {missing} is not used: ")


def test_named_tool_that_cannot_be_used_is_reported(stage: Stage, python: Path, tmp_path: Path) -> None:
    """A tool that the user named is never silently replaced: one line says why it is not used, and the search stays off."""
    keyringless = tmp_path / "keyringless"
    environments.create(keyringless, python)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(keyringless)
    stage.here(reader("Here", 5, "return 'here'"))
    result = stage.call("get_password", "service", "user")
    assert "here" == result["answer"]
    (line,) = result["stderr"].splitlines()
    assert line.endswith(f"the tool {keyringless} is not used: it has no keyring")


def test_write_goes_to_the_local_store_first(stage: Stage) -> None:
    """What is stored and deleted goes to the backends here, in order; NotImplementedError leaves it to the next."""
    stage.here(reader("Provider", 9.9, "return None") + writer("Store", 5, "pass"))
    stage.there(writer("There", 9, "pass"))
    results, _ = stage.calls(["set_password", "service", "user", "pw"], ["delete_password", "service", "user"])
    assert [[], []] == [result["error"] for result in results]
    assert ["Store set 'pw'", "Store delete"] == stage.notes()


def test_write_goes_to_the_tools_where_no_local_backend_takes_it(stage: Stage) -> None:
    """What nobody here stores or deletes is left to the tool."""
    stage.here(reader("Provider", 9.9, "return None"))
    stage.there(reader("AlsoProvider", 9.9, "return None") + writer("There", 9, "pass"))
    results, _ = stage.calls(["set_password", "service", "user", "pw"], ["delete_password", "service", "user"])
    assert [[], []] == [result["error"] for result in results]
    assert ["There set 'pw'", "There delete"] == stage.notes()


def test_write_that_nobody_takes_raises(stage: Stage) -> None:
    """Nobody stored or deleted it: PasswordSetError and PasswordDeleteError, where keyring's chain is silent."""
    stage.here(reader("Provider", 9.9, "return None") + reader("Another", 5, "return None"))
    stage.there(reader("There", 9, "return None"))
    stored, deleted = stage.calls(["set_password", "service", "user", "pw"], ["delete_password", "service", "user"])[0]
    assert ["NobodyStoresError", "PasswordSetError"] == stored["error"][:2]
    assert "PasswordDeleteError" in deleted["error"]


def test_local_store_that_fails_ends_the_write(stage: Stage) -> None:
    """A store here that raises anything but NotImplementedError ends the write: the tool must not take it instead."""
    stage.here(writer("Store", 5, "raise errors.PasswordSetError('disk full')"))
    stage.there(writer("There", 9, "pass"))
    result = stage.call("set_password", "service", "user", "pw")
    assert ("PasswordSetError", "disk full") == (result["error"][0], result["message"])
    assert ["Store set 'pw'"] == stage.notes()


def test_store_over_there_that_fails_ends_the_write(stage: Stage) -> None:
    """The same rules hold in the tool's chain, and a password in the error's message is struck out."""
    stage.there(
        writer("First", 9, "raise errors.PasswordSetError('cannot store %r' % password)") + writer("Second", 5, "pass")
    )
    result = stage.call("set_password", "service", "user", "s3cr'et")
    assert "PasswordSetError" == result["error"][0]
    assert "cannot store" in result["message"]
    assert "s3cr" not in result["message"] + result["stderr"]
    assert ['First set "s3cr\'et"'] == stage.notes()


def test_delete_error_here_is_held_back(stage: Stage) -> None:
    """A PasswordDeleteError here does not hide that the tool has it; it is raised only where nobody deleted."""
    stage.here(writer("Store", 5, "raise errors.PasswordDeleteError('not here')"))
    stage.there(writer("There", 9, "pass"))
    assert [] == stage.call("delete_password", "service", "user")["error"]
    stage.there(writer("There", 9, "raise errors.PasswordDeleteError('not there')"))
    result = stage.call("delete_password", "service", "user")
    assert ("PasswordDeleteError", "not here") == (result["error"][0], result["message"])
    assert ["Store delete", "There delete", "Store delete", "There delete"] == stage.notes()


def test_delete_in_the_tools_chain(stage: Stage) -> None:
    """In the tool's chain too, a PasswordDeleteError leaves it to the next backend and is raised where nobody deleted."""
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    first = writer("First", 9, "raise errors.PasswordDeleteError('not in the first')")
    stage.there(first + writer("Second", 5, "pass"))
    assert [] == stage.call("delete_password", "service", "user")["error"]
    stage.there(first + writer("Second", 5, "raise errors.PasswordDeleteError('nor in the second')"))
    assert "not in the first" == stage.call("delete_password", "service", "user")["message"]


def test_selected_global_keyring_asks_everything_over_there(stage: Stage) -> None:
    """As the selected keyring it asks what is installed here as well; as a link in the chain it does not."""
    stage.there(reader("There", 9, "return 'there'"))
    stage.here(reader("Here", 9, "return 'here'"))
    info = stage.folder / "here" / "scripted_there-9.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[keyring.backends]\nx = scripted_there\n")
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    assert "there" == stage.call("get_password", "service", "user")["answer"]


@pytest.mark.parametrize("setting", ["variable", "file", "option"])
def test_always_the_global_keyring(stage: Stage, setting: str) -> None:
    """GlobalKeyring can be selected by PYTHON_KEYRING_BACKEND, keyringrc.cfg and ``keyring -b``; then nobody here is asked."""
    stage.here(reader("Here", 9.9, "return 'here'"))
    stage.there(reader("There", 9, "return 'there'"))
    name, options = "keyring_fallback.GlobalKeyring", []
    if setting == "variable":
        stage.variables["PYTHON_KEYRING_BACKEND"] = name
    elif setting == "file":
        write_configuration(f"[backend]\ndefault-keyring={name}\n")
    else:
        options = ["-b", name]
    result = stage.environment.keyring(*options, "get", "service", "user", env=stage.env())
    assert ("there\n", "") == (result.stdout, result.stderr)
    assert ["There get_password 'service' 'user'"] == stage.notes()


def write_configuration(text: str) -> None:
    """Write keyringrc.cfg into the throw-away home."""
    from keyring.util import platform_

    folder = os.fspath(platform_.config_root())
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "keyringrc.cfg"), "w", encoding="utf-8") as file:
        file.write(text)


def test_one_configuration_for_environment_and_tool(
    stage: Stage, shared_environments: Environments, python: Path, demo_store: Path, wheel: Path, tmp_path: Path
) -> None:
    """With ``default-keyring`` naming us, the environment answers from the tool, whether the tool has our package or not.

    A tool with our package answers its own ``keyring get`` from its own backends.
    """
    write_configuration("[backend]\ndefault-keyring=keyring_fallback.GlobalKeyring\n")
    file = tmp_path / "store.json"
    file.write_text('{"service": {"user": "answer"}}')
    stage.variables["DEMO_STORE_FILE"] = os.fspath(file)
    without = shared_environments.get(python, "keyring", demo_store)
    for tool in (without, shared_environments.get(python, "keyring", demo_store, wheel)):
        stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(tool.root)
        result = stage.environment.keyring("get", "service", "user", env=stage.env())
        assert ("answer\n", "") == (result.stdout, result.stderr)
    # the tool itself: the setting names it, so it is at home
    result = tool.keyring("get", "service", "user", env=stage.env())
    assert ("answer\n", "") == (result.stdout, result.stderr)


def test_fallback_keyring_selected_by_name_works_without_a_tool(stage: Stage) -> None:
    """``default-keyring=keyring_fallback.FallbackKeyring`` breaks no environment that has us: it asks who is here."""
    write_configuration("[backend]\ndefault-keyring=keyring_fallback.FallbackKeyring\n")
    stage.here(reader("Here", 5, "return 'here'"))
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    assert "here" == stage.call("get_password", "service", "user")["answer"]


def test_services_that_are_not_delegated(stage: Stage) -> None:
    """``services`` limits what is delegated, by patterns on the host or on the whole name; writes too."""
    stage.there(reader("There", 9, "return 'there'") + writer("Writer", 5, "pass"))
    stage.variables["KEYRING_PROPERTY_FALLBACK_SERVICES"] = "*.example.com, exact name https://h/x*"
    asked = ["https://a.example.com/x", "A.example.com", "exact", "https://h/xy", "example.com", "https://h/y", "b"]
    asked += ["https://other.test/a.example.com", "other.test/?a.example.com"]
    results, _ = stage.calls(*(["get_password", service, "user"] for service in asked))
    assert ["there"] * 4 + [None] * 5 == [result["answer"] for result in results]
    assert "PasswordSetError" in stage.call("set_password", "b", "user", "pw")["error"]


def test_a_pinned_chainer_asks_each_backend_once(stage: Stage) -> None:
    """With keyring's ChainerBackend selected by name, nobody is asked twice for one lookup."""
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring.backends.chainer.ChainerBackend"
    stage.here(reader("Here", 5, "return None"))
    stage.there(reader("There", 9, "return None"))
    stage.call("get_password", "service", "user")
    assert ["There", "Here"] == [line.split()[0] for line in stage.notes()]


def test_at_home_the_own_backends_store_and_delete(stage: Stage) -> None:
    """In the tool's own environment, GlobalKeyring stores in and deletes from that environment's backends."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(stage.environment.root)
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    calls = [["set_password", "service", "user", "pw"], ["delete_password", "service", "user"]]
    stage.here(reader("Provider", 9.9, "return None") + writer("Store", 5, "pass"))
    assert [[], []] == [result["error"] for result in stage.calls(*calls)[0]]
    assert ["Store set 'pw'", "Store delete"] == stage.notes()


def test_at_home_the_own_backends_answer(stage: Stage) -> None:
    """In the tool's own environment, GlobalKeyring answers from that environment's backends."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(stage.environment.root)
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    credential = "credentials.SimpleCredential('me', service)"
    answers = f"{credential} if sys._getframe().f_code.co_name == 'get_credential' else service + username"
    stage.here(reader("First", 9.9, "raise OSError") + reader("Provider", 9, f"return {answers}"))
    results, _ = stage.calls(["get_password", "service", "user"], ["get_credential", "service", None])
    assert ["serviceuser", ["me", "service"]] == [result["answer"] for result in results]
    assert "Provider get_credential 'service' None" == stage.notes()[-1]


def test_delete_that_nobody_takes_has_keyrings_words(stage: Stage) -> None:
    """Where no backend deletes at all, the message is the one that keyring's own backends have, at home and in the chain."""
    stage.here(reader("Provider", 9.9, "return None") + reader("Another", 5, "return None"))
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(stage.environment.root)
    for name in ("GlobalKeyring", "FallbackKeyring"):
        stage.variables["PYTHON_KEYRING_BACKEND"] = f"keyring_fallback.{name}"
        result = stage.call("delete_password", "service", "user")
        assert ("PasswordDeleteError", "Password not found") == (result["error"][0], result["message"])


def test_debug_lines_say_who_was_asked(stage: Stage) -> None:
    """A debug line for each who was asked: what, for which service, what came; no password, no user name, no message."""
    stage.there(reader("There", 9, "return None") + writer("Writer", 4, "pass"))
    stage.here(reader("Broken", 9.9, "raise OSError('s3cret')") + reader("Other", 5, "return 's3cret'"))
    program = (
        "import logging, keyring; logging.basicConfig(level=10, format='%(levelname)s %(name)s %(message)s')\n"
        "assert keyring.get_password('https://me:s3cret@host/x', 'user') == 's3cret'\n"
        "keyring.set_password('service', 'user', 's3cret')"
    )
    stderr = stage.environment.run(["-c", program], env=stage.env(), check=True).stderr
    ours = [re.sub(r"\d+ ms$", "N ms", line) for line in stderr.splitlines() if "keyring_fallback" in line]
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    assert [
        "DEBUG keyring_fallback get_password('https://host/x'): scripted_here.Broken: failed, builtins.OSError, N ms",
        f"DEBUG keyring_fallback get_password('https://host/x'): {tool}: nothing, N ms",
        "DEBUG keyring_fallback get_password('https://host/x'): scripted_here.Other: answer, N ms",
        "DEBUG keyring_fallback get_password('https://host/x'): keyring: answer, N ms",
        "DEBUG keyring_fallback set_password('service'): scripted_here.Broken: nothing, builtins.NotImplementedError, N ms",
        "DEBUG keyring_fallback set_password('service'): scripted_here.Other: nothing, builtins.NotImplementedError, N ms",
        f"DEBUG keyring_fallback set_password('service'): {tool}: answer, N ms",
    ] == ours


def test_why_nobody_stores(stage: Stage, bare_tool: Environment) -> None:
    """The message about a password that nobody stored says of each side why, and names all tools."""
    stage.here(reader("Here", 9.9, "return None")).there(reader("There", 9, "return None"))
    (tool,) = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"].splitlines()
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = f"{tool}\n{bare_tool.root}"
    here, end = "no backend of this environment stores passwords", "; install one that does"
    there = f"no backend of the global keyring {tool}, {bare_tool.root} stores passwords"
    assert f"{here}; {there}{end}" == stage.call("set_password", "service", "user", "pw")["message"]
    stage.variables["KEYRING_PROPERTY_FALLBACK_SERVICES"] = "other"
    source = "'services', set in KEYRING_PROPERTY_FALLBACK_SERVICES"
    there = f"this service is not delegated to a global keyring ({source})"
    assert f"{here}; {there}{end}" == stage.call("set_password", "service", "user", "pw")["message"]
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    result = stage.call("delete_password", "service", "user")
    assert (there, "NotDeletedError") == (result["message"], result["error"][0])
    del stage.variables["KEYRING_PROPERTY_FALLBACK_SERVICES"]
    result = stage.call("delete_password", "service", "user")
    assert f"no backend of the global keyring {tool}, {bare_tool.root} deletes passwords" == result["message"]
    result = stage.call("set_password", "service", "user", "pw")
    assert ("NotStoredError", True) == (result["error"][0], "PasswordSetError" in result["error"])


AZURE = "https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"
HINT = (
    "keyring-fallback: no keyring here has a provider for Azure Artifacts (pkgs.dev.azure.com): artifacts-keyring is "
    "missing; 'keyring-fallback doctor URL' says what mends it\n"
)


def test_hint_where_the_provider_is_nowhere(stage: Stage) -> None:
    """A miss for a known host whose provider is nowhere is one line, that names the doctor; other hosts are silent."""
    stage.there(reader("There", 9, "return None"))
    calls: list[list[str | None]] = [
        ["get_password", AZURE, "u"],
        ["get_credential", AZURE, None],
        ["get_password", "https://example.com/", "u"],
    ]
    assert HINT == stage.calls(*calls)[1]


@pytest.mark.parametrize("where", ["here", "there"])
@pytest.mark.parametrize("selected", ["", "keyring_fallback.GlobalKeyring"])
def test_no_hint_where_a_store_has_the_host(stage: Stage, where: str, selected: str) -> None:
    """uv and pip ask for the host next: where a store has something for it, no provider is missing."""
    stored = reader("Store", 5, "return 'pw' if service == 'pkgs.dev.azure.com' and username == 'u' else None")
    stage.here(stored if where == "here" else "").there(
        stored if where == "there" else reader("There", 9, "return None")
    )
    stage.variables.update({"PYTHON_KEYRING_BACKEND": selected} if selected else {})
    results, stderr = stage.calls(["get_password", AZURE, "u"])
    assert ([None], HINT if selected and where == "here" else "") == ([one["answer"] for one in results], stderr)


@pytest.mark.parametrize("tool", ["none", "bare"])
def test_the_hint_where_nobody_can_ask_us(stage: Stage, bare_tool: Environment, tool: str) -> None:
    """In keyring's own command the line comes where we are not viable too, not its traceback; elsewhere nothing does."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(bare_tool.root)
    if tool == "none":
        del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    for words in (["get", AZURE, "u"], ["--mode", "creds", "get", AZURE]):
        for result in (
            stage.environment.keyring(*words, env=stage.env()),
            stage.environment.run(["-m", "keyring", *words], env=stage.env()),
        ):
            assert (1, "", HINT) == (result.returncode, result.stdout, result.stderr)
    result = stage.environment.keyring("get", "https://example.com/", "u", env=stage.env())
    assert "NoKeyringError" in result.stderr
    assert "keyring-fallback" not in result.stderr
    program = (
        f"import keyring, keyring.cli, sys; sys.argv[1:] = ['get', {AZURE!r}]; keyring.get_password({AZURE!r}, 'u')"
    )
    result = stage.environment.run(["-c", program], env=stage.env())
    assert "NoKeyringError" in result.stderr
    assert "keyring-fallback" not in result.stderr


def test_no_store_anywhere(stage: Stage) -> None:
    """What nobody stores is an error for programs that have an answer to that, and for those that have one to no keyring."""
    for source in ("", reader("Provider", 9, "return None")):
        stage.here(source).there(reader("There", 9, "return None"))
        errors = stage.call("set_password", "service", "user", "pw")["error"]
        assert {"PasswordSetError", "NoKeyringError", "RuntimeError"} <= set(errors)


#: A provider that is here and in the tool, in two versions: its code by where it is.
TWICE = """
    {broken}
    class Twice(KeyringBackend):
        priority = {priority}
        def get_password(self, service, username):
            note({place!r})
            {body}
        def set_password(self, service, username, password):
            raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("broken", "priority", "body", "asked"),
    [
        ("raise ImportError('half installed')", "9", "return None", ["there"]),
        ("pass", "1 / 0", "return None", ["there"]),
        ("pass", "9", "raise OSError('needs .NET')", ["here", "there"]),
        ("pass", "9", "return 'here'", ["here"]),
        ("pass", "9", "return None", ["here"]),
    ],
    ids=["not loaded", "not viable", "raises", "answers", "has none"],
)
def test_who_has_not_answered_here_is_asked_there(
    stage: Stage, broken: str, priority: str, body: str, asked: list[str]
) -> None:
    """A provider that is here too is asked in the tool where it could not be loaded here or has raised, and only there."""
    if priority != "9":
        priority = f"properties.classproperty(lambda cls: {priority})"
    here = "from keyring.compat import properties\n" + textwrap.dedent(
        TWICE.format(broken=broken, priority=priority, place="here", body=body)
    )
    site = stage.folder / "here"
    wheel = providers.make_provider(site / "wheels", "scripted-there", PRELUDE + here, version="0.3")
    providers.unpack(wheel, site)
    stage.variables["PYTHONPATH"] = os.fspath(site)
    stage.there(TWICE.format(broken="pass", priority="9", place="there", body="return 'there'"))
    result = stage.call("get_password", "service", "user")
    answer = {"here": "here" if "'here'" in body else None, "there": "there"}[asked[-1]]
    assert (answer, asked) == (result["answer"], stage.notes())


def test_a_credential_without_a_password_is_none(stage: Stage) -> None:
    """keyring-pass answers a miss with a credential whose password is None: the next is asked, and nothing is said."""
    empty = reader("Pass", 9.9, "return credentials.SimpleCredential(username, None)")
    stage.here(empty).there(
        empty.replace("9.9", "9") + reader("There", 5, "return credentials.SimpleCredential('a', 'b')")
    )
    assert ["a", "b"] == stage.call("get_credential", "service", "user")["answer"]
    stage.there(empty)
    result = stage.call("get_credential", "service", None)
    assert (None, "", []) == (result["answer"], result["stderr"], result["error"])


def test_a_failure_over_there_is_one_warning(stage: Stage) -> None:
    """Where a tool's provider failed and nobody answered, that is one line, once, and the answer is None."""
    stage.there(reader("There", 9, "raise ValueError('broken')"))
    results, stderr = stage.calls(["get_password", "service", "u"], ["get_credential", "service", None])
    assert [None, None] == [result["answer"] for result in results]
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    said = f"scripted_there.There in the global keyring {tool} failed: ValueError: broken"
    assert f"keyring-fallback: {said}\n" == stderr


NOTING = """
    class {name}(KeyringBackend):
        priority = 5
        def get_password(self, service, username): return None
        def set_password(self, service, username, password): note("{name} set %r %r" % (service, username))
        def delete_password(self, service, username): note("{name} delete %r %r" % (service, username))
"""


@pytest.mark.parametrize("where", ["here", "there", "at home"])
def test_whose_password_is_stored_and_deleted(stage: Stage, where: str) -> None:
    """Service and user name arrive as they were given at who stores and deletes: here, in the tool, and at home."""
    if where == "there":
        stage.there(NOTING.format(name="Store"))
        stage.here(reader("Provider", 9.9, "return None") + reader("Another", 5, "return None"))
    else:
        stage.here(reader("Provider", 9.9, "return None") + NOTING.format(name="Store"))
    if where == "at home":
        stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(stage.environment.root)
        stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    calls = [["set_password", "a service", "\u00e9", "pw"], ["delete_password", "a service", "\u00e9"]]
    assert [[], []] == [result["error"] for result in stage.calls(*calls)[0]]
    assert ["Store set 'a service' '\u00e9'", "Store delete 'a service' '\u00e9'"] == stage.notes()


def test_a_credential_without_a_user_name(stage: Stage) -> None:
    """What a tool answers without a user name is an anonymous credential here too."""
    stage.there(reader("There", 9, "return credentials.AnonymousCredential('secret')"))
    program = "import keyring; one = keyring.get_credential('service', None); print(type(one).__name__, one.password)"
    result = stage.environment.run(["-c", program], env=stage.env(), check=True)
    assert "AnonymousCredential secret\n" == result.stdout


def test_the_first_reason_not_to_delete_counts(stage: Stage) -> None:
    """Where nobody deleted, the error of the first backend that had nothing to delete is raised, in its own words."""
    stage.here(writer("First", 6, "raise errors.PasswordDeleteError('first')") + reader("Second", 5, "return None"))
    stage.there(writer("There", 9, "raise errors.PasswordDeleteError('there')"))
    result = stage.call("delete_password", "service", "user")
    assert ("PasswordDeleteError", "first") == (result["error"][0], result["message"])


#: Looks up, stores and deletes, before and after variables have changed.
CHANGING = """\
import json, os, sys, keyring
for variables in ({}, json.loads(sys.argv[1])):
    os.environ.update(variables)
    print(keyring.get_password("service", "user"), keyring.get_credential("service", None))
    keyring.set_password("service", "user", "pw")
    keyring.delete_password("service", "user")
"""


@pytest.mark.parametrize("selected", ["", "keyring.backends.chainer.ChainerBackend"])
@pytest.mark.parametrize(
    "variables",
    [{"KEYRING_PROPERTY_FALLBACK_TOOL": "/nowhere"}, {"KEYRING_PROPERTY_FALLBACK_ENABLED": "false"}],
    ids=["the tool is gone", "switched off"],
)
def test_nothing_to_delegate_any_more(stage: Stage, variables: dict[str, str], selected: str) -> None:
    """Where there is nothing to delegate any more, this environment's backends do all, each once."""
    stage.there(reader("There", 9, "return None"))
    stage.here(reader("Store", 5, "return 'mine'") + writer("Writer", 4, "pass"))
    if selected:
        stage.variables["PYTHON_KEYRING_BACKEND"] = selected
    result = stage.environment.run(["-c", CHANGING, json.dumps(variables)], env=stage.env(), check=True)
    assert "mine mine\n" * 2 == result.stdout
    asked = [" ".join(line.split()[:2]) for line in stage.notes()]
    store = ["Store get_password", "Store get_credential"]
    written = ["Writer set", "Writer delete"]
    there = ["There get_password", "There get_credential"]
    assert [there[0], store[0], there[1], store[1], *written, *store, *written] == asked


def test_a_known_provider_is_asked_for_its_own_hosts(stage: Stage, python: Path, tmp_path: Path) -> None:
    """A provider that we know by its name is started for a URL at its hosts, and for nothing else."""
    source = (
        "import os, sys\nfrom keyring.backend import KeyringBackend\nopen(os.environ['MARK'], 'a').write('loaded')\n"
        "class Azure(KeyringBackend):\n    priority = 9.9\n    def get_password(self, s, u):\n        return 'token'\n"
        "    set_password = delete_password = get_password\n"
    )
    wheel = providers.make_provider(tmp_path, "artifacts-keyring", source)
    tool = environments.create(tmp_path / "tool", python, "keyring", wheel)
    mark = tmp_path / "mark"
    stage.variables.update({"KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(tool.root), "MARK": os.fspath(mark)})
    others = ("https://eu-python.pkg.dev/p/r/simple/", "pkgs.dev.azure.com", "my-service")
    results, _ = stage.calls(*(["get_password", service, "me"] for service in others))
    assert ([None] * 3, False) == ([one["answer"] for one in results], mark.exists())
    result = stage.call("get_password", "https://pkgs.dev.azure.com/o/", "me")
    assert ("token", "") == (result["answer"], result["stderr"])
