"""The known places: for each platform the table that users' programs follow."""

from __future__ import annotations

import ntpath
import os
import posixpath
import sys
from pathlib import Path

import pytest

from keyring_fallback.discovery import places
from support import environments

HOME = os.fspath(Path("/home/ann").absolute())
PLATFORMS = ["linux", "darwin", "win32"]


def listed(platform: str, home: str = HOME, **environ: str) -> list[tuple[str, str]]:
    """The sources and paths of all places; the home folder is shown as ``~``."""
    found = places.known(environ, home, platform)
    return [(place.origin.label, place.path.replace(home or "\0", "~").replace(os.sep, "/")) for place in found]


LINUX = """
uv tool             ~/.local/share/uv/tools/keyring
pipx                ~/.local/pipx/venvs/keyring
pipx                ~/.local/share/pipx/venvs/keyring
pipx --global       /opt/pipx/venvs/keyring
user's programs     ~/.local/bin
system's programs   /usr/local/bin
pixi global         ~/.pixi/envs/keyring
pixi global         ~/.pixi/bin
rye                 ~/.rye/tools/keyring
rye                 ~/.rye/shims
Homebrew            /home/linuxbrew/.linuxbrew/opt/keyring/libexec
"""
MAC = """
uv tool             ~/Library/Application Support/uv/tools/keyring
uv tool             ~/.local/share/uv/tools/keyring
pipx                ~/.local/pipx/venvs/keyring
pipx                ~/Library/Application Support/pipx/venvs/keyring
pipx --global       /opt/pipx/venvs/keyring
user's programs     ~/.local/bin
system's programs   /usr/local/bin
pixi global         ~/.pixi/envs/keyring
pixi global         ~/.pixi/bin
rye                 ~/.rye/tools/keyring
rye                 ~/.rye/shims
Homebrew            /opt/homebrew/opt/keyring/libexec
Homebrew            /usr/local/opt/keyring/libexec
"""
WINDOWS = """
uv tool                 ~/AppData/Roaming/uv/data/tools/keyring
uv tool                 ~/AppData/Roaming/uv/tools/keyring
uv tool                 ~/scoop/persist/uv/tools/versions/keyring
pipx                    ~/.local/pipx/venvs/keyring
pipx                    ~/pipx/venvs/keyring
pipx                    ~/AppData/Local/pipx/pipx/venvs/keyring
user's programs         ~/.local/bin
pixi global             ~/.pixi/envs/keyring
pixi global             ~/.pixi/bin
rye                     ~/.rye/tools/keyring
rye                     ~/.rye/shims
Python install manager  ~/AppData/Local/Python/bin
"""


@pytest.mark.parametrize(("platform", "table"), [("linux", LINUX), ("darwin", MAC), ("win32", WINDOWS)], ids=PLATFORMS)
def test_default_places(platform: str, table: str) -> None:
    """Without any variable these are the places, in this order."""
    expected = [tuple(part.strip() for part in line.split("  ", 1)) for line in table.strip().splitlines()]
    assert expected == listed(platform)


def test_cygwin() -> None:
    """Cygwin's Python has POSIX paths, and names and places of programs to match; so has any other system."""
    code = "import sys; sys.platform = 'cygwin'; from keyring_fallback import survey; print(survey.here().platform)"
    assert "cygwin\n" == environments.run([sys.executable, "-c", code], check=True).stdout
    assert listed("linux") == listed("cygwin") == listed("freebsd14")


VARIABLES = [
    ("UV_TOOL_DIR", "all", ["uv tool /v/keyring"]),
    ("UV_TOOL_BIN_DIR", "all", ["uv tool /v"]),
    ("XDG_BIN_HOME", "all", ["uv tool /v"]),
    ("XDG_DATA_HOME", "linux", ["uv tool /v/uv/tools/keyring", "pipx /v/pipx/venvs/keyring", "uv tool /bin"]),
    ("XDG_DATA_HOME", "darwin", ["uv tool /v/uv/tools/keyring", "pipx /v/pipx/venvs/keyring", "uv tool /bin"]),
    ("XDG_DATA_HOME", "win32", ["uv tool /bin"]),
    ("PIPX_HOME", "all", ["pipx /v/venvs/keyring"]),
    ("PIPX_BIN_DIR", "all", ["pipx /v"]),
    ("PIPX_GLOBAL_HOME", "posix", ["pipx --global /v/venvs/keyring"]),
    ("PIPX_GLOBAL_HOME", "win32", []),
    ("PIPX_GLOBAL_BIN_DIR", "posix", ["pipx --global /v"]),
    ("PYTHONUSERBASE", "posix", ["pip install --user /v/bin"]),
    ("PIXI_HOME", "all", ["pixi global /v/envs/keyring", "pixi global /v/bin"]),
    ("RYE_HOME", "all", ["rye /v/tools/keyring", "rye /v/shims"]),
    ("HOMEBREW_PREFIX", "posix", ["Homebrew /v/opt/keyring/libexec"]),
    ("CONDA_EXE", "all", ["conda base /"]),
    ("SCOOP", "win32", ["uv tool /v/persist/uv/tools/versions/keyring"]),
]


