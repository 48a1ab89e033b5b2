"""Hostile surroundings: locales, variables, descriptors, disks, signals, threads and forks do not change the answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from support import environments, hostile, machine
from support.lending import Lender

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environment
    from support.stage import Stage

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: signals, descriptors, limits")

#: Looks up, makes some noise, looks up again and writes the answer into the file that it is given; what follows is set
#: in os.environ before.
LOOKUP = """\
import os, sys
os.environ.update(pair.split("=", 1) for pair in sys.argv[2:])
import keyring
keyring.get_password("https://host/", "user")
for descriptor in range(3):
    try: os.write(descriptor, b"NOISE\\n")
    except OSError: pass
answer = keyring.get_password("https://host/", "user")
with open(sys.argv[1], "w", encoding="utf-8", errors="surrogateescape") as file:
    file.write(ascii(answer))
"""

THERE = """
class There(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        print("NOISE", flush=True)
        print("NOISE", file=sys.stderr, flush=True)
        return "the answer \\u00e9\\ud800"
    set_password = delete_password = None
"""
ANSWER = ascii("the answer \u00e9\ud800")


class Lookup:
    """One lookup by a program in some surroundings."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        """Prepare the program, in a folder where nothing else is."""
        self.stage, self.folder = stage.there(THERE), folder
        self.script, self.result = folder / "script" / "lookup.py", folder / "result"
        self.script.parent.mkdir()
        self.script.write_text(LOOKUP)
        self.variables = {**stage.env(), hostile.MARK: uuid.uuid4().hex}
        self.stderr = ""

    def run(
        self, *at_run_time: str, before: str = "", cwd: Path | str | None = None, stderr: str = "", options: str = ""
    ) -> str:
        """Run it in a shell, after the shell's commands *before*, and return the repr of the answer."""
        self.result.unlink(missing_ok=True)
        python = f'exec "$0" {options} "$@" {stderr}'
        words = [self.stage.environment.python, self.script, self.result, *at_run_time]
        result = subprocess.run(
            ["/bin/sh", "-c", f"{before}\n{python}", *map(str, words)],
            env=self.variables,
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=environments.TIMEOUT,
        )
        self.stderr = result.stderr.decode("utf-8", "backslashreplace")
        assert [] == hostile.left_over(self.variables[hostile.MARK])
        return self.result.read_text() if self.result.exists() else f"no result: {self.stderr}"


@pytest.fixture
def lookup(stage: Stage, tmp_path: Path) -> Lookup:
    """A lookup whose answer comes from the tool."""
    return Lookup(stage, tmp_path)


@pytest.fixture
def poison(tmp_path: Path) -> Path:
    """A folder with modules of well-known names, each of which notes that it was imported and raises."""
    folder = tmp_path / "poison"
    folder.mkdir()
    for name in ("json", "keyring", "threading", "os", "queue", "select", "sitecustomize", "usercustomize", "types"):
        note = f"import builtins\nbuiltins.open({os.fspath(folder / 'imported')!r}, 'a').write({name!r})\nraise SystemExit(3)\n"
        (folder / f"{name}.py").write_text(note)
    return folder


@pytest.fixture
def plain_tool(scripted_tool: Environment, python: Path) -> Path:
    """A tool that is a plain interpreter: keyring is in the user's site-packages, so it cannot be run with -I."""
    code = "import site; print(site.getusersitepackages())"
    folder = environments.run([python, "-c", code], check=True).stdout.strip()
    os.makedirs(os.path.dirname(folder))
    os.symlink(scripted_tool.site_packages, folder)
    return python


VARIABLES = {
    "C locale": {"LC_ALL": "C"},
    "C locale, really ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that does not exist": {"LC_ALL": "xx_XX.nonsense"},
    "UTF-8 mode": {"PYTHONUTF8": "1"},
    "another encoding": {"PYTHONIOENCODING": "utf-16"},
    "ASCII only": {"PYTHONIOENCODING": "ascii:strict"},
    "PYTHONINSPECT": {"PYTHONINSPECT": "1"},
    "PYTHONWARNINGS=error": {"PYTHONWARNINGS": "error"},
    "development mode": {"PYTHONDEVMODE": "1", "PYTHONWARNDEFAULTENCODING": "1"},
    "development mode, warnings are errors": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
    "PYTHONOPTIMIZE=2": {"PYTHONOPTIMIZE": "2"},
    "PYTHONSAFEPATH": {"PYTHONSAFEPATH": "1"},
    "PYTHONNOUSERSITE": {"PYTHONNOUSERSITE": "1"},
    "PYTHONVERBOSE": {"PYTHONVERBOSE": "1"},
    "PYTHONPROFILEIMPORTTIME": {"PYTHONPROFILEIMPORTTIME": "1"},
    "PYTHONTRACEMALLOC": {"PYTHONTRACEMALLOC": "5"},
    "PYTHONFAULTHANDLER": {"PYTHONFAULTHANDLER": "1"},
    "PYTHONDONTWRITEBYTECODE": {"PYTHONDONTWRITEBYTECODE": "1"},
    "PYTHONUSERBASE": {"PYTHONUSERBASE": "/no/such/folder"},
    "VIRTUAL_ENV": {"VIRTUAL_ENV": "/no/such/environment", "VIRTUAL_ENV_PROMPT": "x"},
    "empty HOME": {"HOME": ""},
    "relative HOME": {"HOME": "home"},
    "HOME that does not exist": {"HOME": "/no/such/home"},
    "HOME that is a file": {"HOME": "/etc/passwd"},
    "HOME that is the root": {"HOME": "/"},
    "HOME that cannot be written to": {"HOME": "/proc/self"},
    "HOME that is not UTF-8": {"HOME": "/no/such/\udcff\udcfe"},
    "HOME of many lines": {"HOME": "/no/such\nhome\x1b[31m"},
    "empty PATH": {"PATH": ""},
    "PATH of nonsense": {"PATH": "::.:relative:/no/such/folder:/etc/passwd:\udcff:" + "/x" * 2000},
    "XDG_CONFIG_HOME": {"XDG_CONFIG_HOME": "/etc/passwd"},
    "XDG_DATA_HOME": {"XDG_DATA_HOME": "relative", "XDG_BIN_HOME": "\udcff"},
    "TMPDIR": {"TMPDIR": "/no/such/folder"},
    "TERM": {"TERM": "\x1b[31m"},
    "a variable that is not UTF-8": {"X": "\udcff", "Y": "\u00e9"},
    "a large variable": {"X": "x" * 100_000},
}


@pytest.mark.parametrize("case", VARIABLES)
def test_variables(lookup: Lookup, case: str) -> None:
    """Whatever the environment variables say, the answer comes, and we print nothing."""
    lookup.variables.update(VARIABLES[case])
    assert ANSWER == lookup.run()
    assert [] == [line for line in lookup.stderr.splitlines() if "keyring-fallback" in line or "Traceback" in line]


def test_no_variables(lookup: Lookup) -> None:
    """No variable at all but the setting, and those of the test: the answer comes."""
    names = ["KEYRING_PROPERTY_FALLBACK_TOOL", "SCRIPT_THERE", hostile.MARK]
    lookup.variables = {name: lookup.variables[name] for name in names}
    assert ANSWER == lookup.run()


@pytest.mark.parametrize("kind", ["environment", "plain"])
@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "__PYVENV_LAUNCHER__", "working directory"]
)
def test_poison(lookup: Lookup, poison: Path, plain_tool: Path, kind: str, name: str) -> None:
    """Modules in PYTHONPATH or the working directory, and variables for our Python, have no effect over there."""
    if kind == "plain":
        lookup.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(plain_tool)
    if name == "working directory":
        assert ANSWER == lookup.run(cwd=poison)
    else:
        value = poison / "json.py" if name == "PYTHONSTARTUP" else poison
        assert ANSWER == lookup.run(f"{name}={value}")
    assert not (poison / "imported").exists()


