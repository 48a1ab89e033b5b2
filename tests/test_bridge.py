"""The bridge, with programs in the place of the helper that say just what a test has them say."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from keyring import errors

from keyring_fallback.delegation import bridge, pipes, process
from keyring_fallback.delegation.call import Call, Invocation, Reply, Setup
from keyring_fallback.errors import ProviderError, ToolError
from keyring_fallback.hidden import Sealed
from support import machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


#: Reads the set-up, and for each request runs the code that it was started with.
SPEAKER = """\
import json, os, sys, time
setup = json.loads(sys.stdin.readline())
pid = str(os.getpid())
def reply(answer=pid, **other):
    return {"id": request["id"], "answer": answer, "backend": "there.Backend", "failures": [], "unloaded": [], **other}
def write(text, before=setup["nonce"], end="\\n"):
    sys.stdout.write(before + text + end)
    sys.stdout.flush()
def say(*answer, **other):
    write(json.dumps(reply(*answer, **other)))
for line in sys.stdin:
    request = json.loads(line)
    exec(os.environ["CODE"])
"""
ADVICE = "run 'keyring-fallback doctor' to see what is wrong with it"
MORE = "allow more by 'timeout' in [fallback] of keyringrc.cfg"
SETUP = Setup(everything=False, entry_points=("one", "two"), own=("own",), skip=("skip",))
GET = Call("get_password", "service", "user")


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[bridge._Registry]:
    """Helpers of this test alone; none of them is left."""
    registry = bridge._Registry()  # noqa: SLF001
    monkeypatch.setattr(bridge, "_registry", registry)
    yield registry
    for session in registry.sessions:
        session.close(kill=True)


def invocation(code: str, seconds: float = 60.0, **variables: str) -> Invocation:
    """Run a speaker with some code."""
    environ = {**os.environ, "CODE": code, **variables}
    return Invocation((sys.executable, "-I", "-c", SPEAKER), environ, "the tool", seconds)


def ask(code: str, call: Call = GET, seconds: float = 60.0, **variables: str) -> Reply:
    """Ask a speaker."""
    return bridge.ask(invocation(code, seconds, **variables), SETUP, call)


def complaint(code: str, call: Call = GET, seconds: float = 60.0) -> str:
    """Ask a speaker who has no reply; return what is said of it."""
    with pytest.raises(ToolError) as caught:
        ask(code, call, seconds)
    assert None is caught.value.__cause__
    return str(caught.value)


def test_what_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set-up has a nonce, which is another one each time; a request has a number, the call and what surrounds it."""
    monkeypatch.chdir(tmp_path)
    call = Call("set_password", "sérvice\ud800", None, Sealed("pässword\0"))
    code = "say(True, backend=json.dumps([setup, request]))"
    setup, request = json.loads(ask(code, call).backend)
    nonce = setup.pop("nonce")
    assert 32 == len(nonce)
    assert {"everything": False, "entry_points": ["one", "two"], "own": ["own"], "skip": ["skip"]} == setup
    expected = {"method": "set_password", "service": "sérvice\ud800", "username": None, "password": "pässword\0"}
    assert ("umask" in request) == os.path.exists("/proc/self/status")
    request.pop("umask", None)
    assert {"id": 1, **expected, "directory": os.fspath(tmp_path), "handled": []} == request
    assert 2 == json.loads(ask(code, call).backend)[1]["id"]
    again, request = json.loads(ask(code, call, OTHER="environment").backend)
    assert (nonce != again["nonce"], 3) == (True, request["id"])


@pytest.mark.skipif(machine.WINDOWS, reason="a folder in use cannot be removed there")
def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the working directory is gone, nobody is told to go there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "null" == ask("say(json.dumps(request['directory']))").answer


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_run(monkeypatch: pytest.MonkeyPatch, *, kept: bool) -> None:
    """The helper's starter, with the kind of bytecode that may be kept in our folder."""
    monkeypatch.setattr(sys, "dont_write_bytecode", not kept)
    start, tag, module = json.loads(ask("say(json.dumps(sys.argv[1:]))").answer)
    assert ("start.py", True) == (os.path.basename(start), os.path.isfile(start))
    assert (sys.implementation.cache_tag if kept else "", "helper") == (tag, module)


