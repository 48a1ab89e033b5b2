"""A string, and bytes, that do not show themselves."""

from __future__ import annotations

from typing import Any, SupportsIndex


class Hidden(str):
    """A secret: tracebacks with locals, debuggers and logs print its repr, which leaves it out.

    ``str(secret)`` is the plain string.
    """

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> Hidden:
        """Hide a part as well: rich's tracebacks shorten a str before they take its repr (rich 14.1, pretty.py)."""
        return Hidden(str.__getitem__(self, key))

    def __repr__(self) -> str:
        """Leave the string out."""
        return "<hidden>"


def hide(value: Any) -> Any:
    """Return a string hidden, and anything else, which a caller may give in its place, as it is."""
    return Hidden(value) if isinstance(value, str) else value


def reveal(value: Any) -> Any:
    """Return what `hide` was given."""
    return str(value) if isinstance(value, Hidden) else value


class HiddenBytes(bytes):
    """The same for bytes; what is joined or cut from them is plain again, slices excepted."""

    __slots__ = ()

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        """Hide a part as well."""
        part = bytes.__getitem__(self, key)
        return HiddenBytes(part) if isinstance(part, bytes) else part

    def __repr__(self) -> str:
        """Leave the bytes out."""
        return "<hidden>"
