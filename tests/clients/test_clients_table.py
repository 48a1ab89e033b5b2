"""docs/clients.md: its tables are what the tests are, and so what they have shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "clients.md"
if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS / "clients")]

import test_clients_front_ends  # noqa: E402
import test_clients_pip  # noqa: E402
import test_clients_projects  # noqa: E402
import test_clients_uv  # noqa: E402

import test_versions  # noqa: E402
from support import client_table  # noqa: E402


def written() -> str:
    """The page as it should be: its text, with the tables that the tests are."""
    modules = (test_clients_uv, test_clients_pip, test_clients_front_ends, test_clients_projects)
    blocks = {
        "clients": client_table.markdown(client_table.rows(modules)),
        "versions": client_table.versions(test_versions),
    }

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{blocks[match[2]]}{match[3]}"

    text = PAGE.read_text(encoding="utf-8")
    return re.sub(r"(<!-- the (\w+), .*? -->)\n.*?(<!-- end -->)", block, text, flags=re.DOTALL)


def test_the_page_has_the_tables_of_the_tests() -> None:
    """Each row of the page is a test and each such test is a row; `python tests/clients/test_clients_table.py` writes them."""
    assert written() == PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
