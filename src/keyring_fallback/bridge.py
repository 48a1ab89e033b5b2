"""Asks a tool through the helper: runs it under the tool's interpreter and speaks its protocol."""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from keyring import errors

from .errors import ProviderError, ToolError
from .hidden import Hidden
from .hints import shown
from .process import Process, ReplyTooLargeError
from .waiting import Waiting, has_unseen_stderr

HELPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_helper.py")
#: Seconds without a lookup after which a helper is not used again; it ends by itself a little later.
IDLE_SECONDS = 240.0

_ERRORS = {
    error.__name__: error
    for error in (
        errors.KeyringError,
        errors.PasswordSetError,
        errors.PasswordDeleteError,
        errors.InitError,
        errors.KeyringLocked,
        errors.NoKeyringError,
    )
}


class Setup(NamedTuple):
    """Which of a tool's backends are asked; see the helper's set-up line."""

    everything: bool
    entry_points: tuple[str, ...] | None
    own: tuple[str, ...]
    skip: tuple[str, ...]


class Call(NamedTuple):
    """One call of keyring's: the method's name and its arguments."""

    method: str
    service: Any
    username: Any
    password: Hidden | None = None


class Reply(NamedTuple):
    """What a tool said.

    Attributes:
        answer: Its answer, or None.
        backend: The backend that gave it, or "".
        failures: The errors of those that failed.
        unloaded: The errors of those that could not even be loaded.
    """

    answer: Any = None
    backend: str = ""
    failures: tuple[errors.KeyringError, ...] = ()
    unloaded: tuple[errors.KeyringError, ...] = ()

    def __repr__(self) -> str:
        """Leave the answer out."""
        return f"<reply of {self.backend or 'nobody'}>"


class Invocation(NamedTuple):
    """How a tool is run: its program and arguments, its environment, its name in messages, and the time limit."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    name: str
    seconds: float


def ask(invocation: Invocation, setup: Setup, call: Call) -> Reply:
    """Ask a tool; the helper that answers stays for the next call.

    Args:
        invocation: How the tool's interpreter is run, without the helper's path.
        setup: Which of the tool's backends are asked.
        call: What is asked.

    Raises:
        ToolError: It cannot be started, gave no reply, or took longer than `Invocation.seconds`.
    """
    key = (invocation.arguments, setup)
    with _registry.lock:
        session = _registry.sessions.setdefault(key, _Session())
    with session.lock:
        return session.ask(invocation, setup, call)


class _Session:
    """A helper, started when it is first needed and again when it is gone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: Process | None = None
        self._environ: Mapping[str, str] = {}
        self._nonce = ""
        self._number = 0
        self._used = 0.0

    def ask(self, invocation: Invocation, setup: Setup, call: Call) -> Reply:
        fresh = self._ready(invocation, setup)
        try:
            line = self._exchange(invocation, call)
            if line is None and not fresh and call.method.startswith("get"):
                self.close()  # it ended between two lookups: that is no fault of this one
                self._ready(invocation, setup)
                line = self._exchange(invocation, call)
            if line is None:
                raise ToolError(f"{invocation.name} ended without a reply{self._how()}; {_ADVICE}")
            reply = _reply(line, self._number, call, invocation.name)
        except BaseException:
            self.close(kill=True)
            raise
        self._used = time.monotonic()
        return reply

    def _ready(self, invocation: Invocation, setup: Setup) -> bool:
        """Have a helper that runs in the caller's present environment; return whether it is a new one."""
        if self.process is not None:
            idle = time.monotonic() - self._used > IDLE_SECONDS
            if not idle and self.process.status() is None and self._environ == invocation.environ:
                return False
            self.close()
        try:
            process = Process([*invocation.arguments, HELPER], dict(invocation.environ), listen=has_unseen_stderr())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ToolError(f"{invocation.name} cannot be started ({reason}); {_ADVICE}") from None
        self.process, self._environ = process, invocation.environ
        self._nonce = os.urandom(16).hex()
        process.send(_line({"nonce": self._nonce, **setup._asdict()}))
        return True

    def _exchange(self, invocation: Invocation, call: Call) -> Hidden | None:
        """Send a request and return the reply's document, or None if the helper ended instead."""
        assert self.process is not None  # noqa: S101 - for the type checker
        self._number += 1
        self.process.send(_line({"id": self._number, **call._asdict(), "directory": _directory()}))
        waiting = Waiting(
            f"keyring-fallback: waiting for {invocation.name} to answer for {shown(call.service)!r}"
            f" (at most {invocation.seconds:g} seconds; Ctrl-C stops it)"
        )
        nonce = self._nonce.encode("ascii")
        deadline = time.monotonic() + invocation.seconds
        try:
            while True:
                data = self.process.collect(_ends_line, deadline - time.monotonic(), waiting)
                # what stands before the nonce was written before the helper took its descriptors (.pth files)
                for line in data.splitlines():
                    _, found, document = line.partition(nonce)
                    if found and f'"id": {self._number},'.encode() in document[:40]:
                        return Hidden(document.decode("ascii", "replace"))
                if not data.endswith(b"\n"):
                    return None
        except TimeoutError:
            raise ToolError(
                f"{invocation.name} gave no answer within {invocation.seconds:g} seconds; if it was waiting for you, "
                "run 'keyring-fallback doctor' on a terminal, or allow more by 'timeout' in [fallback] of keyringrc.cfg"
            ) from None
        except ReplyTooLargeError:
            raise ToolError(f"{invocation.name} gave a reply larger than any answer; {_ADVICE}") from None
        finally:
            waiting.end()

    def _how(self) -> str:
        status = self.process.wait(1.0) if self.process is not None else None
        if status is None:
            return ""
        return f" (killed by signal {-status})" if status < 0 else f" (exit status {status})"

    def close(self, *, kill: bool = False) -> None:
        """Let the helper go: it ends when its stdin does."""
        process, self.process = self.process, None
        if process is not None:
            process.kill() if kill else process.leave()


