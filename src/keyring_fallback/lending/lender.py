"""The lender: asks this machine's tools for those who ask at the far end, for as long as it runs."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Callable

from keyring.errors import KeyringError

from .. import hints
from ..delegation import tools
from ..delegation.call import Call, line
from ..discovery import layout, trust
from ..discovery.tool import Findings, Origin, Survey, Tool
from ..helper.backends import failure, plain
from ..helper.shared import METHODS, one_line
from .pipe import LendingError, Pipe

#: Questions at once; the far end passes fewer on.
_AT_ONCE = 32
#: Seconds between two looks at the tools, and two signs of life.
_LOOK_SECONDS = 5.0
_FOREVER = 365 * 86400.0


def lend(hosts: Sequence[str], command: Sequence[str], look: Callable[[], Survey | None]) -> int:
    """Lend until Ctrl-C, SIGTERM, or the end of the terminal, the command or the tools; return the exit status.

    The hosts are lent, by name or pattern; the command runs a program elsewhere (``ssh box``), or if there is none on
    this machine; `look` tells what is in force now, or None where nothing is delegated.
    """
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        _Lender(hosts, command, look).run()
    except LendingError as error:
        _say(str(error), error=True)
        return 1
    except KeyboardInterrupt:
        _say("lent no more")
    return 0


def _offer(now: Survey | None, *, everything: bool) -> Survey:
    """Return what this machine has to lend: of what is in force what is not borrowed. LendingError: there is nothing.

    Unless it is everything, stores are left out: this machine's other environments have those themselves.
    """
    if now is None:
        raise LendingError("nothing can be lent: keyring-fallback is switched off here, or runs within itself")
    found, here = [one for one in now.findings.tools if not one.lent], now.here
    root = here.prefix if here.virtual else ""
    content = layout.read(root, here.executable, here)
    if content.providers:  # this environment is as good as any
        found.append(Tool(Origin("this environment"), root or here.executable, root, here.executable, content))
    found = [one._replace(adds=one.content.providers, own=()) for one in found]
    found = [one for one in found if everything or one.useful]
    if not (found or now.settings.commands):
        tells = "'keyring-fallback doctor' tells more"
        raise LendingError(f"nothing can be lent: no global keyring was found here; {tells}")
    return now._replace(findings=Findings(tuple(found)))


def _identity(tool: Tool) -> object:
    """Return what changes where a tool is made anew, or gets other packages or versions."""
    packages = []
    for folder in tool.content.folders:
        try:
            packages += sorted(name for name in os.listdir(folder) if name.endswith("-info"))
        except OSError:
            packages.append(folder)
    return trust.identity(tool.root or tool.path), packages


class _Lender:
    def __init__(self, hosts: Sequence[str], command: Sequence[str], look: Callable[[], Survey | None]) -> None:
        self._hosts = tuple(hosts)
        self._everything = bool(command)
        self._look = look
        self._offer = _offer(look(), everything=self._everything)
        self._identities = [*map(_identity, self._offer.findings.tools)]
        self._asking, self._changed = 0, False
        self._lock = threading.Lock()
        self._pipe = Pipe(command)

    def run(self) -> None:
        """Answer, until a KeyboardInterrupt, or a LendingError: the far end has ended, or the tools have changed."""
        try:
            lent = [f"{_user()}@{socket.gethostname()}", *self._hosts]
            # a command, and each tool
            asked = len(self._offer.findings.tools) + bool(self._offer.settings.commands)
            where = self._pipe.open(lent, self._offer.settings.timeout * asked + 5)
            _say(f"{' '.join(self._hosts)} lent at {where} ({self._pipe.name}); Ctrl-C ends it")
            if hints.is_at("any.invalid", self._hosts):
                _say("every host is lent: who asks there gets whatever the global keyring has")
            threading.Thread(target=self._watch, daemon=True).start()
            for question in self._pipe.documents():
                self._take(question)
        finally:
            self._pipe.close()
        if self._changed:
            raise LendingError("the global keyring, or a setting, has changed: lent no more; start it again")
        raise LendingError(f"{self._pipe.name} has ended{self._pipe.how()}: lent no more")

    def _watch(self) -> None:
        """End it when the tools change, so that nobody is answered by what is gone; and show that we are there."""
        while self._is_same():
            self._pipe.send(b"\n")
            time.sleep(_LOOK_SECONDS)
            try:
                now = _offer(self._look(), everything=self._everything)
                self._changed |= (now.settings, now.findings) != (self._offer.settings, self._offer.findings)
            except LendingError:
                self._changed = True

    def _is_same(self) -> bool:
        """Tell whether the tools are what they were, or else end it."""
        self._changed = self._changed or [*map(_identity, self._offer.findings.tools)] != self._identities
        if self._changed:
            self._pipe.close()
        return not self._changed

    def _take(self, question: dict[str, Any]) -> None:
        if "failed" in question:
            raise LendingError(f"{self._pipe.name}: {one_line(str(question['failed']))}: lent no more; start it again")
        number, service, username = question.get("id"), question.get("service"), question.get("username")
        sound = isinstance(number, int) and isinstance(service, str) and isinstance(username, (str, type(None)))
        if not sound or question.get("method") not in METHODS:
            raise LendingError(f"{self._pipe.name} has sent what is no question: lent no more")
        if self._asking >= _AT_ONCE:
            raise LendingError(f"{self._pipe.name} asks more than {_AT_ONCE} questions at once: lent no more")
        with self._lock:
            self._asking += 1
        threading.Thread(target=self._answer, args=(question,), daemon=True).start()

    def _answer(self, question: dict[str, Any]) -> None:
        service, asker = question["service"], one_line(str(question.get("asker")))
        reply = {"id": question["id"], "answer": None, "backend": "lender", "failures": [], "unloaded": []}
        outcome = "not lent"
        if hints.is_at(service, self._hosts) and self._is_same():
            call = Call(question["method"], service, question["username"])
            try:
                answer = tools.ask_tools(self._offer, call, everything=self._everything, idle=_FOREVER)
            except KeyringError as error:
                reply["failures"], outcome = [failure("", error)], f"failed: {error}"
            else:
                outcome = "no answer" if answer is None else "answered"
                reply["answer"] = answer and plain(call.method, answer)
        with self._lock:
            self._asking -= 1
        _say(f"{asker} asked for {hints.shown(service)}: {outcome}")
        self._pipe.send(line(reply, "the lender"))


def _user() -> str:
    with contextlib.suppress(ImportError, KeyError, OSError):  # a container's user may have no name
        return getpass.getuser()
    return "somebody"


def _say(text: str, *, error: bool = False) -> None:
    """Print a line with the time; nobody reads on, or in a narrow encoding: that is no reason to stop."""
    line = f"{time.strftime('%H:%M:%S')} {one_line(text)}".encode("ascii", "backslashreplace").decode()
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr if error else sys.stdout, flush=True)
