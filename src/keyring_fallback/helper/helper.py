"""The helper: runs under the tool's interpreter and asks the tool's own backends.

It is started as ``python -I start.py TAG helper`` (without ``-I`` where the user's site-packages must stay visible),
imports nothing but the standard library and the tool's keyring, and runs on Python 3.8 and newer.

In, on descriptor 0: one JSON document a line. The first is the set-up::

    {"nonce": str, "everything": bool, "entry_points": [str] or null, "own": [str], "skip": [str]}

``everything``      ask all that the tool's keyring would ask.
``entry_points``    otherwise the values of the entry points to load; null: all that the tool has.
``own``             the modules of keyring's own backends to load as well.
``skip``            modules and "module.Class" names whose backends are not asked.
``idle``            where it is there: seconds without a request after which the helper ends.

Each further line is a request::

    {"id": int, "method": str, "service": any, "username": any, "password": any}

``directory``       the working directory, or null.
``handled``         the signals that the program has handlers for: they are for it alone.
``umask``           its umask, where that can be told; all three where the helper sees what the program sees.

Out, on a private copy of descriptor 1: for each request the nonce, one JSON document and a line feed::

    {"id": int, "answer": any, "backend": str, "failures": [...], "unloaded": [...]}

``answer`` is null, a password, ``{"username", "password"}``, or true where a password was stored or deleted.
A failure is ``{"backend", "type", "error", "message"}``; ``unloaded`` are those of backends that could not be loaded.
Failures are data: the exit status only says that the helper has ended, as it does with its input, or its parent.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from signal import SIGINT, signal

from .backends import Backends
from .shared import Any, Pipe, end_children

#: Seconds without a request after which the helper ends, if it is not told; the parent stops using it before.
IDLE_SECONDS = 300.0
#: Seconds that a running lookup and the providers' exit handlers get when the parent is gone.
GRACE_SECONDS = 0.5
#: Seconds between two looks at whether the parent still lives (a forked sibling may hold our input open).
PARENT_SECONDS = 1.0


def take_descriptors() -> tuple[Pipe, Pipe]:
    """Return private copies of descriptors 0 and 1, then put the null device on 0 and stderr on 1.

    A provider's ``print``, its child processes and its ``input`` can then neither corrupt nor block the exchange.
    """
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:  # noqa: PLR2004 - the caller had closed it: the copies below must not take its place
        os.set_inheritable(null, True)  # noqa: FBT003 - it takes no keywords
        null = os.open(os.devnull, os.O_RDWR)
    requests, replies = Pipe(os.dup(0)), Pipe(os.dup(1))
    os.dup2(null, 0)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # a prompt must not wait in our buffer
    os.close(null)
    return requests, replies


class Requests(threading.Thread):
    """Reads requests, so that the parent's end is noticed while a lookup runs."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(daemon=True)
        import queue
        import select

        # kept, since a provider may empty sys.modules
        self.empty, self.select = queue.Empty, select.select
        self.pipe = pipe
        self.idle = IDLE_SECONDS
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.parent = os.getppid()

    def run(self) -> None:
        try:
            self._read()
        except (OSError, ValueError):  # a provider has closed our descriptor
            pass
        self.lines.put(None)
        leave()  # still here then: a lookup runs that nobody waits for any more

    def _read(self) -> None:
        pending = b""
        while sys.platform == "win32" or self._readable():
            data = self.pipe.read(65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                self.lines.put(line)

    def _readable(self) -> bool:
        while not self.select([self.pipe.number()], [], [], PARENT_SECONDS)[0]:
            if os.getppid() != self.parent:
                return False
        return True

    def next(self) -> Any:
        """Return the next request, or None at the end."""
        try:
            line = self.lines.get(timeout=self.idle)
        except self.empty:
            line = None
        return None if line is None else json.loads(line)


def leave() -> None:
    """End, after a moment, with what we have started; its caller is a thread of its own."""
    time.sleep(GRACE_SECONDS)
    try:
        end_children()
    finally:
        os._exit(0)


def write(pipe: Pipe, data: bytes) -> None:
    while data:
        data = data[pipe.write(data) :]


def run_exit_handlers() -> None:
    """Run what providers registered with atexit (a token cache may be written there), for a moment at the most."""
    try:
        import atexit
        import signal

        # should a handler let no thread run, the system ends us: faulthandler reads other threads' frames, and crashes.
        # Windows has no such clock, and nobody waits for us.
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
            signal.setitimer(signal.ITIMER_REAL, 10 * GRACE_SECONDS)
        threading.Thread(target=leave, daemon=True).start()
        atexit._run_exitfuncs()
        threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as the end of a program does
    except BaseException:
        pass


def main() -> None:
    pipe, replies = take_descriptors()
    process = os.getpid()
    requests = Requests(pipe)
    requests.start()
    kept: dict[int, Any] = {}
    try:
        setup = requests.next()
        backends = None
        while setup is not None:
            requests.idle = setup.get("idle", IDLE_SECONDS)
            request = requests.next()
            if request is None:
                break
            handled = request.get("handled", [])
            pass_over(handled, kept)
            move(request.get("directory"))
            if "umask" in request:
                os.umask(request["umask"])
            if backends is None:
                gc.disable()  # modules being loaded leave nothing to collect
                backends = Backends(setup)
                if hasattr(gc, "freeze"):  # not on PyPy
                    gc.freeze()  # and looking through them in the middle of the lookup takes as long
                gc.enable()
            reply = backends.answer(request)
            if os.getpid() != process:
                os._exit(0)  # a child that a provider forked came back here: only its parent answers
            document = setup["nonce"] + json.dumps(reply) + "\n"
            pass_over([SIGINT, *handled], kept)  # Ctrl-C while nobody asks is meant for others
            write(replies, document.encode("ascii"))  # an OSError where a provider has closed it, too
            move(sys.prefix)  # an idle helper must not keep the caller's folder in use (Windows)
    except (KeyboardInterrupt, OSError):
        os._exit(1)
    run_exit_handlers()
    os._exit(0)


def pass_over(numbers: list[int], kept: dict[int, Any]) -> None:
    """Pass over these signals and no others; a program that a provider runs gets them all the same.

    `kept` has the handlers of those that are passed over now.
    """
    for number in [one for one in kept if one not in numbers]:
        signal(number, kept.pop(number))
    for number in numbers:
        if number not in kept:
            kept[number] = signal(number, lambda *_: None)


def move(directory: str | None) -> None:
    try:
        if directory is not None:
            os.chdir(directory)
    except OSError:
        pass