def test_who_answers() -> None:
    """A helper stays for the next lookup in the same environment, of the same set-up and program."""
    first = ask("say()").answer
    assert first == ask("say()").answer
    assert first != bridge.ask(invocation("say()"), SETUP._replace(everything=True), GET).answer
    assert first == ask("say()").answer
    other = ask("say()", OTHER="environment").answer
    assert first != other
    assert other == ask("say()", OTHER="environment").answer


def test_another_version_of_the_tool_is_another_helper() -> None:
    """When the tool holds something else than before, by an upgrade for example, a new helper is started."""
    first, second = invocation("say()"), invocation("say()")._replace(content="another version")
    pids = [bridge.ask(one, SETUP, GET).answer for one in (first, first, second, second)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_request_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a request cannot be sent, for want of descriptors for example, is an error of the tool's."""

    def fails(*_: object, **__: object) -> None:
        raise OSError(24, "no more of them")

    monkeypatch.setattr(process.Process, "send", fails)
    assert f"the tool cannot be asked (no more of them); {ADVICE}" == complaint("say()")


def test_a_large_request_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """That no thread is left to send a large request (Windows) is an error of the tool's, too."""

    def fails(_: object) -> None:
        raise RuntimeError("no more of them")

    monkeypatch.setattr(pipes, "Selected", pipes.Threaded)
    assert ask("say()").answer is not None
    monkeypatch.setattr("threading.Thread.start", fails)
    large = GET._replace(service="s" * 10_000)
    assert f"the tool cannot be asked (no more of them); {ADVICE}" == complaint("say()", large)


def test_an_idle_helper_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After too long a pause a new helper is started; the time counts from the last answer."""
    first = ask("say()").answer
    monkeypatch.setattr(bridge, "IDLE_SECONDS", 0.2)
    assert first == ask("say()").answer
    time.sleep(0.3)
    second = ask("say()").answer
    assert first != second
    assert second == ask("say()").answer


def test_a_helper_that_ended_in_between() -> None:
    """A helper that is gone when the next lookup comes is started again, whatever is asked."""
    first = ask("say(); os._exit(3)").answer
    call = Call("delete_password", "service", "user")
    time.sleep(0.1)
    assert ask("say(True, backend=pid); os._exit(3)", call).backend != first


@pytest.mark.parametrize(
    ("method", "answer"),
    [("get_password", "'answer'"), ("get_credential", "{'username': 'me', 'password': 'answer'}")],
)
def test_a_helper_that_ends_when_it_is_asked(method: str, answer: str) -> None:
    """A helper that ends with the second request is started again to read, once, and never to store."""
    code = f"os._exit(3) if request['id'] == 2 else say({answer})"
    call = Call(method, "service", "user")
    assert ask(code, call).answer is not None
    assert ask(code, call).answer is not None


@pytest.mark.parametrize("method", ["set_password", "delete_password"])
def test_a_helper_that_ends_when_it_is_to_store(method: str) -> None:
    """What may have been stored or deleted is not tried again."""
    code = "os._exit(3) if request['id'] == 2 else say(True)"
    call = Call(method, "service", "user", Sealed("x"))
    assert ask(code, call).answer
    assert f"the tool ended without a reply (exit status 3); {ADVICE}" == complaint(code, call)


def test_ends_without_a_reply(tmp_path: Path) -> None:
    """A fresh helper that ends is not started again, and how it ended is said."""
    starts = tmp_path / "starts"
    complaint(f"open({os.fspath(starts)!r}, 'a').write('.'); os._exit(0)")
    assert "." == starts.read_text()
    assert f"the tool ended without a reply (exit status 3); {ADVICE}" == complaint("os._exit(3)")
    assert f"the tool ended without a reply (exit status 0); {ADVICE}" == complaint("os._exit(0)")
    if not machine.WINDOWS:
        said = f"the tool ended without a reply (killed by signal {signal.SIGTERM:d}); {ADVICE}"
        assert said == complaint("os.kill(os.getpid(), 15)")


@pytest.mark.skipif(machine.WINDOWS, reason="the launcher of the environment has the pipe too")
def test_closes_its_end() -> None:
    """A helper that writes no more, but lives, is ended."""
    said = complaint("os.close(1); time.sleep(60)", seconds=30.0)
    assert f"the tool ended without a reply; {ADVICE}" == said


@pytest.mark.parametrize(
    ("program", "reason"), [("/nothing/here", machine.message(errno.ENOENT, 2)), ("/with\0nul", "ValueError")]
)
def test_cannot_be_started(program: str, reason: str) -> None:
    """A program that does not start is named, with the reason."""
    asked = Invocation((program,), {}, "the tool", 60.0)
    with pytest.raises(ToolError) as caught:
        bridge.ask(asked, SETUP, GET)
    assert f"the tool cannot be started ({reason}); {ADVICE}" == str(caught.value)


def test_takes_too_long(tmp_path: Path) -> None:
    """After the time limit the helper is ended, and the next lookup has a new one."""
    said = (
        "the tool gave no answer within 2 seconds; if it was waiting for you, run 'keyring-fallback doctor' on a "
        f"terminal, or {MORE}"
    )
    note = tmp_path / "pid"
    code = f"os.path.exists({os.fspath(note)!r}) or open({os.fspath(note)!r}, 'w').write(pid) and time.sleep(60); say()"
    assert said == complaint(code, seconds=2.0)
    if not machine.WINDOWS:  # where 0 is a signal like others
        with pytest.raises(ProcessLookupError):
            os.kill(int(note.read_text()), 0)
    assert note.read_text() != ask(code).answer


def test_is_busy(registry: bridge._Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no more helpers, a lookup waits for the one before it no longer than for an answer."""
    monkeypatch.setattr(bridge, "MOST_HELPERS", 1)
    monkeypatch.setattr(bridge, "PATIENCE_SECONDS", 0.01)
    ask("say()")
    (session,) = registry.sessions
    session.since = time.monotonic()
    said = complaint("say()", seconds=0.1)
    waits = threading.Thread(target=lambda: answers.append(ask("say()").answer))
    answers: list[str] = []
    waits.start()
    time.sleep(0.1)
    assert [] == answers
    registry.give_back(session)
    waits.join()
    assert f"the tool was busy with other lookups for 0.1 seconds; {MORE}" == said
    assert 1 == len(answers)


def test_a_slow_lookup_holds_up_nobody(registry: bridge._Registry, tmp_path: Path) -> None:
    """Who asks while another lookup takes long has another helper, up to four; quick lookups share one."""
    gate = tmp_path / "gate"
    code = f"while request['service'] == 'slow' and not os.path.exists({os.fspath(gate)!r}): time.sleep(0.05)\nsay()"
    pids = [ask(code).answer]
    slow = [
        threading.Thread(target=bridge.ask, args=(invocation(code), SETUP, GET._replace(service="slow")))
        for _ in range(bridge.MOST_HELPERS)
    ]
    for number, thread in enumerate(slow[:-1], 2):
        thread.start()
        time.sleep(0.1)
        answers = {ask(code).answer for _ in range(3)}
        assert (1, number) == (len(answers), len(registry.sessions))
        pids += answers
    assert len(set(pids)) == len(pids)
    slow[-1].start()
    time.sleep(0.1)
    assert "the tool was busy" in complaint(code, seconds=0.1)
    gate.touch()
    for thread in slow:
        thread.join()


@pytest.mark.skipif(machine.WINDOWS, reason="there are no users of this kind")
@pytest.mark.parametrize("who", ["geteuid", "getegid", "getgroups", "getpgrp"])
def test_who_asks(monkeypatch: pytest.MonkeyPatch, registry: bridge._Registry, who: str) -> None:
    """A program that becomes another user, or leaves its group, has a helper of its own then, and the old one goes."""
    first = ask("say()").answer
    (session,) = registry.sessions
    process = session.process
    assert process is not None
    monkeypatch.setattr(os, who, lambda: (4711,) if who == "getgroups" else 4711)
    assert first != ask("say()").answer
    assert 1 == len(registry.sessions)
    assert 0 == process.wait(10.0)


@pytest.mark.parametrize("service", [b"bytes", 5.0j, object()], ids=["bytes", "a number", "an object"])
def test_cannot_be_sent(service: Any) -> None:
    """What JSON cannot carry is turned down, and the next lookup goes well."""
    said = "the tool cannot be asked: service, username and password must be strings or None"
    assert said == complaint("say()", Call("get_password", service, "user"))
    assert ask("say()").answer


def test_sizes() -> None:
    """A password of a megabyte comes and goes; what is larger than any is turned down, on both ways."""
    large = "x" * (1 << 20)
    call = Call("set_password", "service", "user", Sealed(large))
    assert "1048576" == ask("say(True, backend=str(len(request['password'])))", call).backend
    assert large == ask(f"say('x' * {1 << 20})").answer
    said = "the tool cannot be asked: service, username and password must be smaller than 8 MiB"
    assert said == complaint("say()", call._replace(password=Sealed("x" * (8 << 20))))
    assert f"the tool gave a reply larger than any answer; {ADVICE}" == complaint("say('x' * (9 << 20))")


CREDENTIAL = '{"username": "me", "password": "secret"}'


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        *(("get_password", answer) for answer in ("0", "true", "[]", "{}", CREDENTIAL)),
        *(("get_credential", answer) for answer in ("0", "true", '"secret"', "[]", "{}", '{"password": "secret"}')),
        *(("get_credential", CREDENTIAL.replace(good, bad)) for good, bad in (('"me"', "1"), ('"secret"', "null"))),
        *(("set_password", answer) for answer in ("1", "false", '"true"', "{}")),
        ("delete_password", "1"),
    ],
)
def test_answers_that_are_none(method: str, answer: str) -> None:
    """An answer of another kind than the method's is none."""
    call = Call(method, "service", "user", Sealed("secret"))
    said = complaint(f"say(json.loads({answer!r}))", call)
    assert f"the tool gave a reply that is not one; {ADVICE}" == said


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        *(("get_password", answer) for answer in (None, "", "secret", "\ud800\0")),
        ("get_credential", None),
        *(("set_password", answer) for answer in (None, True)),
        *(("delete_password", answer) for answer in (None, True)),
    ],
)
def test_answers(method: str, answer: Any) -> None:
    """An answer of the method's kind is given back as it is, with who gave it."""
    reply = ask(f"say(json.loads({json.dumps(answer)!r}))", Call(method, "service", "user", Sealed("secret")))
    assert (answer, "there.Backend", (), ()) == tuple(reply)


