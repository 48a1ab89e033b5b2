"""Google's metadata server and Amazon's CodeArtifact on loopback: where their keyring providers get their tokens."""

from __future__ import annotations

import json
import secrets
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from .loopback import serving

GOOGLE = "http://europe-python.pkg.dev/demo/repo/simple/"
AMAZON = "http://demo-123456789012.d.codeartifact.us-east-1.amazonaws.com/pypi/repo/simple/"


class Clouds:
    """Both services on one port, each with a token of its own; to be used in a ``with``."""

    def __enter__(self) -> Clouds:  # noqa: PYI034 - typing.Self is too young
        """Start to listen on a free port of the loopback interface."""
        self.google, self.amazon = secrets.token_hex(16), secrets.token_hex(16)
        clouds = self

        class Bound(_Handler):
            """A handler that knows its clouds."""

        Bound.clouds = clouds
        self._serving = serving(Bound)
        self._address = self._serving.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self._serving.__exit__(None, None, None)

    def variables(self) -> dict[str, str]:
        """What leads google-auth and boto3 here."""
        address = self._address
        return {
            "GCE_METADATA_HOST": address,
            "GCE_METADATA_IP": address,
            "AWS_ENDPOINT_URL_CODEARTIFACT": f"http://{address}",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class _Handler(BaseHTTPRequestHandler):
    """Answers for both."""

    protocol_version = "HTTP/1.1"
    clouds: Clouds

    def do_POST(self) -> None:
        """CodeArtifact's GetAuthorizationToken."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer({"authorizationToken": self.clouds.amazon, "expiration": time.time() + 3600})

    def do_GET(self) -> None:
        """Google's metadata."""
        path = urlsplit(self.path).path
        if path.endswith("/token"):
            self._answer({"access_token": self.clouds.google, "expires_in": 3599, "token_type": "Bearer"})
        elif path.endswith("/project-id"):
            self._answer("demo")
        else:
            scopes = ["https://www.googleapis.com/auth/cloud-platform"]
            self._answer({"email": "sa@demo.example", "scopes": scopes, "aliases": ["default"]})

    def _answer(self, document: object) -> None:
        """Send one."""
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/text" if isinstance(document, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Print nothing."""
