"""Asks a tool through the helper: runs it under the tool's interpreter and speaks its protocol."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time

from ..errors import NotAskedError, ToolError, interrupts
from ..here import working_directory
from ..hidden import Hidden, HiddenBytes
from ..hints import shown
from .call import ADVICE, ALLOW_MORE, Call, Invocation, Reply, Setup, line, read
from .process import Process, ReplyTooLargeError
from .scripts import script
from .waiting import Waiting, has_unseen_stderr, waiting_for

#: Seconds without a lookup after which a helper is not used again; it ends by itself a little later.
IDLE_SECONDS, _LATER = 240.0, 1.25
#: Seconds for which a lookup may keep another one of the same tool waiting, and helpers of a tool at the most.
PATIENCE_SECONDS, MOST_HELPERS = 0.5, 4
#: What a terminal, a supervisor or ``kill 0`` sends to all of a process group.
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM")
    if hasattr(signal, name)
]


def ask(invocation: Invocation, setup: Setup, call: Call) -> Reply:
    """Ask a tool by its interpreter; the helper stays for more. ToolError: it does not start, or reply in time."""
    runs = invocation.environ, invocation.content, _who()
    session = _registry.take((invocation.arguments, setup), runs, invocation)
    try:
        return session.ask(invocation, setup, call)
    finally:
        _registry.give_back(session)


def _who() -> tuple[object, ...]:
    """Return who asks: a program that has dropped root must not ask root's helper, nor one of a group it has left."""
    if sys.platform == "win32":
        return ()
    ids = os.getuid(), os.geteuid(), os.getgid(), os.getegid()
    return *ids, tuple(os.getgroups()), os.getpgrp(), os.getsid(0)


def _state() -> dict[str, object]:
    """Return what a provider in this process would be run with: see the helper's request."""
    found: dict[str, object] = {"directory": working_directory() or None}
    found["handled"] = [number for number in _SIGNALS if _is_handled(signal.getsignal(number))]
    try:
        with open("/proc/self/status", "rb") as file:  # os.umask would change it, for other threads too
            found["umask"] = int(next(one for one in file if one.startswith(b"Umask:")).split()[1], 8)
    except (OSError, StopIteration):
        pass  # no Linux, or one before 4.7
    return found


def _is_handled(handler: object) -> bool:
    return callable(handler) and handler is not signal.default_int_handler