def test_working_directory_is_gone(lookup: Lookup, tmp_path: Path) -> None:
    """A working directory that was removed keeps nobody from answering."""
    folder = tmp_path / "gone"
    folder.mkdir()
    assert ANSWER == lookup.run(before=f"rmdir '{folder}'", cwd=folder)


SETTINGS = {
    "TIMEOUT": ["nan", "-1", "1e400", "soon", "0", "\udcff"],
    "ENABLED": ["perhaps", "\x1b[31m", "2"],
    "SERVICES": [" , ,"],
    "NONSENSE": ["x"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in SETTINGS for value in SETTINGS[name]])
def test_settings_that_make_no_sense(lookup: Lookup, name: str, value: str) -> None:
    """A setting that makes no sense is one line at the most, in which nothing of it can act, and breaks nothing."""
    lookup.variables[f"KEYRING_PROPERTY_FALLBACK_{name}"] = value
    assert ANSWER == lookup.run()
    lines = [line for line in lookup.stderr.splitlines() if "NOISE" not in line]
    assert (name != "NONSENSE") == len(lines)
    assert not [line for line in lines if "\x1b" in line]


@pytest.mark.parametrize("closed", ["0", "1", "2", "01", "02", "12", "012"])
def test_closed_standard_descriptors(lookup: Lookup, closed: str) -> None:
    """A program whose stdin, stdout or stderr is closed gets its answer, though the provider prints."""
    assert ANSWER == lookup.run(stderr=" ".join({"0": "<&-", "1": ">&-", "2": "2>&-"}[one] for one in closed))


