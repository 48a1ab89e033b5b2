"""The picture in the README is what a terminal shows: the same command without and with keyring-fallback."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import picture
from support import machine
from support.environments import Environment, Environments

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"


def told(without: Environment, with_us: Environment, tool: Environment, folder: Path) -> str:
    """Run ``keyring get`` in both environments and draw what comes."""
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({"pkgs.dev.azure.com": "eyJ0eXAiOiJKV1QiLCJhbGci"}))
    env = {
        **os.environ,
        "KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(tool.root),
        "STUB_TOKENS_FILE": os.fspath(tokens),
    }
    command = f"$ keyring get {URL} VssSessionToken"
    before = without.keyring("get", URL, "VssSessionToken", env=env)
    after = with_us.keyring("get", URL, "VssSessionToken", env=env)
    assert (1, 0) == (before.returncode, after.returncode), after.stderr
    error = before.stderr.splitlines()[-1].partition(" Install a recommended")[0]
    return picture.drawn(
        [
            ("#", "# a project's environment with a keyring of its own; the provider is in the global one"),
            ("$", command),
            ("!", "Traceback (most recent call last): ..."),
            ("!", error),
            (" ", ""),
            ("#", "# the same environment, after: uv add keyring-fallback"),
            ("$", command),
            ("+", after.stdout.strip()),
        ]
    )


def test_picture(
    shared_environments: Environments, python: Path, wheel: Path, stub_tokens: Path, tmp_path: Path
) -> None:
    """docs/before-and-after.svg shows what the programs print today: ``KEYRING_FALLBACK_DRAW=1`` draws it anew."""
    drawn = told(
        shared_environments.get(python, "keyring"),
        shared_environments.get(python, "keyring", wheel),
        shared_environments.get(python, "keyring", stub_tokens),
        tmp_path,
    )
    if "KEYRING_FALLBACK_DRAW" in machine.ENVIRON:
        picture.PICTURE.write_text(drawn, encoding="utf-8", newline="\n")
    assert drawn == picture.PICTURE.read_text(encoding="utf-8")
    assert "NoKeyringError: No recommended backend was available." in drawn
