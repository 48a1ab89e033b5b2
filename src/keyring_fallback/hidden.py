"""A string that does not show itself."""

from __future__ import annotations


class Hidden(str):
    """A secret: tracebacks with locals, debuggers and logs print its repr, which leaves it out.

    ``str(secret)`` is the plain string.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Leave the string out."""
        return "<hidden>"
