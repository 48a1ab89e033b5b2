"""A private package index on loopback: PEP 503 pages with Basic auth, uploads, and the forward proxy that leads to it.

As a forward proxy it answers for one host name of the internet, over http: ``HTTP_PROXY=http://127.0.0.1:PORT`` makes
every client believe that it talks to that host. Nothing leaves the machine; requests for other hosts are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from . import environments, machine
from .loopback import serving

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Text

AZURE = "http://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"


class Request(NamedTuple):
    """One request that arrived, without its password."""

    method: str
    url: str
    username: str | None
    """None: it came without credentials."""
    status: int


@dataclass
class Feed:
    """The index at *url* that serves the wheels in *wheels* to who knows *password*; to be used in a ``with``.

    *username* None takes any username, as Azure and Google do with a token. An upload goes to :attr:`upload_url` and
    lands in *wheels*.
    """

    wheels: Path
    password: str = field(repr=False)
    username: str | None = None
    url: str = AZURE
    realm: str = "the feed"

    def __enter__(self) -> Feed:  # noqa: PYI034 - typing.Self is too young
        """Start to listen on a free port of the loopback interface."""
        self.requests: list[Request] = []
        feed = self

        class Bound(_Handler):
            """A handler that knows its feed."""

        Bound.feed = feed
        self._serving = serving(Bound)
        self._address = self._serving.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self._serving.__exit__(None, None, None)

    @property
    def host(self) -> str:
        """The host, and the port if it has one, that the proxy answers for."""
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """The path of the index."""
        return urlsplit(self.url).path

    @property
    def proxy(self) -> str:
        """The address of the server itself."""
        return f"http://{self._address}"

    @property
    def direct_url(self) -> str:
        """The index without the proxy trick."""
        return self.proxy + self.prefix

    @property
    def upload_url(self) -> str:
        """Where ``twine upload`` and ``uv publish`` send files to, without the proxy trick."""
        return self.proxy + self.upload_prefix

    @property
    def upload_prefix(self) -> str:
        """The path for uploads: beside ``simple/``, as with Azure."""
        return self.prefix.rstrip("/").rpartition("/")[0] + "/upload/"

    def with_username(self, username: str, url: str | None = None) -> str:
        """The index's URL with a username in it, as people write it into their settings."""
        scheme, rest = (url or self.url).split("://", 1)
        return f"{scheme}://{username}@{rest}"

    def proxy_environment(self) -> dict[str, str]:
        """What sends all http requests of a program to this server."""
        return {"HTTP_PROXY": self.proxy, "http_proxy": self.proxy, "NO_PROXY": "", "no_proxy": ""}

    def statuses(self, part: str = "") -> list[int]:
        """The answers' status codes for the URLs that contain *part*, in order."""
        return [request.status for request in list(self.requests) if part in request.url]


class _Handler(BaseHTTPRequestHandler):
    """Answers for one feed."""

    protocol_version = "HTTP/1.1"
    feed: Feed

    def do_GET(self) -> None:
        """Serve a page or a wheel."""
        if (path := self._path_if_allowed()) is None:
            return
        rest = path[len(self.feed.prefix) :]
        if not path.startswith(self.feed.prefix):
            self._answer(404)
        elif rest == "":
            names = sorted({_project(wheel) for wheel in self._files()})
            self._answer(200, _page([(f"{name}/", name) for name in names]))
        elif rest.startswith("-/"):
            # A name only, never a path: nothing outside of the folder can be asked for.
            wheel = next((wheel for wheel in self._files() if wheel.name == rest[2:]), None)
            self._answer(200, wheel.read_bytes(), "application/octet-stream") if wheel else self._answer(404)
        else:
            name = _normal(rest.strip("/"))
            links = [
                (f"../-/{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}", wheel.name)
                for wheel in self._files()
                if _project(wheel) == name
            ]
            self._answer(200, _page(links)) if links else self._answer(404)

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def do_POST(self) -> None:
        """Take an upload."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if (path := self._path_if_allowed()) is None:
            return
        found = re.search(rb'filename="([\w.+-]+)"\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', body, re.DOTALL)
        if not path.startswith(self.feed.upload_prefix.rstrip("/")) or found is None:
            self._answer(404)
            return
        (self.feed.wheels / found[1].decode()).write_bytes(found[2])
        self._answer(200)

    def do_CONNECT(self) -> None:
        """Refuse tunnels: nobody leaves the machine through here."""
        self._answer(403)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Print nothing; the feed's list of requests tells all."""

    def _path_if_allowed(self) -> str | None:
        """The path asked for, or None when the request has been refused already."""
        target = urlsplit(self.path)
        if target.netloc not in ("", self.feed.host, urlsplit(self.feed.proxy).netloc):
            self._answer(403)
            return None
        username, password = self._credentials()
        if password != self.feed.password or self.feed.username not in (None, username):
            self._answer(401)
            return None
        return unquote(target.path)

    def _credentials(self) -> tuple[str | None, str | None]:
        """Username and password of the request."""
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "basic":
            return None, None
        try:
            username, _, password = base64.b64decode(value).decode("latin-1").partition(":")
        except binascii.Error:
            return None, None
        return username, password

    def _files(self) -> list[Path]:
        """What the feed has."""
        return sorted(self.feed.wheels.glob("*.whl"))

    def _answer(self, status: int, body: bytes = b"", kind: str = "text/html") -> None:
        """Send one answer and note it."""
        self.feed.requests.append(Request(self.command, self.path, self._credentials()[0], status))
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", f'Basic realm="{self.feed.realm}"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def download(folder: Path, *requirements: Text) -> None:
    """Fetch wheels, with all that they need, from the package index of this machine into *folder*."""
    argv: list[Text] = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
    environments.run([*argv, "--dest", folder, *requirements], env=machine.building(), check=True)


def _page(links: list[tuple[str, str]]) -> bytes:
    """A page with links."""
    lines = [f'<a href="{html.escape(target)}">{html.escape(text)}</a>' for target, text in links]
    return "\n".join(["<!DOCTYPE html>", *lines, ""]).encode()


def _project(wheel: Path) -> str:
    """The normalised name of the project that the wheel is of."""
    return _normal(wheel.name.partition("-")[0])


def _normal(name: str) -> str:
    """The name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()
