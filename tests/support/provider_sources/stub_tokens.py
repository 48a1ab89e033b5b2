"""A provider that mints a token for the hosts in the JSON file (host: token) that STUB_TOKENS_FILE names.

What it is asked goes, a line each, into the file that STUB_TOKENS_LOG names, if any.
"""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from keyring import backend, credentials, errors

USERNAME = "VssSessionToken"


class StubTokens(backend.KeyringBackend):
    """Answers for a host however it is asked: as a URL, as HOST:PORT or as HOST. Stores nothing, as real providers."""

    priority = 9.9

    def get_password(self, service, username):
        """Give the token of the host."""
        _note("get_password", service, username)
        return self._token(service)

    def _token(self, service):
        host = urlsplit(service if "://" in service else f"//{service}").hostname
        tokens = json.loads(Path(os.environ["STUB_TOKENS_FILE"]).read_text(encoding="utf-8"))
        return tokens.get(host)

    def get_credential(self, service, username):
        """Give the token of the host, with a username of ours where none is asked for."""
        _note("get_credential", service, username)
        token = self._token(service)
        return None if token is None else credentials.SimpleCredential(username or USERNAME, token)

    def set_password(self, service, username, password):
        """Refuse: tokens are minted."""
        _note("set_password", service, username)
        raise NotImplementedError

    def delete_password(self, service, username):
        """Refuse: tokens are minted."""
        message = "tokens are minted, not stored"
        raise errors.PasswordDeleteError(message)


def _note(*call):
    log = os.environ.get("STUB_TOKENS_LOG")
    if log:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(call) + "\n")
