"""Asks a lender, by the socket of its far end: one connection for one question."""

from __future__ import annotations

import errno
import os
import socket
import time

from ..discovery.tool import Tool
from ..errors import NotAskedError, ToolError, interrupts
from ..helper.shared import MAX_QUESTION_BYTES, MAX_REPLY_BYTES, METHODS, peer
from ..hidden import Hidden, HiddenBytes
from ..hints import is_at, shown
from .call import Call, Reply, line, read
from .waiting import Waiting, waiting_for

#: What a socket's path may have (macOS, sys/un.h; Linux has four more).
_MAX_PATH_BYTES = 103
_LOOK_SECONDS = 0.02


def ask(lender: Tool, call: Call, seconds: float) -> Reply:
    """Ask a lender, for what is lent only; ToolError: it is not the user's, or gave no reply within so many seconds."""
    if call.method not in METHODS or not is_at(call.service, lender.lent):
        return Reply()
    name = lender.name
    question = line({"method": call.method, "service": call.service, "username": call.username}, name)
    if len(question) > MAX_QUESTION_BYTES:
        return Reply()  # no host has such a name
    what = f" to answer for {shown(call.service)!r}; its terminal may have a question"
    waiting = Waiting(waiting_for(name, seconds, what))
    deadline = time.monotonic() + seconds
    connection = socket.socket(socket.AF_UNIX)
    try:
        _connect(connection, lender.path, deadline)
        if peer(connection)[0] != os.getuid():
            raise NotAskedError(f"{name} is not asked: another user answers at {lender.path}")
        connection.sendall(question)
        data = _received(connection, deadline, waiting)
    except OSError as error:
        if interrupts(error):
            raise
        if isinstance(error, (TimeoutError, socket.timeout)):
            raise ToolError(f"{name} gave no answer within {seconds:g} seconds; look at its terminal") from None
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return Reply()  # it has ended meanwhile
        raise NotAskedError(f"{name} cannot be asked ({error.strerror})") from None
    finally:
        connection.close()
        waiting.end()
    if not data.endswith(b"\n"):
        raise ToolError(f"{name} has ended in the middle of a question; ask again")
    return read(Hidden(data.decode("ascii", "replace")), call.method, name)


def _received(connection: socket.socket, deadline: float, waiting: Waiting) -> HiddenBytes:
    """Return a line, or less where the other side ends or the line is too long; TimeoutError: the time is over."""
    data, more = HiddenBytes(), b"-"
    while more and not data.endswith(b"\n") and len(data) <= MAX_REPLY_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(min(left, waiting.pause()))
        try:
            more = HiddenBytes(connection.recv(1 << 16))
        except (TimeoutError, socket.timeout) as error:
            if interrupts(error):
                raise
        else:
            data = HiddenBytes(data + more)
    return data


def _connect(connection: socket.socket, path: str, deadline: float) -> None:
    """Connect, also by a path that is longer than a socket's may be, and behind a long queue."""
    folder = -1
    try:
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
            path = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        while True:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                return connection.connect(path)
            except OSError as error:
                if error.errno != errno.EAGAIN or time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
    finally:
        if folder >= 0:
            os.close(folder)
