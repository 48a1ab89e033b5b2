"""The two backends: who is asked, in which order, and what becomes of errors. Nothing about processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import keyring
from jaraco.classes.properties import classproperty
from keyring import credentials
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringError, NoKeyringError, PasswordDeleteError

from . import preload, survey
from .advice import hint, is_keyrings_command, log, warn, why_not
from .delegation import trace
from .errors import NobodyStoresError, NotDeletedError, NotStoredError, ToolError, interrupts
from .hidden import Sealed, hide
from .survey import State

__all__ = ["FallbackKeyring", "GlobalKeyring"]

preload.before_pip_installs()


class _Ours:
    """What both backends have in common."""

    tells_whom_it_asks = True
    says_what_is_missing = False

    @classproperty
    def viable(cls) -> bool:  # noqa: N805 - a property of the class
        """Whether there is something to delegate; keyring shows no trace of us otherwise, and never an exception."""
        try:
            _loaded.add(cls)  # keyring asks this of a class when it has loaded all of them
            state = _survey().state
            # in keyring's own command, where a provider may be missing, that is said instead of keyring's traceback
            missing = cls.says_what_is_missing and state is State.NOTHING
            return state is State.DELEGATING or (missing and is_keyrings_command())
        except Exception as error:
            if interrupts(error):
                raise
            log.debug("not viable: %s", type(error).__name__)
            return False

    def get_password(self, service: str, username: str) -> str | None:
        """Return the password that the first to answer has, or None.

        Where nobody answered, it raises what the first backend of this environment did (`FallbackKeyring`), or a
        KeyringError if a tool or a provider in it failed (`GlobalKeyring`).
        """
        return self._asked("get_password", service, username)  # type: ignore[no-any-return]

    def get_credential(self, service: str, username: str | None) -> credentials.Credential | None:
        """Return the credential that the first to answer has, or None; it raises what `get_password` does."""
        return self._asked("get_credential", service, username)  # type: ignore[no-any-return]

    def _asked(self, method: str, service: str, username: str | None) -> Any:
        with trace.asked_of_keyring(method, service, username) as question:
            return question.came(self._get(method, service, username))

    def _get(self, method: str, service: str, username: str | None) -> Any:
        raise NotImplementedError


class GlobalKeyring(_Ours, KeyringBackend):
    """Asks the globally installed keyrings, one after the other.

    In keyring's chain it asks only for what this environment lacks. As the selected keyring
    (``default-keyring=keyring_fallback.GlobalKeyring``, or ``keyring -b``) it asks for everything over there, and in
    the tool's own environment it answers from that environment's backends.
    """

    #: After the providers (9 to 9.9), before the stores of operating systems (about 5).
    priority = 8.0

    def _get(self, method: str, service: str, username: str | None) -> Any:
        now = _survey()
        own = _answers_itself(now)
        try:
            answer = None if now.answers_itself else _ask_tools(now, method, service, username)
        except KeyringError as error:
            if not own:
                raise
            warn(str(error))
            answer = None
        return _first_answer(_local_backends(), method, service, username) if own and answer is None else answer

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a password in the first tool that takes it; KeyringError: one failed; PasswordSetError: nobody did."""
        password = hide(password)
        now = _survey()
        if _answers_itself(now):
            _store(_local_backends(), service, username, password)
        elif now.answers_itself or _ask_tools(now, "set_password", service, username, password) is None:
            raise NotStoredError(_nobody(now, service, "stores"))

    def delete_password(self, service: str, username: str) -> None:
        """Delete a password from the first tool that has it; KeyringError: one failed; PasswordDeleteError: nobody."""
        now = _survey()
        if _answers_itself(now):
            _delete(_local_backends(), service, username)
        elif now.answers_itself or _ask_tools(now, "delete_password", service, username) is None:
            raise NotDeletedError(_nobody(now, service, "deletes"))


