"""The documents: their links lead somewhere, and what they say about options and commands is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keyring_fallback import __version__, config

REPOSITORY = Path(__file__).parent.parent
#: Where the checkout's files are shown to who reads the README on the index's page.
SHOWN = "https://github.com/keyring-fallback/keyring-fallback/blob/main/"
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("benchmarks/*.md")])


def anchors(text: str) -> set[str]:
    """The anchors that a document's headings have where Markdown is shown."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links(document: Path) -> list[str]:
    """What a document's links and references lead to."""
    found = re.findall(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return [link or reference for link, reference in found]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Each link to a file or a heading leads to one; each reference has its definition."""
    text = document.read_text(encoding="utf-8")
    broken = []
    for target in links(document):
        if re.match(r"[a-z]+:", target) and not target.startswith(SHOWN):
            continue
        name, _, anchor = target.removeprefix(SHOWN).partition("#")
        folder = REPOSITORY if target.startswith(SHOWN) else document.parent
        file = folder / name if name else document
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    defined = set(re.findall(r"^\[([^\]]+)\]: \S+$", text, re.MULTILINE))
    prose = re.sub(r"(?s:```.*?```)|^    .*$|^#.*$|`[^`]*`", "", text, flags=re.MULTILINE)
    broken += [name for name in re.findall(r"\[([^\]]+)\](?![(:\[])", prose) if name not in defined]
    assert [] == broken


def test_readme_has_no_relative_link() -> None:
    """The README is also the page on the index, where only whole URLs lead somewhere."""
    assert [] == [target for target in links(REPOSITORY / "README.md") if not target.startswith("https://")]
    assert f'Changelog = "{SHOWN}CHANGELOG.md"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_readme_has_every_option_with_its_default() -> None:
    """The README's table has each option, its variable and its default."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE)
    names = config.Settings._fields[:4]
    assert [(name, config.VARIABLE_PREFIX + name.upper()) for name in names] == [row[:2] for row in rows]
    assert ["`true`", "the search", "`*`", "`120`"] == [row[2] for row in rows]
    assert config.Settings()[:4] == (True, (), ("*",), 120.0)


def test_readme_has_the_two_commands_that_ci_runs() -> None:
    """The commands of the README are those of dev.py, and .ci/run calls the second as it is written."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "\n    python3 dev.py demo\n" in text
    assert "\n    python3 dev.py test\n" in text
    assert re.search(r"^python3 dev\.py test\b", (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


def test_nothing_is_published_untested() -> None:
    """The release's job that publishes waits for the one that runs the tests; CONTRIBUTING names what it needs."""
    text = (REPOSITORY / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    jobs = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", text.partition("\njobs:\n")[2], re.MULTILINE))
    assert "run: python -m tox run -e py\n" in jobs["test"]
    assert "needs: [test, build]\n" in jobs["publish"]
    assert "environment: pypi\n" in jobs["publish"]
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {"`release.yml`", "`pypi`"} <= set(re.findall(r"`[\w.]+`", contributing))


def test_changelog_has_the_version() -> None:
    """The version has a heading with a date and a link, below one for what comes next, whose link begins there."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    (unreleased, _), (version, day) = re.findall(r"^## \[(.+)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)[:2]
    assert ("Unreleased", __version__, True) == (unreleased, version, bool(day))
    assert f"\n[Unreleased]: {SHOWN.removesuffix('blob/main/')}compare/v{__version__}...HEAD\n" in text
    assert re.search(rf"^\[{re.escape(__version__)}\]: https://\S+/v{re.escape(__version__)}$", text, re.MULTILINE)


def test_workflows_pin_actions_and_take_least_permissions() -> None:
    """Each action is pinned to a commit, and a workflow grants nothing that a job does not ask for."""
    for workflow in (REPOSITORY / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text(encoding="utf-8")
        uses = re.findall(r"uses: (\S+)", text)
        assert uses
        assert [] == [action for action in uses if not re.fullmatch(r"[\w\-/]+@[0-9a-f]{40}", action)]
        assert "\npermissions: {}\n" in text
