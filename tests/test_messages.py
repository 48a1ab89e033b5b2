"""All messages of ours as a set: what failed, where, what to do; in one line, without a child's output or a secret."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import keyring_fallback
from support import environments, hostile
from test_hostile_tool import backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environment
    from support.stage import Stage

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: scripts with #!")

URL = "https://user:CANARY@host/simple/?CANARY"
GET: list[Any] = ["global", "get_password", URL, "user"]
SET: list[Any] = ["global", "set_password", URL, "user", "CANARY"]
DOCTOR, MORE = "keyring-fallback doctor", "'timeout' in [fallback] of keyringrc.cfg"

#: (kind of tool, what it does, the call, the time limit, what failed, what to do)
CASES: list[tuple[str, str, list[Any], float, str, str]] = [
    ("interpreter", "os._exit(3)", GET, 60, "ended without a reply (exit status 3)", DOCTOR),
    ("interpreter", "os.kill(os.getpid(), 9)", GET, 60, "ended without a reply (killed by signal 9)", DOCTOR),
    ("interpreter", "time.sleep(60)", GET, 0.5, "gave no answer within 0.5 seconds", MORE),
    ("interpreter", "start(); reply(answer=7)", GET, 60, "gave a reply that is not one", DOCTOR),
    ("interpreter", "out(b'CANARY' * 2000000)", GET, 60, "gave a reply larger than any answer", DOCTOR),
    ("no interpreter", "", GET, 60, "cannot be started (No such file or directory)", DOCTOR),
    (
        "interpreter",
        "start(); time.sleep(60)",
        [*GET[:2], 7.5j, "user"],
        60,
        "cannot be asked",
        "must be strings or None",
    ),
    (
        "interpreter",
        "time.sleep(60)",
        [*GET[:2], "x" * 9_000_000, "u"],
        60,
        "cannot be asked",
        "must be smaller than 8 MiB",
    ),
    (
        "provider",
        "raise ValueError('run gcloud auth login')",
        GET,
        60,
        "There in",
        "failed: ValueError: run gcloud auth login",
    ),
    ("provider", "raise ValueError(username)", SET, 60, "There in", "failed: ValueError: ***"),
    ("provider", "raise NotImplementedError", SET, 60, "no backend of", "stores passwords"),
    (
        "provider",
        "raise NotImplementedError",
        ["global", "delete_password", URL, "u"],
        60,
        "no backend of",
        "deletes passwords",
    ),
    (
        "provider",
        "raise NotImplementedError",
        ["keyring", *SET[1:]],
        60,
        "no backend of this environment",
        "install one that does",
    ),
    ("busy", "time.sleep(60)", GET, 0.7, "was busy with other lookups for 0.7 seconds", MORE),
    ("executable", "exit 77", GET, 60, "exit status 77", DOCTOR),
    ("executable", "kill -9 $$", GET, 60, "signal 9", DOCTOR),
    ("executable", "sleep 60", GET, 0.5, "gave no answer within 0.5 seconds", MORE),
    ("executable", "echo CANARY", GET, 60, "printed something else than a credential", DOCTOR),
    ("executable", "printf '\\377'", GET, 60, "printed something that is not UTF-8", DOCTOR),
    ("executable", "head -c 9000000 /dev/zero", GET, 60, "printed more than any answer", DOCTOR),
    ("executable", "exit 0", [*SET[:4], "CANARY\r2"], 60, "asked on a command line", "a password must be one line"),
    (
        "executable",
        "exit 0",
        [*SET[:4], "CANARY\ud800"],
        60,
        "asked on a command line",
        "must not have lone surrogates",
    ),
    (
        "executable",
        "exit 0",
        [*GET[:2], 7, "u"],
        60,
        "asked on a command line",
        "service, username and password must be strings",
    ),
    (
        "executable",
        'test "$1" = set || echo \'{"password": "CANARY"}\'',
        [*SET[:4], "another CANARY"],
        60,
        "said that it stored it, but does not return it",
        DOCTOR,
    ),
    (
        "executable",
        "test $1 != --mode || { echo usage: >&2; exit 2; }; echo CANARY; echo CANARY",
        GET,
        60,
        "too old",
        "install keyring 25.2 or newer",
    ),
    (
        "executable",
        "echo 'Traceback (most recent call last):' >&2; echo 'a.Error: go away' >&2; exit 1",
        GET,
        60,
        "failed: ",
        "go away",
    ),
]
#: Two lookups at once, where one has to wait for the other.
BUSY = """\
import json, sys, threading, time
import keyring_fallback
(_, method, *arguments), = json.load(sys.stdin)
messages = []
def ask():
    try: keyring_fallback.GlobalKeyring().get_password(*arguments)
    except Exception as error: messages.append(str(error))