ALL_VARIABLES = dict.fromkeys((row[0] for row in VARIABLES), "/v/bin")


@pytest.mark.skipif(os.name == "nt", reason="the expected paths are written as on POSIX")
@pytest.mark.parametrize(
    ("variable", "platforms", "expected"), VARIABLES, ids=[f"{row[0]} {row[1]}" for row in VARIABLES]
)
def test_variables(variable: str, platforms: str, expected: list[str]) -> None:
    """A variable adds its places, and the fixed ones stay; an empty variable is none."""
    chosen = {"all": PLATFORMS, "posix": PLATFORMS[:2]}.get(platforms, [platforms])
    value = "/v/bin" if variable == "CONDA_EXE" else "/v"
    for platform in chosen:
        before, after = listed(platform), listed(platform, **{variable: value})
        added = [f"{source} {path}" for source, path in after if (source, path) not in before]
        assert expected == added
        assert before == [row for row in after if row in before]
        assert listed(platform) == listed(platform, **{variable: ""})


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_the_user_has_set_comes_first(platform: str) -> None:
    """A program's own variable names a place before all others of that program."""
    rows = listed(platform, UV_TOOL_DIR=f"{HOME}/mine", PIPX_HOME=f"{HOME}/mine", PIXI_HOME=f"{HOME}/mine")
    for source, path in (
        ("uv tool", "~/mine/keyring"),
        ("pipx", "~/mine/venvs/keyring"),
        ("pixi global", "~/mine/envs/keyring"),
    ):
        assert path == next(row[1] for row in rows if row[0] == source)


def test_windows_variables() -> None:
    """APPDATA and LOCALAPPDATA move what is below them."""
    roaming, local = os.path.join(HOME, "R"), os.path.join(HOME, "L")
    paths = [path for _, path in listed("win32", APPDATA=roaming, LOCALAPPDATA=local)]
    assert ["~/R/uv/data/tools/keyring", "~/R/uv/tools/keyring"] == [path for path in paths if path.startswith("~/R")]
    assert ["~/L/pipx/pipx/venvs/keyring", "~/L/Python/bin"] == [path for path in paths if path.startswith("~/L")]


def test_tilde_is_expanded_as_its_program_does() -> None:
    """pipx expands ``~`` in its variables, uv does not (and means the working directory)."""
    (path,) = [place.path for place in places.known({"PIPX_HOME": "~/mine"}, HOME, "linux") if place.variable]
    assert os.path.join(HOME, "mine", "venvs", "keyring") == path
    relative = [place for place in places.known({"UV_TOOL_DIR": "~/mine"}, HOME, "linux") if place.variable]
    assert [os.path.join("~", "mine", "keyring")] == [place.path for place in relative]
    assert not places.is_absolute(relative[0].path)


def test_no_home() -> None:
    """Without a home folder the places that need none are left."""
    assert [("pipx --global", "/opt/pipx/venvs/keyring"), ("system's programs", "/usr/local/bin")] == listed(
        "linux", ""
    )[:2]
    assert not [path for _, path in listed("win32", "")]


def test_names_that_are_not_known_beforehand(tmp_path: Path) -> None:
    """Versions and packages in a path are found by listing, the newest first; where there are none there is no place."""
    home = os.fspath(tmp_path)
    for name in ("2.0", "10.0", "latest"):
        (tmp_path / ".local/share/mise/installs/pipx-keyring" / name).mkdir(parents=True)
    found = [path for source, path in listed("linux", home) if source == "mise"]
    parts = [f"~/.local/share/mise/installs/pipx-keyring/{name}" for name in ("latest", "10.0", "2.0")]
    assert [f"{part}/keyring" for part in parts] + [f"{part}/venvs/keyring" for part in parts] == found

    store = "AppData/Local/Packages/PythonSoftwareFoundation.Python.3.12_qbz5n2kfra8p0/LocalCache"
    (tmp_path / store / "local-packages" / "Python312").mkdir(parents=True)
    (tmp_path / "AppData/Roaming/Python/Python311").mkdir(parents=True)
    (tmp_path / "AppData/Local/Packages/Another.Thing").mkdir()
    expected = [
        ("pipx", f"~/{store}/Local/pipx/pipx/venvs/keyring"),
        ("pip install --user", "~/AppData/Roaming/Python/Python311/Scripts"),
        ("pip install --user", f"~/{store}/local-packages/Python312/Scripts"),
    ]
    assert expected == [row for row in listed("win32", home) if "Packages" in row[1] or "pip install" in row[0]]
    (tmp_path / "base/Python313").mkdir(parents=True)
    (tmp_path / "base/Other").mkdir()
    rows = listed("win32", home, PYTHONUSERBASE=os.fspath(tmp_path / "base"))
    assert ("pip install --user", "~/base/Python313/Scripts") == next(
        row for row in rows if row not in listed("win32", home)
    )
    assert not [path for _, path in rows if "Other" in path]
    for name in ("3.9", "3.13"):
        (tmp_path / "Library/Python" / name).mkdir(parents=True)
    expected = [("pip install --user", f"~/Library/Python/{name}/bin") for name in ("3.13", "3.9")]
    assert expected == [row for row in listed("darwin", home) if "Library/Python" in row[1]]


