"""What may be run: nothing of a project, nothing that others than the user and root can write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from keyring_fallback import survey
from keyring_fallback.discovery import trust
from keyring_fallback.discovery.tool import Kind, Reason
from support import trees

posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes of POSIX systems")

STRANGER = 54321
#: Nobody's environment, anywhere.
NOWHERE: dict[str, Any] = {"cwd": "", "prefix": "", "virtual": False, "home": "", "owners": frozenset(), "base": ""}


def me() -> int:
    """The user's id."""
    return os.getuid()


def judge(*, uid: int | None = None, **changes: Any) -> trust.Trust:
    """What a user of this machine trusts, without a project or other owners."""
    return trust.Trust(survey.here()._replace(**{**NOWHERE, "uid": me() if uid is None else uid, **changes}))


def reason(*paths: Path, **changes: Any) -> str:
    """Why paths must not be run, unless the user has named them."""
    owned, opened = judge(**changes).others([os.fspath(path) for path in paths])
    return str(owned or opened or "")


def give_away(path: Path) -> int:
    """Make a file another user's, and return the id of the user that is meant to run it."""
    if me() == 0:
        os.chown(path, STRANGER, -1, follow_symlinks=False)
        return 0
    return STRANGER  # seen by another user, it is ours


@posix
def test_own_files(tmp_path: Path) -> None:
    """What belongs to the user or to root and is closed to the world may be run; the group may write."""
    file = trees.put(tmp_path / "bin/keyring")
    for mode in (0o700, 0o755, 0o775):
        file.chmod(mode)
        file.parent.chmod(mode)
        assert "" == reason(file)
    assert "" == reason(Path("/bin/sh"))


@posix
@pytest.mark.parametrize("what", ["bin/keyring", "bin", "."])
def test_writable_by_the_world(tmp_path: Path, what: str) -> None:
    """A file that everybody can write to, and one in such a folder or below one, may not be run."""
    file = trees.put(tmp_path / "bin/keyring")
    (tmp_path / what).chmod(0o777)
    assert f"everybody can write to {(tmp_path / what).resolve()}" == reason(file)


@posix
def test_sticky_folders(tmp_path: Path) -> None:
    """Below a folder like /tmp others cannot replace what is not theirs; beside an executable they can put things."""
    file = trees.put(tmp_path / "bin/keyring")
    tmp_path.chmod(0o1777)
    assert "" == reason(file)
    assert "" == reason(file.parent)
    file.parent.chmod(0o1777)
    assert f"everybody can write to {file.parent}" == reason(file)


@posix
@pytest.mark.parametrize("what", ["bin/keyring", "bin"])
def test_of_another_user(tmp_path: Path, what: str) -> None:
    """What belongs to another user, or lies in a folder that does, may not be run."""
    file = trees.put(tmp_path / "bin/keyring")
    uid = give_away(tmp_path / what)
    assert "belongs to another user" in reason(file, uid=uid)


@posix
def test_owner_and_mode(tmp_path: Path) -> None:
    """Whose a file is and who can write to it are told apart: a user may have to live with the second."""
    file = trees.put(tmp_path / "bin/keyring")
    file.parent.chmod(0o777)
    path, opened = os.fspath(file), Reason(Kind.OPEN, os.fspath(file.parent))
    assert (None, opened) == judge().others([path])
    owned, also_opened = judge(uid=give_away(file)).others([path])
    assert (Kind.OWNED, opened) == (owned and owned.kind, also_opened)


@posix
def test_every_link_counts(tmp_path: Path) -> None:
    """Who can change one of several links decides what is run."""
    target = trees.put(tmp_path / "tool/bin/keyring")
    for folder, leads_to in (("first", "../second/keyring"), ("second", target)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "keyring").symlink_to(leads_to)
    start = tmp_path / "first/keyring"
    assert "" == reason(start)
    for folder in ("first", "second", "tool/bin"):
        (tmp_path / folder).chmod(0o777)
        assert "everybody can write to" in reason(start)
        (tmp_path / folder).chmod(0o755)
    assert "" == reason(start)


