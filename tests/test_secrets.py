"""A password goes from the store to who asked for it and nowhere else: a canary is looked for everywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyring_fallback import hidden
from keyring_fallback.delegation import call, pipes, process
from support import environments, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environment, Environments, Text
    from support.stage import Stage

#: A store over there, in a file, that misbehaves for some services and says as much as it can of the password.
STORE = """
import logging, signal, threading
logging.basicConfig(level=0, stream=sys.stderr)
def audit(event, arguments):
    if event.startswith(("subprocess", "os.", "open", "socket", "shutil", "tempfile")):
        os.write(2, ("audit there: %s %r\\n" % (event, arguments)).encode("utf-8", "backslashreplace"))
sys.addaudithook(audit)
class Store(KeyringBackend):
    priority = 9
    def misbehave(self, service, password):
        if "raises" in service: raise ValueError("cannot keep %r" % password)
        if "set-error" in service: raise errors.PasswordSetError(password)
        if "bytes" in service: return password.encode()
        if "hangs" in service: time.sleep(60)
        if "dies" in service: os.kill(os.getpid(), signal.SIGKILL)
        if "huge" in service: return password * 100_000
        return password
    def all(self):
        if not os.path.exists(os.environ["STORE"]): return {}
        with open(os.environ["STORE"]) as file: return json.load(file)
    def keep(self, stored):
        with open(os.environ["STORE"], "w") as file: json.dump(stored, file)
    def get_password(self, service, username):
        password = self.all().get("canary")
        return password if password is None else self.misbehave(service.replace("raises", ""), password)
    def set_password(self, service, username, password):
        self.misbehave(service, password)
        self.keep({"canary": password})
    def delete_password(self, service, username):
        self.misbehave(service, self.all().get("canary"))
        self.keep({})
