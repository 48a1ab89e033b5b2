"""The helper, spoken to directly: what it answers, what it leaves as it was, and when it ends."""

from __future__ import annotations

import gc
import os
import textwrap
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

import pytest

from keyring_fallback.delegation import bridge
from keyring_fallback.helper import helper
from keyring_fallback.helper.shared import processes
from support import hostile, machine
from support.helper import Helper
from support.stage import PRELUDE

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environment

Start = Callable[..., Helper]

SECRET = "a secret"  # noqa: S105 - a test's
CHAINER = "keyring.backends.chainer"
#: A backend that evaluates the service that it is asked for.
DOER = """
class Doer(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        return eval(service)
    get_credential = get_password
    def set_password(self, service, username, password):
        exec(service)
    delete_password = get_password
"""
#: A backend that takes part in everything, called Name.
PART = """
class Name(KeyringBackend):
    priority = 5
    def get_password(self, service, username): return result("Name", "get_password", service, username)
    def get_credential(self, service, username): return result("Name", "get_credential", service, username)
    def set_password(self, service, username, password): return result("Name", "set_password", service, username, password)
    def delete_password(self, service, username): return result("Name", "delete_password", service, username)
"""
#: What such a backend does is in the service: {its name: what is raised or returned}; it notes its name in the answer.
RESULT = """
asked = []
def result(name, method, service, *others):
    asked.append(name)
    value = eval(service).get(name)
    if isinstance(value, BaseException):
        raise value
    return value
"""


def parts(**priorities: object) -> str:
    """The code of several backends."""
    classes = [PART.replace("Name", name).replace("= 5", f"= {priority}") for name, priority in priorities.items()]
    return RESULT + "".join(classes)


@pytest.fixture
def start(scripted_tool: Environment, tmp_path: Path) -> Start:
    """Start the helper in a tool whose provider ``scripted-there`` has the code that is given, by default `DOER`."""

    def started(source: str = DOER, **options: Any) -> Helper:
        script = tmp_path / "there.py"
        script.write_text(PRELUDE + textwrap.dedent(source), encoding="utf-8")
        env = {**os.environ, "SCRIPT_THERE": os.fspath(script), **options.pop("env", {})}
        return Helper(scripted_tool, env=env, **{"entry_points": ["scripted_there"], **options})

    return started


def test_it_ends_with_its_input_and_says_nothing_else(start: Start) -> None:
    """At the end of its input it ends with status 0, and has written its replies and nothing else."""
    with start() as helper:
        assert "answer" == helper.ask("get_password", "'answer'")["answer"]
        assert "scripted_there.Doer" == helper.ask("get_password", "'again'")["backend"]
        assert (0, "", "") == helper.end()


def test_without_a_request_it_ends_too(start: Start) -> None:
    """It loads nothing before it is asked, and ends where it never is."""
    with start("open(os.environ['LOADED'], 'w')", env={"LOADED": "loaded"}) as helper:
        assert (0, "", "") == helper.end()
    assert not os.path.exists("loaded")


def test_a_prompt_is_there_before_the_answer(start: Start, tmp_path: Path) -> None:
    """A line that a provider prints is on stderr while it still works."""
    flag = tmp_path / "go"
    wait = f"[time.sleep(0.01) for _ in iter(lambda: os.path.exists({os.fspath(flag)!r}), True)]"
    with start() as helper:
        helper.request("get_password", f"[print('question'), {wait}, 'answer'][-1]")
        assert helper.process.stderr is not None
        assert "question\n" == helper.process.stderr.readline()
        flag.touch()
        assert "answer" == helper.reply()["answer"]


@pytest.mark.skipif(machine.WINDOWS, reason="a shell closes the descriptor")
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_standard_descriptors_over_there(start: Start, *, closed: bool) -> None:
    """A provider and its children find the null device on stdin, stdout on stderr, and a stderr even if there was none."""
    null = "os.fstat({0}).st_rdev == os.stat(os.devnull).st_rdev"
    same = "os.path.sameopenfile(1, 2)"
    asked = f"str([{null.format(0)}, {null.format(2)}, {same}, [os.get_inheritable(n) for n in (0, 1, 2)]])"
    with start(script='exec "$@" 2>&-' if closed else "") as helper:
        assert str([True, closed, True, [True] * 3]) == helper.ask("get_password", asked)["answer"]