@posix
def test_missing_files(tmp_path: Path) -> None:
    """What is not there cannot be trusted, nor a loop of links; that is said without an exception."""
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot be looked at (No such file or directory)" in reason(tmp_path / "nothing")
    assert "cannot be looked at" in reason(tmp_path / "loop")


@posix
def test_link_to_nothing(tmp_path: Path) -> None:
    """Who can write the folder that is left decides what a link to nothing leads to: Debian's Python without its part of /etc."""
    start, left = tmp_path / "lib/sitecustomize.py", tmp_path / "etc"
    start.parent.mkdir()
    left.mkdir()
    start.symlink_to(left / "python3/sitecustomize.py")
    assert "" == reason(start)
    for mode in (0o777, 0o1777):
        left.chmod(mode)
        assert f"everybody can write to {left}" == reason(start)
    left.chmod(0o755)
    start.parent.chmod(0o777)
    assert f"everybody can write to {start.parent}" == reason(start)


def test_windows_has_no_modes(tmp_path: Path) -> None:
    """Where there are no user ids nothing is said about them."""
    assert "" == reason(tmp_path / "nothing", uid=-1)


def project(path: Path, *, cwd: Path | str = "", prefix: Path | str = "", home: Path | str = "") -> str:
    """Why a path may have come with a project."""
    where: dict[str, Any] = {
        "cwd": os.fspath(cwd),
        "prefix": os.fspath(prefix),
        "virtual": bool(prefix),
        "home": os.fspath(home),
    }
    return str(judge(**where).project(os.fspath(path)) or "")


@pytest.fixture
def checkout(home: Path) -> Path:
    """A project below the home folder, with a folder in it."""
    trees.put(home / "src/app/pyproject.toml")
    (home / "src/app/package").mkdir()
    return home / "src/app"


def test_below_the_working_directory(home: Path, checkout: Path, tmp_path: Path) -> None:
    """Nothing at or below the working directory, though not in the folder that has the same name and more."""
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    assert "it lies in the working directory" == project(
        checkout / "package/bin/x", cwd=checkout / "package", home=home
    )
    assert "it lies in the working directory" == project(tmp_path / "a/x", cwd=tmp_path / "a", home=home)
    assert "" == project(tmp_path / "ab/x", cwd=tmp_path / "a", home=home)
    assert "" == project(home / "bin/x", cwd=checkout, home=home)


def test_in_the_project(home: Path, checkout: Path) -> None:
    """Nor anything in the project that the working directory or this environment is in."""
    tool = checkout / "bin/keyring"
    assert "it lies in the project" == project(tool, cwd=checkout / "package", home=home)
    assert "it lies in the project of this environment" == project(tool, cwd="/", prefix=checkout / ".venv", home=home)
    assert "" == project(tool, cwd="/", prefix=home / "venvs/x", home=home)


#: What people have at the root of a project: version control's, and what tools and version managers look for.
MARKS = [
    *(".git", ".hg", ".svn", ".jj", ".envrc", ".python-version", ".tool-versions", "mise.toml", ".mise.toml"),
    *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "manage.py", "package.json", "Cargo.toml"),
    *("requirements", "requirements.txt", "requirements-dev.txt", "Pipfile", "poetry.lock", "pdm.lock", "go.mod"),
    *("uv.lock", "uv.toml", "pixi.toml", "environment.yml"),
]


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_a_project(home: Path, mark: str) -> None:
    """The outermost folder with one of these is a project; the home folder never is, nor what is above it."""
    trees.put(home / "a/b" / mark)
    trees.put(home / "a/b/c/d" / mark)
    trees.put(home / mark)
    trees.put(home.parent / mark)
    (home / "d").mkdir()
    root = [trust.project_root(os.fspath(folder), os.fspath(home)) for folder in (home / "a/b/c/d", home / "d", home)]
    assert [os.fspath(home / "a/b"), "", ""] == root


