"""Asks uv and pip what they would do from here, and finds where that is said: an edit belongs there.

uv has a hidden option for that (``--show-settings``, 0.4.0 to 0.13.9), and pip ``pip config debug``. What they do
not tell is not known. Both print passwords: what they say is a secret until those are struck out.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from typing import NamedTuple

from .. import hints
from ..delegation.process import Process, ReplyTooLargeError
from ..discovery import executable, layout, trust
from ..discovery.tool import Provider
from ..here import Here, read_head
from ..hidden import Hidden, Variables
from . import told
from .told import Text, Told

#: Seconds that a client may take to tell what it would do.
SECONDS = 20.0
#: Bytes of a settings file; no client is asked that would read a larger one.
_MAX_BYTES = 1 << 20
#: Programs whose own environment's keyring is the one that they ask.
OTHERS = ("poetry", "pdm", "twine", "hatch")
#: What uv is asked for: what a project's commands would do, and those of ``uv pip``.
_COMMANDS: Sequence[tuple[str, Sequence[str]]] = (("uv", ["lock"]), ("uv pip", ["pip", "install", "NAME"]))
#: Certificates would make half a megabyte of uv's answer, a log level makes it warn, and colours come between.
_LEFT_OUT = ("SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_LOG", "FORCE_COLOR", "CLICOLOR_FORCE")
#: pip as ``python -m pip`` runs it, but not one that lies in the working directory.
_PIP = 'import sys; sys.path = [*filter(None, sys.path)]; import runpy; runpy.run_module("pip", run_name="__main__")'


class Keyring(NamedTuple):
    """A ``keyring`` that a client would run; what cannot be told is empty."""

    path: str  #: The executable.
    root: str = ""  #: The root of its environment; of a plain interpreter the interpreter.
    version: str = ""  #: The version of keyring there.
    ours: bool | None = None  #: Whether this project is installed there; None if it cannot be told.
    mine: bool = False  #: Whether its environment is this one.
    providers: Sequence[Provider] = ()  #: The providers there.

    @property
    def is_old(self) -> bool:
        """Whether its command line tells no credentials, with a user name or without (25.2.1, NEWS.rst)."""
        return () < told.numbers(self.version) < (25, 2, 1)


class _Deaf:
    """Hears what a client says on stderr, which may hold secrets, no further than that there is something."""

    heard_something = False

    def heard(self, data: bytes) -> None:
        self.heard_something = self.heard_something or bool(data)

    def pause(self) -> float:
        return 1.0


def uv_itself(here: Here) -> tuple[str, str | None, list[Text]]:
    """Return the first uv on PATH, or "", why it must not be asked, or None, and what it reads here of its settings."""
    program, doubt = first("uv", here)
    texts, reason = _texts(told.uv_files(here) if program else ())
    _, of_members = _texts((None, path) for path in told.member_files(texts))
    return program, doubt or reason or of_members, texts


def uv(here: Here, words: Sequence[str] = ()) -> Iterator[Told]:
    """Yield what uv, if there is one on PATH, says that it would do in the working directory. Never raises.

    `words` are those of one command; without them it is asked for a project's commands, and for those of ``uv pip``.
    """
    program, reason, texts = uv_itself(here)
    if program:
        variables = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL")
        texts[:0] = [("Cli", name, Hidden(here.environ.get(name, ""))) for name in variables]
        for client, these in [("uv pip" if "pip" in words else "uv", words)] if words else _COMMANDS:
            one, answer = _answer(Told(client, program, reason), [program, "--show-settings", *these], here)
            one = one if one.silence else told.by_uv(one, answer, texts, here)
            if client == "uv" and any("workspace" in text for _, _, text in texts):
                _, listed = _answer(one, [program, "workspace", "list", "--paths"], here)  # or it knows none
                files = ((None, os.path.join(folder, "pyproject.toml")) for folder in listed.splitlines())
                known = [index.url for index in one.indexes]
                members = (index for index in told.of_members(_texts(files)[0], here) if index.url not in known)
                one = one._replace(indexes=(*one.indexes, *members))
            yield one._replace(indexes=tuple(told.shared(one.indexes)))


def workspace(here: Here) -> str:
    """Return the root of the workspace or project of uv's that the working directory is in, or "": uv does not say."""
    return said_by_uv(["workspace", "dir"], here).rstrip("\r\n")


def said_by_uv(words: Sequence[str], here: Here) -> Hidden:
    """Return what a command of uv's says, or "" where there is none that may be asked, or it fails."""
    program, reason, _ = uv_itself(here)
    return _answer(Told("uv", program, reason), [program, *words], here)[1] if program else Hidden()