class _Session:
    """A helper, started when it is first needed and again when it is gone."""

    def __init__(self, key: object, runs: object) -> None:
        self.key = key  #: What it is asked for: a program and its set-up.
        self.runs = runs  #: In which environment, with which content, for whom.
        self.since: float | None = None  #: When the lookup began that it is busy with, or None.
        self.process: Process | None = None
        self._runs: object = None
        self._nonce = self._rest = b""
        self._number, self._used = 0, 0.0

    def ask(self, invocation: Invocation, setup: Setup, call: Call) -> Reply:
        try:
            first = self._ready(invocation, setup)
            document = self._exchange(invocation, call, first)
            if document is None and not first and call.method.startswith("get"):
                self.close()  # it ended between two lookups: that is no fault of this one
                document = self._exchange(invocation, call, self._ready(invocation, setup))
            if document is None:
                status = self.process.wait(1.0) if self.process is not None else None
                how = f"killed by signal {-status}" if status and status < 0 else f"exit status {status}"
                how = "" if status is None else f" ({how})"
                raise ToolError(f"{invocation.name} ended without a reply{how}", ADVICE)
            reply = read(document, call.method, invocation.name)
        except BaseException:
            self.close(kill=True)
            raise
        self._used = time.monotonic()
        return reply

    def _ready(self, invocation: Invocation, setup: Setup) -> bytes:
        """Have a helper that runs in the caller's present environment; return what a new one must be told first."""
        if self.process is not None:
            idle = time.monotonic() - self._used > (invocation.idle or IDLE_SECONDS)
            if not idle and self.process.is_ours() and self._runs == self.runs:
                return b""
            self.close()
        try:
            helper = script("helper", shared=invocation.shared)
            arguments = [*invocation.arguments, *helper.arguments]
            process = Process(arguments, invocation.environ, listen=has_unseen_stderr())
        except (OSError, ValueError) as error:
            if interrupts(error):
                raise
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise NotAskedError(f"{invocation.name} cannot be started ({reason})", ADVICE) from None
        self.process, self._runs = process, self.runs
        nonce = os.urandom(16).hex()
        self._nonce, self._rest = nonce.encode("ascii"), b""
        told = {"idle": invocation.idle * _LATER} if invocation.idle else {}
        return helper.first + line({"nonce": nonce, **told, **setup._asdict()}, invocation.name)

    def _exchange(self, invocation: Invocation, call: Call, first: bytes) -> Hidden | None:
        """Send a request, behind what is to be said first; return the reply's document, or None if the helper ended."""
        assert self.process is not None  # noqa: S101 - for the type checker
        self._number += 1
        state = _state() if invocation.shared else {}
        request = line({"id": self._number, **call._asdict(), **state}, invocation.name)
        waiting = Waiting(waiting_for(invocation.name, invocation.seconds, f" to answer for {shown(call.service)!r}"))
        deadline = time.monotonic() + invocation.seconds
        try:
            self.process.send(HiddenBytes(first + request))
            while True:
                left = deadline - time.monotonic()
                data = self.process.collect(lambda data: not data or b"\n" in data, left, waiting)
                whole, document = self._found(data)
                if document is not None or not whole:
                    return document
        except ReplyTooLargeError:
            raise ToolError(f"{invocation.name} gave a reply larger than any answer", ADVICE) from None
        except OSError as error:
            if interrupts(error):
                raise
            if isinstance(error, TimeoutError):
                advice = f"if it was waiting for you, run 'keyring-fallback doctor' on a terminal, or {ALLOW_MORE}"
                raise ToolError(
                    f"{invocation.name} gave no answer within {invocation.seconds:g} seconds", advice
                ) from None
            raise ToolError(f"{invocation.name} cannot be asked ({error.strerror})", ADVICE) from None
        finally:
            waiting.end()

    def _found(self, data: bytes) -> tuple[bool, Hidden | None]:
        """Return whether there is a whole line in what was written, and the reply's document if it is there."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        begin = b'{"id": %d,' % self._number
        for one in lines:
            # what stands before the nonce was written before the helper took its descriptors (.pth files)
            _, _, document = one.partition(self._nonce)
            if document.startswith(begin):
                return True, Hidden(document.decode("ascii", "replace"))
        return bool(lines), None

    def close(self, *, kill: bool = False) -> None:
        """Let the helper go: it ends when its stdin does."""
        process, self.process = self.process, None
        if process is not None:
            process.kill() if kill else process.leave()


class _Registry:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.sessions: list[_Session] = []

    def take(self, key: object, runs: object, invocation: Invocation) -> _Session:
        """Return a session that is nobody else's, until it is given back; NotAskedError: all are busy for too long.

        One helper is enough for lookups that are answered soon. Another one is started where each has been busy with a
        lookup for a while; a thread that waits for its turn waits no longer than for an answer.
        """
        deadline = time.monotonic() + invocation.seconds
        with self.changed:
            while True:
                now = time.monotonic()
                all_ = [one for one in self.sessions if one.key == key]
                free = sorted((one for one in all_ if one.since is None), key=lambda one: one.runs != runs)
                for stale in free[1:]:
                    if stale.runs != runs:
                        self.sessions.remove(stale)
                        stale.close()
                patience = max((one.since or now) + PATIENCE_SECONDS for one in all_) if all_ else now
                if not free and len(all_) < MOST_HELPERS and patience <= now:
                    free = [_Session(key, runs)]
                    self.sessions += free
                if free:
                    free[0].runs, free[0].since = runs, now
                    return free[0]
                if now >= deadline:
                    busy = f"was busy with other lookups for {invocation.seconds:g} seconds"
                    raise NotAskedError(f"{invocation.name} {busy}", ALLOW_MORE)
                self.changed.wait(min(deadline, patience if patience > now else deadline) - now)

    def give_back(self, session: _Session) -> None:
        with self.changed:
            session.since = None
            self.changed.notify()

    def leave(self) -> list[Process]:
        """Let all helpers go that are not asked at this moment, and return them; each ends by itself then."""
        with self.changed:
            idle = [session for session in self.sessions if session.since is None]
            left = [session.process for session in idle if session.process is not None]
            for session in idle:
                session.close()
        return left

    def part(self) -> None:
        """Before a fork: a program that waits for all of its children must not wait for what it does not know."""
        for process in self.leave():
            process.wait(PATIENCE_SECONDS)

    def forget(self) -> None:
        """After a fork: the helpers are the parent's, and so are the threads that hold the locks."""
        sessions, self.sessions = self.sessions, []
        self.changed = threading.Condition()
        for session in sessions:
            session.close()


_registry = _Registry()
atexit.register(_registry.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_registry.part, after_in_child=_registry.forget)
