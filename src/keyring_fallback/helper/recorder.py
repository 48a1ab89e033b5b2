"""A ``keyring`` that tells who asks it: the watch puts it first on PATH. It runs the next one, and changes nothing.

What the next one reads and writes never passes through here.
"""

from __future__ import annotations

import os
import sys
import time

#: Names the folder whose ``keyring`` its caller passes over: pip does so with its own scripts.
PASSED = "KEYRING_FALLBACK_PASSED"
#: Names the file that records are appended to, and what its name is: no other file is written to.
WATCH, RECORDS = "KEYRING_FALLBACK_WATCH", "keyring-fallback-records.jsonl"
#: The options of keyring's command line that have a value (keyring 25.7.0, cli.py).
_WITH_VALUE = ("-p", "--keyring-path", "-b", "--keyring-backend", "--mode", "--output")


def main() -> None:
    """Run the next keyring on PATH, with the arguments behind those of start.py; end as it does."""
    sys.exit(run(sys.argv[3:]))


def run(arguments: list[str]) -> int:
    """Run the next keyring on PATH; return its exit status, or 127 where there is none."""
    import signal  # the programs that only write records need neither of these
    import subprocess

    own = os.path.dirname(os.environ.get(WATCH, ""))
    entries = os.environ.get("PATH", "").split(os.pathsep)
    rest = [entry for entry in entries if not (entry and _is_same(entry, own))]
    name = "keyring.exe" if os.name == "nt" else "keyring"
    passed = os.environ.get(PASSED, "")
    paths = (os.path.join(entry, name) for entry in rest if not (entry and _is_same(entry, passed)))
    found = next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)
    words, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("-"):
            skip = not skip and argument in _WITH_VALUE
        else:
            words.append(argument)
    method, service, username = (*words, "", "", "")[:3]
    record: dict[str, object] = {"pid": os.getpid(), "keyring": found, "status": None, "milliseconds": 0}
    record.update(method=method, service=service.partition("?")[0], username=digest(username))
    write(record)
    if found is None:
        sys.stderr.write("keyring-fallback: there is no other keyring on PATH\n")
        return 127
    started = time.monotonic()
    environ = {**os.environ, "PATH": os.pathsep.join(rest)}
    process = subprocess.Popen([found, *arguments], env=environ, close_fds=False)  # noqa: S603 - what would have been run
    if os.name == "posix":  # what the person presses is for the other one, which decides what comes of it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    status = None
    while status is None:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            pass
    record.update(status=status, milliseconds=round((time.monotonic() - started) * 1000))
    write(record)
    if status < 0:  # the caller sees the same end
        if -status != signal.SIGKILL:  # which takes no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def digest(username: str | None) -> str:
    """Return what tells a user name from others and does not say it: it may be a token."""
    import hashlib

    return (username and hashlib.sha256(username.encode("utf-8", "surrogatepass")).hexdigest()) or ""


def write(record: dict[str, object]) -> None:
    """Append a record to the file of the watch, if there is one; it is never made here."""
    import json

    path = os.environ.get(WATCH, "")
    if os.path.basename(path) != RECORDS:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
        with open(descriptor, "ab") as file:
            file.write(json.dumps(record).encode("ascii") + b"\n")
    except OSError:
        pass


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
