"""The nouns of discovery: a tool, a candidate that was turned down, and all that was found."""

from __future__ import annotations

from ..records import Record
from . import environment

#: The source of the tools that the user has named.
SETTING = "setting"


class Tool(Record):
    """A globally installed keyring.

    Attributes:
        source: How it was found.
        path: Where: an environment's root, or an executable.
        root: The root of its own environment, or "".
        interpreter: Its interpreter, or "": then `path` is run.
        content: What it holds.
        adds: The providers that this environment lacks.
        own: The modules of keyring's own backends that may work over there only.
        doubt: Why anybody may have changed it, although it is used since the user has named it, or "".
    """

    source: str
    path: str
    root: str
    interpreter: str
    content: environment.Content = environment.Content(complete=False, shares=True)
    adds: tuple[environment.Provider, ...] = ()
    own: tuple[str, ...] = ()
    doubt: str = ""

    @property
    def location(self) -> str:
        """Where users see it: the root of its environment, or else its path."""
        return self.root or self.path

    @property
    def known(self) -> bool:
        """Whether `adds` and `own` are all that it can add."""
        return self.content.complete

    @property
    def useful(self) -> bool:
        """Whether it can add something; the stores of this system, which many a plain Python has, are nothing new."""
        return bool(self.adds or (self.own and self.isolated)) or not self.known

    @property
    def isolated(self) -> bool:
        """Whether its interpreter needs nothing from outside of its environment."""
        return not self.content.shares


class Refusal(Record):
    """A candidate that was turned down: how it was found, where, and why it is not used."""

    source: str
    path: str
    reason: str


class Findings(Record):
    """What `find` has found.

    Attributes:
        tools: In the order in which they are asked.
        refusals: The candidates that were turned down.
        at_home: Whether this environment is itself a globally installed tool.
        local: What this environment holds.
    """

    tools: tuple[Tool, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    at_home: bool = False
    local: environment.Content = environment.Content()
