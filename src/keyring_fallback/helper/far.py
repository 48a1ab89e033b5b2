"""The far end of a lender: opens a socket where keyring asks, and passes questions through the lender's pipe.

It is carried over stdin to another machine's Python, see ``carried``, or runs on this one; it ends when its stdin does.

In, on descriptor 0: one JSON document a line. The first is the set-up::

    {"nonce": str, "folders": {platform: [str]}, "lent": [str], "seconds": float}

``folders``  where the socket may be, the first that can be had; with ``$VARIABLE`` or ``~`` at the beginning.
``lent``     the lines of the file beside the socket: who lends, then the hosts.
``seconds``  how long an answer may take.

Each further line answers a question: ``{"id": int, ...}``, passed on as it is; or it says that the lender still lives,
and is empty. Out, on descriptor 1: nonce, JSON and a line feed; ``{"ready": path}`` or ``{"failed": reason}``, then
questions: ``{"id": int, "asker": str, "method": str, "service": str, "username": str or null}``; or at
last, where nobody can ask any more, ``{"failed": reason}``.

On the socket, one question a connection: a line with the last three, and the answer's line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import select
import signal
import socket
import stat
import sys
import threading
import time

from .shared import MAX_QUESTION_BYTES, METHODS, Any, Iterator, peer

#: Questions that are passed on at once; who comes then waits in the socket's queue.
AT_ONCE = 16
#: Seconds for a question's bytes to arrive, and an answer's to be taken.
QUESTION_SECONDS = 5.0
#: Seconds without a word of the lender's after which it is gone: a broken connection need not end our input.
SILENT_SECONDS = 60.0


class Far:
    """The socket, and the questions that wait for their answers."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.setup = setup
        self.name = os.urandom(4).hex()
        self.folder = ""
        self.made: dict[str, os.stat_result] = {}
        self.waiting: dict[int, queue.SimpleQueue[bytes]] = {}
        self.number = 0
        self.lock = threading.Lock()
        self.places = threading.Semaphore(AT_ONCE)

    def say(self, document: dict[str, Any]) -> None:
        data = (self.setup["nonce"] + json.dumps(document) + "\n").encode("ascii")
        with self.lock:
            while data:
                data = data[os.write(1, data) :]

    def open(self) -> bool:
        """Listen in the first folder that can be had, or say why there is none."""
        problems = []
        for template in self.setup["folders"].get(sys.platform, self.setup["folders"]["linux"]):
            base, _, rest = template.partition("/")
            start = os.environ.get("HOME" if base == "~" else base[1:], "")
            folder = os.path.join(start, rest)
            try:
                if not os.path.isabs(start):
                    continue
                self.listen(folder)
            except OSError as error:
                self.close()
                problems.append("{}: {}".format(folder, error.strerror or error))
            else:
                self.say({"ready": os.path.join(folder, self.name)})
                return True
        self.say({"failed": "; ".join(problems) or "HOME is not set"})
        return False

    def listen(self, folder: str) -> None:
        os.umask(0o077)
        os.makedirs(folder, exist_ok=True)
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise OSError("it is not a folder of this user's alone, of mode 0700")
        os.chdir(folder)  # a path may be longer than a socket's may be
        self.folder = folder
        remove_stale()
        mark = os.open("." + self.name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(mark, fcntl.LOCK_EX)  # who can lock it too knows that we are gone
        os.write(mark, "\n".join(self.setup["lent"]).encode())
        listener = socket.socket(socket.AF_UNIX)
        os.umask(0o177)
        listener.bind(self.name + ".sock")
        listener.listen(1024)
        os.rename("." + self.name, self.name)
        self.made = {name: os.lstat(name) for name in (self.name, self.name + ".sock")}
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            self.places.acquire()
            try:
                threading.Thread(target=self.serve, args=(listener.accept()[0],), daemon=True).start()
            except (OSError, RuntimeError):  # no descriptor is left, or no thread
                self.places.release()
                time.sleep(0.1)

    def serve(self, connection: socket.socket) -> None:
        """Pass one question on, and its answer back; whatever goes wrong ends the connection."""
        number = 0
        try:
            with connection:
                uid, pid = peer(connection)
                connection.settimeout(QUESTION_SECONDS)
                question = read_question(connection) if uid == os.geteuid() else None
                if question is not None:
                    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
                    with self.lock:
                        self.number = number = self.number + 1
                    self.waiting[number] = answers
                    self.say(dict(question, id=number, asker="uid {}, process {}".format(uid, name_of(pid))))
                    connection.sendall(answers.get(timeout=self.setup["seconds"]) + b"\n")
        except (OSError, ValueError, LookupError, TypeError, RecursionError, queue.Empty):
            pass
        finally:
            self.waiting.pop(number, None)
            self.places.release()

    def lost(self) -> str:
        """Return why nobody finds us any more, or ""; what we hold open keeps its inode from being used again."""
        try:
            for name, status in self.made.items():
                path = os.path.join(self.folder, name)
                if not os.path.samestat(os.lstat(path), status):
                    return path + " is another's now"
        except OSError as error:
            return "{}: {}".format(error.filename, error.strerror)
        return ""

    def close(self) -> None:
        for name in [self.name, "." + self.name, self.name + ".sock"] if self.folder else []:
            with contextlib.suppress(OSError):  # it was never made, or is gone
                status = os.lstat(name)
                if os.path.samestat(status, self.made.get(name, status)):
                    os.unlink(name)
        with contextlib.suppress(OSError):  # another lender's socket is in the folder
            os.rmdir(self.folder)


def read_question(connection: socket.socket) -> dict[str, Any] | None:
    """Return what is asked, or None if it is too long, or no question."""
    data = b""
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        data += more
        if not more or len(data) > MAX_QUESTION_BYTES:
            return None
    question = json.loads(data)
    method, service, username = question["method"], question["service"], question["username"]
    if not (method in METHODS and isinstance(service, str) and isinstance(username, (str, type(None)))):
        return None
    question = {"method": method, "service": service, "username": username}
    return question if len(json.dumps(question)) <= MAX_QUESTION_BYTES else None  # accents get longer on their way


def name_of(pid: int) -> str:
    """Return a process as the lender's terminal shows it."""
    try:
        with open("/proc/{}/comm".format(pid), encoding="ascii", errors="replace") as file:
            return "{} ({})".format(pid, file.read().strip())
    except OSError:
        return str(pid or "unknown")


def remove_stale() -> None:
    """Remove what far ends that were killed have left."""
    for name in [name for name in os.listdir(".") if "." not in name]:
        with contextlib.suppress(OSError):  # it is in use, another far end has removed it, or it is none's
            mark = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name)
                os.unlink(name + ".sock")
            finally:
                os.close(mark)


def lines() -> Iterator[bytes]:
    """Yield what the lender says, until it is gone."""
    pending = b""
    while select.select([0], [], [], SILENT_SECONDS)[0]:
        data = os.read(0, 65536)
        if not data:
            return
        *whole, pending = (pending + data).split(b"\n")
        yield from whole


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed on the lender's terminal: it ends our input then
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: sys.exit())
    far = None
    try:
        said = lines()
        far = Far(json.loads(next(said)))
        for line in said if far.open() else ():
            if lost := far.lost():
                far.say({"failed": lost})
                break
            answers = far.waiting.get(json.loads(line)["id"]) if line else None
            if answers is not None:
                answers.put(line)
    finally:
        if far is not None:
            far.close()
        os._exit(0)
