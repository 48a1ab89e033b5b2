"""The doctor: why lookups are not answered, and what mends it.

`examination` gathers facts, `causes` and `client_causes` say what is wrong with them, `report` shows it. It needs no
keyring to start, starts processes to find out, and is loaded by the command ``keyring-fallback`` only.
"""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """Something that is wrong, and what mends it.

    Attributes:
        name: Its name, which stays the same.
        text: What is wrong, in whole sentences.
        command: The command that mends it, or "".
        edit: What to change otherwise, or "".
        problem: Whether it keeps lookups from being answered; otherwise it is worth a note.
    """

    name: str
    text: str
    command: str = ""
    edit: str = ""
    problem: bool = True
