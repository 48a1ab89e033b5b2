"""Draws the house, docs/house.svg, from the imports in the sources: ``python tests/house.py``."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "src" / "keyring_fallback"
PICTURE = REPOSITORY / "docs" / "house.svg"

#: The floors, from the top: a room may use those on floors below its own, and on its own those to its right.
FLOORS = (
    ("__init__", "__main__", "plugin", "cli"),
    ("doctor",),
    ("backend",),
    ("preload", "advice", "survey"),
    ("lending", "delegation"),
    ("discovery", "helper"),
    ("config", "here", "hints", "errors", "records", "hidden"),
)
ROOMS = [room for floor in FLOORS for room in floor]

#: The floor that everybody stands on: no arrows lead there.
GROUND = FLOORS[-1]

_WIDTH, _FLOOR, _BOX, _MARGIN, _GAP = 960, 96, 52, 12, 30
_LETTER = 8.0


def modules() -> list[Path]:
    """All modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room that a module is in: the folder of its wing, or itself."""
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imports(path: Path) -> set[str]:
    """The rooms that a module imports something from, ``__init__`` for the package itself."""
    found: set[str] = set()
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*parts[: len(parts) - node.level], *filter(None, (node.module or "").split("."))]
            names = [".".join(base)] if base else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            rest = str(node.module).split(".")[1:]
            names = [".".join(rest)] if rest else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name.partition(".")[2] or "__init__" for a in node.names if a.name.split(".")[0] == PACKAGE.name]
        found.update(name.split(".")[0] if name.split(".")[0] in ROOMS else "__init__" for name in names)
    return found


def arrows() -> set[tuple[str, str]]:
    """Which room uses which other one."""
    return {(room_of(path), used) for path in modules() for used in imports(path) if used != room_of(path)}


def picture() -> str:
    """The drawing: floors of rooms with their modules, and an arrow from each room to those that it uses."""
    boxes: dict[str, tuple[float, float, float]] = {}
    shapes = []
    for number, floor in enumerate(FLOORS):
        rooms = [room for room in floor if room not in ("__init__", "__main__")]
        rows = {room: _modules_in(room) for room in rooms}
        widths = {room: max(map(len, (room + "/", *rows[room]))) * _LETTER + 20 for room in rooms}
        left = (_WIDTH - sum(widths.values()) - _GAP * (len(rooms) - 1)) / 2
        for room in rooms:
            boxes[room] = left, _MARGIN + number * _FLOOR, widths[room]
            left += widths[room] + _GAP
            shapes.append(_box(room, rows[room], *boxes[room]))
    used = [(a, b) for a, b in sorted(arrows()) if a in boxes and b in boxes and b not in GROUND]
    height = len(FLOORS) * _FLOOR
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="monospace">',
            "<title>The rooms of keyring-fallback, and which uses which</title>",
            (
                '<defs><marker id="end" markerWidth="7" markerHeight="6" refX="6" refY="3" orient="auto">'
                '<path d="M0,0 L7,3 L0,6 z" fill="#567"/></marker></defs>'
            ),
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            *(_arrow(boxes[a], boxes[b]) for a, b in used),
            *shapes,
            (
                f'<text x="{_WIDTH / 2:.0f}" y="{height - 14}" text-anchor="middle" font-size="12" fill="#567">'
                "the ground floor: all may use it</text>"
            ),
            "</svg>\n",
        ]
    )


def _modules_in(room: str) -> list[str]:
    names = ", ".join(path.stem for path in sorted((PACKAGE / room).glob("*.py")) if path.stem != "__init__")
    return textwrap.wrap(names, 64)


def _box(room: str, rows: list[str], left: float, top: float, width: float) -> str:
    name = room + ("/" if rows else "")
    texts = [
        f'<text x="{left + 10:.0f}" y="{top + (17 if rows else 31)}" font-size="14" font-weight="bold">{name}</text>'
    ]
    texts += [
        f'<text x="{left + 10:.0f}" y="{top + 31 + 13 * number}" font-size="12">{row}</text>'
        for number, row in enumerate(rows)
    ]
    fill = "#e6f0fa" if rows else "#f4f4f4"
    return (
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_BOX}" rx="5" fill="{fill}" stroke="#567"/>'
        + "".join(texts)
    )


def _arrow(user: tuple[float, float, float], used: tuple[float, float, float]) -> str:
    x1, x2, y1, y2 = user[0] + user[2] / 2, used[0] + used[2] / 2, user[1] + _BOX, used[1]
    if user[1] == used[1]:  # on one floor: below it
        bends = f"{x1:.0f},{y1 + 26} {x2:.0f},{y1 + 26} {x2:.0f},{y1}"
    else:
        bends = f"{x1:.0f},{(y1 + y2) / 2:.0f} {x2:.0f},{(y1 + y2) / 2:.0f} {x2:.0f},{y2}"
    return f'<path d="M{x1:.0f},{y1} C{bends}" fill="none" stroke="#567" marker-end="url(#end)"/>'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8", newline="\n")
