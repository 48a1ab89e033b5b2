"""Runs the helper under a tool's interpreter and speaks its protocol, without the rest of us."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keyring_fallback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .environments import Environment

START = Path(keyring_fallback.__file__).with_name("helper") / "start.py"
NONCE = "0123"

#: Runs the helper with other constants than its own: the changes are the first argument, as JSON.
CHANGED = f"""\
import json, sys, types
package = sys.modules["_keyring_fallback"] = types.ModuleType("_keyring_fallback")
package.__path__ = [{os.fspath(START.parent)!r}]
from _keyring_fallback import helper
vars(helper).update(json.loads(sys.argv[1]))
helper.main()
"""


class Helper:
    """A helper that runs.

    Its stdin stays open until `end`, as our own bridge has it: it does not outlive its parent.

    Args:
        tool: The environment under whose interpreter it runs.
        flags: The interpreter's options.
        env: Its whole environment; by default that of the test.
        changed: Constants of ``helper.py`` that have another value.
        script: What a shell runs instead, where ``"$@"`` is the command line.
        setup: What the first line says otherwise than usual.
    """

    def __init__(
        self,
        tool: Environment,
        *,
        flags: Sequence[str] = ("-I",),
        env: Mapping[str, str] | None = None,
        changed: Mapping[str, float] | None = None,
        script: str = "",
        **setup: Any,
    ) -> None:
        """Start it."""
        program = [os.fspath(START), "", "helper"] if changed is None else ["-c", CHANGED, json.dumps(changed)]
        command = [os.fspath(tool.python), *flags, *program]
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *command] if script else command,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="ascii",
        )
        self._number = 0
        self.write({"nonce": NONCE, "everything": False, "entry_points": [], "own": [], "skip": [], **setup})

    def __enter__(self) -> Helper:  # noqa: PYI034 - typing.Self is newer than our floor
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does, and leave what it has started alone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it did not read all
                    pipe.close()

    def write(self, document: Any) -> None:
        """Write a line of JSON."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(document) + "\n")
        self.process.stdin.flush()

    def request(self, method: str, service: Any, username: Any = "", **more: Any) -> None:
        """Write a request, whose reply is not waited for."""
        self._number += 1
        request = {"id": self._number, "method": method, "service": service, "username": username, "directory": None}
        self.write({**request, **more})

    def reply(self) -> Any:
        """Read a reply: its line begins with the nonce, and it is that of the last request. None: there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return None
        assert line.startswith(NONCE)
        document = json.loads(line[len(NONCE) :])
        assert ["id", "answer", "backend", "failures", "unloaded"] == list(document)
        assert self._number == document.pop("id")
        return document

    def ask(self, method: str, service: Any, username: Any = "", **more: Any) -> Any:
        """Write a request and read its reply."""
        self.request(method, service, username, **more)
        return self.reply()

    def end(self) -> tuple[int, str, str]:
        """Let it end; return its exit status and what it wrote otherwise, on stdout and stderr."""
        said = self.process.communicate(timeout=60)
        return self.process.returncode, *said


def ask(
    tool: Environment,
    entry_point: str,
    service: str,
    *,
    flags: Sequence[str] = ("-I",),
    env: Mapping[str, str] | None = None,
) -> Any:
    """Ask one provider of a tool for a password; everything must go well, and nothing be said on stderr."""
    with Helper(tool, flags=flags, env=env, entry_points=[entry_point]) as helper:
        reply = helper.ask("get_password", service)
        status, _, said = helper.end()
    assert (0, "") == (status, said), (reply, said)
    assert ([], []) == (reply["failures"], reply["unloaded"]), reply
    return reply["answer"]
