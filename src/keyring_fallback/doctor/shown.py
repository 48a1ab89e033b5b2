"""Decides what of a text is shown: all that the doctor prints passes `without_secrets`, as text and as data."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

from .. import hints

#: What stands for what is not shown.
HIDDEN = "***"
#: A word of a text, and where in it a URL begins; some type the other slash.
_WORD = re.compile(r"\S+")
_BEGIN = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{1,30}:|(?<![\w./\\:-]))[/\\]{2,}")
_INNER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}:[/\\]+")
#: A user part where there is no scheme: with a password, and no Windows path, or before what looks like a host.
_BARE = re.compile(r"(?![A-Za-z]:[/\\])[^/\\@:]*:[^@]*@|[^/\\@]+@(?=[\w.-]+\.[A-Za-z])")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[^:@\[\]%;]*)(:[0-9]*)?")
#: Where the first part of the path is a token, by the registries' documentation, and the words that are none:
#: Cloudsmith's entitlement tokens, Gemfury's deploy tokens. Packagecloud, Anaconda and a domain of one's own for
#: Cloudsmith have a word before it.
_TOKEN_FIRST = {
    "dl.cloudsmith.io": ("basic", "public"),
    "pypi.fury.io": (),
    "packagecloud.io": ("priv",),
    "api.repoforge.io": (),
}
_TOKEN_NEXT = ("t", "priv", "token", "tokens")
#: What no name is: letters and digits, 20 of them. Longer than a part of a GUID.
_RUN = re.compile(r"[A-Za-z0-9]{20,}")
#: A shorter secret may be any word.
_SHORT = 6


def without_secrets(data: Any, names: Collection[str] = (), secrets: Collection[str] = (), *, run: bool = False) -> Any:
    """Return a text, or a JSON value with texts, without what may be secret in URLs.

    These are user names, but for those in `names`, and passwords, queries, and tokens in paths. `secrets` are words
    that are shown nowhere else either, but in what is to be `run`: there they can be nothing but words of our own. A
    part of a longer name, or of a file's path, is no secret. A line that holds none stays as it is.
    """
    if isinstance(data, dict):
        return {key: without_secrets(value, names, secrets, run=run) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [without_secrets(value, names, secrets, run=run) for value in data]
    if not isinstance(data, str):
        return data
    secrets = [one for one in secrets if len(one) >= _SHORT]
    for secret in secrets if not run else ():
        data = re.sub(rf"(?<![\w./\\-]){re.escape(secret)}(?![\w/\\-]|\.\w)", HIDDEN, data)
    return _WORD.sub(lambda word: _word(word[0], names, secrets), data)


def _word(word: str, names: Collection[str], secrets: Collection[str]) -> str:
    begin = _BEGIN.search(word)
    if begin is None:
        bare = _BARE.match(word)
        known = bare is None or bare[0][:-1] in names
        return word if known else f"{HIDDEN}@{_path('', word.rpartition('@')[2], secrets)}"
    before, rest = word[: begin.end()], word[begin.end() :]
    authority, separator, path = (*re.split(r"([/\\?#])", rest, maxsplit=1), "", "")[:3]
    user, at, address = authority.rpartition("@")
    host = _HOST.fullmatch(address)
    # a password may hold any of the separators, and begin like a port: then nothing tells where it ends
    if not host or re.fullmatch("[^:]*:[0-9]+", user) or ("@" in path and (host[2] or separator in "?#")):
        return before + HIDDEN
    who = f"{user if user in names else HIDDEN}@" if at else ""
    return before + who + address + _path(host[1].lower(), separator + path, secrets)


def _path(host: str, path: str, secrets: Collection[str]) -> str:
    """Return the path of a URL without query, tokens, and the user parts of URLs in it."""
    path, *query = re.split("[?#]", path, maxsplit=1)
    inner = _INNER.search(path)
    end = _word(f"//{path[inner.end() :]}", (), secrets)[2:] if inner else ""
    parts = re.split(r"([/\\]+)", path[: inner.end()] if inner else path)
    first = next((index for index, part in enumerate(parts) if index % 2 == 0 and part), 0)
    for index in range(0, len(parts), 2):
        part, previous = parts[index], parts[index - 2] if index else ""
        token = index == first and host in _TOKEN_FIRST and part not in _TOKEN_FIRST[host]
        token = token or (part in secrets and not hints.registry_of(host))  # where the name may be an organisation's
        token = token or any(not (run.isalpha() or run.isdigit()) for run in _RUN.findall(part))
        token = token or previous in _TOKEN_NEXT or (previous == "basic" and host not in _TOKEN_FIRST)
        if part and token:
            parts[index] = HIDDEN
        elif "@" in re.split("[:;]", unquote(part), maxsplit=1)[-1] and re.search("[:;]", unquote(part)):
            parts[index] = f"{HIDDEN}@{part.rpartition('@')[2]}" if "@" in part else HIDDEN
        else:  # matrix parameters, Artifactory's for example
            parts[index] = re.sub("((?:;|%3[Bb])[^=;]*(?:=|%3[Dd]))[^;]+", rf"\1{HIDDEN}", part)
    return "".join([*parts, end]) + (f"?{HIDDEN}" if query else "")
