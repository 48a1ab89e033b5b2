"""A descriptor number is not a pipe: programs that close all descriptors and open their own, between and during lookups."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.helper.shared import Descriptor

if TYPE_CHECKING:
    from support.stage import Stage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")

#: Stores in memory; takes its time for some.
STORE = """
class Store(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        if "slow" in service:
            note("asked")
            time.sleep(0.5)
        return "the answer"
    def set_password(self, service, username, password):
        note("stored " + password)
"""

#: In each round: looks something up, closes all descriptors, opens its own of some kind, and does something at a moment.
#: Then its own must be the same files, still open, with what it has written and nothing else. Prints what was wrong.
PROGRAM = """\
import atexit, gc, json, os, signal, socket, sys, threading, time
kind, moment, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
wrong, mine = [], []
def identity(number):
    status = os.fstat(number)
    return status.st_dev, status.st_ino
def take():
    os.closerange(3, 64)
    for number in range(12):
        if kind == "file":
            pair = [os.open("data%d" % number, os.O_RDWR | os.O_CREAT | os.O_TRUNC)] * 2
        elif kind == "pipe":
            pair = list(os.pipe())
        else:
            pair = [one.detach() for one in socket.socketpair()]
        if kind == "file":
            os.write(pair[1], b"mine")
            os.lseek(pair[0], 0, os.SEEK_SET)
        else:
            os.write(pair[1], b"mine")
            [os.set_blocking(one, False) for one in pair]
        mine.append((pair, list(map(identity, pair))))
def check(when):
    for pair, identities in mine:
        try:
            if list(map(identity, pair)) != identities: wrong.append(when + ": another file")
            if os.read(pair[0], 100) != b"mine": wrong.append(when + ": lost or written to")
            if kind == "file":
                os.lseek(pair[0], 0, os.SEEK_SET)
            else:
                for one in pair if kind == "socket" else pair[:1]:
                    try: wrong.append(when + ": more than was written: %r" % os.read(one, 100))
                    except BlockingIOError: pass
                os.write(pair[1], b"mine")
        except OSError as error:
            wrong.append("%s: %s" % (when, error))
def at_exit():
    check("exit")
    if kind == "file": [wrong.append("written to") for n in range(12) if open("data%d" % n, "rb").read() != b"mine"]
    with open(sys.argv[4], "w") as file: json.dump(wrong, file)
atexit.register(at_exit)  # the last one
import keyring
from keyring_fallback.delegation import bridge
def get(word="x"):
    answer = keyring.get_password("https://%s/" % word, "user")
    return answer
def interrupt(*_): raise KeyboardInterrupt
for _ in range(rounds):
    for pair, _ in mine: [os.close(one) for one in set(pair)]
    mine.clear()
    if get() != "the answer": wrong.append("no answer")
    thread = threading.Thread(target=get, args=("slow",))
    if moment == "thread":
        thread.start()
        time.sleep(0.2)
    if moment == "interrupt":
        def later(*_):
            take()
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, later)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try: get("slow")
        except KeyboardInterrupt: pass
    else:
        take()
    check("at once")
    if moment == "thread": thread.join()
    if moment == "lookup" and get() != "the answer": wrong.append("no answer")
    if moment == "store": keyring.set_password("https://x/", "user", "PASSWORD")
    if moment == "collection":
        bridge._registry.sessions.clear()
        gc.collect()
    if moment == "fork":
        child = os.fork()
        if not child:
            check("in the child")
            os._exit(len(wrong))
        if os.waitpid(child, 0)[1]: wrong.append("in a child")
        if get() != "the answer": wrong.append("no answer")
    check("later")
