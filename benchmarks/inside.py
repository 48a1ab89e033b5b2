"""Measures inside one process of an environment: ``start``, ``lookups``, ``own`` or ``helper``; prints JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from typing import Callable

#: Lookups after the first one.
LATER = 20


def start() -> dict[str, float]:
    """Import keyring and make its backends, as every program does that uses keyring."""
    begin = time.perf_counter()
    import keyring.backend

    imported = time.perf_counter()
    keyring.backend.get_all_keyring()
    return {"import": imported - begin, "backends": time.perf_counter() - imported, "both": time.perf_counter() - begin}


def lookups(url: str, username: str) -> dict[str, float]:
    """Look up a password once, and again: the provider's answer must be there each time."""
    import keyring

    keyring.get_keyring()
    times = []
    for _ in range(1 + LATER):
        begin = time.perf_counter()
        answer = keyring.get_password(url, username)
        times.append(time.perf_counter() - begin)
        assert answer
    return {"first": times[0], "later": sorted(times[1:])[LATER // 2]}


def own(url: str, username: str) -> dict[str, float]:
    """Do what the executable ``keyring`` does."""
    from keyring import cli

    with contextlib.redirect_stdout(io.StringIO()):
        cli.main(["get", url, username])
    return {"bytes": peak("self")}


def helper(url: str, username: str) -> dict[str, float]:
    """Look up a password, and look at the helper that has answered."""
    import keyring

    assert keyring.get_password(url, username)
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        (child,) = file.read().split()
    return {"bytes": peak(child)}


def peak(process: str) -> float:
    """The most memory that a process has had at once, in bytes."""
    with open(f"/proc/{process}/status") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return float(line.split()[1]) * 1024


if __name__ == "__main__":
    functions: dict[str, Callable[..., dict[str, float]]] = {
        "start": start,
        "lookups": lookups,
        "own": own,
        "helper": helper,
    }
    print(json.dumps(functions[sys.argv[1]](*sys.argv[2:])))