@pytest.mark.parametrize(("username", "kind"), [("me", "SimpleCredential"), (None, "AnonymousCredential")])
def test_credentials(username: str | None, kind: str) -> None:
    """A credential is given back as one of keyring's; without a user name it is anonymous."""
    answer = {"username": username, "password": "secret"}
    found = ask(f"say({answer})", Call("get_credential", "service", username)).answer
    assert (kind, "secret") == (type(found).__name__, found.password)
    assert username is None or username == found.username


@pytest.mark.parametrize(
    "change",
    [
        *("{'backend': 1}", "{'failures': None}", "{'unloaded': [1]}", "{'failures': [{}]}", "{'failures': 'x'}"),
        "{'failures': [{'backend': 1, 'type': 'T', 'error': '', 'message': ''}]}",
        "{'unloaded': [{'backend': 'b', 'type': 'T', 'error': [], 'message': ''}]}",
    ],
)
def test_replies_that_are_none(change: str) -> None:
    """A reply of another form is none."""
    assert f"the tool gave a reply that is not one; {ADVICE}" == complaint(f"say(**{change})")


@pytest.mark.parametrize("missing", ["answer", "backend", "failures", "unloaded"])
def test_replies_that_lack_something(missing: str) -> None:
    """A reply has all its parts."""
    code = f"document = reply(); del document[{missing!r}]; write(json.dumps(document))"
    assert f"the tool gave a reply that is not one; {ADVICE}" == complaint(code)