def test_working_in_the_home_folder(home: Path, tmp_path: Path) -> None:
    """A working directory at or above the home folder says nothing about what is in it, but about what is beside it."""
    for cwd in (home, home.parent, Path("/")):
        assert "" == project(home / ".local/bin/keyring", cwd=cwd, home=home)
    assert "it lies in the working directory" == project(tmp_path / "bin/keyring", cwd=home.parent, home=home)
    assert "" == project(tmp_path / "bin/keyring", cwd="/", home=home)


@posix
def test_links_into_the_project(home: Path, checkout: Path, tmp_path: Path) -> None:
    """A way into the project is a way into the project, whatever the names: links to files, to folders, back out."""
    inside = trees.put(checkout / "bin/keyring")
    (tmp_path / "file").symlink_to(inside)
    (tmp_path / "folder").symlink_to(checkout)
    outside = trees.put(tmp_path / "tool/keyring")
    (checkout / "link").symlink_to(outside)
    (tmp_path / "through").symlink_to(checkout / "link")
    for path in (tmp_path / "file", tmp_path / "folder/bin/keyring", checkout / "link", tmp_path / "through"):
        assert "it lies in the working directory" == project(path, cwd=checkout, home=home)
    assert "" == project(outside, cwd=checkout, home=home)


@posix
def test_home_by_another_name(home: Path, tmp_path: Path) -> None:
    """A home folder that is a link is known as home in the working directory's real name."""
    (tmp_path / "ann").symlink_to(home)
    trees.put(home / ".git/config")
    (home / "folder").mkdir()
    assert "" == project(home / ".local/bin/keyring", cwd=home / "folder", home=tmp_path / "ann")


def test_without_folders(tmp_path: Path) -> None:
    """Where there is no working directory, environment or home folder, there is no project."""
    assert "" == project(tmp_path / "keyring")
    assert "" == project(tmp_path / "keyring", cwd=tmp_path / "gone")


def test_caches(tmp_path: Path) -> None:
    """An environment in a cache will not last; that uv marks environments themselves means nothing."""
    trees.put(tmp_path / "tools/keyring/CACHEDIR.TAG")
    trees.put(tmp_path / "cache/CACHEDIR.TAG")
    assert not trust.is_cached(os.fspath(tmp_path / "tools/keyring"))
    assert trust.is_cached(os.fspath(tmp_path / "cache/archive-v0/x"))


@pytest.mark.parametrize("name", ["PYTHONUSERBASE", "PYTHONPYCACHEPREFIX"])
def test_variables_that_say_where_code_is(tmp_path: Path, name: str) -> None:
    """They are not passed on where a project, or the working directory, would decide what is imported."""
    trees.make_here(tmp_path)
    values = {"relative": True, f"{tmp_path}/home/project/code": True, f"{tmp_path}/home/.local": False, "": False}
    for value, foreign in values.items():
        here = trees.make_here(tmp_path, environ={name: value})
        assert ([name] if foreign else []) == trust.foreign_variables(here, trust.Trust(here)), value


@pytest.mark.parametrize(
    "name", ["ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "SystemRoot", "APPDATA", "LOCALAPPDATA"]
)
def test_the_place_decides_on_windows(tmp_path: Path, name: str) -> None:
    """The user's profile and the system's program folders are trusted there, whoever owns them; nothing else is."""
    file = trees.put(tmp_path / "programs/keyring.exe")
    other = trees.put(tmp_path / "elsewhere/keyring.exe")
    for spelled in (name, name.upper()):  # os.environ has upper-case names only
        judged = judge(uid=-1, platform="win32", environ={spelled: os.fspath(file.parent)})
        assert (None, None) == judged.others([os.fspath(file)])
        assert (None, Reason(Kind.OUTSIDE, os.fspath(other))) == judged.others([os.fspath(file), os.fspath(other)])