def pip(here: Here) -> Iterator[Told]:
    """Yield what pip, if it is in this environment, says that it would do. Never raises."""
    found = next(iter(metadata.distributions(name="pip", path=list(here.sys_path))), None)
    if found is None:
        return
    name = "pip.ini" if here.platform == "win32" else "pip.conf"
    _, reason = _texts([(None, here.environ.get("PIP_CONFIG_FILE", "")), (None, os.path.join(here.prefix, name))])
    # it runs what `python` in its settings names, maybe a project's, unless that has run it (26.3, main_parser.py)
    here = here._replace(environ=Variables({**here.environ, "_PIP_RUNNING_IN_SUBPROCESS": "1"}))
    one, answer = _answer(Told("pip", found.version, reason), [here.executable, "-c", _PIP, "config", "debug"], here)
    yield one if one.silence else told.by_pip(one, answer, here)


def poetry(here: Here) -> Iterator[Told]:
    """Yield what poetry, if there is one on PATH and the project has sources of its, says of them. Never raises."""
    texts, reason = _texts((None, os.path.join(one, "pyproject.toml")) for one in trust.upwards(here.cwd))
    source = next((path for _, path, text in texts[:1] if "tool.poetry" in text and "source" in text), "")
    program, doubt = first("poetry", here) if source else ("", None)
    if program:
        plain = [program, "--no-plugins", "--no-ansi", "--no-interaction"]
        one, answer = _answer(Told("poetry", program, doubt or reason), [*plain, "source", "show"], here)
        if not one.silence:
            _, enabled = _answer(one, [*plain, "config", "keyring.enabled"], here)  # an old one may not know it
            one = one._replace(provider="disabled" if enabled.strip() == "false" else None)
            folders = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}
            folder = os.path.join(here.environ.get("XDG_CONFIG_HOME") or os.path.join(here.home, ".config"), "pypoetry")
            if here.platform in folders:
                folder = os.path.join(here.home, folders[here.platform], "pypoetry")
            file = os.path.join(here.environ.get("POETRY_CONFIG_DIR") or folder, "auth.toml")
            one = told.by_poetry(one, answer, _texts([(None, file)])[0], source, here)
        yield one


def on_path(here: Here, without: str = "", client: str = "", name: str = "keyring") -> Keyring | None:
    """Return the first ``keyring`` on PATH, which is what uv runs, or of another program the one that it imports.

    The folder `without` is passed over, as pip does with its own scripts in its ``subprocess`` mode; on Windows what
    lies beside the client's executable comes first.
    """
    beside = os.path.dirname(client) if here.platform == "win32" else ""
    for path in executable.programs(name, here, beside):
        if without and trust.identity(os.path.dirname(path)) == trust.identity(without):
            continue
        target = executable.target(path, here.platform)
        if not target.interpreter:
            return Keyring(path)
        root = target.root or target.interpreter
        content = layout.read(target.root, target.interpreter, here)
        me = here.prefix if target.root else "" if here.virtual else here.executable
        mine = trust.identity(root) == trust.identity(me)
        return Keyring(path, root, content.keyring, has_us(content.folders), mine, content.providers)
    return None


def is_mute(keyring: Keyring | None, service: str, username: str | None, here: Here) -> bool:
    """Tell whether a keyring of which nothing can be told has no answer for uv: it is asked, unless it hangs."""
    if not keyring or keyring.root or first("keyring", here) != (keyring.path, None):
        return False
    asked, answer = _answer(Told("uv", keyring.path), [keyring.path, *question(service, username)], here)
    # a user name comes before a password, and nothing else
    told = len(answer.strip().splitlines()) == (1 if username else 2)
    return asked.stops or not (asked.silence or told)


def question(service: str, username: str | None) -> list[str]:
    """Return the words with which uv, and pip, ask a keyring that they run; its command line knows no other order."""
    return ["get", service, *([username] if username else ["--mode", "creds"])]


def has_us(folders: Iterable[str]) -> bool:
    """Tell whether this project is installed in one of the folders."""
    return any(glob.glob(f"{glob.escape(folder)}/keyring_fallback-*.dist-info") for folder in folders)


