"""The probe: what keyring is like in an environment, and what a lookup there comes to.

The doctor starts it as the helper is started, under the interpreters of this environment and of the tools. Whatever
keyring does there, a crash of it included, is news to print and not the end of the doctor.

In, on stdin, as JSON: in a tool ``{"selected": str or null}``, the backend that a variable selects there, and in this
environment ``{"module": str, "folder": str, "arguments": [...]}``: the module, and the folder that it may be in, whose
``look_up(tell, *arguments)`` makes the lookups. Out, on a private copy of stdout: a JSON document a line, each with all
that is known by then: attributes of `probing.Probe`, ``path``, where modules are imported from, and last ``end``.
A password is never part of it.
"""

from __future__ import annotations

import json
import sys

from .backends import described
from .helper import take_descriptors, write
from .shared import Any, Pipe, name_of


class Known:
    """What is known, told each time there are news."""

    def __init__(self, output: Pipe) -> None:
        self.output = output
        version = ".".join(map(str, sys.version_info[:3]))
        self.known: dict[str, Any] = {"version": version, "path": list(map(str, sys.path)), "lookups": []}

    def tell(self, **news: Any) -> None:
        self.known.update(news)
        write(self.output, (json.dumps(self.known) + "\n").encode("ascii"))


def examine(known: Known, request: dict[str, Any]) -> None:
    known.tell()
    try:
        import keyring.backend
        import keyring.core

        if "module" not in request:  # does what the user has selected work in the tool?
            name = request["selected"]
            keyring.core.load_config() if name is None else keyring.core.load_keyring(name)
            return
        selected = keyring.get_keyring()
        backends = sorted(keyring.backend.get_all_keyring(), key=keyring.backend.by_priority, reverse=True)
        listed = [{"name": name_of(one), "priority": float(one.priority)} for one in backends]
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        unimportable = isinstance(error, (ImportError, SyntaxError))
        known.tell(broken=described(error), missing=missing and str(missing), unimportable=unimportable)
        return
    known.tell(selected=name_of(selected), backends=listed)
    sys.path.append(request["folder"])  # the doctor may run where this environment's keyring does not find it
    look_up = __import__(request["module"], fromlist=["_"]).look_up
    try:
        look_up(known.tell, *request["arguments"])
    except ValueError:  # this environment has an older release of us, whose questions have two parts
        look_up(known.tell, *(one[:2] for one in request["arguments"]))


def main() -> None:
    stdin, stdout = take_descriptors()
    request = json.loads(b"".join(iter(lambda: stdin.read(65536), b"")))
    known = Known(stdout)
    try:
        examine(known, request)
    except KeyboardInterrupt:
        pass
    known.tell(end=True)
