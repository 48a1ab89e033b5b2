"""The probe: what keyring is like in an environment, and what a lookup there comes to.

The doctor starts it as ``python _probe.py`` under the interpreter of this environment and of each tool. It imports
nothing but the standard library and what that environment has, and runs on Python 3.8 and newer: whatever keyring does
there, a crash of it included, is news to print and not the end of the doctor.

In, on descriptor 0: one JSON document::

    {"backends": bool, "service": str or null, "username": str or null}

Out, on a private copy of descriptor 1: one JSON document a line, each with ``event``:

``python``    the interpreter's ``version`` and ``prefix``; ``keyring``, its version or ""; ``providers``
``broken``    keyring cannot be used: ``error``
``backends``  who is ``selected``, and of each of ``backends`` its ``name`` and ``priority``
``asking``    ``who`` is being asked, ``kind`` ("backend" or "tool"), ``method``
``asked``     ``who``, ``kind``, ``milliseconds``, ``outcome`` ("answer", "nothing", "failed"),
              ``answered_by``, ``errors``
``result``    of the whole lookup: ``method``, ``milliseconds``, ``outcome``, ``error``, ``username``, ``length``
``end``       that was all

A password is never part of it.
"""

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
    del sys.path[0]  # our own package's folder: its modules must not shadow anything over there

#: Characters of a message that are passed on.
MESSAGE_LENGTH = 500
#: A shorter secret is part of too many words to be struck out of messages.
SECRET_LENGTH = 3


class Report:
    """Writes events, without the secrets that have come up until then."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.secrets: list[str] = []

    def tell(self, event: str, **details: Any) -> None:
        data = json.dumps(self.clean({"event": event, **details})).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.descriptor, data) :]

    def clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.clean(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(one) for one in value]
        if not isinstance(value, str):
            return value
        for secret in self.secrets:
            for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
                value = value.replace(form, "***")
        return value

    def hide(self, secret: object) -> None:
        if isinstance(secret, str) and len(secret) >= SECRET_LENGTH:
            self.secrets.append(str.__str__(secret))


def message(error: BaseException) -> str:
    """Return an exception's type and message in one line."""
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 3] + "..."


def name_of(backend: object) -> str:
    cls = type(backend)
    return f"{cls.__module__}.{cls.__qualname__}"


def distributions() -> tuple[str, list[dict[str, str]]]:
    """Return keyring's version, and the providers with theirs."""
    from importlib import metadata

    keyring, providers = "", []
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower()
        if name == "keyring":
            keyring = keyring or distribution.version
        elif name not in ("keyring-fallback", "keyring_fallback"):
            providers += [
                {"distribution": name, "version": distribution.version, "value": entry_point.value}
                for entry_point in distribution.entry_points
                if entry_point.group == "keyring.backends"
            ]
    return keyring, providers


def examine(report: Report, request: dict[str, Any]) -> None:
    try:
        version, providers = distributions()
    except Exception:  # a damaged distribution
        version, providers = "", []
    report.tell(
        "python",
        version=".".join(map(str, sys.version_info[:3])),
        prefix=sys.prefix,
        keyring=version,
        providers=providers,
    )
    try:
        import keyring
        import keyring.backend
        import keyring.core

        if not request["backends"]:  # of a tool: does what the user has selected work there?
            keyring.core.load_env() or keyring.core.load_config()
            return
        selected = keyring.get_keyring()
        backends = keyring.backend.get_all_keyring()
    except BaseException as error:
        report.tell("broken", error=message(error))
        return
    report.tell("backends", selected=name_of(selected), backends=sorted(map(described, backends), key=by_priority))
    if request["service"] is not None:
        look_up(report, request["service"], request["username"], backends, selected)


def described(backend: Any) -> dict[str, Any]:
    try:
        priority = float(backend.priority)
    except Exception:
        priority = 0.0
    return {"name": name_of(backend), "priority": priority}


def by_priority(backend: dict[str, Any]) -> float:
    return -float(backend["priority"])


