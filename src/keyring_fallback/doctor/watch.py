"""Runs a command of the person's and says what it asked of keyring, of whom, and what came."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import hints, survey
from ..delegation.scripts import script
from ..discovery import executable, layout
from ..helper.recorder import PASSED, RECORDS, WATCH
from ..helper.recorder import digest as digest_of
from ..here import Here
from . import clients, surroundings
from .shown import without_secrets
from .told import Told

_MAX_BYTES = 8 << 20
#: The commands of uv's that are known to tell their settings instead (0.4.0 to 0.13.9), and what keeps them from it.
_TELLS = {"add", "lock", "remove", "sync", "tree", "pip compile", "pip install", "pip sync", "tool install", "tool run"}
_QUIET = ("-q", "-qq", "--quiet")
_MARKS = {"answer": "answered", "nothing": "had no answer", "failed": "failed", "unfinished": "gave no answer in time"}


def watch(command: Sequence[str]) -> int:
    """Run a command, whose input and output stay its own, and say on stderr what it asked.

    Returns:
        Its exit status: 128 and the number where a signal has ended it; 126 or 127 where it cannot be started.
    """
    ours, (here, in_use, _) = survey.here(), surroundings.around()
    with contextlib.ExitStack() as stack:
        made = filter(None, (_made(parent, stack, ours) for parent in (*_private(ours), None)))
        file, records = next(made, ""), []
        environ = {**here.environ, WATCH: file}
        words = {os.path.basename(word).lower().partition(".")[0] for word in command}
        client = next((name for name in ("uv", "pip") if name in words), "")
        if client == "pip":
            environ[PASSED] = os.path.dirname(shutil.which(command[0]) or "")
        others = clients.on_path(here, environ.get(PASSED, ""))
        if others is not None and file:
            environ["PATH"] = os.path.dirname(file) + os.pathsep + environ.get("PATH", "")
        status, reason = _run(command, environ)
        records = _records(file)
    lines = [f"  It cannot be started: {reason}."]
    if not file:
        lines += ["  Whom it asks cannot be told: no folder can be had for that, in which programs run."]
    elif not reason:
        unseen, unasked = _unseen(command, client, here), {}
        if not unseen:
            told = _told_by_uv(command, here) if client == "uv" else clients.pip(in_use)
            unasked = _unasked(records, told, failed=bool(status))
        lines = _lines(records, others, unseen, unasked, failed=bool(status))
    _say(["", f"keyring-fallback: what {without_secrets(command[0])} asked of keyring", *lines])
    return status


def _private(here: Here) -> Iterator[str]:
    """Yield folders that the user alone can write to, before the system's for temporary files.

    What the command leaves running keeps our folder first on its PATH, and in that one others could make it again.
    """
    if here.platform == "win32":  # there it is the user's own
        return
    cache = os.path.join(here.home, ".cache")
    with contextlib.suppress(OSError):
        if os.stat(here.home).st_uid == here.uid:  # root may have another's
            os.mkdir(cache, 0o700)
    for folder in filter(os.path.isabs, (here.environ.get("XDG_RUNTIME_DIR", ""), cache)):
        with contextlib.suppress(OSError):
            status = os.stat(folder)
            if (status.st_uid, status.st_mode & stat.S_IWOTH) == (here.uid, 0):
                yield folder


def _made(parent: str | None, stack: contextlib.ExitStack, here: Here) -> str:
    """Make a folder with a recording ``keyring``; return the file for records in it, or "" if there can be none."""
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="keyring-fallback-", dir=parent))
        file = os.path.join(folder, RECORDS)
        path = os.path.join(folder, "keyring.exe" if here.platform == "win32" else "keyring")
        for one in (file, os.path.join(folder, "CACHEDIR.TAG")):  # what lies in a cache is no tool for discovery
            with open(one, "xb"):
                pass
        if here.platform == "win32":  # the launcher runs `cli.main` under any name
            shutil.copyfile(os.path.join(clients.scripts(here), "keyring-fallback.exe"), path)
        else:
            words = " ".join(map(shlex.quote, [here.executable, "-I", *script("recorder").arguments]))
            with open(path, "x", encoding="utf-8", errors="surrogateescape") as stream:
                # a program between may pass on PATH, and not the variable
                stream.write(f'#!/bin/sh\n{WATCH}={shlex.quote(file)} exec {words} "$@"\n')
            os.chmod(path, 0o700)
        return file if os.access(path, os.X_OK) else ""  # not where programs are not run
    except OSError:
        return ""


def _run(command: Sequence[str], environ: dict[str, str]) -> tuple[int, str]:
    """Run a command to its end, as a shell would; return its exit status, and why it cannot be started, or ""."""
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        return 127, "there is no such program"
    try:
        # with all descriptors that were handed to us: `-r <(...)`
        process = subprocess.Popen([program, *command[1:]], env=environ, close_fds=False)  # noqa: S603 - what was typed
    except OSError as error:
        return 126, error.strerror or type(error).__name__
    # Ctrl-C is for the command, and it gets what was meant to end it
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
        before[number] = signal.signal(number, lambda number, _: process.send_signal(number))
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (128 - status if status < 0 else status), ""


def _records(file: str) -> list[dict[str, Any]]:
    """Return what was recorded, the last of each question."""
    found: dict[object, dict[str, Any]] = {}
    try:
        with open(file, "rb") as stream:
            lines = stream.read(_MAX_BYTES).splitlines()
    except OSError:
        return []
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
            found[record["pid"] if "keyring" in record else f"line {number}"] = record
        except (ValueError, KeyError, TypeError):
            continue
    return list(found.values())


def _unseen(command: Sequence[str], client: str, here: Here) -> str:
    """Return in words what a command may ask that is not seen, or "" where all is."""
    path = shutil.which(command[0], path=here.environ.get("PATH", "")) or command[0]
    name, beside = os.path.basename(path).lower().partition(".")[0], os.path.join(os.path.dirname(path), "keyring.exe")
    if name == "uv" and "run" not in command:
        # Windows looks there first, see `clients.on_path`
        return f"{beside} would not be" if here.platform == "win32" and os.path.isfile(beside) else ""
    target = executable.target(os.path.abspath(path), here.platform) if client == "pip" else executable.Target()
    found = layout.read(target.root, target.interpreter, here)
    if target.interpreter and (clients.has_us(found.folders) or not found.keyring):
        return ""
    return "one of an environment without keyring-fallback that it imports, or puts first on PATH, would not be"


def _told_by_uv(command: Sequence[str], here: Here) -> list[Told]:
    """Return what uv says that it would do, with the words of the command where it tells that."""
    words = [one for one in command[1:] if one not in _QUIET]
    is_uv = os.path.basename(command[0]).lower() in ("uv", "uv.exe")
    known = is_uv and not _TELLS.isdisjoint([*words[:1], " ".join(words[:2])])
    told = [one for one in clients.uv(here, words) if not one.silence] if known else []
    return told or [*clients.uv(here)]


def _unasked(records: list[dict[str, Any]], told: Iterable[Told], *, failed: bool) -> dict[str, str]:
    """Return in words who asked nobody for an index that takes a password, or may where it failed, and its URL."""
    asked = {hints.host_of(record.get("service")) for record in records}
    found: dict[str, str] = {}
    for one in told:
        for index in one.indexes:
            host, url = hints.host_of(index.url), without_secrets(index.url)
            if host not in asked and (index.public is False or (failed and index.public is None)):
                has = ": its keyring provider is disabled" if one.provider == "disabled" else ""
                has = f": there is a password in {index.password}" if index.password else has
                found[f"  {one.client.split()[0]} asked nobody for {host} ({url}){has}."] = url
    return found


def _lines(
    records: list[dict[str, Any]],
    keyring: clients.Keyring | None,
    unseen: str,
    unasked: dict[str, str],
    *,
    failed: bool,
) -> list[str]:
    """Return in words who was asked for what, and what came, or what of that is not seen."""
    found: list[str] = []
    for record in records:
        whom = f" for {_name(record.get('username'))}" if record.get("username") else ""
        service = without_secrets(hints.shown(record.get("service")))
        if "keyring" in record:
            status = record.get("status")
            came = "was not ended" if status is None else "answered" if status == 0 else f"ended with status {status}"
            took = f" ({record.get('milliseconds', 0)} ms)" if status is not None else ""
            found.append(f"  {record.get('method')} {service}{whom}: {record.get('keyring')} {came}{took}")
        else:
            came = _MARKS.get(str(record.get("outcome")), "?")
            found.append(f"  {record['program']} ({record.get('method')}) {service}{whom}: {came}")
            found += [
                f"    {one['who']}: {_MARKS.get(one['outcome'], '?')} ({one['milliseconds']} ms)"
                + "".join(f"\n      {error}" for error in one["errors"])
                for one in record.get("asked", ())
            ]
    if not found:
        whom = keyring.path if keyring else "a keyring, since there is none on PATH"
        found = [f"  It asked nobody: not {whom}, and nothing that it imports with keyring-fallback in it."]
        found = [f"  No keyring was seen to be asked; {unseen}."] if unseen else found
    found += unasked
    answered = any(record.get("status") == 0 or record.get("outcome") == "answer" for record in records)
    if unasked or not answered:
        services = (without_secrets(hints.shown(record.get("service"))) for record in records)
        url = next((one for one in (*unasked.values(), *services) if hints.is_url(one)), "")
        what = "what mends it" if failed or (records and not answered) else "whether there would be an answer"
        if url or failed or not records:
            found.append(f"  'keyring-fallback doctor {url or 'URL'}' says {what}.")
    return found


def _name(digest: object) -> str:
    names = (registry.username for registry in hints.REGISTRIES)
    return next((name for name in names if digest_of(name) == digest), "another user name")


def _say(lines: Sequence[str]) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