def test_a_reply_of_brackets() -> None:
    """A reply that is nested without an end is none."""
    code = "write('{\"id\": 1, \"answer\": ' + '[' * 200000)"
    assert f"the tool gave a reply that is not one; {ADVICE}" == complaint(code)


@pytest.mark.parametrize(
    "code",
    [
        "write('', before='noise', end=''); say()",
        "write('', before='noise\\nmore noise\\n', end=''); say()",
        "write(json.dumps(reply('forged')), before='0' * 32); say()",
        "write(json.dumps(reply('late', id=0))); say()",
        "text = setup['nonce'] + json.dumps(reply()); write(text[:9], '', ''); time.sleep(0.05); write(text[9:], '')",
        "say(); write('noise')",
        "sys.stderr.write('noise\\n'); say()",
    ],
)
def test_noise(code: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Only a line with the nonce and the request's number is a reply, in as many pieces as it comes."""
    pid = ask(code).answer
    assert pid.isdigit()
    assert pid == ask(code).answer
    said = capfd.readouterr()
    assert ("", ["noise"] * 2 * ("stderr" in code)) == (said.out, said.err.splitlines())


def failure(kind: str, error: str = "", message: str = "") -> str:
    """The code of a reply with a failure of a backend."""
    return f"[{{'backend': 'there.Backend', 'type': {kind!r}, 'error': {error!r}, 'message': {message!r}}}]"


@pytest.mark.parametrize("where", ["failures", "unloaded"])
@pytest.mark.parametrize(
    "kind", ["KeyringError", "PasswordSetError", "PasswordDeleteError", "InitError", "KeyringLocked", "NoKeyringError"]
)
def test_errors_of_keyring(where: str, kind: str) -> None:
    """keyring's own errors come back as themselves, with their message."""
    (error,) = getattr(ask(f"say(None, {where}={failure('Derived', kind, 'a message')})"), where)
    assert (getattr(errors, kind), ("a message",)) == (type(error), error.args)


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        ("OSError", "no\nway\t\x1b out", "there.Backend in the tool failed: OSError: no way out"),
        ("Odd\n", "", "there.Backend in the tool failed: Odd"),
        ("E", "x" * 500, f"there.Backend in the tool failed: E: {'x' * 500}"),
        ("E", "x" * 501, f"there.Backend in the tool failed: E: {'x' * 497}..."),
    ],
)
@pytest.mark.parametrize("error", ["", "SystemExit"])
def test_errors_of_providers(kind: str, message: str, said: str, error: str) -> None:
    """Other errors say who failed, where and how, in one line that is not too long."""
    (raised,) = ask(f"say(None, failures={failure(kind, error, message)})").failures
    assert (ProviderError, said) == (type(raised), str(raised))


def test_a_reply_does_not_show_its_answer() -> None:
    """The repr of a reply says who gave it, and no more."""
    assert "<reply of there.Backend>" == repr(ask("say('secret')"))
    assert "<reply of nobody>" == repr(ask("say(None, backend='')"))


def test_let_go(registry: bridge._Registry) -> None:
    """At the end of the program helpers are let go, and end by themselves; one that is being asked is left alone."""
    ask("say()")
    (session,) = registry.sessions
    process = session.process
    assert process is not None
    session.since = time.monotonic()
    registry.leave()
    assert session.process is process
    registry.give_back(session)
    registry.leave()
    assert None is session.process
    assert 0 == process.wait(20.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork(registry: bridge._Registry) -> None:
    """A forked child has helpers of its own, whatever was locked when it was made."""
    first = ask("say()").answer
    old, lock = list(registry.sessions), registry.changed
    with lock:
        registry.forget()
    assert [] == registry.sessions
    assert lock is not registry.changed
    assert [None] == [session.process for session in old]
    assert first != ask("say()").answer
