"""The messages that the pages quote, by which people find them: each is what the real client says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_clients_pip import download
from test_clients_projects import POETRY_SOURCE, poetry
from test_clients_uv import Project

from support.clients import USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import Result, Stage

DOCS = Path(__file__).parent.parent.parent / "docs"


def quoted(page: Path) -> list[str]:
    """The lines of a page that are quotes; in the README, those before it says what they mean."""
    lines = page.read_text(encoding="utf-8").partition("\nYou have ")[0].splitlines()
    mark = "    " if page.name == "README.md" else "> "
    return [line[len(mark) :] for line in lines if line.startswith(mark)]


def pattern(message: str) -> re.Pattern[str]:
    """What a message is like on the machine of the test: its own hosts, and no TLS."""
    places = {"https:": "https?:", "...": ".{1,300}?", "pkgs.dev.azure.com": r"127\.0\.0\.1:\d+"}
    parts = re.split(r"(https:|\.\.\.|pkgs\.dev\.azure\.com)", message)
    return re.compile("".join(places.get(part) or re.escape(part) for part in parts))


def uv_says(stage: Stage, python: Path) -> Iterator[Result]:
    """What is said where no keyring of uv's has an answer."""
    project = Project(stage, python, us=False, needs=("six",))
    yield project.uv("sync")
    yield stage.run([project.venv.script("keyring"), "get", stage.index, USERNAME])
    (project.folder / "pyproject.toml").unlink()
    project.venv.uninstall("keyring")
    project.folder.rename(stage.folder / "before")
    yield Project(stage, python, us=False, always=True, needs=("six",)).uv("sync")


def pip_says(stage: Stage, _: Path) -> Iterator[Result]:
    """What is said where pip's keyring has no answer, raises, or where what was sent is wrong."""
    pip = stage.client("pip", us=False)
    yield download(stage, pip, "import", username=False)
    yield download(stage, pip, "import", username=False, options=("--no-input",))
    words = ["pip", "download", "--no-input", "--keyring-provider", "import", "--no-cache-dir"]
    yield stage.module(pip, *words, "six", PYTHON_KEYRING_BACKEND="nowhere.Keyring")
    wrong = stage.feed.direct_url.replace("://", "://somebody:wrong@")
    yield stage.module(pip, *words, "--index-url", wrong, "six")


def poetry_says(stage: Stage, _: Path) -> Iterator[Result]:
    """What is said where poetry's keyring has no answer, and twine has a wrong one."""
    project = stage.project("app", *POETRY_SOURCE, f'url = "{stage.index}"')
    yield poetry(stage, "lock", "--no-cache", us=False, cwd=project)
    locked = poetry(stage, "lock", "--no-cache", us=True, cwd=project)
    assert 0 == locked.returncode, locked.stderr
    yield poetry(stage, "install", "--no-cache", "--no-root", us=False, cwd=project)
    words = ["twine", "upload", "--non-interactive", "--disable-progress-bar", "-u", "somebody", "-p", "wrong"]
    wheel = next((project / "dist").glob("*.whl"))
    yield stage.module(stage.client("twine", us=False), *words, "--repository-url", stage.feed.upload_url, wheel)


@pytest.mark.parametrize("page", ["uv", "pip", "poetry", "ci", "docker", "containers"])
def test_page_has_messages(page: str) -> None:
    """A page for those who come by an error message quotes some."""
    assert quoted(DOCS / f"{page}.md")


def test_messages_are_the_clients(stage: Stage, python: Path) -> None:
    """Each line that a page quotes is a line of what a real client says without us."""
    results = [result for says in (uv_says, pip_says, poetry_says) for result in says(stage, python)]
    assert all(result.returncode for result in results)
    said = "\n".join(" ".join([*result.stdout.split(), *result.stderr.split()]) for result in results)
    messages = [message for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md") for message in quoted(page)]
    assert [] == [message for message in messages if not pattern(message).search(said)], said
