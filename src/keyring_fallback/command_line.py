"""Asks a tool through keyring's command line, where its interpreter cannot be told."""

from __future__ import annotations

import json
import os
from typing import Any

from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

from .bridge import Call, Invocation, Reply
from .errors import ToolError
from .hidden import Hidden
from .process import Process, ReplyTooLargeError
from .waiting import Waiting

#: Exit statuses of keyring's command line: nothing found or an error; arguments that it does not know (argparse).
_NOTHING, _USAGE = 1, 2
_ADVICE = "run 'keyring-fallback doctor' to see what is wrong with it"

#: Tools whose keyring is older than 25.2, which brought --mode and --output (keyring, NEWS.rst).
_old: set[tuple[str, ...]] = set()


def ask(invocation: Invocation, call: Call) -> Reply:
    """Ask a tool by running its ``keyring``; arguments and results are those of `bridge.ask`.

    Service and username stand on the command line, since keyring has no other way; a password never does.

    Raises:
        ToolError: It cannot be started, says something else than keyring would, or takes too long.
    """
    username = [] if call.username is None else [call.username]
    if call.method in ("set_password", "delete_password") and not username:
        return Reply()  # keyring's command line needs one
    if not all(isinstance(word, str) for word in [call.service, *username]):
        raise ToolError(f"{invocation.name} is asked on a command line, which carries strings only")
    failures: tuple[KeyringError, ...] = ()
    answer: Any = None
    if call.method == "get_password":
        answer = _get(invocation, call, username, "password") if username else None
    elif call.method == "get_credential":
        answer = _get(invocation, call, username, "creds")
    elif call.method == "set_password":
        assert call.password is not None  # noqa: S101 - for the type checker
        failures, answer = _set(invocation, call, username, call.password)
    else:
        status, _ = _run(invocation, ["del", *_words(call, username)])
        answer = status == 0 or None
        if not answer:
            failures = (PasswordDeleteError(f"{invocation.name} did not delete it (exit status {status})"),)
    return Reply(answer, invocation.name if answer is not None else "", failures)


def _words(call: Call, username: list[str]) -> list[str]:
    words = [call.service, *username]
    return ["--", *words] if any(word.startswith("-") for word in words) else words


def _get(invocation: Invocation, call: Call, username: list[str], mode: str) -> Any:
    """Return a password, or ``{"username", "password"}``, or None."""
    words = ["get", *_words(call, username)]
    if invocation.arguments not in _old:
        status, output = _run(invocation, ["--mode", mode, "--output", "json", *words], hold=True)
        if status != _USAGE:
            return _from_json(output, mode, invocation.name) if _found(status, invocation) else None
        _old.add(invocation.arguments)
    if not username:
        return None
    status, output = _run(invocation, words)
    if not _found(status, invocation):
        return None
    password = Hidden(output.removesuffix(os.linesep))
    return password if mode == "password" else {"username": username[0], "password": password}


def _set(
    invocation: Invocation, call: Call, username: list[str], password: Hidden
) -> tuple[tuple[KeyringError, ...], bool | None]:
    if not password:
        # for an empty stdin it would ask on the terminal (keyring 25.7.0, cli.py)
        return (PasswordSetError(f"{invocation.name} takes no empty password on its command line"),), None
    status, _ = _run(invocation, ["set", *_words(call, username)], Hidden(f"{password}\n"))
    if status:
        return (PasswordSetError(f"{invocation.name} did not store it (exit status {status})"),), None
    # keyring's own chain loses a password silently when no backend takes it, and exits with 0
    stored = _get(invocation, call._replace(method="get_password"), username, "password")
    if stored != password:
        return (PasswordSetError(f"{invocation.name} said that it stored it, but does not return it"),), None
    return (), True


def _found(status: int, invocation: Invocation) -> bool:
    if status not in (0, _NOTHING):
        how = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
        raise ToolError(f"{invocation.name} {how}; {_ADVICE}")
    return status == 0


def _from_json(output: Hidden, mode: str, name: str) -> Any:
    """Return what the last line's JSON document says; a provider may have printed something before it."""
    line = Hidden(output.rstrip("\r\n").rpartition("\n")[2])
    start = line.find("{")
    while start >= 0:
        try:
            document = json.loads(line[start:])
            password = Hidden(document["password"])
            username = document.get("username")
        except (ValueError, KeyError, TypeError, RecursionError):
            start = line.find("{", start + 1)
            continue
        if isinstance(document["password"], str) and isinstance(username, (str, type(None))):
            return password if mode == "password" else {"username": username, "password": password}
        break
    document = None
    raise ToolError(f"{name} printed something else than a credential; {_ADVICE}")


class _Held(Waiting):
    """Holds back what is said until it is known not to be a complaint about the options."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.said = b""
        self.holding = True

    def heard(self, data: bytes) -> None:
        """Keep what the tool said, until the wait is long."""
        if self.holding:
            self.said += data
        else:
            super().heard(data)

    def pause(self) -> float:
        """Let everything through once the wait is long."""
        if self.holding and self.is_long():
            self.release()
        return super().pause()

    def release(self) -> None:
        """Let everything through from now on."""
        self.holding = False
        super().heard(self.said)
        self.said = b""


def _run(
    invocation: Invocation, words: list[str], stdin: Hidden | None = None, *, hold: bool = False
) -> tuple[int, Hidden]:
    """Run the tool's keyring; return its exit status and what it printed."""
    line = f"keyring-fallback: waiting for {invocation.name} (at most {invocation.seconds:g} seconds; Ctrl-C stops it)"
    waiting = _Held(line)
    if not hold:
        waiting.release()
    environ = {**invocation.environ, "PYTHONIOENCODING": "utf-8"}
    try:
        process = Process([*invocation.arguments, *words], environ, listen=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "an argument cannot be passed on a command line"
        raise ToolError(f"{invocation.name} cannot be started ({reason}); {_ADVICE}") from None
    try:
        process.send(_encoded(stdin, invocation), end=True)
        output = process.collect(lambda _: False, invocation.seconds, waiting)
        status = process.wait(invocation.seconds)
        if status is None:
            raise TimeoutError
        if status != _USAGE:
            waiting.release()
        return status, Hidden(output.decode("utf-8"))
    except TimeoutError:
        raise ToolError(
            f"{invocation.name} gave no answer within {invocation.seconds:g} seconds; allow more by 'timeout' in "
            "[fallback] of keyringrc.cfg"
        ) from None
    except ReplyTooLargeError:
        raise ToolError(f"{invocation.name} printed more than any answer; {_ADVICE}") from None
    except UnicodeDecodeError:
        output = b""
        raise ToolError(f"{invocation.name} printed something that is not UTF-8; {_ADVICE}") from None
    finally:
        waiting.end()
        process.kill()


def _encoded(stdin: Hidden | None, invocation: Invocation) -> bytes:
    try:
        return (stdin or "").encode("utf-8")
    except UnicodeEncodeError:
        raise ToolError(f"{invocation.name} cannot be given this password: it has lone surrogates") from None