"""

#: How often each is done; by hand it was 100 times.
ROUNDS = int(os.environ.get("KEYRING_FALLBACK_ROUNDS", "2"))


@pytest.mark.parametrize("kind", ["file", "socket", "pipe"])
@pytest.mark.parametrize("moment", ["exit", "lookup", "store", "thread", "interrupt", "collection", "fork"])
def test_what_the_program_has_opened_is_left_alone(stage: Stage, kind: str, moment: str) -> None:
    """Nothing is written to, read from or closed that has got the number of one of our pipes."""
    stage.there(STORE)
    result = stage.folder / "result"
    arguments = ["-W", "ignore", "-c", PROGRAM, kind, moment, str(ROUNDS), os.fspath(result)]
    done = stage.environment.run(arguments, env=stage.env(), cwd=stage.folder, check=True)
    assert ("", []) == (done.stderr, json.loads(result.read_text()))
    assert ["stored PASSWORD"] * ROUNDS * (moment == "store") == [one for one in stage.notes() if "stored" in one]


#: Says, after a while, what is in the pipes whose numbers it is given.
READER = """\
import os, sys, time
time.sleep(2.5)
for number in map(int, sys.argv[2:]):
    os.set_blocking(number, False)
    try: said = os.read(number, 100).decode()
    except BlockingIOError: said = "stolen"
    with open(sys.argv[1], "a") as file: file.write(said + "\\n")
"""


def test_a_provider_that_opens_its_own(stage: Stage) -> None:
    """A provider that closes all descriptors in the tool and opens pipes of its own finds all in them that it wrote."""
    stage.there(f"""
        import subprocess
        class Closes(KeyringBackend):
            priority = 9
            def get_password(self, service, username):
                os.closerange(3, 64)
                pipes = [os.pipe() for _ in range(8)]
                for _, write in pipes:
                    os.write(write, b"mine")
                command = [sys.executable, "-c", {READER!r}, os.environ["NOTES"], *(str(read) for read, _ in pipes)]
                subprocess.Popen(command, pass_fds=[read for read, _ in pipes], start_new_session=True)
                time.sleep(60)
            def set_password(self, *arguments): raise NotImplementedError
    """)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "10"
    assert None is stage.call("get_password", "https://host/", "user")["answer"]
    deadline = time.monotonic() + 30
    while len(stage.notes()) < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert {"mine"} == set(stage.notes())


def test_a_descriptor_is_its_file() -> None:
    """A descriptor knows whether its number is still its file; it closes that once, and no other."""
    reader, writer = os.pipe()
    ours = Descriptor(reader)
    assert (reader, True) == (ours.number(), ours.is_ours())
    os.dup2(writer, reader)
    os.close(writer)
    with open(os.devnull, "rb") as other:
        os.dup2(other.fileno(), reader)
    assert not ours.is_ours()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.number()
    ours.close()
    os.fstat(reader)
    os.close(reader)
    reader, writer = os.pipe()
    ours = Descriptor(writer)
    ours.close()
    ours.close()
    assert not ours.is_ours()
    assert b"" == os.read(reader, 1)
    os.close(reader)


@pytest.mark.parametrize("how", ["Ctrl-C", "time limit"])
@pytest.mark.parametrize("away", [True, False], ids=["in a session of its own", "in ours"])
def test_what_is_ended(stage: Stage, how: str, *, away: bool) -> None:
    """Ctrl-C and the time limit end what a provider has started, but not a browser in a session of its own."""
    stage.there(f"""
        import subprocess
        class Opens(KeyringBackend):
            priority = 9
            def get_password(self, service, username):
                code = "import time; time.sleep(60)"
                null = {{name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}}
                opened = subprocess.Popen([sys.executable, "-c", code], start_new_session={away}, **null)
                note(str(opened.pid))
                time.sleep(60)
            def set_password(self, *arguments): raise NotImplementedError
    """)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "2" if how == "time limit" else "60"
    program = (
        "import os, signal, sys, time, keyring, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def interrupt():\n"
        "    while not os.path.exists(os.environ['NOTES']): time.sleep(0.05)\n"
        "    time.sleep(0.3); os.kill(os.getpid(), signal.SIGINT)\n"
        "if sys.argv[1] == 'Ctrl-C': threading.Thread(target=interrupt, daemon=True).start()\n"
        "try: keyring.get_password('https://x/', 'user')\n"
        "except KeyboardInterrupt: pass\n"
    )
    stage.environment.run(["-c", program, how], env=stage.env(), check=True)
    (pid,) = map(int, stage.notes())
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            lives = file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        lives = False
    if lives:
        os.kill(pid, signal.SIGKILL)
    assert away == lives