def test_pipes_keep_off_the_standard_descriptors(lookup: Lookup) -> None:
    """What a program writes on a descriptor 0, 1 or 2 that it has closed cannot get into our pipes."""
    code = (
        "import os, stat, sys\nimport keyring\nos.closerange(0, 3)\n"
        "keyring.get_password('https://host/', 'user')\n"
        "opened = []\n"
        "for one in range(3):\n"
        "    try: mode = os.fstat(one).st_mode\n"
        "    except OSError: continue\n"
        # glibc 2.43 leaves a library open there
        "    opened += [one] if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else []\n"
        "with open(sys.argv[1], 'w') as file: file.write('%r' % opened)\n"
    )
    lookup.script.write_text(code)
    assert "[]" == lookup.run()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("stream", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1"])
def test_full_streams(lookup: Lookup, stream: str) -> None:
    """Where nothing can be printed any more the answer comes: a provider whose print raises is the provider's failure."""
    lookup.stage.there("\n".join(line for line in THERE.splitlines() if "print" not in line))
    assert ANSWER == lookup.run(stderr=stream)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system without space."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = shutil.which("mount", path="/bin:/usr/bin:/sbin")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", os.fspath(folder)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a file system")
    with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
        while file.write(b"x" * 1024):
            pass
    yield folder
    subprocess.run([mount.replace("mount", "umount"), os.fspath(folder)], check=True)


def test_full_disk(lookup: Lookup, full_disk: Path) -> None:
    """Home, temporary folder and working directory on a full disk: the answer comes."""
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        lookup.variables[name] = os.fspath(full_disk)
    assert ANSWER == lookup.run(cwd=full_disk)


def test_read_only_home(lookup: Lookup, home: Path) -> None:
    """A home folder that cannot be written to, or not even be read, is no hindrance."""
    for mode in (0o500, 0o000):
        home.chmod(mode)
        try:
            assert ANSWER == lookup.run()
        finally:
            home.chmod(0o700)


LIMITS = """\
import json, os, resource, sys, threading
import keyring, keyring.errors
from keyring_fallback import GlobalKeyring
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
def opened():
    count = 0
    for one in range(200):
        try: os.fstat(one)
        except OSError: continue
        count += 1
    return count
keyring.get_keyring()  # selects, once and for all
before = opened()
seen = []
for room in [0, 0, *range(16)]:
    held = []
    try:
        while True: held.append(os.open(os.devnull, os.O_RDONLY)) if len(held) < 900 else 1 / 0
    except OSError: pass
    for one in held[len(held) - room:] if room else []: os.close(one)
    for call in (keyring.get_password, GlobalKeyring().get_password):
        try: answer = call("https://host/", "user")
        except keyring.errors.KeyringError as error: answer = str(error)
        seen.append(answer)
    for one in held[:len(held) - room] if room else held: os.close(one)
    sys.modules["keyring_fallback.delegation.bridge"]._registry.leave() if "keyring_fallback.delegation.bridge" in sys.modules else None
    if opened() > before: seen.append("leak of %d with room for %d" % (opened() - before, room))
with open(sys.argv[1], "w") as file: json.dump([seen, keyring.get_password("https://host/", "user")], file)
"""


def test_no_descriptors_left(lookup: Lookup) -> None:
    """Where no descriptor is left a lookup ends in a KeyringError or in None, and leaves none open; then all is well again."""
    lookup.script.write_text(LIMITS)
    result = lookup.run(before="ulimit -n 200")
    assert '"the answer \\u00e9\\ud800"]' == result[-26:]
    assert "leak" not in result
    assert "Too many open files" in result
    assert "Traceback" not in lookup.stderr


# ---------------------------------------------------------------------------------------------------------------------
# Signals

WAITS = """
class There(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        import subprocess
        note("asked")
        subprocess.run("sleep 60; true", shell=True)
    set_password = delete_password = None
"""


def interrupted(
    stage: Stage, kind: int, *, whole_group: bool, delay: float | None = None, code: str = ""
) -> tuple[int, str]:
    """Send a signal while a lookup waits, or so many seconds after its start; return exit status and stderr."""
    stage.there(WAITS)
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [stage.environment.python, "-c", code or "import keyring\nkeyring.get_password('https://host/', 'user')"],
        env={**stage.env(), hostile.MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while delay is None and not stage.notes() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay or 0)
    os.killpg(process.pid, kind) if whole_group else process.send_signal(kind)
    _, stderr = process.communicate(timeout=60)
    assert [] == hostile.left_over(mark)
    return process.returncode, stderr


@pytest.mark.parametrize("whole_group", [True, False], ids=["from the terminal", "to the program"])
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_signal_while_waiting(stage: Stage, kind: str, whole_group: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A signal ends the program as ever; the helper and what it has started end with it, and the helper prints nothing."""
    number = signal.Signals[kind]
    status, stderr = interrupted(stage, number, whole_group=whole_group)
    assert -number == status
    assert "helper.py" not in stderr
    assert (1 if kind == "SIGINT" else 0) == stderr.count("Traceback")


def test_sigterm_that_the_program_handles(stage: Stage) -> None:
    """A program whose handler for SIGTERM raises SystemExit ends with its own status, and nothing is left."""
    code = (
        "import keyring, signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "keyring.get_password('https://host/', 'user')"
    )
    assert (42, "") == interrupted(stage, signal.SIGTERM, whole_group=False, code=code)


#: A program's own time limit: by a handler that is a function, a method, a partial or an object, with any exception.
LIMIT = """\
import ctypes, functools, keyring, signal, threading
class Limit(EXCEPTION): pass
def end(*_): raise Limit("mine")
def once(number, frame):
    signal.signal(number, signal.SIG_DFL)
    end()
def from_outside(main):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(Limit))
class Ends:
    def end(self, *_): end()
    __call__ = end
signal.signal(signal.SIGALRM, HANDLER)
signal.setitimer(signal.ITIMER_REAL, 0.7)
try: print(keyring.get_password("https://host/", "user"))
except Limit as limit: print("the limit is", str(limit) or "mine")
"""


@pytest.mark.parametrize(
    ("where", "handler", "exception"),
    [
        ("there", "end", "TimeoutError"),
        ("there", "Ends().end", "Exception"),
        ("here", "functools.partial(end)", "KeyError"),
        ("executable", "Ends()", "TimeoutError"),
        ("there", "once", "OSError"),
        ("there", "functools.partial(Ends())", "Exception"),
        (
            "there",
            "lambda *_: threading.Thread(target=from_outside, args=[threading.get_ident()]).start()",
            "Exception",
        ),
        ("lent", "end", "TimeoutError"),
    ],
)
def test_time_limit_of_the_program_itself(stage: Stage, where: str, handler: str, exception: str) -> None:
    """What a program's handler of a signal raises, to end a task in time, ends a lookup: nobody takes it for a failure."""
    with contextlib.ExitStack() as running:
        if where == "here":
            stage.here(WAITS.replace("note", "str")).there(THERE)
        else:
            stage.there(WAITS)
        if where == "executable":
            file = hostile.executable(stage.folder / "keyring", "#!/bin/sh\nsleep 60\n")
            stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(file)
        if where == "lent":
            running.enter_context(Lender(stage.environment, "host", env=stage.env()))
            del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
        code = LIMIT.replace("EXCEPTION", exception).replace("HANDLER", handler)
        result = stage.environment.run(["-c", code], env=stage.env(), check=False)
    assert ("the limit is mine\n", "") == (result.stdout.replace("'", ""), result.stderr)


@pytest.mark.parametrize("delay", [0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
def test_interrupt_at_any_time(stage: Stage, delay: float) -> None:
    """Ctrl-C while a helper starts: nothing is left, and the traceback is the program's only."""
    # it ends by itself too: Python drops an interrupt that comes while it runs a finaliser
    code = (
        "try:\n import keyring, time\n end = time.monotonic() + 20\n"
        " while time.monotonic() < end: keyring.get_password('https://host/', 'user')\nexcept KeyboardInterrupt: pass"
    )
    _, stderr = interrupted(stage, signal.SIGINT, whole_group=True, delay=delay, code=code)
    assert "helper.py" not in stderr


def test_interrupt_between_two_lookups(stage: Stage) -> None:
    """A Ctrl-C that the program survives may end an idle helper; the next lookup is answered."""
    code = (
        "import keyring, os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "print(ascii(keyring.get_password('https://host/', 'user')))\n"
        "os.killpg(0, signal.SIGINT); time.sleep(0.2)\n"
        "print(ascii(keyring.get_password('https://host/', 'user')))\n"
    )
    stage.there(THERE)
    result = subprocess.run(
        [stage.environment.python, "-c", code],
        env=stage.env(),
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
    )
    assert [ANSWER, ANSWER] == result.stdout.splitlines()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM"])
def test_signals_that_the_program_handles(stage: Stage, name: str) -> None:
    """They reach its whole process group, and end no lookup; a program that a provider has started gets them."""
    stage.there(
        "import signal, subprocess\nclass There(KeyringBackend):\n    priority = 9\n"
        "    def get_password(self, service, username):\n"
        "        child = subprocess.Popen(['sleep', '60'])\n"
        f"        os.killpg(0, signal.{name}); time.sleep(0.1)\n"
        "        return str(-child.wait())\n"
        "    set_password = delete_password = None\n"
    )
    code = (
        f"import keyring, signal; signal.signal(signal.{name}, lambda number, _: print('handled'))\n"
        "for one in (1, 2): print(keyring.get_password('https://host/', 'user'))\n"
    )
    argv = [os.fspath(stage.environment.python), "-c", code]
    result = subprocess.run(argv, env=stage.env(), capture_output=True, text=True, start_new_session=True, check=True)
    expected = ["handled", str(int(getattr(signal, name)))]
    assert 2 * expected == result.stdout.splitlines(), result.stderr


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="nothing tells a umask without changing it")
def test_umask_of_the_program(stage: Stage) -> None:
    """A provider writes its files with the program's umask of the lookup."""
    stage.there(
        "class There(KeyringBackend):\n    priority = 9\n"
        "    def get_password(self, service, username):\n        mask = os.umask(0); os.umask(mask); return oct(mask)\n"
        "    set_password = delete_password = None\n"
    )
    code = "import keyring, os\nfor one in (0o22, 0o77, 0o2):\n os.umask(one); print(keyring.get_password('https://host/', 'user'))"
    result = stage.environment.run(["-c", code], env=stage.env(), check=True)
    assert ["0o22", "0o77", "0o2"] == result.stdout.split()


def test_threads_of_a_provider_at_the_end(stage: Stage) -> None:
    """A thread that a provider has started is waited for, for a moment, as the end of a program does."""
    stage.there(
        "import threading\ndef late():\n    time.sleep(0.1); note('written')\n"
        "class There(KeyringBackend):\n    priority = 9\n"
        "    def get_password(self, service, username):\n        threading.Thread(target=late).start(); return 'x'\n"
        "    set_password = delete_password = None\n"
    )
    notes = stage.folder / "notes"
    code = "import keyring; keyring.get_password('https://host/', 'user')"
    stage.environment.run(["-c", code], env={**stage.env(), "NOTES": str(notes)}, check=True)
    end = time.monotonic() + 20
    while not notes.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert "written\n" == notes.read_text()


# ---------------------------------------------------------------------------------------------------------------------
# Many at once

ECHO = """
class There(KeyringBackend):
    priority = 9
    note("helper %d" % os.getpid())
    def get_password(self, service, username):
        return service + username
    set_password = delete_password = None
"""


def test_threads(stage: Stage) -> None:
    """16 threads with 50 lookups each get 800 right answers from one helper."""
    stage.there(ECHO)
    code = (
        "import keyring, threading\nfrom keyring_fallback.delegation import bridge\nwrong = []\n"
        "bridge.PATIENCE_SECONDS = 60.0\n"  # however long its start takes here
        "def work(n):\n"
        "    for i in range(50):\n"
        "        if keyring.get_password('https://%d/' % n, str(i)) != 'https://%d/%d' % (n, i): wrong.append((n, i))\n"
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]\n"
        "[one.start() for one in threads]; [one.join() for one in threads]\n"
        "print(wrong)"
    )
    result = stage.environment.run(["-c", code], env=stage.env(), check=True)
    assert ("[]\n", "") == (result.stdout, result.stderr)
    assert 1 == len(stage.notes())


def test_processes(stage: Stage) -> None:
    """8 programs at once each get their own answers."""
    stage.there(ECHO)
    mark = uuid.uuid4().hex
    code = "import keyring, sys\nfor i in range(50): print(keyring.get_password('https://h/', sys.argv[1] + str(i)))"
    programs = [
        subprocess.Popen(
            [stage.environment.python, "-c", code, str(number)],
            env={**stage.env(), hostile.MARK: mark},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for number, program in enumerate(programs):
        output, _ = program.communicate(timeout=environments.TIMEOUT)
        assert [f"https://h/{number}{i}" for i in range(50)] == output.splitlines()
    assert [] == hostile.left_over(mark)


FORKS = {
    "between two lookups": "ask('before')\n{fork}",
    "in a thread's lookups": (
        "ask('before')\nimport threading\nstop = threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): ask('thread')\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[one.start() for one in threads]\n"
        "try:\n"
        "    {fork}\n"
        "finally:\n"
        "    stop.set(); [one.join() for one in threads]"
    ),
    "before any lookup": "{fork}",
    "by multiprocessing": (
        "ask('before')\nimport multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(4) as pool:\n"
        "    assert pool.map(ask, map(str, range(40))) == [None] * 40"
    ),
}


@pytest.mark.parametrize("case", FORKS)
def test_fork_in_the_middle(stage: Stage, case: str) -> None:
    """After a fork parent and child each get right answers, from helpers of their own, also after the other has ended."""
    stage.there(ECHO)
    fork = """
    for i in range(5):
        child = os.fork()
        if child == 0:
            try:
                ask("child")
                ask("child again")
                if i % 2: sys.exit(0)  # with exit handlers
                os._exit(0)
            finally:
                sys.stdout.flush()
        ask("parent")
        assert os.waitpid(child, 0)[1] == 0, i
        ask("parent again")
    """
    code = (
        "import keyring, os, sys, warnings\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
        "def ask(name): assert keyring.get_password('https://h/', name) == 'https://h/' + name, name\n"
    )
    indent = "    " if "thread" in case else ""
    body = "\n".join(indent + line[4:] for line in fork.strip("\n").splitlines()).lstrip()
    mark = uuid.uuid4().hex
    variables = {**stage.env(), hostile.MARK: mark}
    result = stage.environment.run(["-c", code + FORKS[case].replace("{fork}", body)], env=variables)
    assert (0, "") == (result.returncode, result.stderr)
    assert [] == hostile.left_over(mark)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_all_children_are_waited_for(stage: Stage) -> None:
    """A program that looks something up, forks, and waits until it has no child any more, knows each of them and ends."""
    stage.there(ECHO)
    code = (
        "import keyring, os, signal\nassert keyring.get_password('https://h/', 'a')\n"
        "signal.alarm(30)\nmine, seen = set(), set()\n"
        "for _ in range(3):\n"
        "    child = os.fork()\n"
        "    child or os._exit(0)\n"
        "    mine.add(child)\n"
        "try:\n"
        "    while True: seen.add(os.wait()[0])\n"
        "except ChildProcessError: print(seen == mine)\n"
        "assert keyring.get_password('https://h/', 'a')"
    )
    result = stage.environment.run(["-c", code], env=stage.env())
    assert (0, "True\n", "") == (result.returncode, result.stdout, result.stderr)


def test_lookups_at_the_end_of_a_program(stage: Stage) -> None:
    """A lookup in an exit handler, in whatever order, and in a finaliser gives the answer and no noise."""
    stage.there(ECHO)
    code = (
        "import atexit\n"
        "def ask(name): print(keyring.get_password('https://h/', name))\n"
        "atexit.register(ask, 'last')\nimport keyring\natexit.register(ask, 'first')\n"
        "class Held:\n    def __del__(self): ask('finaliser')\n"
        "held = Held()\nask('begin')\natexit.register(ask, 'second')"
    )
    mark = uuid.uuid4().hex
    variables = {**stage.env(), hostile.MARK: mark, "PYTHONWARNINGS": "default"}
    result = stage.environment.run(["-c", code], env=variables)
    expected = [f"https://h/{name}" for name in ("begin", "second", "first", "last")]
    assert expected == result.stdout.splitlines()[:4]
    assert "keyring_fallback" not in result.stderr
    assert [] == hostile.left_over(mark)


def test_answers_are_awaited_in_turn(stage: Stage) -> None:
    """A thread that waits for its turn while another's lookup hangs is not kept for longer than twice the limit."""
    stage.there(ECHO.replace("return service + username", "time.sleep(60)"))
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "1"
    code = (
        "import keyring, threading, time\nbegin = time.monotonic()\n"
        "threads = [threading.Thread(target=keyring.get_password, args=('https://h/', str(n))) for n in range(16)]\n"
        "[one.start() for one in threads]; [one.join() for one in threads]\nprint(time.monotonic() - begin)"
    )
    result = stage.environment.run(["-c", code], env=stage.env(), check=True)
    assert 10 > float(result.stdout)


#: Functions in the place of C's that have Python's command lines run something else, as debuggers have them.
REWRITES = """\
import os, subprocess, sys, _posixsubprocess
original = _posixsubprocess.fork_exec
def fork_exec(arguments, *others):
    if "python" in os.path.basename(os.fsdecode(arguments[0])):
        arguments = [arguments[0], "-c", "import time; time.sleep(60)"]
    return original(arguments, *others)
_posixsubprocess.fork_exec = fork_exec
if hasattr(subprocess, "_fork_exec"): subprocess._fork_exec = fork_exec
"""


@pytest.mark.skipif(machine.WINDOWS, reason="functions of POSIX")
def test_a_debugger_that_follows_children(stage: Stage) -> None:
    """Where command lines of Python are rewritten, by a debugger that follows children, the lookup goes on as ever."""
    stage.there(ECHO)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "10"
    looks_up = "import keyring\nprint(keyring.get_password('https://host/', '?user'))"
    done = stage.environment.run(["-c", REWRITES + looks_up], env=stage.env(), check=True)
    assert "https://host/?user" == done.stdout.strip()
