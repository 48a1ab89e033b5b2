"""A string that does not show itself."""

from __future__ import annotations

from typing import SupportsIndex


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
