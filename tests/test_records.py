"""Our records are what `typing.NamedTuple` makes, as far as we use it."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import pytest

from keyring_fallback import records


class Ours(records.Record):
    """A record."""

    one: int
    two: str = "2"
    three: tuple[str, ...] = ()

    @property
    def both(self) -> str:
        """Two items."""
        return f"{self.one}{self.two}"


class Theirs(NamedTuple):
    """The same by the standard library."""

    one: int
    two: str = "2"
    three: tuple[str, ...] = ()

    @property
    def both(self) -> str:
        """Two items."""
        return f"{self.one}{self.two}"


USES: dict[str, Callable[[Any], object]] = {
    "by position": lambda cls: tuple(cls(1, "x", ("y",))),
    "by name": lambda cls: tuple(cls(three=("y",), one=1)),
    "mixed": lambda cls: tuple(cls(1, three=("y",))),
    "defaults": lambda cls: tuple(cls(1)),
    "attributes": lambda cls: (cls(1).one, cls(1).two, cls(1).three),
    "properties": lambda cls: cls(1).both,
    "names": lambda cls: cls._fields,
    "unpacked": lambda cls: list(cls(1)),
    "equal": lambda cls: (cls(1) == cls(1, "2"), cls(1) == cls(2), cls(1) == (1, "2", ()), cls(1) != cls(1)),
    "hash": lambda cls: hash(cls(1)) == hash((1, "2", ())),
    "in a dict": lambda cls: list(dict.fromkeys([cls(1), cls(2), cls(1)])) == [cls(1), cls(2)],
    "replaced": lambda cls: tuple(cls(1)._replace(two="x")),
    "as a dict": lambda cls: cls(1)._asdict(),
    "repr": lambda cls: repr(cls(1)).partition("(")[2],
    "kept": lambda cls: setattr(cls(1), "one", 2),
    "one too few": lambda cls: cls(),
    "one too many": lambda cls: cls(1, "2", (), 4),
    "an unknown name": lambda cls: cls(1, four=4),
    "a name twice": lambda cls: cls(1, one=1),
    "an unknown replacement": lambda cls: cls(1)._replace(four=4),
}


@pytest.mark.parametrize("use", USES)
def test_record_is_as_a_named_tuple(use: str) -> None:
    """A record does what a NamedTuple of the same names does, and refuses what it refuses."""
    assert _outcome(USES[use], Theirs) == _outcome(USES[use], Ours)


def _outcome(use: Callable[[Any], object], cls: type) -> object:
    """What a use comes to: its value, or the kind of its error."""
    try:
        return use(cls)
    except (TypeError, AttributeError, ValueError) as error:
        return AttributeError if isinstance(error, AttributeError) else TypeError