@pytest.mark.skipif(machine.WINDOWS, reason="a shell starts it")
def test_stdout_of_another_kind(start: Start) -> None:
    """A stdout that a tool's start-up code has put there, and that cannot be configured, keeps nobody from answering."""
    code = (
        "import runpy, sys; sys.stdout = type('Out', (), {'write': len, 'flush': id})(); del sys.argv[0]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    with start(script=f'exec "$1" "$2" -c "{code}" "$3" "$4" "$5"') as helper:
        assert "answer" == helper.ask("get_password", "'answer'")["answer"]


def test_where_it_is(start: Start, scripted_tool: Environment, tmp_path: Path) -> None:
    """A lookup runs in the caller's folder, one that is gone or unknown changes nothing, and in between it is in the tool's."""
    with start() as helper:
        asked = partial(helper.ask, "get_password", "os.getcwd()")
        assert os.path.realpath(tmp_path) == asked(directory=os.fspath(tmp_path))["answer"]
        home = os.path.realpath(scripted_tool.root)
        deadline = time.monotonic() + 10  # it moves after it has answered
        while hostile.HAS_PROC and home != os.readlink(f"/proc/{helper.process.pid}/cwd"):
            assert time.monotonic() < deadline
        assert [home, home] == [asked(directory=where)["answer"] for where in (os.fspath(tmp_path / "gone"), None)]


def test_idle_it_ends_by_itself(start: Start) -> None:
    """Without a request for some time it ends, though its input is open."""
    with start(changed={"IDLE_SECONDS": 0.2}) as helper:
        assert "1" == helper.ask("get_password", "str(1)")["answer"]
        assert 0 == helper.process.wait(timeout=20)


def test_idle_for_as_long_as_it_is_told(start: Start) -> None:
    """Who starts it may say another time, as Windows does: a shorter one here, and after each lookup anew."""
    with start(idle=0.3) as helper:
        assert ["1", "2"] == [helper.ask("get_password", f"str({number})")["answer"] for number in (1, 2)]
        assert 0 == helper.process.wait(timeout=20)


def test_a_lookup_may_take_longer_than_it_may_be_idle(start: Start) -> None:
    """Being idle begins when there is nothing to do."""
    with start(changed={"IDLE_SECONDS": 0.3}) as helper:
        assert "1" == helper.ask("get_password", "time.sleep(0.8) or '1'")["answer"]


@pytest.mark.skipif(not hasattr(gc, "freeze"), reason="PyPy's collector cannot be told")
@pytest.mark.parametrize("state", ["isenabled()", "get_freeze_count() > 1000"])
def test_garbage_is_collected_during_a_lookup(start: Start, state: str) -> None:
    """The collector runs while a provider works, and does not look through the modules that were loaded before."""
    with start() as helper:
        assert "True" == helper.ask("get_password", f"str(__import__('gc').{state})")["answer"]


def test_limits() -> None:
    """It is gone within two seconds after its parent, and is idle for longer than the parent would use it again."""
    assert 2 > helper.PARENT_SECONDS + helper.GRACE_SECONDS > 0
    assert 300 >= helper.IDLE_SECONDS > bridge.IDLE_SECONDS > 0


@pytest.mark.skipif(not hostile.HAS_PROC, reason="needs /proc")
def test_it_leaves_no_descriptor_behind(start: Start) -> None:
    """There are the standard descriptors, its two pipes, and nothing else."""
    with start() as helper:
        listed = helper.ask("get_password", "' '.join(os.listdir('/proc/self/fd'))")["answer"].split()
    assert 3 + 2 + 1 == len(listed)  # and the one that lists them


@pytest.mark.parametrize("line", ["garbage", "[]", '{"method": "close"}'])
def test_it_ends_where_nobody_knows_its_language(start: Start, line: str) -> None:
    """A request that is none ends it, though its input is open."""
    with start() as helper:
        assert helper.process.stdin is not None
        helper.process.stdin.write(line + "\n")
        helper.process.stdin.flush()
        assert None is helper.reply()
        assert 0 < helper.process.wait(timeout=20)


def test_it_stays_as_long_as_its_parent(start: Start) -> None:
    """It answers after a pause that is longer than what lies between two looks at its parent."""
    with start(changed={"PARENT_SECONDS": 0.05}) as helper:
        helper.ask("get_password", "None")
        time.sleep(0.3)
        assert "again" == helper.ask("get_password", "'again'")["answer"]


@pytest.mark.skipif(machine.WINDOWS, reason="pipes tell of a parent's end there")
def test_it_goes_with_its_parent(start: Start, tmp_path: Path) -> None:
    """When its parent is gone it ends, though somebody else holds its input open."""
    flag = tmp_path / "answered"
    changed = {"PARENT_SECONDS": 0.05, "GRACE_SECONDS": 0.05}
    script = 'exec 3<&0; "$@" <&3 & while [ ! -e "$FLAG" ]; do sleep 0.02; done'
    with start(changed=changed, script=script, env={"FLAG": os.fspath(flag)}) as helper:
        assert "answer" == helper.ask("get_password", "'answer'")["answer"]
        flag.touch()
        assert None is helper.reply()


def test_a_lookup_gets_a_moment_when_the_input_ends(start: Start, tmp_path: Path) -> None:
    """A lookup that runs when the input ends comes to its own end, if that is soon."""
    done = tmp_path / "done"
    with start(changed={"GRACE_SECONDS": 5.0}) as helper:
        helper.request("get_password", f"time.sleep(0.1) or str(open({os.fspath(done)!r}, 'w').close())")
        assert 0 == helper.end()[0]
    assert done.exists()


@pytest.mark.skipif(not hostile.HAS_PROC, reason="needs /proc")
def test_a_lookup_that_nobody_waits_for_is_ended(start: Start, tmp_path: Path) -> None:
    """A lookup that goes on after that is ended, with what it has started: children and theirs."""
    pids = tmp_path / "pids"
    note = f"import os, time; open({os.fspath(pids)!r}, 'a').write(str(os.getpid()) + '\\n')"
    child = f"{note}; os.fork() or (time.sleep(0.05), exec({note!r})); time.sleep(60)"
    with start(changed={"GRACE_SECONDS": 0.05}) as helper:
        helper.request("get_password", f"str(__import__('subprocess').run([sys.executable, '-c', {child!r}]))")
        while not (pids.exists() and pids.read_text().count("\n") == 2):
            time.sleep(0.01)
        assert (0, "") == helper.end()[:2]
    for pid in pids.read_text().split():
        while is_alive(pid):
            time.sleep(0.01)


def is_alive(pid: str) -> bool:
    """Whether a process runs, and is not only waited for by nobody."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_exit_handlers_run_for_a_moment(start: Start, tmp_path: Path) -> None:
    """What a provider registered with atexit runs at the end; one that hangs is ended, and nobody hears of it."""
    written = tmp_path / "written"
    register = "__import__('atexit').register"
    hangs, writes = f"{register}(time.sleep, 60)", f"{register}(open, {os.fspath(written)!r}, 'w')"
    with start(changed={"GRACE_SECONDS": 0.1}) as helper:
        helper.ask("get_password", f"str([{hangs}, {writes}])")
        status, *said = helper.end()
    assert written.exists()
    assert ["", ""] == said
    assert status in (0, 1)  # two clocks end it; nobody looks at the status


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_comes_back(start: Start) -> None:
    """A child that a provider forked, and that returns from the lookup, ends without a word."""
    with start() as helper:
        reply = helper.ask("get_password", "(lambda pid: str(os.waitpid(pid, 0)[1]) if pid else 'child')(os.fork())")
        assert "0" == reply["answer"]
        assert (0, "", "") == helper.end()


@pytest.mark.parametrize("then", ["", "[open(os.devnull, 'w') for _ in range(20)]"], ids=["closed", "taken"])
def test_a_provider_that_closes_our_pipes(start: Start, then: str) -> None:
    """Where its pipe is closed, or is another file by now, it ends without a reply, with status 1.

    On Windows its pipes are no descriptors: it replies.
    """
    with start(DOER + "kept = []\n") as helper:
        helper.request("get_password", f"str([os.closerange(3, 30), kept.extend({then or '[]'})])")
        assert machine.WINDOWS == (helper.reply() is not None)
        assert (0 if machine.WINDOWS else 1, "", "") == helper.end()


def test_nobody_reads_the_reply(start: Start) -> None:
    """Where nobody reads its replies any more it ends with status 1."""
    with start() as helper:
        assert helper.process.stdout is not None
        helper.process.stdout.close()
        helper.request("get_password", "'answer'")
        assert 1 == helper.process.wait(timeout=20)


def test_order_is_that_of_priorities(start: Start) -> None:
    """The backend with the highest priority is asked first; those of zero and below are not."""
    with start(parts(Middle=5, Last=0.5, Never=0, First=9, Neither=-1)) as helper:
        assert None is helper.ask("get_password", "{'Never': '1', 'Neither': '1'}")["answer"]
        reply = helper.ask("get_password", "{'Last': '-'.join(asked)}")
    assert ("First-Middle-Last-First-Middle-Last", "scripted_there.Last") == (reply["answer"], reply["backend"])


@pytest.mark.parametrize("method", ["get_password", "get_credential"])
def test_reading_goes_on_behind_what_fails(start: Start, method: str) -> None:
    """An exception while reading does not end the lookup; all are told, with type and message, also those of keyring."""
    service = (
        "{'First': errors.KeyringLocked('locked'), 'Middle': NotImplementedError('no'), 'Last': OSError('odd', 'x')}"
    )
    with start(parts(First=9, Middle=8, Last=7)) as helper:
        reply = helper.ask(method, service)
    told = [(one["backend"], one["type"], one["error"], one["message"]) for one in reply["failures"]]
    assert [
        ("scripted_there.First", "KeyringLocked", "KeyringLocked", "locked"),
        ("scripted_there.Middle", "NotImplementedError", "", "no"),
        ("scripted_there.Last", "OSError", "", "[Errno odd] x"),
    ] == told
    assert (None, "") == (reply["answer"], reply["backend"])


@pytest.mark.parametrize("method", ["set_password", "delete_password"])
def test_writing_goes_on_behind_what_cannot(start: Start, method: str) -> None:
    """Who cannot store or delete leaves it to the next, and is no failure; the next one's word counts."""
    with start(parts(First=9, Middle=8, Last=7)) as helper:
        reply = helper.ask(method, "{'First': NotImplementedError()}", password=SECRET)
        assert (True, "scripted_there.Middle", []) == (reply["answer"], reply["backend"], reply["failures"])
        reply = helper.ask(method, "{'First': errors.PasswordDeleteError('none')}", password=SECRET)
        told = [one["error"] for one in reply["failures"]]
        assert (True, "scripted_there.Middle", ["PasswordDeleteError"]) == (reply["answer"], reply["backend"], told)
        reply = helper.ask(method, "{'First': errors.PasswordSetError('full')}", password=SECRET)
        told = [one["error"] for one in reply["failures"]]
        assert (None, "", ["PasswordSetError"]) == (reply["answer"], reply["backend"], told)


#: Stores nothing, and says so with what a service makes of the secret.
REFUSER = """\
import base64, html; from urllib.parse import quote, quote_plus
class Refuser(KeyringBackend):
  priority = 9
  def get_password(self, service, username): pass
  def set_password(self, service, username, secret): raise ValueError('<' + str(eval(service)) + '>')
"""


def test_what_is_stored_is_struck_out_of_messages(start: Start) -> None:
    """The password, also quoted, escaped or encoded, alone or with the user name, is not in a message about storing it."""
    password = "a <se/'cret>\u00e9&\n"  # noqa: S105 - a test's
    forms = [
        *("secret", "repr(secret)", "ascii(secret)", "json.dumps(secret)", "secret.encode('utf-8')"),
        *("quote(secret)", "quote(secret, safe='')", "quote_plus(secret)"),
        *("base64.b64encode(secret.encode())", "base64.urlsafe_b64encode(('me:' + secret).encode()).decode()"),
        *(
            "secret.strip()",
            "html.escape(secret)",
            "html.escape(secret, quote=False)",
            "quote_plus(secret).replace('%2F', '%2f')",
        ),
        *("quote(secret.strip(), safe='')", "base64.b64encode((':' + secret).encode()).decode()"),
        "base64.b64encode((':' + secret).encode()).decode().rstrip('=')",  # as in JSON Web Tokens
    ]
    with start(REFUSER) as helper:
        told = [helper.ask("set_password", form, "me", password=password)["failures"][0]["message"] for form in forms]
        others = "base64.b64encode((%r + secret).encode()).decode()"
        for name in ("", "x:", "somebody else:"):
            asked = helper.ask("set_password", others % name, "me", password=password)
            assert 8 >= len(asked["failures"][0]["message"].rpartition("***")[2]), "a character of base64 has six bits"
            assert "***" in asked["failures"][0]["message"]
    assert {"***"} == {message.strip("<>b'\"=") for message in told}


def test_a_password_that_no_codec_takes_is_struck_out_too(start: Start) -> None:
    """A lone surrogate in what is stored, as os.fsdecode() makes it of foreign bytes, leaves no form of it in a message."""
    password = os.fsdecode(b"se\xffcret")
    with start(REFUSER) as helper:
        for form in ("secret", "ascii(secret)", "secret.encode('utf-8', 'surrogatepass')"):
            (failure,) = helper.ask("set_password", form, "me", password=password)["failures"]
            assert "***" == failure["message"].strip("<>b'"), form


def test_a_long_message_is_cut(start: Start) -> None:
    """A message has one line of 500 characters at the most, without control characters."""
    with start() as helper:
        (failed,) = helper.ask("set_password", "raise KeyError('a\\n\\tb\\x1b' + 'x' * 600)", password="")["failures"]
        assert 500 == len(failed["message"])
        assert failed["message"].endswith("xxx...")
        (failed,) = helper.ask("set_password", "raise Warning('a\\n \\t b\\x1b c ' + 'x' * 492)", password="")[
            "failures"
        ]
        assert "a b c " + "x" * 492 == failed["message"]
        (failed,) = helper.ask("set_password", "raise Warning('x' * 500)", password="")["failures"]
        assert "x" * 500 == failed["message"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("credentials.SimpleCredential('me', 'secret')", {"username": "me", "password": "secret"}),
        ("credentials.SimpleCredential('', 'secret')", {"username": "", "password": "secret"}),
        ("credentials.AnonymousCredential('secret')", {"username": None, "password": "secret"}),
        ("'secret'", "'str' object has no attribute 'username'"),
        ("credentials.SimpleCredential(1, 'secret')", "its username is of type int, not str"),
        ("credentials.SimpleCredential('me', b'secret')", "its password is of type bytes, not str"),
    ],
)
def test_credentials(start: Start, answer: str, expected: object) -> None:
    """A credential is a user name, or none, and a password; anything else is a failure of the backend."""
    with start() as helper:
        reply = helper.ask("get_credential", answer, None)
    if isinstance(expected, dict):
        assert (expected, []) == (reply["answer"], reply["failures"])
    else:
        (failed,) = reply["failures"]
        assert None is reply["answer"]
        assert expected == failed["message"]


