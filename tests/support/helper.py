"""Runs the helper under a tool's interpreter and speaks its protocol, without the rest of us."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keyring_fallback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .environments import Environment

START = Path(keyring_fallback.__file__).with_name("_start.py")


def ask(
    tool: Environment,
    entry_point: str,
    service: str,
    *,
    flags: Sequence[str] = ("-I",),
    env: Mapping[str, str] | None = None,
) -> Any:
    """Ask one provider of a tool for a password; everything must go well, and nothing be said on stderr.

    The helper's stdin stays open until it has answered, as our own bridge has it: it does not outlive its parent.
    """
    setup = {"nonce": "-", "everything": False, "entry_points": [entry_point], "own": [], "skip": []}
    request = {"id": 1, "method": "get_password", "service": service, "username": "", "directory": None}
    with subprocess.Popen(
        [os.fspath(tool.python), *flags, os.fspath(START), ""],
        env=dict(os.environ if env is None else env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="ascii",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(setup) + "\n" + json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        process.stdin.close()
        said = process.stderr.read()
    assert "-" == line[:1], said
    reply = json.loads(line[1:])
    assert ([], [], "") == (reply["failures"], reply["unloaded"], said), (reply, said)
    return reply["answer"]
