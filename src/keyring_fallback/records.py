"""Small immutable classes: what typing.NamedTuple makes, for a tenth of its price at the start of every program."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

__all__ = ["Record"]

if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:

    class Record(tuple):
        """A tuple whose items have names: those that a subclass annotates, with the values given there as defaults.

        `typing.NamedTuple` compiles code for each class: 0.1 to 0.15 ms (CPython 3.13).
        """

        __slots__ = ()

        def __init_subclass__(cls) -> None:
            cls._fields = tuple(cls.__annotations__)
            cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
            for index, name in enumerate(cls._fields):
                setattr(cls, name, property(itemgetter(index)))

        def __new__(cls, *values: object, **named: object) -> Record:  # noqa: D102, PYI034 - typing.Self is newer
            if named or len(values) != len(cls._fields):
                given = {**dict(zip(cls._fields, values)), **named}
                items = {**cls._defaults, **given}
                if len(given) != len(values) + len(named) or set(items) != set(cls._fields):
                    raise TypeError(f"{cls.__name__} has exactly {', '.join(cls._fields)}")
                values = [items[name] for name in cls._fields]
            return tuple.__new__(cls, values)

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def _asdict(self) -> dict[str, object]:
            return dict(zip(self._fields, self))

        def _replace(self, **named: object) -> Record:
            return type(self)(**{**self._asdict(), **named})
