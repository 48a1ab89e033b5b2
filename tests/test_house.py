"""The house is built as it is drawn: wings, and arrows that point one way."""

from __future__ import annotations

import ast

import pytest

import house

pytestmark = pytest.mark.skipif(not house.PACKAGE.is_dir(), reason="there are no sources here")


def test_arrows_point_downwards() -> None:
    """A room uses those on floors below its own, and on its own floor those to its right."""
    floor = {room: number for number, room in enumerate(house.ROOMS)}
    upwards = {(user, used) for user, used in house.arrows() if used != "__init__" and floor[user] >= floor[used]}
    assert set() == upwards


def test_nobody_enters_the_doctor_from_outside() -> None:
    """Only the command uses the doctor."""
    assert {"cli"} == {user for user, used in house.arrows() if used == "doctor"}


def test_the_helper_uses_nothing_of_the_rest() -> None:
    """What runs under another interpreter, without this package, imports nothing of it."""
    assert set() == {used for user, used in house.arrows() if user == "helper"}


@pytest.mark.parametrize("wing", ["discovery", "helper"])
def test_a_wing_that_costs_nothing_to_enter(wing: str) -> None:
    """Every program that uses keyring loads something of these: their heads import nothing."""
    tree = ast.parse((house.PACKAGE / wing / "__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_each_wing_says_its_rules() -> None:
    """The head of each wing has a docstring, which says what may be imported there."""
    for head in house.PACKAGE.glob("*/__init__.py"):
        assert len((ast.get_docstring(ast.parse(head.read_text(encoding="utf-8"))) or "").splitlines()) > 1, head


def test_size() -> None:
    """No module is longer than 300 lines, the top folder has no more than 14, and it grows no further: the aim is 6,500 lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in house.modules()}
    assert {} == {path.name: count for path, count in lines.items() if count > 300}
    assert 14 >= len(list(house.PACKAGE.glob("*.py")))
    assert 9975 >= sum(lines.values())


def test_picture() -> None:
    """docs/house.svg shows the rooms and arrows of today: ``python tests/house.py`` draws it anew."""
    assert house.picture() == house.PICTURE.read_text(encoding="utf-8")
