"""Does what the doctor says: one cure at a time, the most basic first, and looks again after each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Callable

from ..delegation.environ import neutral_folder
from ..here import Here
from . import causes, clients, cures, edits, examination, report, shell
from .examination import Facts
from .shell import Cause
from .shown import without_secrets

_MAX_CURES = 12
_LAST_LINES = 12


def repair(service: str | None, username: str | None, *, yes: bool, dry_run: bool, say: Callable[[str], None]) -> int:
    """Mend what keeps a lookup from being answered, as far as a program can; return the exit status.

    That is 0 where it works, or nothing is to be done, and 1 otherwise. With `yes` nobody is asked before a cure; a dry
    run shows the cures and uses none. `say` prints a line.
    """
    tried: list[object] = []
    refused = ""
    while True:
        facts = examination.examine(service, username)
        found = causes.find(facts)
        wrong = any(cause.problem for cause in found)
        nothing = "There is nothing that a program can do." if wrong else "There is nothing to do."
        due = [cause for cause in found if _is_due(cause, facts.here) and cause.cure not in tried]
        if dry_run:
            for cause in due:
                _show(cause, facts, say)
            say("Nothing was changed." if due else nothing)
            return int(wrong)
        if not due or len(tried) == _MAX_CURES:
            break
        tried.append(due[0].cure)
        if refused := _mend(due[0], facts, say, yes=yes):
            say(refused)
            break
    if not tried:
        say(nothing)
    say(report.as_text(facts, found))
    return int(wrong or bool(refused))


def _is_due(cause: Cause, here: Here) -> bool:
    """Tell whether a cause keeps it from working, and a program that is there can mend it."""
    cure = cause.cure
    can = isinstance(cure, shell.Command) and cure.mends and bool(cures.on_path(cure.words[0], here))
    can = can or isinstance(cure, shell.Edit)
    return can and (cause.problem or cause.name == "uv-not-told")  # which is a note, and yet uv asks nobody then


def _show(cause: Cause, facts: Facts, say: Callable[[str], None]) -> None:
    """Say what is wrong, and the command or the change that mends it."""
    say(f"\n{_clean(cause.text, facts)}")
    if isinstance(cause.cure, shell.Edit):
        try:
            say(_clean(edits.Change(cause.cure).difference(), facts))
        except edits.CannotEditError:
            say(_clean(shell.described(cause.cure), facts))
    else:
        say(str(without_secrets(f"  $ {cause.command(facts.here.platform)}", facts.names, facts.hidden, run=True)))
        if cause.advice:
            say(_clean(f"  -> {cause.advice}", facts))


def _mend(cause: Cause, facts: Facts, say: Callable[[str], None], *, yes: bool) -> str:
    """Use a cure, once the person agrees; return why it was not done or did not succeed, or ""."""
    _show(cause, facts, say)
    if not yes:
        if not sys.stdin.isatty():
            return "Nothing was done: there is no terminal to ask on; --yes asks nobody."
        say("Do this? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return "Nothing was done."
    started = time.monotonic()
    if isinstance(cause.cure, shell.Edit):
        try:
            try:
                edits.Change(cause.cure).make()
            except edits.MeanwhileError:  # a second run's
                edits.Change(cause.cure).make()
        except edits.CannotEditError as error:
            return _clean(f"{cause.cure.file} was left as it is: {error}.", facts)
    else:
        assert isinstance(cause.cure, shell.Command)  # noqa: S101 - for the type checker
        status, output = _run(cause.cure, facts.here)
        if status:
            lines = output.strip().splitlines()[-_LAST_LINES:]
            return _clean("\n".join([*(f"  {line}" for line in lines), f"The command failed ({status})."]), facts)
    say(f"Done ({time.monotonic() - started:.1f} s).")
    return ""


def _run(command: shell.Command, here: Here) -> tuple[str, str]:
    """Run a command; return what became of it, "" where it succeeded, and what it printed."""
    environ: dict[str, str] = dict(here.environ)
    for one in command.variables:
        if one.value is None:
            environ.pop(one.name, None)
        else:
            environ[one.name] = one.value + (os.pathsep + environ.get(one.name, "") if one.before else "")
    program, doubt = clients.first(command.words[0], here._replace(environ=environ))
    if not program or (doubt and not os.path.isabs(command.words[0])):
        return f"{program} is not run: {doubt}" if program else f"there is no {command.words[0]} on PATH", ""
    try:
        ended = subprocess.run(  # noqa: S603 - the words that were shown, without a shell
            [program, *command.words[1:]],
            env=environ,
            # uv reads the project's settings where it is to; python -m would run a module of its
            cwd=None if command.words[0] == "uv" else neutral_folder(here),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        return f"it cannot be started: {error.strerror}", ""
    return f"exit status {ended.returncode}" if ended.returncode else "", ended.stdout


def _clean(text: str, facts: Facts) -> str:
    return str(without_secrets(text, facts.names, facts.hidden))