def preferred(client: Told, service: str, index: told.Index | None, username: str | None, here: Here) -> list[str]:
    """Return where a client has a password from that it prefers to keyring: its indexes, .netrc, and uv's own store.

    uv takes of .netrc an entry, or the default one, with the user name that it has (uv 0.13.9, uv-auth/src/
    credentials.rs), of the store of ``uv auth login`` what is for the URL or above it (store.rs), and without a user
    name what another index has for the host (cache.rs). pip asks keyring when what .netrc has was refused (26.3,
    network/auth.py). `index` is the client's index at that URL, or None.
    """
    if (index and index.password) or client.client not in told.UV:
        return [index.password] if index and index.password else []
    share = here.environ.get("XDG_DATA_HOME") or os.path.join(here.home, ".local", "share")
    share = os.path.join(here.home, "AppData", "Roaming") if here.platform == "win32" else share
    data = here.environ.get("UV_CREDENTIALS_DIR") or os.path.join(share, "uv", "credentials")
    both = filter(None, (here.environ.get("NETRC"), os.path.join(here.home, ".netrc")))
    netrc = next(filter(os.path.exists, both), "")
    at = service.split("/")[:3]
    found = [] if username else [one.password for one in client.indexes if one.url.split("/")[:3] == at]
    for _, path, text in _texts([(None, netrc), (None, os.path.join(data, "credentials.toml"))])[0]:
        names = _in_netrc(path, service) if path == netrc else _in_store(text, service)
        found += [path] if any(username in (None, told.MASK, name) for name in names) else []
    return [*filter(None, found)]


def _in_netrc(path: str, service: str) -> list[str]:
    """Return the user name that a .netrc has for a URL; one that cannot be parsed is none for uv, too."""
    import netrc

    try:
        hosts = netrc.netrc(path).hosts
    except (OSError, ValueError, netrc.NetrcParseError):
        return []
    return [hosts[name][0] for name in (hints.host_of(service), "default") if name in hosts][:1]


def _in_store(text: str, service: str) -> list[str]:
    """Return the user names that uv's own store, a file that uv has written, has for a URL."""
    at = f"{service.rstrip('/')}/"
    entries = re.findall(r'(?m)^service = "(.*?)/?"\nusername = "(.*)"$', text)
    return [name for above, name in entries if at.startswith(f"{above}/")]


def scripts(here: Here) -> str:
    """Return the folder of this environment's executables."""
    return os.path.dirname(here.executable)


def first(name: str, here: Here) -> tuple[str, str | None]:
    """Return the program that comes first on PATH, or "", and why it is not to be run, or None.

    It may have come with a project, or others may decide what it is.
    """
    program = next(executable.programs(name, here), "")
    prefix = here.prefix if here.virtual else ""
    if not program or (prefix and trust.identity(prefix) in map(trust.identity, trust.folders_above(program))):
        return program, None  # what lies there runs in this very process
    judge = trust.Trust(here)
    reason = judge.project(program) or next(filter(None, judge.others([program])), None)
    return program, str(reason) if reason else None


def _texts(files: Iterable[tuple[str | None, str]]) -> tuple[list[Text], str | None]:
    """Return what files say, and why a client that reads them must not be asked: one is no regular file, or large."""
    texts: list[Text] = []
    reason = None
    for origin, path in files:
        try:
            status = os.stat(path)
            if path == os.devnull:
                continue
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                reason = reason or f"{path} is not a regular file of less than a megabyte"
                continue
            texts.append((origin, path, Hidden(read_head(path, _MAX_BYTES).decode("utf-8", "replace"))))
        except (OSError, ValueError):
            continue  # the client says what it makes of it
    return texts, reason


def _answer(asked: Told, arguments: list[str], here: Here) -> tuple[Told, Hidden]:
    """Ask a client, unless there is a reason not to; where it says nothing, the reason for that is told."""
    data, status, silence, listener = b"", None, asked.silence, _Deaf()
    if silence:
        return asked, Hidden()
    try:
        environ = Variables({name: value for name, value in here.environ.items() if name not in _LEFT_OUT})
        process = Process(arguments, environ, listen=True)
        try:
            process.send(b"", end=True)
            data = process.collect(lambda _: False, SECONDS, listener)
            status = process.wait(1.0)
        finally:
            process.kill()
        silence = f"it ended with exit status {status}" if status else None
    except TimeoutError:
        silence = f"it gave no answer within {SECONDS:g} seconds"
    except ReplyTooLargeError:
        silence = "it says more than any client does"
    except (OSError, ValueError) as error:
        silence = f"it cannot be started ({getattr(error, 'strerror', None) or type(error).__name__})"
    asked = asked._replace(silence=silence, stops=bool(status), warns=listener.heard_something)
    return asked, Hidden("" if silence else data.decode("utf-8", "replace"))
