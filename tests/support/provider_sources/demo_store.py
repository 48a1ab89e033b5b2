"""A small writable keyring backend: one JSON file, named by the environment variable DEMO_STORE_FILE."""

import json
import os
from pathlib import Path

from keyring import backend, credentials, errors


class DemoStore(backend.KeyringBackend):
    """Keeps every string, lone surrogates too: JSON escapes all that is not ASCII."""

    priority = 9

    def get_password(self, service, username):
        """Give the password stored for exactly this service and username."""
        return self._read().get(service, {}).get(username)

    def set_password(self, service, username, password):
        """Store the password."""
        store = self._read()
        store.setdefault(service, {})[username] = password
        self._write(store)

    def delete_password(self, service, username):
        """Forget the password, or say that there is none."""
        store = self._read()
        if username not in store.get(service, {}):
            message = "No such password!"
            raise errors.PasswordDeleteError(message)
        del store[service][username]
        self._write(store)

    def get_credential(self, service, username):
        """Give the credential of this username, or of any where no username is asked for."""
        users = self._read().get(service, {})
        if username is None:
            username = next(iter(users), None)
        password = users.get(username)
        return None if password is None else credentials.SimpleCredential(username, password)

    def _read(self):
        path = Path(os.environ["DEMO_STORE_FILE"])
        return json.loads(path.read_text(encoding="ascii")) if path.exists() else {}

    def _write(self, store):
        path = Path(os.environ["DEMO_STORE_FILE"])
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(store), encoding="ascii")
        fresh.replace(path)