def look_up(report: Report, service: str, username: str | None, backends: list[Any], selected: Any) -> None:
    import logging

    import keyring

    ours = logging.getLogger("keyring_fallback")  # the doctor says it all
    ours.addHandler(logging.NullHandler())
    ours.propagate = False
    trace = Trace(report)
    for backend in {id(one): one for one in [*backends, selected]}.values():
        if not name_of(backend).startswith(("keyring_fallback.", "keyring.backends.chainer.")):
            trace.watch(backend)
    trace.watch_tools()
    # with a user name as `keyring get SERVICE USERNAME` does, which is what uv runs
    if username is not None and attempt(trace, "get_password", keyring.get_password, service, username) != "nothing":
        return
    attempt(trace, "get_credential", keyring.get_credential, service, None)


def attempt(trace: Trace, method: str, function: Callable[..., Any], service: str, username: str | None) -> str:
    """Make a call of keyring's and tell what it comes to; return its outcome."""
    started = time.monotonic()
    result: dict[str, Any] = {"outcome": "nothing", "error": "", "username": None, "length": 0}
    try:
        answer = function(service, username)
        if answer is not None:
            password = answer if method == "get_password" else answer.password
            trace.report.hide(password)
            result.update(outcome="answer", length=len(password))
            result["username"] = username if method == "get_password" else user_of(answer)
    except BaseException as error:
        result.update(outcome="failed", error=message(error))
    milliseconds = round((time.monotonic() - started) * 1000)
    trace.flush()
    trace.report.tell("result", method=method, milliseconds=milliseconds, **result)
    return str(result["outcome"])


def user_of(credential: Any) -> str | None:
    try:
        return credential.username or None
    except ValueError:  # keyring.credentials.AnonymousCredential
        return None


class Trace:
    """Watches who is asked. What came of it is told at the end, when the secrets are known that must not be in it."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.depth = 0
        self.asked: list[dict[str, Any]] = []

    def flush(self) -> None:
        for details in self.asked:
            self.report.tell("asked", **details)
        self.asked.clear()

    def watch(self, backend: Any) -> None:
        """Watch a backend of this environment."""
        for method in ("get_password", "get_credential"):
            try:
                setattr(backend, method, self.wrapped(name_of(backend), "backend", method, getattr(backend, method)))
            except Exception:  # it does not let itself be watched
                return

    def watch_tools(self) -> None:
        """Watch how keyring-fallback asks the tools, where it is what this environment's keyring uses."""
        if "keyring_fallback.backend" not in sys.modules:
            return
        from keyring_fallback import delegation

        ask = delegation.ask

        def watched(survey: Any, tool: Any, call: Any, **options: Any) -> Any:
            asked = self.wrapped(tool.root or tool.path, "tool", call.method, ask)
            return asked(survey, tool, call, **options)

        delegation.ask = watched

    def wrapped(self, who: str, kind: str, method: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any, **options: Any) -> Any:
            if self.depth:  # keyring's own get_credential() calls get_password()
                return function(*arguments, **options)
            details: dict[str, Any] = {"who": who, "kind": kind, "answered_by": "", "errors": []}
            self.report.tell("asking", kind=kind, who=who, method=method)
            self.depth += 1
            started = time.monotonic()
            try:
                answer = function(*arguments, **options)
                found = self.read_reply(answer, details) if kind == "tool" else answer is not None
                details["outcome"] = "answer" if found else "failed" if details["errors"] else "nothing"
            except BaseException as error:
                details.update(outcome="failed", errors=[message(error)])
                raise
            else:
                return answer
            finally:
                self.depth -= 1
                details["milliseconds"] = round((time.monotonic() - started) * 1000)
                self.asked.append(details)

        return asked

    def read_reply(self, reply: Any, details: dict[str, Any]) -> bool:
        details["answered_by"] = reply.backend
        details["errors"] = [str(one) for one in (*reply.failures, *reply.unloaded)]
        answer = reply.answer
        self.report.hide(answer["password"] if isinstance(answer, dict) else answer)
        return answer is not None


def main() -> None:
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(null, 2)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    data = b""
    while True:
        chunk = os.read(requests, 65536)
        if not chunk:
            break
        data += chunk
    report = Report(replies)
    try:
        examine(report, json.loads(data))
    except KeyboardInterrupt:
        pass
    report.tell("end")


if __name__ == "__main__":
    main()
