"""Tells who is asked, what comes of it and how long it takes: to the debug log, and to whoever listens."""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, Callable

from ..helper import recorder
from ..helper.shared import is_empty, name_of, one_line
from ..hidden import reveal
from ..hints import shown

#: A shorter secret is part of too many words to be struck out of messages.
SECRET_LENGTH = 3

#: Called when a question is asked, and when it is done with; what they raise is lost.
listeners: list[Callable[[Question], object]] = []
log = logging.getLogger("keyring_fallback")
#: What is being asked in each thread.
_here = threading.local()


class Kind(enum.Enum):
    """Who is asked: keyring, by a program; one of this environment's backends; a tool; a command of the user's."""

    KEYRING = "keyring"
    BACKEND = "backend"
    TOOL = "tool"
    COMMAND = "command"


class Outcome(enum.Enum):
    """What has come of it; what was stored or deleted is an answer."""

    UNFINISHED = "unfinished"
    ANSWER = "answer"
    NOTHING = "nothing"
    FAILED = "failed"


class Question:
    """A call of keyring's, on its way to `who`: a backend's class, or a tool's location. ``with`` asks it."""

    def __init__(self, kind: Kind, who: str, method: str, service: Any, username: Any) -> None:
        self.kind, self.who, self.method, self.service, self.username = kind, who, method, service, username
        self.outer: Question | None = None  #: The one that has led to this.
        self.asked: list[Question] = []  #: Those that this one has led to.
        self.outcome, self.milliseconds = Outcome.UNFINISHED, 0
        self.answered_by = ""  #: The tool's backend that has answered.
        self.given: str | None = None  #: The user name that the answer is for.
        self.length = 0  #: Of the answer's password.
        #: Type and message of what was raised, or what the tool says of it. Only `as_data` strikes secrets out.
        self.errors: list[str] = []
        self._secrets: list[str] = []

    def __enter__(self) -> Question:  # noqa: PYI034 - typing.Self is newer than our floor
        self.outer = getattr(_here, "question", None)
        if self.outer is not None:
            self.outer.asked.append(self)
        _here.question = self
        self._tell()
        self._started = time.monotonic()
        return self

    def __exit__(self, _: object, error: BaseException | None, _traceback: object) -> None:
        self.milliseconds = round((time.monotonic() - self._started) * 1000)
        _here.question = self.outer
        if error is not None:
            left = isinstance(error, NotImplementedError) and not self.method.startswith("get")
            self.outcome = Outcome.NOTHING if left else Outcome.FAILED
            if listeners:
                from ..helper.backends import described  # not before somebody listens

                self.errors.append(getattr(error, "what", "") or described(error))
        if log.isEnabledFor(logging.DEBUG):
            result = self.outcome.value if error is None else f"{self.outcome.value}, {name_of(error)}"
            log.debug("%s(%r): %s: %s, %d ms", self.method, shown(self.service), self.who, result, self.milliseconds)
        self._tell()

    def _tell(self) -> None:
        for listener in listeners:
            with contextlib.suppress(Exception):  # who listens must not change what is heard
                listener(self)

    def came(self, answer: Any) -> Any:
        """Take note of what was answered, and return it."""
        self.outcome = Outcome.NOTHING if answer is None and self.method.startswith("get") else Outcome.ANSWER
        if listeners and answer is not None:
            with contextlib.suppress(Exception):  # no answer that keyring knows: the caller has to make something of it
                self._read(answer)
        return answer

    def replied(self, answer: Any, backend: str, failures: Iterable[Exception]) -> None:
        """Take note of a tool's reply."""
        self.errors += map(str, failures)
        self.answered_by = backend
        if self.came(answer) is None and self.errors:
            self.outcome = Outcome.FAILED

    def _read(self, answer: Any) -> None:
        from ..helper.backends import forms, plain  # not before somebody listens

        data = plain(self.method, answer)
        self.given, password = (data["username"], data["password"]) if isinstance(data, dict) else (self.username, data)
        self.length = len(password)
        self._secrets = forms(password, self.given) if len(password) >= SECRET_LENGTH else []

    def secrets(self) -> list[str]:
        """Return what the passwords that were answered look like in messages."""
        return [*self._secrets, *(secret for question in self.asked for secret in question.secrets())]

    def as_data(self, secrets: Iterable[str] | None = None) -> dict[str, Any]:
        """Return what JSON can carry of it; `secrets` are struck out, or else what its own answers hold."""
        struck = self.secrets() if secrets is None else list(secrets)
        errors = [one_line(error, struck) for error in self.errors]
        data: dict[str, Any] = {"outcome": self.outcome.value, "milliseconds": self.milliseconds}
        if self.kind is not Kind.KEYRING:
            return {**data, "who": self.who, "kind": self.kind.value, "answered_by": self.answered_by, "errors": errors}
        data.update(method=self.method, username=self.given and one_line(self.given, struck), length=self.length)
        asked = [one.as_data(struck) for one in self.asked if one.kind is not Kind.KEYRING]
        return {**data, "error": "".join(errors), "asked": asked}


def asked_of_keyring(method: str, service: Any, username: Any) -> contextlib.AbstractContextManager[Question]:
    """Return the question that keyring is asked by a call: that which stands already, if whoever asks it has told."""
    outer: Question | None = getattr(_here, "question", None)
    if outer is not None and outer.kind is Kind.KEYRING:
        return contextlib.nullcontext(outer)
    return Question(Kind.KEYRING, "keyring", method, service, username)


def tells(backend: object) -> bool:
    """Tell whether a backend is one of ours, which tells by itself whom it asks."""
    return getattr(type(backend), "tells_whom_it_asks", False) is True


def ask(backend: Any, method: str, service: Any, username: Any, *password: Any) -> Any:
    """Call a method of a backend of this environment."""
    function = getattr(backend, method)
    if tells(backend):
        return function(service, username, *map(reveal, password))  # no local of ours has it in the clear
    with Question(Kind.BACKEND, name_of(backend), method, service, username) as question:
        answer = function(service, username, *map(reveal, password))
        return question.came(None if is_empty(answer) else answer)


def raised() -> list[str]:
    """Return the classes of this environment's backends that have raised over what keyring is asked now."""
    outer: Question | None = getattr(_here, "question", None)
    while outer is not None and outer.kind is not Kind.KEYRING:
        outer = outer.outer
    return [one.who for one in outer.asked if one.outcome is Outcome.FAILED] if outer else []


def _record(question: Question) -> None:
    """Append to the file of a watch of the doctor what keyring was asked, once that is done with."""
    if question.kind is Kind.KEYRING and question.outer is None and question.outcome is not Outcome.UNFINISHED:
        program = os.path.basename(sys.argv[0]) or "python"
        asked = {"program": program, "pid": os.getpid(), "service": shown(question.service)}
        recorder.write({**question.as_data(), **asked, "username": recorder.digest(question.username)})


if recorder.WATCH in os.environ:
    listeners.append(_record)
