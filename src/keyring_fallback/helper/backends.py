"""Part of the helper: the tool's backends that are asked, and their answers and errors as data."""

from __future__ import annotations

import json

from .deferred import DEFERRED, defer
from .shared import Any, Iterable, is_empty, module_of, name_of, of_class, one_line

#: How "'" is escaped in HTML: not, by Python's html, by others.
HTML = ("'", "&#x27;", "&#39;", "&apos;")
#: Fewer characters of base64 are part of too many words to be struck out.
ENCODED_LENGTH = 4


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
            values, skip = entry_point_values(), [*skip, "keyring"]
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
                    answer = None if is_empty(answer) else plain(method, answer)
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
        return as_str(answer, "password")
    try:
        username = answer.username
    except ValueError:  # keyring.credentials.AnonymousCredential
        username = None
    return {"username": username and as_str(username, "username"), "password": as_str(answer.password, "password")}


def as_str(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError("its {} is of type {}, not str".format(what, type(value).__name__))
    return str.__str__(value)


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
        "type": one_line(of_class("__name__", cls), struck),
        "error": of_class("__name__", errors[0]) if errors else "",
        "message": one_line(message, struck),
    }


def described(error: BaseException) -> str:
    """Return an exception's type and message in one line."""
    data = failure("", error)
    return ": ".join(filter(None, (data["type"], data["message"])))


def forms(password: object, username: object) -> list[str]:
    """Return what a password may look like in a message: stripped, quoted, escaped or encoded; the longest first."""
    if not isinstance(password, str) or not password:
        return []
    words = {password, password.strip()} - {""}
    return sorted({form for word in words for form in _forms(word, username)}, key=len, reverse=True)


def _forms(password: str, username: object) -> set[str]:
    import re
    from base64 import b64encode, urlsafe_b64encode
    from urllib.parse import quote, quote_plus

    data = password.encode("utf-8", "surrogatepass")
    found = {password, repr(password)[1:-1], ascii(password)[1:-1], json.dumps(password)[1:-1], repr(data)[2:-1]}
    quoted = {quote(data), quote(data, safe=""), quote_plus(data)}
    found |= quoted | {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), one) for one in quoted}
    found |= {one.replace("%2F", "%2f") for one in quoted}
    escaped = password.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    doubles = [escaped.replace('"', double) for double in ('"', "&quot;", "&#34;")]
    found |= {one.replace("'", single) for one in doubles for single in HTML}
    for encode in (b64encode, urlsafe_b64encode):
        for pair in (data, b":" + data, "{}:".format(username).encode("utf-8", "surrogatepass") + data):
            found.add(encode(pair).decode().rstrip("="))
        # behind another user name: without the characters that hold a part of that, or of the end
        for before in range(3):
            whole = encode(b"\0" * before + data).decode()
            inner = whole[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]
            found |= {inner} if len(inner) >= ENCODED_LENGTH else set()
    return found


def entry_point_values() -> list[str]:
    """Return the values of all entry points of the tool that name backends."""
    from importlib import metadata

    points = (point for distribution in metadata.distributions() for point in distribution.entry_points)
    return list(dict.fromkeys(point.value for point in points if point.group == "keyring.backends"))


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