"""

#: Stores, fetches and deletes with everything logged and every exception reported with its locals; the canary is on stdin.
PROGRAM = """\
import faulthandler, json, logging, os, pprint, signal, sys, traceback, types
logging.basicConfig(level=0, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s %(args)r")
def audit(event, arguments):
    if event.startswith(("subprocess", "os.", "open", "socket", "shutil", "tempfile", "import")):
        os.write(2, ("audit here: %s %r\\n" % (event, arguments)).encode("utf-8", "backslashreplace"))
sys.addaudithook(audit)
class Box:
    def __repr__(self): return "<box>"
box = Box()
box.canary = sys.stdin.read()
import rich.console, rich.traceback
import keyring, keyring_fallback
backend = keyring.get_keyring() if sys.argv[1] == "chain" else keyring_fallback.GlobalKeyring()
seen = []
def of_ours(tb):
    if tb is None: return None
    rest = of_ours(tb.tb_next)
    if "keyring_fallback" not in tb.tb_frame.f_code.co_filename: return rest  # keyring's own frames hold the arguments
    return types.TracebackType(rest, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
def report(error):
    one = error
    while one is not None:
        one.__traceback__, one = of_ours(one.__traceback__), one.__cause__ or one.__context__
    kind, tb = type(error), error.__traceback__
    with open("reports", "a") as file:
        print("report of", repr(error), str(error), file=file)
        file.writelines(traceback.TracebackException(kind, error, tb, capture_locals=True).format())
        console = rich.console.Console(file=file, width=1000)
        console.print(rich.traceback.Traceback.from_exception(kind, error, tb, show_locals=True, locals_max_length=1000))
        try:
            import cgitb
            file.write(cgitb.text((kind, error, tb)))
        except ImportError: pass
        frame = tb
        while frame:
            for value in frame.tb_frame.f_locals.values():
                print(repr(value), pprint.pformat(value), file=file)
            frame = frame.tb_next
        faulthandler.dump_traceback(file=file)
def call(method, *arguments):
    def interrupt(*_): raise KeyboardInterrupt
    try:
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.7 if "interrupted" in arguments[0] else 0)
        values = [one.canary if one is box else one for one in arguments]
        try: answer = getattr(backend, method)(*values)
        finally: del values
        seen.append(answer == box.canary if isinstance(answer, str) else answer and answer.password == box.canary)
        del answer
    except BaseException as error:
        seen.append(type(error).__name__)
        report(error)
def step(method, word, *password, seconds="60"):
    os.environ["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = seconds
    call(method, "https://%s/" % word, "user", *password)
step("set_password", "fine", box)
step("get_password", "fine")
step("get_credential", "fine")
for word in ("raises", "set-error", "dies"): step("set_password", word, box)
for word in ("bytes", "dies", "huge"): step("get_password", word)
step("set_password", "hangs-interrupted", box)
step("get_password", "hangs-interrupted")
step("set_password", "hangs", box, seconds="0.7")
step("get_credential", "hangs", seconds="0.7")
step("delete_password", "fine")
step("get_password", "fine")
print(json.dumps(seen))
"""

#: Reads what all processes show of themselves, until its stdin ends; prints how often, and where it found the canary.
WATCHER = """\
import json, os, select, sys
forms = [bytes.fromhex(form) for form in json.loads(sys.stdin.readline())]
mark = sys.stdin.readline().strip().encode()
rounds, found, marked = 0, set(), set()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    rounds += 1
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for what in ("cmdline", "environ"):
            try:
                with open("/proc/%s/%s" % (pid, what), "rb") as file: data = file.read()
            except OSError: continue
            if mark in data: marked.add(pid)
            found.update("%s of %s" % (what, pid) for form in forms if form in data)
print(json.dumps([rounds, sorted(found), len(marked)]))
"""


def forms_of(canary: str) -> list[bytes]:
    """What a canary looks like in a file or in memory: plain, in UTF-16, and in base64 at each alignment."""
    found = [canary.encode(), canary.encode("utf-16-le")]
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + canary.encode())
        found.append(encoded[4:-4])
    return found


@pytest.fixture(scope="session")
def with_rich(shared_environments: Environments, python: Path, wheel: Path) -> Environment:
    """An environment with us, and rich to print tracebacks with locals."""
    return shared_environments.get(python, "keyring", wheel, "rich")


@pytest.mark.skipif(not hostile.HAS_PROC, reason="needs /proc")
@pytest.mark.parametrize(("way", "kind"), [("chain", "helper"), ("global", "helper"), ("chain", "command line")])
def test_canary(
    stage: Stage, with_rich: Environment, scripted_tool: Environment, way: str, kind: str, tmp_path: Path
) -> None:
    """Stored, fetched and deleted, through errors, timeouts and interrupts: the canary is in the store and nowhere else."""
    canary = f"CANARY-{uuid.uuid4().hex}-{uuid.uuid4().hex}-{uuid.uuid4().hex}"
    forms = forms_of(canary[:39]) + forms_of(canary[-32:])  # tracebacks shorten what they show
    mark = uuid.uuid4().hex
    tool = scripted_tool.root
    if kind == "command line":
        tool = hostile.false_executable(tmp_path / "bin", f'exec "{scripted_tool.script("keyring")}" "$@"\n')
    work = tmp_path / "work"
    work.mkdir()
    stage.there(STORE)
    store = tmp_path / "store.json"
    variables = {
        **stage.env(),
        hostile.MARK: mark,
        "STORE": os.fspath(store),
        "TMPDIR": os.fspath(work),
        "KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(tool),
        "UV_INDEX_CORP_PASSWORD": f"ENVIRON-{uuid.uuid4().hex}",
    }
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    watcher.stdin.write(f"{json.dumps([form.hex() for form in forms])}\n{mark}\n")
    watcher.stdin.flush()
    assert watcher.stdout.readline() == "ready\n"
    command: list[Text] = [with_rich.python, "-W", "ignore", "-c", PROGRAM, way]
    result = environments.run(command, env=variables, cwd=work, stdin=canary)
    output, _ = watcher.communicate("end\n", timeout=environments.TIMEOUT)
    assert 0 == result.returncode, result.stderr.replace(canary, "<canary>")[-3000:]

    rounds, found, marked = json.loads(output)
    assert [] == found
    assert rounds > 10
    assert marked >= 2  # the program and the tool were seen

    seen = json.loads(result.stdout)
    assert [None, True, True] == seen[:3]
    assert ["KeyboardInterrupt", "KeyboardInterrupt"] == seen[9:11]
    assert [None, None] == seen[-2:]
    assert seen[3:6] == [one for one in seen[3:6] if isinstance(one, str)]
    reports = (work / "reports").read_text()
    for word in (
        "hangs-interrupted",
        "_gather" if kind == "helper" else "command_line.py",
        "<hidden>",
    ):  # the frames and locals that count were shown
        assert word in reports
    assert variables["UV_INDEX_CORP_PASSWORD"] not in reports
    assert "audit there: open" in result.stderr

    kept = {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(work / "__pycache__")}
    shown = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode()}
    shown.update({os.fspath(path): path.read_bytes() for path in kept})
    leaks = [(name, excerpt(data, form)) for name, data in shown.items() for form in forms if form in data]
    assert [] == leaks
    assert [] == hostile.left_over(mark)


def excerpt(data: bytes, form: bytes) -> bytes:
    """What stands around a leak."""
    at = data.index(form)
    return data[max(at - 300, 0) : at] + b"<canary>" + data[at + len(form) : at + len(form) + 60]


#: Prints something of a reply, and says no more.
HALF = "import os, time; os.write(1, b'a secret without an end'); os.write(2, b'.'); time.sleep(60)"
HUGE = "import os\nwhile True: os.write(1, b'a secret ' * 1000)"


class Silent:
    """Hears nothing."""

    def heard(self, data: bytes) -> None:
        """Take it."""

    def pause(self) -> float:
        """Have nothing to do."""
        return 60.0


@pytest.mark.parametrize(
    ("source", "error"),
    [(HALF, TimeoutError), (HUGE, process.ReplyTooLargeError), (HALF, KeyboardInterrupt)],
    ids=["timeout", "too large", "interrupt"],
)
def test_no_local_shows_what_was_heard(source: str, error: type[BaseException]) -> None:
    """A wait that ends early leaves nothing of what was heard in the locals of our frames, nor in parts of those."""
    program = process.Process([sys.executable, "-I", "-c", source], dict(os.environ), listen=False)

    def interrupt(_: bytes) -> bool:
        raise KeyboardInterrupt

    try:
        complete = interrupt if error is KeyboardInterrupt else (lambda _: False)
        with pytest.raises(error) as caught:
            program.collect(complete, 3.0 if error is TimeoutError else 60.0, Silent())
    finally:
        program.kill()
    tb: Any = caught.tb
    shown = []
    while tb is not None:
        if "keyring_fallback" in tb.tb_frame.f_code.co_filename:
            shown += [text for value in tb.tb_frame.f_locals.values() for text in parts(value)]
        tb = tb.tb_next
    assert shown
    assert [] == [text for text in shown if "a secret" in text]


def test_bytes_in_the_place_of_a_password(stage: Stage) -> None:
    """A program's mistake: the error says so, no local of ours shows them, and a backend gets them as they are."""
    stage.here(
        "class Here(KeyringBackend):\n    priority = 9\n    def get_password(self, s, u): return None\n"
        "    def set_password(self, s, u, p):\n        note(type(p).__name__)\n        raise NotImplementedError\n"
        "    delete_password = None\n"
    )
    code = (
        "import keyring, os, sys, traceback\n"
        "try: keyring.set_password('https://host/', 'u', os.environ['CANARY'].encode())\n"
        "except Exception as error:\n"
        " for one in traceback.TracebackException.from_exception(error, capture_locals=True).stack:\n"
        "  if 'keyring_fallback' in one.filename: print(one.name, one.locals)\n"
        " print(error)\n"
    )
    notes = stage.folder / "notes"
    env = {**stage.env(), "CANARY": "a-secret", "NOTES": str(notes)}
    said = stage.environment.run(["-c", code], env=env, check=True).stdout
    assert ("a-secret" in said, "must be strings or None" in said, "set_password" in said) == (False, True, True), said
    assert {"bytes"} == set(notes.read_text().split())


#: Copies what is in containers, as some reporters do, before anything is shown.
COPIES = """
import keyring, keyring_fallback, os
def strings(value):
    if isinstance(value, (str, bytes)): yield (value if isinstance(value, str) else value.decode("latin-1"))[:]
    elif isinstance(value, dict): yield from (one for key in value if key != "password" for one in strings(value[key]))
    elif isinstance(value, (tuple, list, set)): yield from (one for part in value for one in strings(part))
try: keyring_fallback.GlobalKeyring().set_password("https://host/", "u", os.environ["CANARY"])
except Exception as error: step = error.__traceback__
while step := step.tb_next:
    for name, value in step.tb_frame.f_locals.items() if "keyring_fallback" in step.tb_frame.f_code.co_filename else ():
        if isinstance(value, (tuple, list, set, dict)) and any(str(one).count(os.environ["CANARY"]) for one in strings(value)):
            print(step.tb_frame.f_code.co_name, name)
print("looked")
"""


def test_no_container_of_ours_has_a_password(stage: Stage) -> None:
    """Where nobody stores it over there, no tuple of ours has it as a string: reporters that copy those show it."""
    stage.there(
        "class There(KeyringBackend):\n    priority = 9\n    def get_password(self, s, u): return None\n"
        "    def set_password(self, s, u, p): os._exit(3)\n    delete_password = None\n"
    )
    env = {**stage.env(), "CANARY": "a-secret"}
    assert ["looked"] == stage.environment.run(["-c", COPIES], env=env, check=True).stdout.splitlines()


def parts(value: object) -> Iterator[str]:
    """What rich shows of a value: its repr, a shortened string, the items of a container."""
    yield repr(value)
    if isinstance(value, (str, bytes)):
        yield repr(value[:20])
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from parts(item)


SECRET = "a secret of some length, since long strings are shortened before they are shown"  # noqa: S105 - a test's
HOLDERS: dict[str, Any] = {
    "Hidden": hidden.Hidden(SECRET),
    "a part of it": hidden.Hidden(SECRET)[:20],
    "a call": call.Call("set_password", "service", "user", hidden.Sealed(SECRET)),
    "a reply": call.Reply(SECRET),
    "a reply with a credential": call.Reply({"username": "user", "password": SECRET}),
    "a request": call.line({"password": SECRET}, "the tool"),
    "what was heard": pipes.Heard("stdout", SECRET.encode()),
    "variables": hidden.Variables({"NAME": SECRET}),
    "all variables": list(hidden.Variables({"NAME": SECRET}).items()),
    "a copy of them": {**hidden.Variables({"NAME": SECRET})},
}


@pytest.mark.parametrize("name", HOLDERS)
def test_repr_hides(name: str) -> None:
    """What holds a password does not show it in its repr, alone or in a container."""
    assert "a secret" not in repr(HOLDERS[name]) + repr([HOLDERS[name]]) + f"{HOLDERS[name]!r}"


def test_variables_are_the_mapping() -> None:
    """Hidden variables are the same mapping for everybody who works with it; one that is asked for by `get` is plain."""
    variables = hidden.Variables({"NAME": SECRET})
    assert {"NAME": SECRET} == variables == hidden.Variables(variables)
    assert variables != hidden.Variables({"NAME": "other"})
    assert (SECRET, str, None, "") == (
        variables.get("NAME"),
        type(variables.get("NAME")),
        variables.get("OTHER"),
        variables.get("OTHER", ""),
    )
    assert (True, False, 1) == ("NAME" in variables, "OTHER" in variables, len(variables))


def test_hidden_is_the_string() -> None:
    """A hidden string is the string for everybody who works with it, and its parts are hidden too."""
    secret = hidden.Hidden(SECRET)
    assert SECRET == secret == str(secret)
    assert SECRET[2:5] == secret[2:5]
    assert (hidden.Hidden, hidden.Hidden) == (type(secret[2:5]), type(secret[0]))
    assert json.dumps(SECRET) == json.dumps(secret)
    assert str is type(str(secret))
