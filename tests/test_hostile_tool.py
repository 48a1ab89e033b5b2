"""Hostile other sides, each a real process: every one ends in the documented way, in time, and leaves nothing running."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import hostile

if TYPE_CHECKING:
    from pathlib import Path

    from support.stage import Stage

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: signals, descriptors, scripts with #!")

GET: list[Any] = ["global", "get_password", "https://host/", "user"]
GET_ANY: list[Any] = ["global", "get_credential", "https://host/", None]
SET: list[Any] = ["global", "set_password", "https://host/", "user", "CANARY-'7\u00e9"]

#: Seconds that a hanging tool gets, and those within which even a slow machine must be through with it.
SHORT, GENEROUS = 1.5, 25.0

BACKEND = """
{before}
class There(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
{body}
    def get_credential(self, service, username):
        password = self.get_password(service, username)
        return credentials.SimpleCredential("u", password)
    def set_password(self, service, username, password):
        self.get_password(service, password)
    def delete_password(self, service, username):
        self.get_password(service, username)
"""


def backend(body: str, before: str = "") -> str:
    """The code of a provider: the body of its get_password, and what stands before its class."""
    return BACKEND.format(before=before, body="".join(f"        {line}\n" for line in body.splitlines()))


def check_failure(outcome: hostile.Outcome, *parts: str) -> None:
    """Each call ended in one of keyring's errors, with a message in one line that has the parts and no child's output."""
    for result in outcome.results:
        assert (None, True) == (result["answer"], "KeyringError" in result["error"])
        assert 1 == len(result["message"].splitlines())
        assert result["message"].isprintable()
        assert not [word for word in ("NOISE", "CANARY", "Traceback") if word in result["message"]]
        assert [] == [part for part in parts if part not in result["message"]]
    check_time(outcome)


def check_time(outcome: hostile.Outcome) -> None:
    """No call took long, and nothing of ours is left running."""
    assert GENEROUS > max(outcome.seconds)
    assert [] == outcome.left


# ---------------------------------------------------------------------------------------------------------------------
# Providers that answer in spite of what they do

ANSWERING = {
    "prints before": "print('NOISE'); sys.stdout.flush(); return 'the answer'",
    "prints without a line feed": "sys.stdout.write('NOISE'); sys.stdout.flush(); return 'the answer'",
    "writes on descriptor 1": "os.write(1, b'NOISE {\\n'); return 'the answer'",
    "prints when it ends": "import atexit; atexit.register(print, 'NOISE', flush=True); return 'the answer'",
    "a thread prints all the time": """\
def noise():
    while True: os.write(1, b'NOISE'); time.sleep(0.0001)
import threading; threading.Thread(target=noise, daemon=True).start(); time.sleep(0.1); return 'the answer'""",
    "a child prints": "import subprocess; subprocess.run(['echo', 'NOISE']); return 'the answer'",
    "a child prints all the time": """\
import subprocess; subprocess.Popen("for i in $(seq 50); do echo NOISE; sleep 0.01; done", shell=True)
time.sleep(0.1); return 'the answer'""",
    "1 MiB on stderr": "os.write(2, b'NOISE' * 200000); return 'the answer'",
    "1 MiB on stdout": "print('NOISE' * 200000, flush=True); return 'the answer'",
    "leaves a child with all descriptors": """\
import subprocess; subprocess.Popen(['sleep', '3'], close_fds=False); return 'the answer'""",
    "leaves a forked child": "if os.fork() == 0: time.sleep(3); os._exit(0)\nreturn 'the answer'",
    "a forked child answers too": "os.fork(); return 'the answer'",
    "a forked child raises": "if os.fork() == 0: raise SystemExit\nreturn 'the answer'",
    "input()": "try: input('NOISE? ')\nexcept EOFError: return 'the answer'",
    "reads stdin": "return 'the answer' + sys.stdin.read() + (os.read(0, 1) or b'').decode()",
    "a child reads stdin": "import subprocess; subprocess.run(['cat']); return 'the answer'",
    "getpass without a terminal": """\
import getpass, warnings
try: getpass.getpass()
except EOFError: return 'the answer'""",
    "a process of multiprocessing's": """\
import multiprocessing
with multiprocessing.get_context('spawn').Pool(1) as pool: return pool.apply(str, ['the answer'])""",
    "changes directory": "os.chdir('/'); return 'the answer'",
    "changes umask, limits and priority": "os.umask(0o777); os.nice(5); return 'the answer'",
    "closes sys.stdout and sys.stderr": "sys.stdout.close(); sys.stderr.close(); return 'the answer'",
    "replaces sys.stdout by None": "sys.stdout = sys.stderr = sys.stdin = None; return 'the answer'",
    "replaces sys.stdout by what raises": """\
class Raising:
    def __getattr__(self, name): raise RuntimeError
sys.stdout = sys.stderr = Raising(); return 'the answer'""",
    "closes descriptors 0, 1 and 2": "os.closerange(0, 3); return 'the answer'",
    "empties sys.path and sys.modules": "sys.path.clear(); sys.modules.clear(); return 'the answer'",
    "clears the environment": "os.environ.clear(); return 'the answer'",
    "an exit handler hangs": "import atexit; atexit.register(time.sleep, 60); return 'the answer'",
    "an exit handler hangs and lets nobody else run": """\
import atexit, re; atexit.register(re.match, '(a+)+$', 'a' * 40 + 'b'); return 'the answer'""",
    "an exit handler raises SystemExit": "import atexit; atexit.register(sys.exit, 'NOISE'); return 'the answer'",
    "a thread that never ends": """\
import threading; threading.Thread(target=time.sleep, args=(60,)).start(); return 'the answer'""",
    "ignores signals": """\
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE): signal.signal(number, signal.SIG_IGN)
return 'the answer'""",
    "becomes the leader of a group": "os.setpgid(0, 0); return 'the answer'",
    "a str that lies": """\
