"""What uv, pip and poetry say that they would do, as data, and where they are told so: an edit belongs there.

What is not recognised is not known.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional
from urllib.parse import unquote

from .. import hints
from ..discovery import trust
from ..here import Here
from ..hidden import Hidden
from .debug_form import groups

#: What uv prints in the place of a secret, such as a user name without a password, which may be a token (uv 0.13.9).
MASK = "****"
#: uv has settings of its own for ``uv pip``.
UV = ("uv", "uv pip")
#: Where nobody needs a password: the default index, and what uv and pip are told of most often besides.
_PUBLIC = ("pypi.org", "test.pypi.org", "files.pythonhosted.org", "download.pytorch.org")
#: By ``pip config debug``'s names: what wins comes last (pip 26.3, configuration.py).
_PIP_ORDER = ("global", "user", "site", "env", "env_var")
_PIP_TOLD = r"^(\w+):$|^  (\S.*), exists: True$|^    (global|install)\.([\w-]+): (.*(?:\n    (?![\w-]+\.[\w-]+: ).*)*)$"
_MAX_MEMBERS = 1000
#: What a file or a variable says, before that what uv calls its origin (None: the project), and its path or name.
Text = tuple[Optional[str], str, Hidden]


class Index(NamedTuple):
    """A package index that a client is told of."""

    url: str  #: Its URL, without user name and password.
    name: str | None  #: Its name, or None.
    username: str | None  #: The user name that the client has for it, None if there is none, `MASK` if it is not told.
    password: str | None  #: Where the client has a password for it from, or None.
    authenticate: str  #: "auto", "always" or "never".
    source: str | None  #: The file or variable that names it, or None if that was not found.
    table: bool  #: Whether the file has a table for it, which may say when to authenticate.
    #: Whether a workspace's member names it, for sources of its own: uv reads no settings in that file.
    member: bool = False

    def is_at(self, service: str | None) -> bool:
        """Tell whether this index has a URL, whatever stands at the end of it."""
        return service is not None and self.url.rstrip("/") == hints.shown(service, whole=True).rstrip("/")

    @property
    def public(self) -> bool | None:
        """Whether it takes no password; None where nothing tells that."""
        registry = hints.registry_of(self.url)
        # uv has the credentials of pyx itself
        if self.username or self.authenticate == "always" or (registry and registry.name != "pyx"):
            return False
        return True if hints.is_at(self.url, _PUBLIC) or not hints.host_of(self.url) else None


class Told(NamedTuple):
    """What a client says that it would do."""

    client: str  #: One of `UV`, "pip" or "poetry".
    program: str  #: What was asked: an executable, or pip's version.
    silence: str | None = None  #: Why it does not tell, or None.
    stops: bool = False  #: Whether it does nothing at all here.
    warns: bool = False  #: Whether it warned when it was asked.
    #: Its keyring provider, in the client's own words, or None if it is not told, or there is no choice.
    provider: str | None = None
    source: str | None = None  #: The file or variable that sets that, or None.
    quiet: str | None = None  #: What tells pip to ask for no input, which its provider "auto" minds, or None.
    indexes: Sequence[Index] = ()  #: The indexes.

    def not_understood(self) -> Told:
        """Return what is told by a client that says something else."""
        return self._replace(silence="what it says of its settings is not understood")


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, or as many as there are."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


def by_uv(told: Told, answer: Hidden, texts: Sequence[Text], here: Here) -> Told:
    """Return what uv says: what was asked, with what it answered; `texts` is where it may be told so."""
    locations, provider = _located(groups(_without_passwords(answer)))
    if not (isinstance(locations, dict) and isinstance(provider, str)):
        return told.not_understood()
    provider, source, variable = provider.lower(), None, "UV_KEYRING_PROVIDER"
    for _, path, text in texts:
        said = re.findall(r"(?m)^[ \t]*(?:tool\.uv\.)?keyring-provider[ \t]*=[ \t]*[\"'](\w+)", text)
        source = source or (path if provider in said else None)
    listed = locations.get("indexes", [locations.get("index"), *(locations.get("extra_index") or [])])
    indexes: dict[str, Index] = {}
    names: set[str | None] = set()
    default = False
    for one in listed if isinstance(listed, list) and locations.get("no_index") is not True else ():
        index = _of_uv(one, texts, here)
        # of two that have a name in common, or are both the default one, the first counts
        if index and not (index.name and index.name in names) and not (default and one.get("default")):
            names.add(index.name)
            default = default or one.get("default") is True
            indexes.setdefault(index.url, index)
    source = variable if here.environ.get(variable) else source
    return told._replace(provider=provider, source=source, indexes=tuple(indexes.values()))


def _located(todo: list[Any]) -> tuple[Any, Any]:
    """Return the indexes and the keyring provider, wherever in the settings of a command of uv's they stand."""
    while todo:
        one = todo.pop()
        if isinstance(one, dict) and {"index_locations", "keyring_provider"} <= one.keys():
            return one["index_locations"], one["keyring_provider"]
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return None, None


