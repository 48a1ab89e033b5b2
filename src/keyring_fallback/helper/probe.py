"""The probe: what keyring is like in an environment, and what a lookup there comes to.

The doctor starts it as the helper is started, under the interpreters of this environment and of the tools. Whatever
keyring does there, a crash of it included, is news to print and not the end of the doctor.

In, on stdin, as JSON: ``[service or null, username or null]`` in this environment, ``null`` in a tool. Out, on a
private copy of stdout: a JSON document a line, each with all that is known by then: attributes of `examination.Probe`,
``path``, where modules are imported from, and last ``end``. A password is never part of it.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time

from .backends import failure, forms, name_of, plain
from .helper import take_descriptors
from .shared import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TextIO

#: A shorter secret is part of too many words to be struck out of messages.
SECRET_LENGTH = 3


class Trace:
    """Tells what is known: of a lookup who is asked, and at its end, when its secrets are known, what came of it."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.lookups: list[dict[str, Any]] = []
        self.known: dict[str, Any] = {
            "version": ".".join(map(str, sys.version_info[:3])),
            "path": list(map(str, sys.path)),
            "lookups": self.lookups,
        }
        self.asked: list[dict[str, Any]] = []
        self.asking = False
        self.secrets: list[str] = []

    def tell(self, **news: Any) -> None:
        self.known.update(news)
        self.output.write(json.dumps(self.known) + "\n")

    def look_up(self, method: str, service: str, username: str | None) -> str:
        """Make a call of keyring's; return its outcome."""
        import keyring

        lookup: dict[str, Any] = {"method": method, "outcome": "unfinished", "milliseconds": 0}
        lookup.update(username=None, length=0, error="", asked=[])
        self.lookups.append(lookup)
        self.asked = []
        started, outcome = time.monotonic(), "nothing"
        try:
            answer = getattr(keyring, method)(service, username)
            if answer is not None:
                data = plain(method, answer)
                user, password = (data["username"], data["password"]) if isinstance(data, dict) else (username, data)
                self.hide(password, user)
                lookup.update(username=user, length=len(password))
                outcome = "answer"
        except BaseException as error:
            lookup["error"], outcome = message(error), "failed"
        lookup.update(outcome=outcome, milliseconds=since(started), asked=self.asked)
        for one in self.lookups:
            one.update(username=self.clean(one["username"]), error=self.clean(one["error"]))
            for asked in one["asked"]:
                asked["errors"] = list(map(self.clean, asked["errors"]))
        self.tell()
        return outcome

    def watch(self, backends: list[Any]) -> None:
        """Watch the backends of this environment, and how those of keyring-fallback ask the tools."""
        for backend in {id(one): one for one in backends}.values():
            if name_of(backend).startswith(("keyring_fallback.", "keyring.backends.chainer.")):
                continue
            try:
                for method in ("get_password", "get_credential"):
                    function = getattr(backend, method)
                    setattr(backend, method, functools.partial(self.ask, name_of(backend), function))
            except Exception:  # noqa: S112 - it does not let itself be watched
                continue
        if "keyring_fallback.backend" in sys.modules:
            from keyring_fallback.delegation import tools

            tools.ask = functools.partial(self.ask, "", tools.ask)

    def ask(self, backend: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a function, and tell who is asked by it: a backend, or else a tool."""
        if self.asking:  # keyring's own get_credential() calls get_password()
            return function(*arguments, **options)
        who, kind = (backend, "backend") if backend else (arguments[1].location, "tool")
        asked: dict[str, Any] = {"who": who, "kind": kind, "outcome": "unfinished", "milliseconds": 0}
        asked.update(answered_by="", errors=[])
        self.asked.append(asked)
        self.lookups[-1]["asked"] = [asked]
        self.tell()
        self.asking, started = True, time.monotonic()
        try:
            reply = answer = function(*arguments, **options)
            if not backend:
                answer = reply.answer
                self.hide(getattr(answer, "password", answer), arguments[2].username)
                errors = [str(one) for one in (*reply.failures, *reply.unloaded)]
                asked.update(answered_by=reply.backend, errors=errors)
            asked["outcome"] = "answer" if answer is not None else "failed" if asked["errors"] else "nothing"
        except BaseException as error:
            asked.update(outcome="failed", errors=[message(error)])
            raise
        else:
            return reply
        finally:
            self.asking = False
            asked["milliseconds"] = since(started)

    def hide(self, secret: Any, username: str | None) -> None:
        if isinstance(secret, str) and len(secret) >= SECRET_LENGTH:
            self.secrets += forms(str.__str__(secret), username)

    def clean(self, text: str | None) -> str | None:
        return text and one_line(text, self.secrets)


def since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def message(error: BaseException) -> str:
    """Return an exception's type and message in one line."""
    data = failure("", error)
    return ": ".join(filter(None, (data["type"], data["message"])))


def examine(trace: Trace, request: list[Any] | None) -> None:
    trace.tell()
    try:
        import keyring
        import keyring.backend
        import keyring.core

        if request is None:  # does what the user has selected work in the tool?
            keyring.core.load_env() or keyring.core.load_config()
            return
        selected = keyring.get_keyring()
        backends = sorted(keyring.backend.get_all_keyring(), key=keyring.backend.by_priority, reverse=True)
        listed = [{"name": name_of(one), "priority": float(one.priority)} for one in backends]
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        unimportable = isinstance(error, (ImportError, SyntaxError))
        trace.tell(broken=message(error), missing=missing and str(missing), unimportable=unimportable)
        return
    trace.tell(selected=name_of(selected), backends=listed)
    service, username = request
    if service is None:
        return
    import logging

    logging.getLogger("keyring_fallback").disabled = True  # the doctor says it all
    trace.watch([*backends, selected])
    # with a user name as `keyring get SERVICE USERNAME` does, which is what uv runs
    if username is None or trace.look_up("get_password", service, username) == "nothing":
        trace.look_up("get_credential", service, None)


def main() -> None:
    stdin, stdout = take_descriptors()
    with os.fdopen(stdin.number(), "rb") as file:
        request = json.load(file)
    trace = Trace(os.fdopen(stdout.number(), "w", 1, "ascii"))
    try:
        examine(trace, request)
    except KeyboardInterrupt:
        pass
    trace.tell(end=True)
