"""A string, bytes and environment variables that do not show themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, SupportsIndex


class Hidden(str):
    """A secret: tracebacks with locals, debuggers and logs print its repr without it; ``str(secret)`` is plain."""

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> Hidden:
        # rich's tracebacks shorten a str before they take its repr (rich 14.1, pretty.py)
        return Hidden(str.__getitem__(self, key))

    def __repr__(self) -> str:
        return "<hidden>"


class Sealed:
    """The same for anything: who copies strings, as Elastic APM does (6.24, utils/encoding.py), has none."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value  #: What it hides.

    def __repr__(self) -> str:
        return "<hidden>"


def hide(value: Any) -> Any:
    """Return a string, or the bytes that a caller may give in its place, hidden, and anything else as it is."""
    return Hidden(value) if isinstance(value, str) else HiddenBytes(value) if isinstance(value, bytes) else value


def reveal(value: Any) -> Any:
    """Return what `hide` or `Sealed` was given."""
    value = value.value if isinstance(value, Sealed) else value
    return str(value) if isinstance(value, Hidden) else bytes(value) if isinstance(value, HiddenBytes) else value


class HiddenBytes(bytes):
    """The same for bytes; what is joined or cut from them is plain again, slices excepted."""

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        part = bytes.__getitem__(self, key)
        return HiddenBytes(part) if isinstance(part, bytes) else part

    def __repr__(self) -> str:
        return "<hidden>"


class Variables(Mapping[str, str]):
    """Environment variables, many of which are secrets.

    Not a dict: rich's tracebacks show what is in one, whatever its repr (rich 14.1, pretty.py). Who goes through all,
    by `items`, ``dict()`` or ``**``, gets hidden strings; who asks for one by `get` knows it, and gets it plain.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Hidden:
        return Hidden(self._values[name])

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value as it is, or the default."""
        return reveal(self._values.get(name, default))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        # fast: it is done several times for each lookup
        return self._values == (other._values if isinstance(other, Variables) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} variables>"