def _of_uv(told: Any, texts: Sequence[Text], here: Here) -> Index | None:
    """Return an index that uv tells of, or None if it is none that has a host."""
    told = told if isinstance(told, dict) else {}
    verbatim = told if "given" in told else told.get("url")
    parts = verbatim.get("url") if isinstance(verbatim, dict) else None
    if not (isinstance(parts, dict) and all(isinstance(parts.get(one), str) for one in ("host", "path"))):
        return None
    host = f"[{parts['host']}]" if ":" in parts["host"] else parts["host"]
    url = f"{parts.get('scheme')}://{host}{':' + parts['port'] if parts.get('port') else ''}{parts['path']}"
    written = re.sub("^[^/]*//(?:[^/]*@)?", "", str(verbatim.get("given") or url))
    entry = rf"//(?:([^/@:\s\"']*)(?::[^/@\s\"']*)?@)?{re.escape(written)}(?![^\s\"'])"
    users: list[str] = []
    source, table, origin = None, False, told.get("origin")
    for kind, where, text in texts:
        if source is None and (origin not in ("Cli", "User", "System") or origin == kind):
            told_so = re.sub(r"(?m)^[ \t]*#.*", "", text)
            users = re.findall(entry, told_so)
            source = where if users else None
            # an old uv, before 0.6, tells and knows nothing of it
            table = "authenticate" in told and bool(
                re.findall(rf"(?<![\w-])url[ \t]*=[ \t]*[\"'][^\"'/]*{entry}", told_so)
            )
    username, name = parts.get("username"), told.get("name")
    password = f"its URL ({source or 'uv does not say where'})" if parts.get("password") else None
    if username == MASK and len(set(users)) == 1:
        username = users[0]
    username = unquote(username) if isinstance(username, str) and username else None
    name = name if isinstance(name, str) else None
    authenticate = str(told.get("authenticate", "auto")).lower()
    found = Index(hints.shown(url, whole=True), name, username, password, authenticate, source, table)
    return _with_variables(found, here)


def shared(indexes: Sequence[Index]) -> Iterator[Index]:
    """Yield indexes of uv's: one without a user name has the one of another on its host (0.13.9, uv-auth, cache.rs)."""
    names = {
        tuple(one.url.split("/")[:3]): one.username for one in reversed(indexes) if one.username and not one.password
    }
    for one in indexes:
        taken = names.get(tuple(one.url.split("/")[:3])) if one.authenticate == "auto" else None
        yield one._replace(username=one.username or taken)


def _with_variables(index: Index, here: Here) -> Index:
    """Return an index of uv's with what its own variables have for it."""
    if index.name is None:
        return index
    prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", index.name.upper())
    password = f"{prefix}_PASSWORD"
    return index._replace(
        username=here.environ.get(f"{prefix}_USERNAME") or index.username,
        password=password if password in here.environ else index.password,
    )


def member_files(texts: Sequence[Text]) -> Iterator[str]:
    """Yield the pyproject.toml of what may be a workspace's members, by the files that may name those."""
    for _, path, text in texts:
        for listed in re.findall(r"\bmembers\s*=\s*\[([^\]]*)\]", text if "workspace" in text else ""):
            for pattern in re.findall(r"[\"']([^\"'\n]+)[\"']", listed):
                found = glob.iglob(os.path.join(glob.escape(os.path.dirname(path)), pattern, "pyproject.toml"))
                yield from itertools.islice(found, _MAX_MEMBERS)


def of_members(texts: Sequence[Text], here: Here) -> Iterator[Index]:
    """Yield the indexes that members of a workspace name for sources of their own; none before Python 3.11.

    uv shows the settings of the workspace only, and takes these besides (0.13.9). `texts` is what their files say.
    """
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm
    except ImportError:
        return
    for _, path, text in texts:
        try:
            said = tomllib.loads(text)["tool"]["uv"]
            sources = [one for some in said["sources"].values() for one in (some if isinstance(some, list) else [some])]
            names = [one.get("index") for one in sources]
            for one in said["index"]:
                if one.get("name") in names:
                    authenticate = str(one.get("authenticate", "auto")).lower()
                    index = _of_url(one["url"], path)._replace(name=one["name"], authenticate=authenticate)
                    yield _with_variables(index._replace(table=True, member=True), here)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # uv says so


def _without_passwords(text: str) -> str:
    """Strike out the passwords of URLs; `hints.shown` takes out what is left of strange ones."""
    text = re.sub(r"(//[^/@:\s\"']*:)[^/@\s\"']*@", rf"\1{MASK}@", text)
    return re.sub(r'(password: Some\(\s*")(?:[^"\\]|\\.)*', rf"\1{MASK}", text)