def test_who_installs_and_adds_to_what_is_there(tmp_path: Path) -> None:
    """Each place has the name of the program that a cure is for; what the user has named is told by what is in it."""
    (tmp_path / ".local/share/mise/installs/pipx-keyring/1").mkdir(parents=True)
    listing = (places.known(ALL_VARIABLES, os.fspath(tmp_path), platform) for platform in PLATFORMS)
    every = {place.origin for found in listing for place in found}
    every |= {places.SETTING, *places.OF_WINDOWS.values()}
    managed = {origin.label: origin.manager for origin in every if origin.manager}
    assert {
        "setting": "environment",
        "uv tool": "uv",
        "pipx": "pipx",
        "pipx --global": "pipx",
        "pixi global": "pixi",
        "mise": "mise",
        "Homebrew": "Homebrew",
    } == managed


def test_folders_of_lenders(tmp_path: Path) -> None:
    """A lender's far end opens its socket in the first of these that can be had; where there is none nothing is found."""
    home, run, state = (tmp_path / name for name in ("home", "run", "state"))
    folders = {
        "run": run / "keyring-fallback",
        "state": state / "keyring-fallback",
        "default": home / ".local/state/keyring-fallback",
        "mac": home / "Library/Application Support/keyring-fallback",
    }
    environ = {"XDG_RUNTIME_DIR": os.fspath(run), "XDG_STATE_HOME": os.fspath(state)}

    def found(platform: str, **variables: str) -> list[str]:
        paths = places.lenders(variables, os.fspath(home), platform)
        return [next(name for name, path in folders.items() if os.fspath(path) == one) for one in paths]

    assert [] == found("linux", **environ)
    for folder in folders.values():
        folder.mkdir(parents=True)
    assert ["run", "state", "default"] == found("linux", **environ)
    assert ["default"] == found("freebsd14", XDG_RUNTIME_DIR="relative")
    assert ["mac"] == found("darwin", **environ)
    assert [] == found("win32", **environ)


def test_a_relative_folder_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be listed to find a version is not, where the variable's value is below the working directory."""
    (tmp_path / "mise/installs/pipx-keyring/1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert [] == [path for source, path in listed("linux", MISE_DATA_DIR="mise") if source == "mise"]
    assert [] != [path for source, path in listed("linux", MISE_DATA_DIR=f"{tmp_path}/mise") if source == "mise"]


def test_path_as_it_stands() -> None:
    """PATH's entries come in order, once each, and those that are not absolute are not left out: they are refused."""
    entries = ["", ".", "bin", HOME, "", HOME]
    found = list(places.on_path({"PATH": os.pathsep.join(entries)}))
    assert ["", ".", "bin", HOME] == [place.path for place in found]
    assert {("PATH", "folder", "PATH", False)} == {(p.origin.label, p.kind, p.variable, p.dedicated) for p in found}


@pytest.mark.parametrize(
    ("path", "posix", "windows"),
    [
        ("/a", True, False),
        ("C:\\a", False, True),
        ("c:/a", False, True),
        ("C:a", False, False),
        ("\\a", False, False),
        ("\\\\server\\share\\a", False, False),
        ("//server/share/a", True, False),
        ("\\\\?\\C:\\a", False, True),
        ("\\\\?\\UNC\\server\\share\\a", False, False),
        ('"C:\\a"', False, False),
        ("", False, False),
        (".", False, False),
        ("~/a", False, False),
        ("/a\0b", False, False),
        ("C:\\a\0b", False, False),
    ],
)
def test_absolute(path: str, *, posix: bool, windows: bool) -> None:
    """Only a path that needs no working directory and no other machine counts."""
    assert (posix, windows) == (places.is_absolute(path, posixpath), places.is_absolute(path, ntpath))


def test_network_folders_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows what lies on another machine is told without a look, which would wait for the network."""
    looked: list[str] = []

    def look(path: str) -> os.stat_result:
        looked.append(path)
        return os.stat(path, follow_symlinks=False)

    monkeypatch.setattr(os, "lstat", look)
    for folder in "\\\\server\\share", "//server/share", "\\\\?\\UNC\\server\\share":
        environ = {"UV_TOOL_DIR": folder, "PATH": f"{folder}{os.pathsep}{tmp_path}"}
        found = {place.path: reason for place, reason in places.candidates(environ, os.fspath(tmp_path), "win32")}
        ends = ("keyring", "keyring.exe")
        expected = {os.path.join(os.path.normpath(folder) if one == "keyring" else folder, one) for one in ends}
        assert dict.fromkeys(expected, "on another machine") == found
    assert [] == [path for path in looked if "server" in path]
    assert os.path.join(tmp_path, "keyring.exe") in looked
