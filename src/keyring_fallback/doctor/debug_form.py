"""Reads Rust's debug form, in which uv prints its settings."""

from __future__ import annotations

import re
from typing import Any

#: A value of Rust's debug form, with the key before it: a text, the beginning or the end of a group, or a word. The
#: quote at the end of a text is optional, so that none is looked for twice.
_VALUE = r'(?:(\w+): )?(?:"((?:[^"\\]|\\.)*)"?|[\w.:-]*\s?([\[({])|([\])}])|([\w.:-]+))'


def groups(text: str) -> list[Any]:
    """Return what stands in Rust's debug form: a group with keys as a dict, others as a list or as their only part.

    What is not that form comes out as something else, and never raises.
    """
    stack: list[tuple[str, str, list[tuple[str, Any]]]] = [("", "", [])]
    for before, quoted, opening, closing, word in re.findall(_VALUE, text):
        key, value = before, quoted
        if opening:
            stack.append((key, opening, []))
            continue
        if closing and len(stack) > 1:
            key, opened, parts = stack.pop()
            value = dict(parts) if opened == "{" else [part for _, part in parts]
            value = value[0] if opened == "(" and len(value) == 1 else value
        elif word:
            value = {"None": None, "true": True, "false": False}.get(word, word)
        stack[-1][2].append((key, value))
    return [part for _, part in stack[0][2]]
