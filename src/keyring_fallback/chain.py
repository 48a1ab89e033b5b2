"""Stores and deletes in the first of several backends that does it, by the rules of keyring's own chain.

Two things differ from keyring 25.7.0, backends/chainer.py: a password that nobody takes is not lost silently, and a
backend that does not have what is to be deleted leaves it to the next.
"""

from __future__ import annotations

from collections.abc import Iterable

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from .errors import NotStoredError
from .hidden import Hidden


def store(backends: Iterable[KeyringBackend], service: str, username: str, password: Hidden) -> None:
    """Store a password in the first backend that takes it.

    Args:
        backends: Those of this environment, in the order in which they are asked.
        service: Passed on as it is.
        username: The same.
        password: The same, as a plain string.

    Raises:
        NotStoredError: None does.
        Exception: What the first backend raised that did not leave it to the next by NotImplementedError.
    """
    for backend in backends:
        try:
            return backend.set_password(service, username, str(password))
        except NotImplementedError:
            pass
    raise NotStoredError("no backend of this environment stores passwords")


def delete(backends: Iterable[KeyringBackend], service: str, username: str) -> bool:
    """Delete a password from the first backend that has it; return whether one said so.

    Args:
        backends: Those of this environment, in the order in which they are asked.
        service: Passed on as it is.
        username: The same.

    Raises:
        PasswordDeleteError: None had it; the first one's error.
        Exception: What the first backend raised that did not leave it to the next.
    """
    missing: PasswordDeleteError | None = None
    for backend in backends:
        try:
            backend.delete_password(service, username)
        except NotImplementedError:
            pass
        except PasswordDeleteError as error:
            missing = missing or error
        else:
            return True
    if missing is not None:
        raise missing
    return False
