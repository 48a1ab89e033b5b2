"""The errors that a delegated call can end in, by whose fault it is."""

from __future__ import annotations

import traceback
import types

from keyring.errors import KeyringError, NoKeyringError, PasswordDeleteError, PasswordSetError


class ToolError(KeyringError):
    """The tool could not be asked: it does not start, gives no reply or takes too long.

    `what` has failed, and where; `advice` is what to do, or "": it ends the message, and the doctor has its own.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(f"{what}; {advice}" if advice else what)
        self.what = what


class NotAskedError(ToolError):
    """The tool was not even asked: it does not start, is busy, or cannot be asked for this."""


class ProviderError(KeyringError):
    """A provider in the tool raised something that is not one of keyring's own errors."""


class NotStoredError(PasswordSetError, NotImplementedError):
    """No backend of the tools stores passwords.

    It is a ``NotImplementedError``, too: then keyring's own chain asks the next backend (25.7.0, backends/chainer.py).
    """


class NobodyStoresError(PasswordSetError, NoKeyringError):
    """Neither this environment nor a tool has a store: to programs that have an answer to that, there is no keyring."""


class NotDeletedError(PasswordDeleteError, NotImplementedError):
    """No backend of the tools deletes passwords; see `NotStoredError`."""


def interrupts(error: BaseException) -> bool:
    """Tell whether a signal handler of the program raised it: its own time limit, as those of celery and rq.

    Who takes that for the failure of a backend lets a job go on that was to end. A handler is what is called with the
    frame that it interrupts (Python, signal.signal).
    """
    values = (value for frame, _ in traceback.walk_tb(error.__traceback__) for value in frame.f_locals.values())
    parts = (one for value in values for one in (value if isinstance(value, tuple) else (value,)))
    return any(isinstance(one, types.FrameType) for one in parts)
