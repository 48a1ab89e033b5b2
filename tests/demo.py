"""Tells the story of astral-sh/uv#7003 on the terminal, before and after, with real uv: ``python dev.py demo``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from support import environments, machine, uv7003

if TYPE_CHECKING:
    import subprocess

REPOSITORY = Path(__file__).resolve().parent.parent


def say(text: str = "") -> None:
    """Print a line of the story at once."""
    print(text, flush=True)  # noqa: T201 - a story is told on stdout


def show(command: str, result: subprocess.CompletedProcess[str], *, lines: tuple[str, ...], works: bool) -> None:
    """Show a command and the line that matters of what it printed; the story ends here where it went otherwise."""
    said = [line.strip() for line in result.stderr.splitlines() if line.strip().startswith(lines)]
    say(f"  $ {command}")
    for line in said[:1]:
        say(f"    {line}")
    say("    -> works" if result.returncode == 0 else "    -> FAILS")
    if (result.returncode == 0) != works:
        say(f"\nThis was not expected here. All that it printed:\n{result.stdout}{result.stderr}")
        raise SystemExit(1)


def tell(folder: Path) -> None:
    """Play the story in *folder*."""
    if (choice := uv7003.provider()) is None:
        say("The story needs a Python that artifacts-keyring has a wheel for (3.9 to 3.14); this machine has none.")
        raise SystemExit(1)
    python, requirement = choice
    say("Setting the stage: a home folder, a private feed on loopback, our wheel (some 50 MB are fetched).")
    home = folder / "home"
    home.mkdir()
    os.environ.clear()
    os.environ.update(machine.running(home, folder / "path"))
    wheel = environments.build_wheel(REPOSITORY, folder / "wheel")
    uv7003.wheels(folder / "feed", wheel)
    with uv7003.feed(folder / "feed") as feed:
        say("\nOnce per machine: the keyring with Azure's provider, as a global tool")
        say("  $ uv tool install keyring --with artifacts-keyring")
        tool = environments.uv_tool(home, python, requirement)

        say(f"\nBefore: a project whose index is the private feed {feed.url}, its venv active")
        story = uv7003.Story(folder / "project", tool, feed, python)
        found = ("+ keyring==", "+ six==", "+ keyring-fallback==")
        hint = ("hint: An index URL",)
        show("uv add keyring", story.uv_add("keyring", active=True), lines=found, works=True)
        say("  Now the venv has a keyring of its own, and that one knows no provider:")
        show("uv add six", story.uv_add("six", active=True), lines=hint, works=False)

        say("\nThe cure: one package in the venv, no setting anywhere")
        command = "deactivate; uv add keyring-fallback; source .venv/bin/activate"
        show(command, story.uv_add("keyring-fallback", active=False), lines=found[2:], works=True)

        say("\nAfter: the same venv, active, with its own keyring")
        show("uv add six", story.uv_add("six", active=True), lines=found, works=True)
    say("\nSuccess: the venv's keyring answered with the global tool's provider.")


def main() -> int:
    """Play the story in a folder that is removed afterwards."""
    with machine.temporary_folder("keyring-fallback-demo-") as folder:
        tell(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
