"""Asks a tool through keyring's command line, where its interpreter cannot be told."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import Any

from keyring import errors

from ..errors import NotAskedError, ToolError, interrupts
from ..helper.backends import forms
from ..helper.shared import one_line
from ..hidden import Hidden, HiddenBytes, Variables, hide, reveal
from .call import ADVICE, ALLOW_MORE, Call, Invocation, Reply, as_exception, credential
from .environ import UTF_8
from .process import Process, ReplyTooLargeError, ended
from .waiting import Waiting, waiting_for

#: Exit statuses of keyring's command line: nothing found or an exception; arguments that it does not know (argparse).
_NOTHING, _USAGE = 1, 2
#: What begins a complaint on stderr that we put in words of our own.
_USAGE_MARKS, _TRACEBACK_MARK = (b"usage:", b"Usage:"), b"Traceback (most recent call last):"
#: The types of exceptions that say that there is no backend for it, not that one has failed.
_NOBODY = ("keyring.errors.NoKeyringError", "NotImplementedError")
#: How a credential is printed with ``--output json`` (keyring 25.7.0, cli.py and credentials.py).
_DOCUMENT = re.compile(r'\{"(?:username|password)": .*\}$')
_KEPT_BYTES = 64 << 10
#: A shell that ends what its program prints with that one's exit status, in so many digits, and says nothing itself.
_DIGITS = 4
_TELLING = ("/bin/sh", "-c", f'exec 3>&2 2>/dev/null; trap : INT; (exec "$0" "$@" 2>&3 3>&-); printf %0{_DIGITS}d $?')
#: What a shell adds to the number of a signal that has ended a program, and its exit statuses, also those of shims,
#: where it cannot run one (POSIX, Shell Command Language 2.8.2).
_SIGNAL, _NOT_STARTED = 128, (126, 127)
_ASKED = " is asked on a command line"

#: Tools whose keyring is older than 25.2, which brought --mode and --output (keyring, NEWS.rst).
_old: set[tuple[str, ...]] = set()


def ask(invocation: Invocation, call: Call) -> Reply:
    """Ask a tool by running its ``keyring``; ToolError: it does not start, speaks otherwise, or takes too long.

    Service and username stand on the command line, since keyring has no other way; a password never does.
    """
    words = [call.service] if call.username is None else [call.service, call.username]
    password = hide(reveal(call.password))
    if not all(isinstance(word, str) for word in (*words, password or "")):
        raise NotAskedError(f"{invocation.name}{_ASKED}, where service, username and password must be strings")
    if call.username is None and call.method != "get_credential":
        return Reply()  # keyring's command line needs one
    try:
        if call.method.startswith("get"):
            answer = _get(invocation, words, "password" if call.method == "get_password" else "creds")
        elif call.method == "set_password":
            answer = _set(invocation, words, password or Hidden())
        else:
            answer = None if _run(invocation, "del", words) is None else True
    except errors.KeyringError as error:
        if isinstance(error, ToolError):
            raise
        return Reply(failures=(error,))
    return Reply(answer, invocation.name if answer is not None else "")


def _get(invocation: Invocation, words: list[str], mode: str) -> Any:
    if invocation.arguments not in _old:
        output = _run(invocation, "get", words, ("--mode", mode, "--output", "json"))
        if output is not None:
            return _from_json(output, mode, invocation.name)
    output = _run(invocation, "get", words) if invocation.arguments in _old and len(words) > 1 else None
    if output is None:
        return None
    password = Hidden(output.removesuffix("\n").removesuffix("\r"))  # a Windows program may run elsewhere, too
    if "\n" in password:  # a provider may have printed something: nothing tells that from the password
        what = "printed more than one line, and its keyring is too old to tell which of them is the password"
        raise ToolError(f"{invocation.name} {what}: install keyring 25.2 or newer there")
    return str(password) if mode == "password" else credential(words[1], str(password))


def _set(invocation: Invocation, words: list[str], password: str) -> bool | None:
    if "\n" in password:
        _get(invocation, words, "password")  # tells whether it is too old to give more than one line back
    # for an empty one it would ask on the terminal, and carriage returns become line feeds (keyring 25.7.0, cli.py)
    if not password or "\r" in password or ("\n" in password and invocation.arguments in _old):
        raise errors.PasswordSetError(f"{invocation.name}{_ASKED}, where a password must be one line")
    if _run(invocation, "set", words, stdin=Hidden(f"{password}\n")) is None:
        return None
    # keyring's own chain loses a password silently when no backend takes it, and exits with 0
    if _get(invocation, words, "password") != password:
        raise errors.PasswordSetError(f"{invocation.name} said that it stored it, but does not return it; {ADVICE}")
    return True


def _from_json(output: Hidden, mode: str, name: str) -> Any:
    """Return what keyring's JSON document says; a provider may have printed something around it."""
    for answer in (_answer_in(line, mode) for line in reversed(output.splitlines())):
        if answer is not None:
            return answer
    raise ToolError(f"{name} printed something else than a credential", ADVICE)


def _answer_in(line: str, mode: str) -> Any:
    line = line.rstrip()
    # without an end to be found, the search would look for one from every beginning
    found = _DOCUMENT.search(line) if line.endswith("}") else None
    try:
        document = json.loads(found.group()) if found else {}
        answer = credential(document.get("username"), document["password"])
    except (ValueError, KeyError, RecursionError):
        return None
    return answer.password if mode == "password" else answer