def by_poetry(told: Told, answer: Hidden, texts: Sequence[Text], file: str, here: Here) -> Told:
    """Return what poetry says of the sources in a `file` (2.5.1, console/commands/source/show.py).

    What its variables, or else its auth.toml, which is `texts`, have for a source comes before keyring
    (utils/password_manager.py).
    """
    indexes = []
    for name, url in re.findall(r"(?m)^ *name *: *(\S+) *\n *url *: *(\S+)", _without_passwords(answer)):
        # it asks without the slash at the end, and to install, as it is told (utils/authenticator.py)
        for index in (_of_url(one, file) for one in dict.fromkeys((url.rstrip("/"), url))):
            found = {"username": index.username, "password": index.password}
            if index.username:  # with what stands in a URL, be it a name alone, it asks no keyring (authenticator.py)
                index = index._replace(authenticate="never")  # noqa: PLW2901
            table = rf"(?m)^\[http-basic\.[\"']?{re.escape(name)}[\"']?\]((?:\n(?!\[).*)*)"
            for where, said in ((where, said) for _, where, text in texts for said in re.findall(table, text)):
                options = dict(re.findall(r"(?m)^(username|password)[ \t]*=[ \t]*[\"'](.+)[\"']", said))
                found.update(options, **({"password": where} if "password" in options else {}))
            for option in found:
                variable = poetry_variable(name, option)
                if value := here.environ.get(variable):
                    found[option] = value if option == "username" else variable
            indexes.append(index._replace(name=name, username=found["username"], password=found["password"]))
    return told._replace(indexes=indexes)


def poetry_variable(source: object, option: str) -> str:
    """Return the variable that has the user name or the password for one of poetry's sources."""
    return f"POETRY_HTTP_BASIC_{source}_{option}".upper().replace("-", "_")


def _of_url(url: str, source: str | None) -> Index:
    """Return the index that a URL says all of."""
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    name, colon, _ = user.partition(":")
    password = f"its URL ({source})" if at and colon else None
    return Index(hints.shown(url, whole=True), None, unquote(name) or None, password, "auto", source, table=False)


def uv_files(here: Here) -> Iterator[tuple[str | None, str]]:
    """Yield the files that uv may read, with what uv calls their origin (None: the project); the foremost first."""
    environ, home = here.environ, here.home
    if environ.get("UV_CONFIG_FILE"):
        yield None, os.path.join(here.cwd, environ["UV_CONFIG_FILE"])
    for folder in trust.upwards(here.cwd):
        yield from ((None, os.path.join(folder, name)) for name in ("uv.toml", "pyproject.toml"))
    own, others = environ.get("XDG_CONFIG_HOME", ""), (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    own, others = own if os.path.isabs(own) else os.path.join(home, ".config"), [*others, "/etc"]
    if here.platform == "win32":
        own = environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
        others = [environ.get("SYSTEMDRIVE", "C:") + "\\ProgramData"]
    for origin, folder in (("User", own), *(("System", one) for one in others)):
        yield origin, os.path.join(folder, "uv", "uv.toml")


def by_pip(told: Told, answer: Hidden, here: Here) -> Told:
    """Return what pip says: a command's own section comes after ``global``, and variables win; arguments as above."""
    found: list[tuple[int, str, str, str]] = []
    kind = file = ""
    for heading, path, section, name, value in re.findall(_PIP_TOLD, _without_passwords(answer), re.MULTILINE):
        kind, file = heading or kind, path or file
        if name and kind in _PIP_ORDER:
            found.append((_PIP_ORDER.index(kind) + 9 * (section == "install"), name, value, file))
    for variable in sorted(here.environ):
        if variable.startswith("PIP_") and here.environ[variable]:
            value = _without_passwords(here.environ[variable])
            found.append((99, variable[4:].replace("_", "-").lower(), value, variable))
    options = {name: (value, source) for _, name, value, source in sorted(found, key=lambda one: one[0])}
    if not kind:
        return told.not_understood()
    indexes = []
    urls = () if _is_on(options.get("no-index", ("", None))[0]) else ("index-url", "extra-index-url")
    for value, source in (options.get(name, ("", None)) for name in urls):
        indexes += [_of_url(url, source) for url in value.split()]
    quiet, where = options.get("no-input", ("", None))
    where = where if _is_on(quiet) else None
    told = told._replace(indexes=tuple(indexes), quiet=where)
    if numbers(told.program) < (23, 1):
        return told  # it has no choice
    provider, source = options.get("keyring-provider", ("auto", None))
    return told._replace(provider=provider, source=source)


def _is_on(value: str) -> bool:
    return value.lower() in ("y", "yes", "t", "true", "on", "1")  # pip 26.3, cli/parser.py
