"""A provider that asks the person to log in, and waits until the file GATE is there: then it answers for any URL."""

import os
import sys
import time
from pathlib import Path

from keyring import backend, credentials

PROMPT = "To sign in, open https://login.example/device and enter the code C0DE"


class Prompting(backend.KeyringBackend):
    """Writes its process into the file ASKED, prompts on stderr (or where PROMPT_ON says) and waits."""

    priority = 9

    def get_password(self, service, username):
        """Give the password once the gate is open."""
        if "://" not in service:
            return None
        Path(os.environ["ASKED"]).write_text(str(os.getpid()), encoding="ascii")
        print(PROMPT, file=getattr(sys, os.environ.get("PROMPT_ON", "stderr")))
        if "FLOOD" in os.environ:
            os.write(2, b"x" * 1_000_000)
        deadline = time.monotonic() + 60
        while not Path(os.environ["GATE"]).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return "canary-password"

    def get_credential(self, service, username):
        """Give the same with a username."""
        password = self.get_password(service, username)
        return password and credentials.SimpleCredential(username or "somebody", password)

    def set_password(self, service, username, password):
        """Refuse."""
        raise NotImplementedError

    def delete_password(self, service, username):
        """Refuse."""
        raise NotImplementedError