@pytest.mark.parametrize(("answer", "kind"), [("b'secret'", "bytes"), ("0", "int"), ("''", "")])
def test_passwords(start: Start, answer: str, kind: str) -> None:
    """A password is a str, also an empty one; anything else is a failure of the backend."""
    with start() as helper:
        reply = helper.ask("get_password", answer)
    assert [f"its password is of type {kind}, not str"] * bool(kind) == [one["message"] for one in reply["failures"]]
    assert (None if kind else "") == reply["answer"]


def test_what_cannot_be_loaded_is_told_apart(start: Start) -> None:
    """Entry points that raise, classes that raise when they are made, and priorities that do: each is told, the rest asked."""
    classes = {
        "Raises": "(self): raise OSError('made')",
        "Wants": "(self, argument): pass",  # keyring passes over it too
        "Odd": "(self): type(self).priority = 'odd'",
    }
    source = "".join(f"class {name}(Doer):\n    def __init__{body}\n" for name, body in classes.items())
    with start(DOER + source, entry_points=["not_there", "scripted_there", "scripted_there:nothing"]) as helper:
        reply = helper.ask("get_password", "'answer'")
        assert ("answer", []) == (reply["answer"], reply["failures"])
        told = {one["backend"]: one["type"] for one in reply["unloaded"]}
        again = helper.ask("get_password", "None")
    assert {
        "not_there": "ModuleNotFoundError",
        "scripted_there:nothing": "AttributeError",
        "scripted_there.Raises": "OSError",
        "scripted_there.Odd": "ValueError",
    } == told
    assert [*told] == [one["backend"] for one in again["unloaded"]]


