"""No expression of ours takes more than linear time: what is ten times as long takes about ten times as long."""

from __future__ import annotations

import ast
import importlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import keyring_fallback
from keyring_fallback import hints
from keyring_fallback.discovery import environment, executable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS = ("match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn")
SMALL = 400
#: Ten times the length takes ten times as long where time is linear, and a hundred times where it is quadratic.
LIMIT = 33
#: Seconds below which nothing can be told, for the larger text.
NOISE = 0.004


class Expression(NamedTuple):
    """A regular expression of ours, how it is used, and where."""

    pattern: str
    method: str
    where: str


def expressions() -> Iterator[Expression]:
    """Find each use of a regular expression in our sources."""
    root = Path(keyring_fallback.__file__).parent
    for file in sorted(root.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if not re.search(r"^\s*import re$", source, re.MULTILINE):
            continue
        parts = file.relative_to(root.parent).with_suffix("").parts
        module = importlib.import_module(".".join(parts))
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                owner = vars(module).get(node.func.value.id)
                where = f"{'.'.join(parts[1:])}:{node.lineno}"
                if isinstance(owner, re.Pattern) and node.func.attr in METHODS:
                    yield Expression(owner.pattern, node.func.attr, where)
                elif owner is re and node.func.attr in (*METHODS, "compile"):
                    method = "match" if node.func.attr == "compile" else node.func.attr
                    pattern = literal(node.args[0], vars(module))
                    if node.func.attr != "compile" or isinstance(node.args[0], ast.JoinedStr):
                        yield from [Expression(one, method, where) for one in pattern]
    yield from (Expression(one.pattern, "fullmatch", f"hints, {one.name}") for one in hints.REGISTRIES)


def literal(node: ast.expr, names: dict[str, object]) -> list[str]:
    """What an expression in a source comes to; what is put into an f-string is an "x"."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name) and node.id in names:
        value = names[node.id]
        return [value.pattern if isinstance(value, re.Pattern) else str(value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(one.value) if isinstance(one, ast.Constant) else "x" for one in node.values)]
    return []  # an attribute: those of the table of registries stand at the end


def pumps(pattern: str) -> list[str]:
    """Texts that are to be repeated: what the pattern itself speaks of."""
    plain = re.sub(r"\\[a-zA-Z]|[\\()?*+|^$]", "", pattern)
    letters = sorted({*re.sub("[A-Za-z0-9]", "", plain), "a", "1", " ", "\n"})
    words = re.findall(r"[\w{}\"': /@\[\]=.-]{3,}", re.sub(r"\\[a-zA-Z]|[()?*+|^$]", "\0", pattern))
    return [*letters, *(first + second for first in "a " for second in letters), *words]


def seconds(call: Callable[[], object]) -> float:
    """CPU time of a call, the least of three."""
    found = []
    for _ in range(3):
        began = time.thread_time()
        call()
        found.append(time.thread_time() - began)
    return min(found)


def linear(use: Callable[[str], object], pump: str) -> bool:
    """Whether ten times as much text takes about ten times as long."""
    small, large = (pump * (size // len(pump)) + "\0" for size in (SMALL, 10 * SMALL))
    began = time.thread_time()
    use(small)
    if time.thread_time() - began > NOISE * LIMIT:
        return False
    began = time.thread_time()
    use(large)
    if time.thread_time() - began < NOISE:
        return True
    return seconds(lambda: use(large)) <= LIMIT * max(seconds(lambda: use(small)), NOISE / LIMIT)


def used(expression: Expression) -> Callable[[str], object]:
    """The expression as a function of a text."""
    found = getattr(re.compile(expression.pattern), expression.method)
    if expression.method in ("sub", "subn"):
        return lambda text: found("", text)
    return (lambda text: list(found(text))) if expression.method == "finditer" else found


FOUND = list(dict.fromkeys(expressions()))


def test_all_are_found() -> None:
    """The search for expressions finds some in each of the modules that import ``re``."""
    assert {"hints", "doctor", "delegation"} <= {
        one.where.partition(":")[0].partition(".")[0].partition(",")[0] for one in FOUND
    }


@pytest.mark.parametrize("expression", FOUND, ids=[f"{one.where} {one.method}" for one in FOUND])
def test_expressions(expression: Expression) -> None:
    """Whatever is repeated of what it speaks of, an expression takes linear time."""
    assert [] == [pump for pump in pumps(expression.pattern) if not linear(used(expression), pump)]


PARSERS: dict[str, Callable[[str], object]] = {
    "options": lambda text: list(environment.options(text)),
    "script_interpreter": lambda text: executable.script_interpreter("#!/bin/sh\n'''exec' " + text, "/bin"),
    "host_of": hints.host_of,
    "registry_of": hints.registry_of,
}


@pytest.mark.parametrize("parser", PARSERS)
def test_parsers(parser: str) -> None:
    """So do the functions that take texts of others apart."""
    assert [] == [pump for pump in pumps("a=[]#;:/@'\"$()?\\ .-\n") if not linear(PARSERS[parser], pump)]


def test_this_test() -> None:
    """An expression that takes quadratic time, and one that takes exponential time, are told as such."""
    assert not linear(re.compile(r"\s+$").search, " a"[:1])
    assert not linear(re.compile(r"[a-z]*[0-9]").search, "a")