class _Listening(Waiting):
    """Passes on what the tool says, but keeps a complaint back until it is known whether we put it in our own words.

    What is stored meanwhile is struck out: after a long wait a complaint may be shown as it is.
    """

    def __init__(self, line: str, secret: Hidden, username: str) -> None:
        super().__init__(line)
        self._forms = [HiddenBytes(form.encode("utf-8", "replace")) for form in forms(str(secret), username)]
        self.said = b""
        self._back = b""

    def heard(self, data: bytes) -> None:
        self.said = (self.said + data)[-_KEPT_BYTES:]
        self._back += data
        if self.is_long():
            self.release()
        while self._back:
            line, end, rest = self._back.partition(b"\n")
            marks = (*_USAGE_MARKS, _TRACEBACK_MARK)
            if line.startswith(marks) or (not end and any(mark.startswith(line) for mark in marks)):
                break
            super().heard(self.struck(line + end))
            self._back = rest

    def pause(self) -> float:
        if self.is_long():  # it may be a question
            self.release()
        return super().pause()

    def release(self) -> None:
        data, self._back = self._back, b""
        super().heard(self.struck(data))

    def struck(self, data: bytes) -> bytes:
        for form in self._forms:
            data = data.replace(form, b"***")
        return data


def _run(
    invocation: Invocation, operation: str, words: list[str], options: tuple[str, ...] = (), stdin: str = ""
) -> Hidden | None:
    """Return what a tool's keyring has printed, or None: it found nothing, or nobody, or does not know the options."""
    separator = ["--"] if any(word.startswith("-") for word in words) else []
    arguments = (*invocation.arguments, *options, operation, *separator, *words)
    run = invocation._replace(arguments=arguments, environ=Variables({**invocation.environ, **UTF_8}))
    secret = Hidden(stdin.removesuffix("\n"))
    listening = _Listening(waiting_for(invocation.name, invocation.seconds), secret, words[-1])
    try:
        status, output = finished(run, listening, stdin, certain=operation == "del")
        if status == _USAGE and options and any(mark in listening.said for mark in _USAGE_MARKS):
            _old.add(invocation.arguments)
            return None
        kind, message = _exception(listening) if status == _NOTHING else ("", "")
        if not kind:
            listening.release()
        elif kind not in _NOBODY:
            module, _, last = kind.rpartition(".")
            raise as_exception(last if module == errors.__name__ else "", message, f"{invocation.name} failed: {last}")
        if status not in (0, _NOTHING):
            raise (NotAskedError if status in _NOT_STARTED else ToolError)(f"{invocation.name} {ended(status)}", ADVICE)
        if not output.isascii() and any("\udc80" <= c <= "\udcff" for c in output):
            raise ToolError(f"{invocation.name} printed something that is not UTF-8", ADVICE)
    except UnicodeEncodeError:
        raise ToolError(f"{invocation.name}{_ASKED}, where a password must not have lone surrogates") from None
    else:
        return None if status else output
    finally:
        listening.end()


def finished(invocation: Invocation, waiting: Waiting, stdin: str = "", *, certain: bool = False) -> tuple[int, Hidden]:
    """Run a program to its end, of it and of what it started; return its exit status and what it printed.

    `waiting` hears what it says on stderr; whoever made it ends it. Where the status has to be `certain` a shell tells
    it, for any thread or C code of the caller's may take it away. ToolError: it does not start, takes too long, or
    prints more than any answer has; UnicodeEncodeError: `stdin` has lone surrogates.
    """
    name, seconds = invocation.name, invocation.seconds
    data = HiddenBytes(stdin.encode("utf-8"))
    # who ignores SIGCHLD, or waits for all children as gunicorn does, may leave us a 0 (CPython 3.13, subprocess.py)
    tells = os.name == "posix" and (certain or signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL)
    tells = tells and os.access("/bin/sh", os.X_OK)
    arguments = [*(_TELLING if tells else ()), *invocation.arguments]
    try:
        process = Process(arguments, invocation.environ, listen=True, folder=invocation.folder)
    except (OSError, ValueError) as error:
        if interrupts(error):
            raise
        reason = getattr(error, "strerror", None) or "an argument cannot be passed on a command line"
        raise NotAskedError(f"{name} cannot be started ({reason})", ADVICE) from None
    try:
        process.send(data, end=True)
        deadline = time.monotonic() + seconds
        output = Hidden(process.collect(lambda _: False, seconds, waiting).decode("utf-8", "surrogateescape"))
        status = process.wait(deadline - time.monotonic())
        if status is None:
            raise TimeoutError
        if tells:
            told, output = output[-_DIGITS:], Hidden(output[:-_DIGITS])
            status = int(told) if told.isdecimal() else 1
            status = _SIGNAL - status if status - _SIGNAL in signal.valid_signals() else status
    except ReplyTooLargeError:
        raise ToolError(f"{name} printed more than any answer", ADVICE) from None
    except OSError as error:
        if interrupts(error):
            raise
        if isinstance(error, TimeoutError):
            waiting.release()
            raise ToolError(f"{name} gave no answer within {seconds:g} seconds", ALLOW_MORE) from None
        raise ToolError(f"{name} cannot be asked ({error.strerror})", ADVICE) from None
    else:
        return status, output
    finally:
        process.kill()


def _exception(listening: _Listening) -> tuple[str, str]:
    """Return the type and the message of the exception that ended a program, or two empty strings."""
    _, found, rest = listening.said.rpartition(_TRACEBACK_MARK)
    if not found:
        return "", ""
    text = listening.struck(rest).decode("utf-8", "replace")
    last = next((one for one in text.splitlines()[1:] if one and not one[0].isspace()), "an exception")
    kind, _, message = last.partition(":")
    return kind, one_line(message)
