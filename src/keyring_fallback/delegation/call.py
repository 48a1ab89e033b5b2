"""What a tool has said, as keyring has it: answers as keyring's methods return them, errors as exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from keyring import credentials, errors

from ..errors import NotAskedError, ProviderError, ToolError
from ..helper.shared import MAX_REPLY_BYTES, one_line
from ..hidden import Hidden, HiddenBytes, Sealed, reveal
from ..records import Record

#: How messages about a tool end: what to do.
ALLOW_MORE = "allow more by 'timeout' in [fallback] of keyringrc.cfg"
ADVICE = "run 'keyring-fallback doctor' to see what is wrong with it"


class Setup(Record):
    """Which of a tool's backends are asked; see the helper's set-up line."""

    everything: bool
    entry_points: tuple[str, ...] | None
    own: tuple[str, ...]
    skip: tuple[str, ...]


class Call(Record):
    """One call of keyring's: the method's name and its arguments."""

    method: str
    service: Any
    username: Any
    password: Sealed | None = None


class Invocation(Record):
    """How a tool is run."""

    arguments: tuple[str, ...]  #: The program and its arguments.
    environ: Mapping[str, str]  #: Its whole environment.
    name: str  #: Its name in messages.
    seconds: float  #: How long it may take for one call.
    content: object = None  #: What it holds: another version of it needs another helper.
    folder: str | None = None  #: The folder that it is run in, or None for the caller's.
    shared: bool = True  #: Whether it sees our files, at the same paths; see `scripts.script`.
    idle: float = 0.0  #: Seconds that a helper may be without a call and still be asked the next; 0: as long as usual.


class Reply(Record):
    """What a tool said."""

    #: Its answer, as keyring's method returns it, or None; True where a password was stored or deleted.
    answer: Any = None
    backend: str = ""  #: The backend that gave it, or "".
    failures: tuple[errors.KeyringError, ...] = ()  #: The errors of those that failed.
    unloaded: tuple[errors.KeyringError, ...] = ()  #: The errors of those that could not even be loaded.

    def __repr__(self) -> str:
        return f"<reply of {self.backend or 'nobody'}>"


def line(document: dict[str, Any], name: str) -> HiddenBytes:
    """Return a line of JSON for somebody, by name in messages; NotAskedError: JSON has no such, or it is too large."""
    try:
        text = HiddenBytes(json.dumps(document, default=reveal).encode("ascii") + b"\n")
    except (TypeError, ValueError, RecursionError):
        raise NotAskedError(f"{name} cannot be asked: service, username and password must be strings or None") from None
    if len(text) > MAX_REPLY_BYTES:
        raise NotAskedError(f"{name} cannot be asked: service, username and password must be smaller than 8 MiB")
    return text


def read(document: Hidden, method: str, name: str) -> Reply:
    """Read the JSON that a helper replies to a method of keyring's, see `helper.helper`; ToolError: it is no reply."""
    try:
        reply = json.loads(document)
        failures, unloaded = (tuple(_error(one, name) for one in reply[key]) for key in ("failures", "unloaded"))
        answer, backend = reply["answer"], reply["backend"]
        if method == "get_credential" and answer is not None:
            answer = credential(answer["username"], answer["password"])
        elif answer is not None and not (isinstance(answer, str) if method == "get_password" else answer is True):
            raise ValueError
        if not isinstance(backend, str):
            raise ValueError  # noqa: TRY004 - not the caller's mistake
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        reply = answer = None  # a traceback may show locals
        raise ToolError(f"{name} gave a reply that is not one", ADVICE) from None
    return Reply(answer, backend, failures, unloaded)


def credential(username: object, password: object) -> credentials.Credential:
    """Return a credential, an anonymous one for None (keyring 25.2 and newer); ValueError: these are no strings."""
    if not isinstance(username, (str, type(None))) or not isinstance(password, str):
        raise ValueError  # noqa: TRY004 - not the caller's mistake
    anonymous = getattr(credentials, "AnonymousCredential", None)
    if username is None and anonymous:
        return anonymous(password)  # type: ignore[no-any-return]
    return credentials.SimpleCredential(username or "", password)


def _error(failure: Mapping[str, str], name: str) -> errors.KeyringError:
    backend, kind, message = (one_line(failure[key]) for key in ("backend", "type", "message"))
    return as_exception(failure["error"], message, f"{backend} in {name} failed: {kind}")


def as_exception(kind: str, message: str, failed: str) -> errors.KeyringError:
    """Return a tool's error as an exception: keyring's own by its name, or a `ProviderError`: who failed with what."""
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, errors.KeyringError):
        return known(message or failed)
    return ProviderError(f"{failed}: {message}" if message else failed)