threads = [threading.Thread(target=ask) for _ in range(3)]
[one.start() for one in threads]; [one.join() for one in threads]
print(json.dumps([one for one in messages if "busy" in one][0]))
"""


def message_of(
    case: tuple[str, str, list[Any], float, str, str], stage: Stage, tool: Environment, python: Path
) -> tuple[str, str]:
    """Have a case happen; return the message of the exception and where the tool is."""
    kind, source, call, seconds = case[:4]
    folder = stage.folder
    if kind in ("interpreter", "no interpreter"):
        where = hostile.false_interpreter(folder, python, source)
        if kind == "no interpreter":
            hostile.executable(where / "bin" / "python", "#!/no/such/program\n")
    elif kind == "executable":
        where = hostile.false_executable(folder / "bin", source + "\n")
    else:
        where = tool.root
        stage.there(backend(source))
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(where)
    if kind == "busy":
        variables = {**stage.env(), "KEYRING_PROPERTY_FALLBACK_TIMEOUT": str(seconds)}
        result = stage.environment.run(["-c", BUSY], env=variables, stdin=json.dumps([call]), check=True)
        return json.loads(result.stdout), os.fspath(where)
    values = json.loads(json.dumps([call], default=str))
    if call[2] == 7.5j:  # JSON has none
        values = [[*call[:2], "<complex>", call[3]]]
    program = hostile.PROGRAM.replace(
        "json.load(sys.stdin):",
        "json.load(sys.stdin):\n    arguments = [{'<complex>': 7.5j}.get(a, a) if isinstance(a, str) else a for a in arguments]",
    )
    variables = {**stage.env(), "KEYRING_PROPERTY_FALLBACK_TIMEOUT": str(seconds)}
    result = environments.run(
        [stage.environment.python, "-c", program], env=variables, stdin=json.dumps(values), check=True
    )
    (outcome,) = json.loads(result.stdout)
    assert "CANARY" not in result.stderr
    return outcome["message"], os.fspath(where)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_message(stage: Stage, scripted_tool: Environment, python: Path, number: int) -> None:
    """A message says what failed, where the tool is and what to do, in one line without a secret or a child's output."""
    case = CASES[number]
    message, where = message_of(case, stage, scripted_tool, python)
    assert [] == [part for part in (*case[4:], where) if part not in message]
    assert 1 == len(message.splitlines())
    assert message.isprintable()
    assert "CANARY" not in message
    assert 1000 > len(message)


#: Beginnings of messages of ours that no case above has, and the test that has it.
ELSEWHERE = {
    "cannot be loaded (": "test_hostile_surroundings.py",
    "Password not found": "test_backends.py",
    "is not asked, since": "test_untrusted.py",
    "this service is not delegated": "test_backends.py",
}
MODULES = ["delegation/bridge", "delegation/call", "delegation/command_line", "delegation/tools", "backend"]


def texts() -> Iterator[tuple[str, str]]:
    """Where an exception with a text of ours is made, and the longest fixed part of its text."""
    for module in MODULES:
        file = Path(keyring_fallback.__file__).parent / f"{module}.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            text = node.exc.args[0]
            values = text.values if isinstance(text, ast.JoinedStr) else [text]
            fixed = [str(one.value) for one in values if isinstance(one, ast.Constant)]
            if fixed:
                yield f"{module}.py:{node.lineno}", max(fixed, key=len).strip("; ,")


def test_every_message_has_a_case() -> None:
    """No exception of ours is made with a text that no case has seen."""
    found = list(texts())
    assert len(found) > 15
    unseen = []
    for place, literal in found:
        known = any(what in literal or literal in what or cure in literal for *_, what, cure in CASES)
        if not known and not any(literal.startswith(begin) for begin in ELSEWHERE):
            unseen.append((place, literal))
    assert [] == unseen