class _Registry:
    """The helpers of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sessions: dict[object, _Session] = {}

    def leave(self) -> None:
        """Let all helpers go that are not asked at this moment; with nobody at the other end each ends by itself."""
        for session in self.sessions.values():
            if session.lock.acquire(blocking=False):
                session.close()
                session.lock.release()

    def forget(self) -> None:
        """After a fork: the helpers are the parent's, and so are the threads that hold the locks."""
        sessions, self.sessions = self.sessions, {}
        self.lock = threading.Lock()
        for session in sessions.values():
            session.close()


_registry = _Registry()
atexit.register(_registry.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_registry.forget)

_ADVICE = "run 'keyring-fallback doctor' to see what is wrong with it"


def _ends_line(data: bytes) -> bool:
    return data.endswith(b"\n")


def _line(document: dict[str, Any]) -> bytes:
    try:
        return json.dumps(document).encode("ascii") + b"\n"
    except (TypeError, ValueError):
        raise ToolError("service, username and password must be strings (or None)") from None


def _directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _reply(document: Hidden, number: int, call: Call, name: str) -> Reply:
    """Read a reply.

    Raises:
        ToolError: It is not one.
    """
    try:
        reply = json.loads(document)
        failures, unloaded = (tuple(_error(one, name) for one in reply[key]) for key in ("failures", "unloaded"))
        answer, backend = reply["answer"], reply["backend"]
        if reply["id"] != number or not isinstance(backend, str) or not _fits(call.method, answer):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        reply = answer = None  # a traceback may show locals
        raise ToolError(f"{name} gave a reply that is not one; {_ADVICE}") from None
    return Reply(answer, backend, failures, unloaded)


def _fits(method: str, answer: Any) -> bool:
    if answer is None:
        return True
    if method == "get_password":
        return isinstance(answer, str)
    if method == "get_credential":
        return isinstance(answer["username"], (str, type(None))) and isinstance(answer["password"], str)
    return answer is True


def _error(failure: Mapping[str, str], name: str) -> errors.KeyringError:
    """Return an error of the tool's as an exception: keyring's own types as themselves, others as `ProviderError`."""
    message = " ".join(failure["message"].split())
    if failure["error"] in _ERRORS:
        return _ERRORS[failure["error"]](message)
    detail = f"{failure['type']}: {message}" if message else failure["type"]
    return ProviderError(f"{failure['backend']} in {name} failed: {detail}")