class Lying(str):
    def __str__(self): return 'a lie'
    __repr__ = encode = __len__ = __iter__ = None
return Lying('the answer')""",
    "warnings are errors": "import warnings; warnings.simplefilter('error'); return 'the answer'",
    "logs everything": "import logging; logging.basicConfig(level=0); logging.warning('NOISE'); return 'the answer'",
    "traces everything": "sys.settrace(lambda *_: None); sys.setprofile(lambda *_: None); return 'the answer'",
}


@pytest.mark.parametrize("case", ANSWERING)
def test_provider_that_answers_all_the_same(stage: Stage, case: str) -> None:
    """What a provider does beside answering does no harm: twice the right answer, and nothing but its noise on stderr."""
    stage.there(backend(ANSWERING[case]))
    outcome = hostile.play(stage, GET, GET)
    assert (["the answer"] * 2, [[]] * 2) == (outcome.answers, [result["error"] for result in outcome.results])
    assert [] == outcome.ours
    if "leaves" not in case:  # what it starts to stay is its own
        check_time(outcome)
    if "SystemExit" not in case:  # Python shows it itself
        assert "Traceback" not in outcome.stderr


# ---------------------------------------------------------------------------------------------------------------------
# Providers that raise, or answer with what is no answer

RAISING = {
    "SystemExit": ("raise SystemExit(0)", "SystemExit"),
    "sys.exit with a message": ("sys.exit('go away')", "SystemExit: go away"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "GeneratorExit": ("raise GeneratorExit", "GeneratorExit"),
    "a BaseException of its own": ("raise type('Own', (BaseException,), {})('x')", "Own: x"),
    "MemoryError": ("raise MemoryError", "MemoryError"),
    "endless recursion": ("return self.get_password(service, username)", "RecursionError"),
    "str() raises": (
        "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
        "Mute: (its message cannot be shown)",
    ),
    "str() gives no str": (
        "raise type('Mute', (Exception,), {'__str__': lambda self: 7})",
        "Mute: (its message cannot be shown)",
    ),
    "str() exits": (
        "raise type('Mute', (Exception,), {'__str__': lambda self: sys.exit()})",
        "Mute: (its message cannot be shown)",
    ),
    "str() gives a str that raises": (
        (
            "class Evil(str): replace = split = __iter__ = __len__ = lambda *_: sys.exit()\n"
            "raise type('Mute', (Exception,), {'__str__': lambda self: Evil('words')})"
        ),
        "Mute: words",
    ),
    "a class whose name raises": (
        (
            "class Meta(type):\n"
            "    __name__ = property(lambda cls: sys.exit())\n"
            "class Nameless(Exception, metaclass=Meta): pass\n"
            "raise Nameless('words')"
        ),
        "words",
    ),
    "a class whose module raises": (
        (
            "class Meta(type):\n"
            "    __module__ = property(lambda cls: 1 / 0)\n"
            "class Homeless(Exception, metaclass=Meta): pass\n"
            "raise Homeless('words')"
        ),
        "Homeless: words",
    ),
    "a message of many lines": (
        "raise ValueError('one\\n\\r\\n\\x1b[31mtwo\\u2028three\\x00four')",
        "ValueError: one [31mtwo three four",
    ),
    "a message of 10 MiB": ("raise ValueError('x' * (10 << 20))", "xxx..."),
    "a message with lone surrogates": ("raise ValueError('a\\ud800b')", "ValueError: a b"),
    "no message": ("raise ValueError", "ValueError"),
    "int": ("return 7", "TypeError: its password is of type int, not str"),
    "bytes": ("return b'CANARY'", "TypeError: its password is of type bytes, not str"),
    "a generator": ("return (c for c in 'CANARY')", "TypeError: its password is of type generator, not str"),
    "what has no type": (
        (
            "class Meta(type):\n    __name__ = property(lambda cls: 1 / 0)\n"
            "class Nameless(metaclass=Meta): pass\n"
            "return Nameless()"
        ),
        "There in the global keyring",
    ),
    "100 MB": ("return 'x' * 100_000_000", "larger than any answer"),
    "ends at once": ("os._exit(0)", "ended without a reply (exit status 0)"),
    "ends with a status": ("os._exit(3)", "ended without a reply (exit status 3)"),
    "kills itself": (
        "import signal; os.kill(os.getpid(), signal.SIGKILL)",
        "ended without a reply (killed by signal 9)",
    ),
    "aborts": ("import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()", "(killed by signal 6)"),
    "is terminated": ("import signal; os.kill(os.getpid(), signal.SIGTERM)", "(killed by signal 15)"),
    "segmentation fault": (
        "import ctypes, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); ctypes.string_at(0)",
        "(killed by signal 11)",
    ),
    "closes all descriptors": ("os.closerange(0, 256); return 'CANARY'", "ended without a reply"),
    "becomes another program": ("os.execv('/bin/echo', ['echo', 'NOISE'])", "ended without a reply (exit status 0)"),
}


@pytest.mark.parametrize("case", RAISING)
def test_provider_that_fails(stage: Stage, case: str) -> None:
    """A failing provider is a KeyringError that says what failed and where; in keyring's chain one line, and None."""
    body, expected = RAISING[case]
    stage.there(backend(body))
    outcome = hostile.play(stage, GET, ["keyring", *GET[1:]])
    results, outcome.results = outcome.results, outcome.results[:1]
    check_failure(outcome, expected, stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"])
    for result in results[1:]:
        assert (None, []) == (result["answer"], result["error"])
        (line,) = outcome.ours
        assert expected in line


HIDDEN = {
    "as it is": "raise ValueError('cannot store ' + username)",
    "its repr": "raise ValueError('cannot store %r' % username)",
    "as JSON": "raise ValueError('cannot store ' + json.dumps(username))",
    "in keyring's own error": "raise errors.PasswordSetError(username)",
    "as the exception's argument": "raise KeyError(username)",
    "in an error's class": "raise type('E' + username, (Exception,), {})",
    "in its bytes": "raise ValueError('cannot store %r' % username.encode())",
    "in a URL": "import urllib.parse; raise ValueError('https://u:%s@h/' % urllib.parse.quote(username))",
    "in base64": "import base64; raise ValueError(base64.b64encode(username.encode()).decode())",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_password_in_a_providers_message(stage: Stage, case: str) -> None:
    """The password that is being stored is struck out of what a provider raises."""
    stage.there(backend(HIDDEN[case]))
    outcome = hostile.play(stage, SET, ["keyring", *SET[1:]])
    check_failure(outcome)
    for form in ("CANARY", "Q0FOQVJZ"):
        assert form not in outcome.stderr + "".join(outcome.messages)


CREDENTIALS = {
    "no credential": "return 'CANARY'",
    "an attribute raises": "return type('C', (), {'username': property(lambda s: 1 / 0), 'password': 'CANARY'})()",
    "a user name of bytes": "return credentials.SimpleCredential(b'u', 'CANARY')",
    "a tuple": "return ('u', 'CANARY')",
    "exits when it is read": "return type('C', (), {'username': 'u', 'password': property(lambda s: sys.exit())})()",
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_credential_that_is_none(stage: Stage, case: str) -> None:
    """What is no credential is the provider's failure, and is not shown."""
    body = f"def get_credential(self, service, username): {CREDENTIALS[case]}"
    stage.there(
        backend("return None")
        + "There.get_credential = lambda self, service, username: ask(self)\n"
        + body.replace("get_credential(self, service, username)", "ask(self)")
    )
    check_failure(hostile.play(stage, GET_ANY), "scripted_there.There in the global keyring")


WHOLE = "class Whole(backend.KeyringBackend):\n    get_password = set_password = delete_password = lambda *_: None\n"
LOADING = {
    "raises": ("1 / 0", "ZeroDivisionError: division by zero"),
    "exits": ("sys.exit('no')", "SystemExit: no"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "has no such module": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "a priority that raises": (
        WHOLE + "    priority = property(lambda self: sys.exit('not now'))",
        "SystemExit: not now",
    ),
    "a priority that is a word": (WHOLE + "    priority = 'high'", "ValueError: could not convert"),
    "a priority that cannot be compared": (
        WHOLE + "    priority = type('P', (), {'__gt__': lambda *_: True})()",
        "TypeError",
    ),
    "cannot be made": (
        WHOLE + "    priority = 9\n    def __init__(self): raise SystemExit('unmade')",
        "SystemExit: unmade",
    ),
    "a module that is a number": (
        WHOLE.replace("None", "1 / 0") + "    priority = 9\n    __module__ = 7",
        "7.Whole in the global keyring",
    ),
    "ends": ("os._exit(5)", "ended without a reply (exit status 5)"),
    "is no Python": ("))", "SyntaxError"),
}


@pytest.mark.parametrize("case", LOADING)
def test_provider_that_cannot_be_loaded(stage: Stage, case: str) -> None:
    """A provider that fails while it is loaded is named, and it does not keep the others from answering."""
    source, expected = LOADING[case]
    stage.there(source)
    check_failure(hostile.play(stage, GET), expected)
    if "os._exit" not in source:
        stage.there(backend("return 'the answer'") + f"exec({source!r})")
        assert ["the answer"] == hostile.play(stage, GET).answers


HANGING = {
    "at import": ("time.sleep(60)", ""),
    "in a lookup": ("", "time.sleep(60)"),
    "and lets nobody else run": ("", "import re; re.match('(a+)+$', 'a' * 40 + 'b')"),
    "in a child": ("", "import subprocess; subprocess.run(['sleep', '60'])"),
    "in a child's child that holds the pipe": (
        "",
        "import subprocess; subprocess.run('sleep 60; true', shell=True, close_fds=False)",
    ),
    "and ignores signals": (
        "",
        (
            "import signal\nfor n in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
            "    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\ntime.sleep(60)"
        ),
    ),
    "while its priority is asked": (
        WHOLE + "    priority = property(lambda self: time.sleep(60))",
        "return 'x'",
    ),
    "while its error is shown": (
        "",
        "raise type('Slow', (Exception,), {'__str__': lambda self: time.sleep(60)})",
    ),
    "and prints all the time": ("", "while True: print('NOISE', flush=True); time.sleep(0.01)"),
    "and starts children all the time": (
        "",
        "import subprocess\nwhile True: subprocess.Popen(['sleep', '60']); time.sleep(0.05)",
    ),
}


@pytest.mark.parametrize("case", HANGING)
def test_provider_that_hangs(stage: Stage, case: str) -> None:
    """A provider that hangs is ended with all that it started once the time is over, and the message says how to allow more."""
    before, body = HANGING[case]
    stage.there(backend(body or "return 'x'", before))
    outcome = hostile.play(stage, GET, timeout=SHORT)
    check_failure(outcome, f"gave no answer within {SHORT:g} seconds", "'timeout' in [fallback] of keyringrc.cfg")


def test_end_is_noticed_while_a_child_holds_the_pipe(stage: Stage) -> None:
    """A helper that is gone is not waited for, although a child that a provider forked still holds the pipe."""
    child = "os.dup2(0, 1); os.dup2(0, 2); time.sleep(30); os._exit(0)"
    stage.there(backend(f"if os.fork() == 0: {child}\nos._exit(3)"))
    outcome = hostile.play(stage, GET, wait=False)
    check_failure(outcome, "ended without a reply (exit status 3)")


def test_next_lookup_after_one_that_hung(stage: Stage) -> None:
    """What became of one lookup is of no account for the next."""
    stage.there(
        backend("if username == 'slow': time.sleep(60)\nif username == 'dead': os._exit(1)\nreturn 'the answer'")
    )
    users = ["ok", "slow", "ok", "dead", "ok"]
    outcome = hostile.play(
        stage, *(["global", "get_password", "https://host/", user] for user in users), timeout=SHORT * 2
    )
    assert ["the answer", None, "the answer", None, "the answer"] == outcome.answers
    check_time(outcome)


def test_provider_that_takes_our_descriptor(stage: Stage) -> None:
    """A provider that closes descriptors that are not its own and opens a file does not get the password into that file."""
    body = "os.closerange(3, 256)\nkept = [open(os.environ['NOTES'], 'ab') for _ in range(20)]\nself.kept = kept\nreturn 'CANARY'"
    stage.there(backend(body))
    check_failure(hostile.play(stage, GET), "ended without a reply")
    assert "" == "".join(stage.notes())


# ---------------------------------------------------------------------------------------------------------------------
# Interpreters that speak the protocol badly

SHAPES = {
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "a word": '"CANARY"',
    "nothing in it": "{}",
    "no failures": '{"id": 1, "answer": "CANARY", "backend": ""}',
    "failures of another kind": '{"id": 1, "answer": "CANARY", "backend": "", "failures": "CANARY", "unloaded": []}',
    "a failure of another kind": '{"id": 1, "answer": null, "backend": "", "failures": [7], "unloaded": []}',
    "a failure without a message": '{"id": 1, "answer": null, "backend": "", "failures": [{"error": ""}], "unloaded": []}',
    "a failure of no type": (
        '{"id": 1, "answer": null, "backend": "", "unloaded": [],'
        ' "failures": [{"error": [], "type": "CANARY", "message": "CANARY", "backend": "CANARY"}]}'
    ),
    "an answer of another kind": '{"id": 1, "answer": ["CANARY"], "backend": "", "failures": [], "unloaded": []}',
    "an answer that is true": '{"id": 1, "answer": true, "backend": "", "failures": [], "unloaded": []}',
    "a backend that is none": '{"id": 1, "answer": "CANARY", "backend": null, "failures": [], "unloaded": []}',
    "half of it": '{"id": 1, "answer": "CANARY',
    "two in one line": '{"id": 1, "answer": null, "backend": "", "failures": [], "unloaded": []}{"answer": "CANARY"}',
    "nested deeply": '{"id": 1, "answer": ' + "[" * 100_000,
    "a number of 10,000 digits": '{"id": 1, "answer": ' + "7" * 10_000 + "}",
    "not JSON": '{"id": 1, CANARY',
    "not UTF-8": '{"id": 1, "answer": "CANARY\\xff\\xfe',
}

NO_ANSWER = "gave no answer within"
NO_REPLY = "ended without a reply"

#: What the interpreter does, and what becomes of it: an answer, or a failure whose message has these words.
INTERPRETERS = {
    "noise before": ("out(NOISE + b'\\n'); start(); out(NOISE + b'{\\n'); reply()", None),
    "noise without a line feed before": ("out(NOISE); start(); out(NOISE); reply()", None),
    "noise after, without a line feed": (
        "start(); n = read()['id']; out(document(n) + b'\\n' + NOISE); read(); reply(2)",
        None,
    ),
    "noise of a child around the reply": (
        "start(); subprocess.Popen('for i in $(seq 200); do printf NOISE; done', shell=True); time.sleep(0.05); reply()",
        None,
    ),
    "noise on stderr": ("start(); os.write(2, NOISE * 100000); reply()", None),
    "two replies": ("start(); n = read()['id']; out((document(n) + b'\\n') * 2); reply()", None),
    "a reply for another request first": ("start(); reply(7, 'CANARY'); reply()", None),
    "byte by byte": (
        "start(); n = read()['id']\nfor b in document(n) + b'\\n': out(bytes([b])); time.sleep(0.002)",
        None,
    ),
    "more in the reply than we know": ("start(); reply(more=[1, 2], answer='the answer')", None),
    "stops reading, and answers": ("start(); sys.stdin.buffer.read(10); reply(1)", None),
    "the first, then nothing more": ("start(); reply(); os._exit(0)", None),
    "half a reply": ("start(); n = read()['id']; out(document(n)[:60]); os._exit(0)", NO_REPLY),
    "half a reply, and hangs": ("start(); n = read()['id']; out(document(n)[:60]); time.sleep(60)", NO_ANSWER),
    "a reply without its end": ("start(); n = read()['id']; out(document(n)); os._exit(0)", NO_REPLY),
    "another nonce": ("start(); nonce = 'f' * 32; reply(answer='CANARY'); time.sleep(60)", NO_ANSWER),
    "no nonce": ("start(); nonce = ''; reply(answer='CANARY'); os._exit(0)", NO_REPLY),
    "100 MB in one line": ("start(); reply(answer='x' * 100_000_000)", "larger than any answer"),
    "100 MB of anything": ("out(b'CANARY' * 16_000_000)", "larger than any answer"),
    "lines without end": ("while True: out(b'CANARY\\n' * 1000)", NO_ANSWER),
    "ends at once": ("", f"{NO_REPLY} (exit status 0)"),
    "prints and ends": ("out(NOISE); sys.exit(4)", f"{NO_REPLY} (exit status 4)"),
    "complains and ends": ("sys.exit('NOISE')", f"{NO_REPLY} (exit status 1)"),
    "raises": ("raise ValueError('NOISE')", f"{NO_REPLY} (exit status 1)"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", f"{NO_REPLY} (killed by signal 9)"),
    "hangs before it reads": ("time.sleep(60)", NO_ANSWER),
    "hangs after it has read": ("start(); read(); time.sleep(60)", NO_ANSWER),
    "closes its output and lives on": ("start(); read(); os.close(1); time.sleep(60)", NO_REPLY),
    "closes its input and lives on": ("os.close(0); time.sleep(60)", NO_ANSWER),
    **{
        f"a reply that is {shape}": (
            f"start(); read(); out((nonce + {text!r}).encode('latin-1') + b'\\n')",
            "gave a reply that is not one" if text.startswith('{"id": 1,') else NO_REPLY,
        )
        for shape, text in SHAPES.items()
    },
}


@pytest.mark.parametrize("case", INTERPRETERS)
def test_interpreter_that_speaks_badly(stage: Stage, python: Path, tmp_path: Path, case: str) -> None:
    """Whatever comes back is an answer in the protocol's form, or a KeyringError that tells what happened and where."""
    source, expected = INTERPRETERS[case]
    root = hostile.false_interpreter(tmp_path, python, source)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(root)
    call = [*GET[:2], "https://host/" + "x" * 1_000_000 * ("stops" in case), "user"]
    outcome = hostile.play(stage, call, timeout=SHORT if expected == NO_ANSWER else 60)
    if expected:
        check_failure(outcome, expected, os.fspath(root))
    else:
        assert (["the answer"], []) == (outcome.answers, outcome.ours)
        check_time(outcome)


def test_interpreter_that_stops_reading(stage: Stage, python: Path, tmp_path: Path) -> None:
    """Requests that nobody reads keep nobody waiting longer than the limit, and do not break the next one."""
    source = "start(); sys.stdin.buffer.read(10); reply(1); sys.stdin.buffer.read(10); time.sleep(0.2); reply(2); time.sleep(60)"
    root = hostile.false_interpreter(tmp_path, python, source)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(root)
    large = [*GET[:2], "https://host/" + "x" * 1_000_000, "user"]
    outcome = hostile.play(stage, large, large, large, timeout=SHORT)
    assert ["the answer", "the answer", None] == outcome.answers
    assert "gave no answer" in outcome.messages[2]
    check_time(outcome)


BROKEN = {
    "a script for an interpreter that is gone": (
        "#!/no/such/program\n",
        "cannot be started (No such file or directory)",
    ),
    "no program": ("\x7fELF nonsense", "cannot be started (Exec format error)"),
    "an empty file": ("", ""),
    "a script of its own": ("#!/bin/sh\necho NOISE; exit 7\n", "ended without a reply (exit status 7)"),
    "a script that hangs": ("#!/bin/sh\nsleep 60; exit 7\n", "gave no answer within"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_interpreter_that_is_none(stage: Stage, python: Path, tmp_path: Path, case: str) -> None:
    """An interpreter that does not start is a KeyringError with the system's reason."""
    text, expected = BROKEN[case]
    root = hostile.false_interpreter(tmp_path, python, "")
    hostile.executable(root / "bin" / "python", text)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(root)
    outcome = hostile.play(stage, GET, timeout=SHORT)
    check_failure(outcome, expected, os.fspath(root), "keyring-fallback doctor")


def test_arguments_that_are_no_strings_or_too_large(stage: Stage) -> None:
    """What no tool can be asked is refused with a KeyringError, and the next lookup is answered."""
    stage.there(backend("return 'the answer'"))
    large = "x" * 10_000_000
    calls = [["global", "get_password", large, "u"], ["global", "set_password", "s", "u", large], GET]
    outcome = hostile.play(stage, *calls)
    assert [None, None, "the answer"] == outcome.answers
    outcome.results = outcome.results[:2]
    check_failure(outcome, "must be smaller than 8 MiB")


# ---------------------------------------------------------------------------------------------------------------------
# Executables that are asked through keyring's command line

DOCUMENT = """echo '{"username": "user", "password": "the answer"}'"""
EXECUTABLES = {
    "noise before": (f"echo NOISE; echo NOISE >&2; {DOCUMENT}", None),
    "noise after": (f"{DOCUMENT}; echo NOISE", None),
    "1 MiB on stderr": (f"head -c 1000000 /dev/zero | tr '\\0' N >&2; {DOCUMENT}", None),
    "leaves a child with its pipes": (f"sleep 3 & {DOCUMENT}", None),
    "closes its descriptors": (f"{DOCUMENT}; exec 0<&- 1>&- 2>&-; sleep 0.1", None),
    "nothing at all": ("", "printed something else than a credential"),
    "no JSON": ("echo CANARY", "printed something else than a credential"),
    "not UTF-8": ("printf 'CANARY\\377\\n'", "not UTF-8"),
    "without end": ("while :; do echo CANARYCANARYCANARYCANARY; done", "the global keyring"),
    "100 MB": ("head -c 100000000 /dev/zero", "more than any answer"),
    "is killed": ("kill -9 $$", "signal 9"),
    "hangs": ("sleep 60", "gave no answer within"),
    "hangs and ignores signals": ("trap '' INT TERM HUP; sleep 60; sleep 60", "gave no answer within"),
    "another exit status": ("echo CANARY; exit 77", "77"),
    "no program": ("exec /no/such/program", "127"),
}


@pytest.mark.parametrize("case", EXECUTABLES)
def test_executable_that_speaks_badly(stage: Stage, tmp_path: Path, case: str) -> None:
    """A program in the place of ``keyring`` gives an answer as keyring would, or a KeyringError ends the lookup in time."""
    source, expected = EXECUTABLES[case]
    path = hostile.false_executable(tmp_path / "bin", source + "\n")
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(path)
    slow = "hangs" in case or "without end" in case
    outcome = hostile.play(stage, GET_ANY, timeout=SHORT if slow else 60)
    if expected is None:
        assert [["user", "the answer"]] == outcome.answers
        assert GENEROUS > max(outcome.seconds)
    else:
        check_failure(outcome, expected, os.fspath(path))