class FallbackKeyring(_Ours, ChainerBackend):
    """Asks this environment's backends and the global keyring, in the order of everyone's priorities.

    It is a chain of keyring's, with the same ``backends``; but it goes on where a backend raises, and does not lose
    what nobody stores. Loaded by its name where there is nothing to delegate, it asks this environment's backends.
    """

    #: Just above keyring's ChainerBackend (10).
    priority = 10.5
    says_what_is_missing = True

    def _get(self, method: str, service: str, username: str | None) -> Any:
        return _first_answer(ChainerBackend.backends, method, service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a password in the first backend of this environment that takes it, or else in the global keyring.

        PasswordSetError: nobody stored it; others: what the first backend raised that did not leave it to the next.
        """
        password = hide(password)  # a traceback may show locals
        _store(_local_first(), service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        """Delete a password from where it is found first; what it raises is as for `set_password`."""
        _delete(_local_first(), service, username)


#: Whether keyring has loaded the providers of this environment: one that is no module then could not be loaded.
_loaded: set[object] = set()


def _survey() -> survey.Survey:
    now = survey.current()
    if _loaded and now.state is State.NOTHING and any(one not in sys.modules for one in now.held_by_both):
        now = now._replace(state=State.DELEGATING)
    for problem in now.problems():
        warn(problem)
    return now


def _local_backends() -> list[KeyringBackend]:
    return [backend for backend in ChainerBackend.backends if not isinstance(backend, GlobalKeyring)]


def _local_first() -> list[KeyringBackend]:
    return sorted(ChainerBackend.backends, key=lambda backend: isinstance(backend, GlobalKeyring))


def _holds(backends: Sequence[KeyringBackend], method: str, host: str, username: Any) -> bool:
    """Tell whether one of some backends has an answer for a host; who fails has none."""
    with trace.Question(trace.Kind.KEYRING, "keyring", method, host, username) as question:
        for backend in backends:
            try:
                if question.came(trace.ask(backend, method, host, username)) is not None:
                    return True
            except Exception as error:  # it will be heard of when the client asks
                if interrupts(error):
                    raise
    return False


def _first_answer(backends: Sequence[KeyringBackend], method: str, service: Any, username: Any) -> Any:
    """Return the first answer that is not None; an exception does not end the search."""
    error: Exception | None = None
    ours: Exception | None = None
    for backend in backends:
        try:
            answer = trace.ask(backend, method, service, username)
        except Exception as raised:
            mine = isinstance(backend, GlobalKeyring)
            # what we never raise is the program's own, put into this thread from outside
            foreign = mine and not isinstance(raised, KeyringError) and type(raised).__module__ != "builtins"
            if foreign or interrupts(raised):
                raise
            if mine:
                ours = ours or raised
            else:
                error = error or raised
        else:
            if answer is not None:
                return answer
    if ours is not None:
        warn(str(ours))
    elif error is None:
        hint(service, lambda host: _holds(backends, method, host, username))
    if error is not None:
        raise error  # an application that sees None may create a secret and overwrite the one that was not read
    return None


def _store(backends: Iterable[KeyringBackend], service: str, username: str, password: str) -> None:
    """Store a password in the first backend that takes it, by the rule of keyring's own chain.

    That loses what nobody takes (keyring 25.7.0, backends/chainer.py); here it is an error.
    """
    reasons = ["no backend of this environment stores passwords"]
    for backend in backends:
        try:
            trace.ask(backend, "set_password", service, username, password)
        except NotStoredError as reason:
            reasons.append(str(reason))
        except NotImplementedError:
            pass
        else:
            return
    raise NobodyStoresError(f"{'; '.join(reasons)}; install one that does")


def _delete(backends: Iterable[KeyringBackend], service: str, username: str) -> None:
    """Delete a password from the first backend that has it; one that has not leaves it to the next."""
    missing: PasswordDeleteError | None = None
    for backend in backends:
        try:
            trace.ask(backend, "delete_password", service, username)
        except PasswordDeleteError as error:
            missing = missing or error
        except NotImplementedError:
            pass
        except KeyringError as error:
            if missing is None or not isinstance(backend, GlobalKeyring):
                raise  # otherwise what this environment's backend has said counts more
            warn(str(error))
        else:
            return
    raise missing or PasswordDeleteError("Password not found")


def _ask_tools(now: survey.Survey, method: str, service: Any, username: Any, password: str | None = None) -> Any:
    try:
        from .delegation import call, tools  # with all that starting a program needs: not before it is needed
    except (ImportError, OSError) as error:  # no file can be opened any more, or pip is installing
        reason = getattr(error, "strerror", None) or error
        advice = "free what the system lacks, or install keyring-fallback again"
        raise ToolError(f"the modules in {os.path.dirname(__file__)} cannot be loaded ({reason})", advice) from None
    asked = call.Call(method, service, username, None if password is None else Sealed(password))
    alone = _is_alone()
    if alone and not (now.findings.tools or now.findings.at_home or now.settings.row_for(service)):
        raise NoKeyringError(_nobody(now, service, "has"))  # None would say that the tool has no such password
    answer = tools.ask_tools(now, asked, everything=alone)
    if answer is None and alone and method.startswith("get"):
        hint(service, lambda host: tools.ask_tools(now, asked._replace(service=host), everything=True) is not None)
    return answer


def _is_alone() -> bool:
    """Tell whether GlobalKeyring is the keyring that this program uses, and not a link in a chain."""
    try:
        return isinstance(keyring.get_keyring(), GlobalKeyring)
    except Exception:  # a broken configuration of keyring's selects nothing
        return False


def _answers_itself(now: survey.Survey) -> bool:
    """Tell whether `GlobalKeyring` is to answer from this environment's backends."""
    return (now.answers_itself or now.findings.at_home) and _is_alone()


def _nobody(now: survey.Survey, service: object, does: str) -> str:
    """Return why a password was not stored or deleted by a tool."""
    if now.answers_itself or not now.findings.tools:
        return why_not(now) or "no global keyring was found, and [fallback.commands] only gives, for its own hosts"
    if not now.settings.delegates(service):
        source = now.settings.sources["services"]
        return f"this service is not delegated to a global keyring ('services', set in {source})"
    tools = ", ".join(tool.location for tool in now.findings.tools)
    return f"no backend of the global keyring {tools} {does} passwords"