@pytest.mark.parametrize(
    ("skip", "expected"),
    [
        (["scripted_there.First"], "Last"),
        (["scripted_there.Fir"], "First"),
        (["scripted_there"], None),
        (["scripted"], "First"),
        ([], "First"),
    ],
)
@pytest.mark.parametrize("everything", [False, True])
def test_what_is_skipped(start: Start, skip: list[str], expected: str | None, *, everything: bool) -> None:
    """Backends whose class or module is to be skipped are not asked; others whose name only begins like it are."""
    with start(parts(First=9, Last=8), skip=skip, everything=everything) as helper:
        assert expected == helper.ask("get_password", "{'First': 'First', 'Last': 'Last'}")["answer"]


def test_what_is_skipped_is_not_loaded(start: Start) -> None:
    """Nor is a module imported whose backends are to be skipped, by an entry point that names a class in it either."""
    with start(DOER, skip=["not_there"], entry_points=["scripted_there", "not_there", "not_there:Doer"]) as helper:
        reply = helper.ask("get_password", "'answer'")
        assert ("answer", []) == (reply["answer"], reply["unloaded"])


#: The modules of keyring's own backends that are loaded; keyring/core.py itself loads one.
LOADED = "' '.join(sorted(name[17:] for name in sys.modules if name.startswith('keyring.backends.')))"


