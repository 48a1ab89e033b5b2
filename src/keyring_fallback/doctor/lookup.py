"""Looks something up as a client would, in a process of this environment's that the probe has; tells who is asked."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Callable
from urllib.parse import urlsplit

import keyring
from keyring.backends.chainer import ChainerBackend

from ..delegation import trace


def look_up(tell: Callable[..., object], *questions: tuple[str, str | None, bool]) -> None:
    """Make the calls that a client makes for each question.

    A question is what is looked up, for whom, or None, and whether for credentials in either case, as pip asks.
    `tell` takes ``lookups``, all that is known by then, without secrets: see `probing.Probe`.
    """
    logging.getLogger("keyring_fallback").disabled = True  # the doctor says it all
    lookups: dict[trace.Question, int] = {}
    number = 0

    def tell_all(question: trace.Question) -> None:
        if question.kind is trace.Kind.KEYRING and question.outer is None:
            lookups.setdefault(question, number)
        secrets = [secret for lookup in lookups for secret in lookup.secrets()]
        tell(lookups=[{**one.as_data(secrets), "service": place} for one, place in lookups.items()])

    trace.listeners.append(tell_all)
    tell(lookups=[])
    for number, question in enumerate(questions):  # noqa: B007 - for who tells
        _ask_as_client(*question)


def _ask_as_client(service: str, username: str | None, credentials: bool = False) -> None:  # noqa: FBT001, FBT002
    """Ask for the URL, then for the host: as uv and pip. An older doctor, from ``uvx``, says nothing of credentials."""
    host = ""
    with contextlib.suppress(ValueError):  # what is no URL has no host to be asked for
        host = urlsplit(service).netloc
    method = "get_credential" if credentials or username is None else "get_password"
    for one in filter(None, (service, host)):
        if _ask(method, one, username) is not trace.Outcome.NOTHING:
            return
    if method == "get_password":
        _ask("get_credential", service, None)


def _ask(method: str, service: str, username: str | None) -> trace.Outcome:
    question = trace.asked_of_keyring(method, service, username)
    with contextlib.suppress(BaseException), question as asked:  # which has been told
        asked.came(_answer(method, service, username))
    return asked.outcome


def _answer(method: str, service: str, username: str | None) -> Any:
    """Return the answer of keyring, as it comes to it itself: keyring's own chain does not tell whom it asks."""
    selected: Any = keyring.get_keyring()
    walked = isinstance(selected, ChainerBackend) and not trace.tells(selected)
    for backend in selected.backends if walked else [selected]:
        answer = trace.ask(backend, method, service, username)
        if answer is not None:
            return answer
    return None
