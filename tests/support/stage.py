"""A stage for the backends: an environment with us, a tool, and on either side backends that a test writes itself."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import providers
from .environments import Environment

#: What a backend's code may use without importing it.
PRELUDE = """\
import json, os, sys, time
from keyring import backend, credentials, errors
KeyringBackend = backend.KeyringBackend
def note(text):
    with open(os.environ["NOTES"], "a") as file:
        file.write(text + "\\n")
"""

#: Makes the calls that it reads from stdin, and prints what came of each as JSON.
PROGRAM = """\
import json, sys
import keyring
results = []
for method, *arguments in json.load(sys.stdin):
    result = {"answer": None, "error": [], "message": ""}
    try:
        answer = getattr(keyring, method)(*arguments)
        if method == "get_credential" and answer is not None:
            answer = [answer.username, answer.password]
        result["answer"] = answer
    except Exception as error:
        result["error"] = [cls.__name__ for cls in type(error).__mro__[:-2]]
        result["message"] = str(error)
    results.append(result)
print(json.dumps(results))
"""


@dataclass
class Stage:
    """An environment with us in which programs run, and what they see."""

    environment: Environment
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def here(self, source: str) -> Stage:
        """Install backends into the environment: their code, with `PRELUDE` before it."""
        site = self.folder / "here"
        _put(site, "scripted_here", source)
        self.variables["PYTHONPATH"] = os.fspath(site)
        return self

    def there(self, source: str) -> Stage:
        """Have the tool's provider ``scripted-there`` define backends: their code, with `PRELUDE` before it."""
        file = self.folder / "there.py"
        file.write_text(PRELUDE + textwrap.dedent(source), encoding="utf-8")
        self.variables["SCRIPT_THERE"] = os.fspath(file)
        return self

    def env(self) -> dict[str, str]:
        """The variables of a program on the stage."""
        return {**os.environ, "NOTES": os.fspath(self.folder / "notes"), **self.variables}

    def notes(self) -> list[str]:
        """What the backends have noted, in order."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def calls(self, *calls: list[Any]) -> tuple[list[dict[str, Any]], str]:
        """Make calls of keyring's in one program of the environment; return their results and its stderr."""
        result = self.environment.run(["-c", PROGRAM], env=self.env(), stdin=json.dumps(calls), check=True)
        return json.loads(result.stdout), result.stderr

    def call(self, *call: Any) -> dict[str, Any]:
        """Make one call; return its result, with stderr as ``stderr``."""
        (result,), stderr = self.calls(list(call))
        return {**result, "stderr": stderr}


def _put(site: Path, name: str, source: str) -> None:
    """Write a distribution with one module into a folder."""
    wheel = providers.make_provider(site / "wheels", name.replace("_", "-"), PRELUDE + textwrap.dedent(source))
    providers.unpack(wheel, site)