def test_entry_points_that_nobody_could_tell(start: Start) -> None:
    """Where the entry points are not known, all that the tool has are loaded, keyring's own excepted."""
    with start(entry_points=None) as helper:
        reply = helper.ask("get_password", LOADED)
    assert ("fail", "scripted_there.Doer", []) == (reply["answer"], reply["backend"], reply["unloaded"])


def test_a_backend_of_keyrings_own(start: Start) -> None:
    """One of keyring's own backends is loaded where that is wanted, and no other one."""
    with start(own=["keyring.backends.null"]) as helper:
        assert "fail null" == helper.ask("get_password", LOADED)["answer"]


@pytest.mark.parametrize(("own", "answers"), [([], "scripted_there.First"), ([CHAINER], f"{CHAINER}.ChainerBackend")])
def test_a_backend_of_keyrings_own_is_asked_where_that_is_wanted(start: Start, own: list[str], answers: str) -> None:
    """One of keyring's own backends that a provider loads is not asked, unless that is wanted."""
    with start(f"import {CHAINER}\n" + parts(First=9, Last=8), own=own) as helper:
        assert answers == helper.ask("get_password", "{'First': 'answer'}")["backend"]


@pytest.mark.parametrize(
    ("value", "loaded"),
    [
        ("scripted_there:Doer", True),
        ("scripted_there : Doer [extra]", True),
        ("scripted_there:Outer.make", True),
        ("scripted_there:raises", False),
    ],
)
def test_values_of_entry_points(start: Start, value: str, *, loaded: bool) -> None:
    """An entry point names a module, a class in it, or a function, which is called; a class is not made twice."""
    source = (
        "made = []\n"
        + DOER
        + "    def __init__(self): made.append(1); super().__init__()\n"
        + "class Outer:\n    def make(): made.append('called')\n"
        + "def raises(): raise OSError('called')\n"
    )
    with start(source, entry_points=[value]) as helper:
        reply = helper.ask("get_password", "str(made)")
    called = "'called', " if value.endswith("make") else ""
    assert f"[{called}1]" == reply["answer"]
    assert ["OSError"] * (not loaded) == [one["type"] for one in reply["unloaded"]]


@pytest.mark.skipif(machine.WINDOWS or not os.path.exists("/bin/ps"), reason="this machine has no ps")
def test_processes_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """ps tells process, parent and group, as /proc does where it is there."""
    ours = (os.getpid(), os.getppid(), os.getpgrp())
    assert ours in processes()
    monkeypatch.setattr(os.path, "exists", lambda _: False)
    assert ours in processes()
