"""Draws docs/before-and-after.svg from what the real programs print: see ``test_picture.py``."""

from __future__ import annotations

import html
import textwrap
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "before-and-after.svg"
_COLUMNS, _LINE, _MARGIN = 92, 17, 16
_COLOURS = {"$": "#e6e6e6", "#": "#8a9bb0", "!": "#ff8c82", " ": "#b7c6d6", "+": "#9be39b"}


def drawn(lines: list[tuple[str, str]]) -> str:
    """The picture of a terminal: lines, each with what it is: ``#`` a remark, ``$`` a command, ``!`` an error, ``+`` an answer."""
    rows = [
        (kind, row) for kind, line in lines for row in textwrap.wrap(line, _COLUMNS, subsequent_indent="    ") or [""]
    ]
    width, height = _COLUMNS * 8 + 2 * _MARGIN, len(rows) * _LINE + 2 * _MARGIN
    texts = [
        f'<text x="{_MARGIN}" y="{_MARGIN + 12 + number * _LINE}" fill="{_COLOURS[kind]}" xml:space="preserve">'
        f"{html.escape(row, quote=False)}</text>"
        for number, (kind, row) in enumerate(rows)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="monospace" font-size="13">',
            "<title>keyring get without and with keyring-fallback</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#1c2733"/>',
            *texts,
            "</svg>\n",
        ]
    )
