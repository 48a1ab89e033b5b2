"""The helper: runs under the tool's interpreter and asks the tool's own backends.

It is started as ``python -I _start.py`` (without ``-I`` where the user's site-packages must stay visible), imports
nothing but the standard library and the tool's keyring, and runs on Python 3.8 and newer.

In, on descriptor 0: one JSON document a line. The first is the set-up::

    {"nonce": str, "everything": bool, "entry_points": [str] or null, "own": [str], "skip": [str]}

``everything``      ask all that the tool's keyring would ask.
``entry_points``    otherwise the values of the entry points to load; null: all that the tool has.
``own``             the modules of keyring's own backends to load as well.
``skip``            modules and "module.Class" names whose backends are not asked.

Each further line is a request::

    {"id": int, "method": str, "service": any, "username": any, "password": any, "directory": str or null}

Out, on a private copy of descriptor 1: for each request the nonce, one JSON document and a line feed::

    {"id": int, "answer": any, "backend": str, "failures": [...], "unloaded": [...]}

``answer`` is null, a password, ``{"username", "password"}``, or true where a password was stored or deleted.
A failure is ``{"backend", "type", "error", "message"}``; ``unloaded`` are those of backends that could not be loaded.
Failures are data: the exit status only says that the helper has come to its end. At the end of its input, or when its
parent is gone, it ends.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time

from ._deferred import DEFERRED, defer

TYPE_CHECKING = False
if TYPE_CHECKING:  # the typing module costs a start some milliseconds
    from typing import Any, Iterable

#: Seconds without a request after which the helper ends; the parent stops using it before (bridge.IDLE_SECONDS).
IDLE_SECONDS = 300.0
#: Seconds that a running lookup and the providers' exit handlers get when the parent is gone.
GRACE_SECONDS = 0.5
#: Seconds between two looks at whether the parent still lives (a forked sibling may hold our input open).
PARENT_SECONDS = 1.0
#: Characters of a provider's message that are passed on.
MESSAGE_LENGTH = 500


def take_descriptors() -> tuple[int, int]:
    """Return private copies of descriptors 0 and 1, then put the null device on 0 and stderr on 1.

    A provider's ``print``, its child processes and its ``input`` can then neither corrupt nor block the exchange.
    """
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:  # noqa: PLR2004 - the caller had closed it: the copies below must not take its place
        os.set_inheritable(null, True)  # noqa: FBT003 - it takes no keywords
        null = os.open(os.devnull, os.O_RDWR)
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(null, 0)
    os.dup2(2, 1)
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a prompt must not wait in our buffer
    os.close(null)
    return requests, replies


class Requests(threading.Thread):
    """Reads requests, so that the parent's end is noticed while a lookup runs."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        import queue
        import select

        # kept, since a provider may empty sys.modules
        self.empty, self.select = queue.Empty, select.select
        self.descriptor = descriptor
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.parent = os.getppid()

    def run(self) -> None:
        try:
            self._read()
        except (OSError, ValueError):  # a provider has closed our descriptor
            pass
        self.lines.put(None)
        time.sleep(GRACE_SECONDS)
        # still here: a lookup runs that nobody waits for any more
        try:
            end_children()
        finally:
            os._exit(0)

    def _read(self) -> None:
        pending = b""
        while True:
            if os.name == "posix" and not self._readable():
                return
            data = os.read(self.descriptor, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                self.lines.put(line)

    def _readable(self) -> bool:
        while not self.select([self.descriptor], [], [], PARENT_SECONDS)[0]:
            if os.getppid() != self.parent:
                return False
        return True

    def next(self) -> Any:
        """Return the next request, or None at the end."""
        try:
            line = self.lines.get(timeout=IDLE_SECONDS)
        except self.empty:
            return None
        return None if line is None else json.loads(line)


def end_children() -> None:
    """End what we have started and what that has; what has left our process group goes its own way."""
    if os.name != "posix":
        return
    from signal import SIGKILL

    processes = list(all_processes())
    ours = [os.getpid()]
    for pid in ours:
        ours += [child for child, parent, group in processes if parent == pid and group == os.getpgrp()]
    for pid in ours[:0:-1]:
        try:
            os.kill(pid, SIGKILL)
        except OSError:
            pass


def all_processes() -> Iterable[tuple[int, ...]]:
    """Yield process, parent and group of all processes."""
    if not os.path.exists("/proc/self/stat"):
        from subprocess import check_output

        for row in check_output(["/bin/ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid="]).splitlines():
            yield tuple(map(int, row.split()))
        return
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{}/stat".format(name), "rb") as file:
                _, parent, group = file.read().rpartition(b")")[2].split()[:3]
        except OSError:
            continue  # ended meanwhile
        yield int(name), int(parent), int(group)


def name_of(backend: object) -> str:
    cls = backend if isinstance(backend, type) else type(backend)
    return "{}.{}".format(module_of(cls), of_class("__qualname__", cls))


def module_of(cls: type) -> str:
    return str(of_class("__module__", cls))


def of_class(name: str, cls: type) -> Any:
    """Return an attribute of a class past whatever its metaclass makes of it."""
    return type.__dict__[name].__get__(cls)


def failure(backend: object, error: BaseException, struck: Iterable[str] = ()) -> dict[str, str]:
    """Return an exception as data: its type, which of keyring's errors it is, and its message in one line."""
    cls = type(error)
    errors = [one for one in of_class("__mro__", cls) if module_of(one) == "keyring.errors"]
    try:
        message = str.__str__(str(error))  # a plain str, whatever methods its own class has
    except BaseException:
        message = "(its message cannot be shown)"
    return {
        "backend": backend if isinstance(backend, str) else name_of(backend),
        "type": line(of_class("__name__", cls), struck),
        "error": of_class("__name__", errors[0]) if errors else "",
        "message": line(message, struck),
    }


def line(message: str, struck: Iterable[str]) -> str:
    """Return a message in one line, not too long, with some words struck out."""
    for word in struck:
        message = message.replace(word, "***")
    message = "".join(c if c.isprintable() else " " for c in message)
    message = " ".join(message.split())
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "..."


def forms(password: object, username: object) -> list[str]:
    """Return what a password may look like in a message: quoted, escaped or encoded; the longest first."""
    if not isinstance(password, str) or not password:
        return []
    from base64 import b64encode, urlsafe_b64encode
    from urllib.parse import quote, quote_plus

    data = password.encode("utf-8", "surrogatepass")
    pair = "{}:{}".format(username, password).encode("utf-8", "surrogatepass")
    found = {password, repr(password)[1:-1], ascii(password)[1:-1], json.dumps(password)[1:-1], repr(data)[2:-1]}
    found.update((quote(data), quote(data, safe=""), quote_plus(data)))
    found.update(encode(one).decode().rstrip("=") for one in (data, pair) for encode in (b64encode, urlsafe_b64encode))
    return sorted(found, key=len, reverse=True)


def entry_point_values() -> list[str]:
    """Return the values of all entry points of the tool that name backends."""
    from importlib import metadata

    found: list[str] = []
    for distribution in metadata.distributions():
        for entry_point in distribution.entry_points:
            if entry_point.group == "keyring.backends" and entry_point.value not in found:
                found.append(entry_point.value)
    return found


def below(name: str, modules: Iterable[str]) -> bool:
    """Tell whether a dotted name is one of the modules or lies in one."""
    return any(name == module or name.startswith(module + ".") for module in modules)


def load(value: str) -> None:
    """Load an entry point as keyring does: import its module, and call what it names (keyring/backend.py)."""
    module, _, attributes = value.partition("[")[0].strip().partition(":")
    loaded = __import__(module.strip(), fromlist=["_"])
    for attribute in filter(None, attributes.strip().split(".")):
        loaded = getattr(loaded, attribute)
    # A backend class is registered by its import; keyring's call would only make an object to throw away.
    if callable(loaded) and not isinstance(loaded, type):
        loaded()


class Backends:
    """The tool's backends that are asked, in the order of their priorities."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.unloaded: list[dict[str, str]] = []
        self.chain: list[tuple[float, Any]] = []
        skip = ["keyring_fallback"] + setup["skip"]
        try:
            found = self._all() if setup["everything"] else self._lacking(setup, skip)
        except BaseException as error:
            self.unloaded.append(failure("keyring", error))
            found = []
        for backend in found:
            try:
                priority = float(backend.priority)
                if priority > 0 and not below(name_of(backend), skip):
                    self.chain.append((priority, backend))
            except BaseException as error:
                self.unloaded.append(failure(backend, error))
        self.chain.sort(key=lambda pair: pair[0], reverse=True)

    @staticmethod
    def _all() -> list[Any]:
        import keyring.backend
        from keyring.backends.chainer import ChainerBackend

        return [one for one in keyring.backend.get_all_keyring() if not isinstance(one, ChainerBackend)]

    def _lacking(self, setup: dict[str, Any], skip: list[str]) -> list[Any]:
        defer(DEFERRED)
        import keyring.backend

        values = setup["entry_points"]
        if values is None:
            values = [one for one in entry_point_values() if not below(one.partition(":")[0].strip(), ["keyring"])]
        for value in [one for one in values if not below(one.partition(":")[0].strip(), skip)] + setup["own"]:
            try:
                load(value)
            except BaseException as error:
                self.unloaded.append(failure(value, error))
        found = []
        for cls in keyring.backend.KeyringBackend.get_viable_backends():
            if below(module_of(cls), ["keyring"]) and module_of(cls) not in setup["own"]:
                continue
            try:
                found.append(cls())
            except TypeError:
                pass  # not meant to be made without arguments: keyring passes over it too
            except BaseException as error:
                self.unloaded.append(failure(cls, error))
        return found

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request."""
        method, service, username = request["method"], request["service"], request["username"]
        reply = {"id": request["id"], "answer": None, "backend": "", "failures": [], "unloaded": self.unloaded}
        if method not in ("get_password", "get_credential", "set_password", "delete_password"):
            raise ValueError(method)
        reading = method.startswith("get")
        password = request.get("password")
        arguments = (service, username, password) if method == "set_password" else (service, username)
        for _, backend in self.chain:
            try:
                answer = getattr(backend, method)(*arguments)
                if reading and answer is not None:
                    answer = plain(method, answer)
            except NotImplementedError as error:
                if reading:
                    reply["failures"].append(failure(backend, error))
            except BaseException as error:
                reply["failures"].append(failure(backend, error, forms(password, username)))
                if not reading and reply["failures"][-1]["error"] != "PasswordDeleteError":
                    break  # keyring's own chain ends here too: a second store must not hide that the first failed
            else:
                if not reading or answer is not None:
                    reply.update(answer=answer if reading else True, backend=name_of(backend))
                    break
        return reply


def plain(method: str, answer: Any) -> Any:
    """Return a backend's answer as JSON can carry it."""
    if method == "get_password":
        return text(answer, "password")
    try:
        username = answer.username
    except ValueError:  # keyring.credentials.AnonymousCredential
        username = None
    return {"username": username and text(username, "username"), "password": text(answer.password, "password")}


def text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError("its {} is of type {}, not str".format(what, type(value).__name__))
    return str.__str__(value)


def write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def run_exit_handlers() -> None:
    """Run what providers registered with atexit (a token cache may be written there), for a moment at the most."""
    try:
        import atexit
        import faulthandler

        # not a thread of Python's: a handler that hangs may not let one run
        null = os.open(os.devnull, os.O_WRONLY)
        faulthandler.dump_traceback_later(GRACE_SECONDS, exit=True, file=null)
        atexit._run_exitfuncs()
    except BaseException:
        pass


def main() -> None:
    descriptor, replies = take_descriptors()
    process, pipe = os.getpid(), identity(replies)
    requests = Requests(descriptor)
    requests.start()
    try:
        setup = requests.next()
        backends = None
        while setup is not None:
            request = requests.next()
            if request is None:
                break
            move(request["directory"])
            if backends is None:
                gc.disable()  # modules being loaded leave nothing to collect
                backends = Backends(setup)
                if hasattr(gc, "freeze"):  # not on PyPy
                    gc.freeze()  # and looking through them in the middle of the lookup takes as long
                gc.enable()
            reply = backends.answer(request)
            if os.getpid() != process:
                os._exit(0)  # a child that a provider forked came back here: only its parent answers
            if identity(replies) != pipe:
                os._exit(1)  # a provider has closed it, and a file of its own has the number now
            document = setup["nonce"] + json.dumps(reply) + "\n"
            write(replies, document.encode("ascii"))
            move(sys.prefix)  # an idle helper must not keep the caller's folder in use (Windows)
    except (KeyboardInterrupt, OSError):
        os._exit(1)
    run_exit_handlers()
    os._exit(0)


def identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def move(directory: str | None) -> None:
    try:
        if directory is not None:
            os.chdir(directory)
    except OSError:
        pass
