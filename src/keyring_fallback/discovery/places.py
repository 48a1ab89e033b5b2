"""Where globally installed keyrings live: a table, in the order in which we look."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from types import ModuleType

from ..here import expanded
from ..records import Record
from . import wsl

#: What a place's path names.
ENVIRONMENT, FOLDER = "environment", "folder"


class Origin(Record):
    """Whose a place is; an enumeration, of constants, since `enum` costs every program's start half a millisecond."""

    label: str  #: As users call it: words for the person, which no code takes apart.
    manager: str = ""  #: Who installs and adds to the environments there, or "".


SETTING = Origin("setting", "environment")  # what the user has named
UV, MISE, HOMEBREW = Origin("uv tool", "uv"), Origin("mise", "mise"), Origin("Homebrew", "Homebrew")
PIPX, PIPX_GLOBAL = Origin("pipx", "pipx"), Origin("pipx --global", "pipx")
PIXI, RYE, CONDA = Origin("pixi global", "pixi"), Origin("rye"), Origin("conda base")
USERS_PROGRAMS, SYSTEMS_PROGRAMS = Origin("user's programs"), Origin("system's programs")
PIP_USER, INSTALL_MANAGER, PATH = Origin("pip install --user"), Origin("Python install manager"), Origin("PATH")
#: What is looked for in the Windows that WSL runs on.
OF_WINDOWS = {UV: Origin("Windows' uv tool"), PIPX: Origin("Windows' pipx")}


class Place(Record):
    """Where to look."""

    origin: Origin  #: Whose place it is.
    kind: str  #: `ENVIRONMENT`: the path is an environment's root; `FOLDER`: an executable may be in it.
    path: str  #: The path; as absolute as the variable's value.
    variable: str = ""  #: The environment variable that it comes from, or "".

    @property
    def dedicated(self) -> bool:
        """Whether an environment there was made to be a global tool."""
        return self.origin not in (PATH, CONDA)


#: A folder of versions has fewer.
_MAX_NAMES = 100
_LINUX, _MAC, _WINDOWS = "linux", "darwin", "win32"
_POSIX = _LINUX + _MAC
_ALL = _POSIX + _WINDOWS
_MISE = "installs/pipx-keyring/*"
_STORE = "$LOCALAPPDATA/Packages/PythonSoftwareFoundation.Python.*/LocalCache"

#: Where a lender's far end opens its socket, by platform: the first that can be had. None on Windows: its Pythons have
#: no Unix sockets (CPython 3.14), and a named pipe needs an access list that the standard library cannot make.
_STATE = "~/.local/state/keyring-fallback"
LENT_AT = {
    _LINUX: ("$XDG_RUNTIME_DIR/keyring-fallback", "$XDG_STATE_HOME/keyring-fallback", _STATE),
    _MAC: ("~/Library/Application Support/keyring-fallback",),
}

#: (origin, platforms, paths): folders with executables end in "/", the others are environments; "*" ends any name.
_ROWS = (
    # uv 0.12.5: uv-tool/src/lib.rs, uv-state/src/lib.rs, uv-dirs/src/lib.rs; folders of uv 0.2 win where they exist.
    # Scoop sets UV_TOOL_DIR, which services and editors may lack: ScoopInstaller/Main, bucket/uv.json
    (UV, _ALL, "$UV_TOOL_DIR/keyring"),
    (UV, _MAC, "~/Library/Application Support/uv/tools/keyring"),
    (UV, _POSIX, "$XDG_DATA_HOME/uv/tools/keyring", "~/.local/share/uv/tools/keyring"),
    (UV, _WINDOWS, "$APPDATA/uv/data/tools/keyring", "$APPDATA/uv/tools/keyring"),
    (UV, _WINDOWS, "$SCOOP/persist/uv/tools/versions/keyring", "~/scoop/persist/uv/tools/versions/keyring"),
    # pipx 1.1.0 to 1.18.4: paths.py, and platformdirs' user_data_dir of the same times; what the Store's Python
    # writes is redirected: python/cpython#95029
    (PIPX, _ALL, "$PIPX_HOME/venvs/keyring", "~/.local/pipx/venvs/keyring"),
    (PIPX, _POSIX, "$XDG_DATA_HOME/pipx/venvs/keyring"),
    (PIPX, _LINUX, "~/.local/share/pipx/venvs/keyring"),
    (PIPX, _MAC, "~/Library/Application Support/pipx/venvs/keyring"),
    (PIPX, _WINDOWS, "~/pipx/venvs/keyring", "$LOCALAPPDATA/pipx/pipx/venvs/keyring"),
    (PIPX, _WINDOWS, _STORE + "/Local/pipx/pipx/venvs/keyring"),
    (PIPX_GLOBAL, _POSIX, "$PIPX_GLOBAL_HOME/venvs/keyring", "/opt/pipx/venvs/keyring"),
    # where these two expose executables, of tools with other names too
    (UV, _ALL, "$UV_TOOL_BIN_DIR/", "$XDG_BIN_HOME/", "$XDG_DATA_HOME/../bin/"),
    (PIPX, _ALL, "$PIPX_BIN_DIR/"),
    (USERS_PROGRAMS, _ALL, "~/.local/bin/"),
    (PIPX_GLOBAL, _POSIX, "$PIPX_GLOBAL_BIN_DIR/"),
    (SYSTEMS_PROGRAMS, _POSIX, "/usr/local/bin/"),
    # pip install --user: CPython, Lib/site.py, _getuserbase and _get_path (~/.local/bin stands above)
    (PIP_USER, _POSIX, "$PYTHONUSERBASE/bin/"),
    (PIP_USER, _MAC, "~/Library/Python/*/bin/"),
    (PIP_USER, _WINDOWS, "$PYTHONUSERBASE/Python*/Scripts/", "$APPDATA/Python/Python*/Scripts/"),
    (PIP_USER, _WINDOWS, _STORE + "/local-packages/Python*/Scripts/"),
    # pixi: pixi_config/src/lib.rs at 2b25fc7
    (PIXI, _ALL, "$PIXI_HOME/envs/keyring", "~/.pixi/envs/keyring", "$PIXI_HOME/bin/", "~/.pixi/bin/"),
    # rye: platform.rs and installer.rs at e213938
    (RYE, _ALL, "$RYE_HOME/tools/keyring", "~/.rye/tools/keyring", "$RYE_HOME/shims/", "~/.rye/shims/"),
    # Homebrew: Library/Homebrew/utils/os.sh; opt has stable links to the versions
    (HOMEBREW, _POSIX, "$HOMEBREW_PREFIX/opt/keyring/libexec"),
    (HOMEBREW, _MAC, "/opt/homebrew/opt/keyring/libexec", "/usr/local/opt/keyring/libexec"),
    (HOMEBREW, _LINUX, "/home/linuxbrew/.linuxbrew/opt/keyring/libexec"),
    # mise's pipx backend, by uv or by pipx: src/backend/pipx.rs, src/env.rs at 70e94a1
    (MISE, _ALL, f"$MISE_DATA_DIR/{_MISE}/keyring", f"$MISE_DATA_DIR/{_MISE}/venvs/keyring"),
    (MISE, _POSIX, f"$XDG_DATA_HOME/mise/{_MISE}/keyring", f"$XDG_DATA_HOME/mise/{_MISE}/venvs/keyring"),
    (MISE, _POSIX, f"~/.local/share/mise/{_MISE}/keyring", f"~/.local/share/mise/{_MISE}/venvs/keyring"),
    (MISE, _WINDOWS, f"$LOCALAPPDATA/mise/{_MISE}/keyring", f"$LOCALAPPDATA/mise/{_MISE}/venvs/keyring"),
    # python.org's install manager: pymanager.json
    (INSTALL_MANAGER, _WINDOWS, "$LOCALAPPDATA/Python/bin/"),
    # conda: base/context.py; only its base is a global tool
    (CONDA, _ALL, "$CONDA_EXE/../.."),
)

#: Variables of Windows that need not be set (known folders).
_WINDOWS_DEFAULTS = {"APPDATA": "~/AppData/Roaming", "LOCALAPPDATA": "~/AppData/Local"}


def known(environ: Mapping[str, str], home: str, platform: str) -> Iterator[Place]:
    """Yield the known places, whether there is something or not; arguments as `Here` has them."""
    system = platform if platform in (_MAC, _WINDOWS) else _LINUX
    for origin, platforms, *templates in _ROWS:
        for template in templates if system in platforms else ():
            kind = FOLDER if template.endswith("/") else ENVIRONMENT
            for path in _paths(template, environ, home, system):
                yield Place(origin, kind, path, template.partition("/")[0][1:])


def lenders(environ: Mapping[str, str], home: str, platform: str) -> list[str]:
    """Return the folders in which lenders may have sockets, as far as they are there; arguments as for `known`."""
    system = platform if platform in (_MAC, _WINDOWS) else _LINUX
    paths = (path for template in LENT_AT.get(system, ()) for path in _paths(template, environ, home, system))
    return [path for path in dict.fromkeys(paths) if is_absolute(path) and os.path.lexists(path)]


def _paths(template: str, environ: Mapping[str, str], home: str, system: str) -> Iterator[str]:
    base, _, rest = template.partition("/")
    variable = base[1:]
    start = _value(environ, variable, home, system) if variable else home if base else os.sep
    return map(os.path.normpath, _matches(start, rest) if start else ())


def beside(environ: Mapping[str, str]) -> Iterator[Place]:
    """Yield where uv and pipx keep a tool of the Windows that WSL runs on."""
    home = wsl.profile(environ.get("PATH", ""))
    for place in known({}, home, _WINDOWS) if home else ():
        if place.origin in OF_WINDOWS:
            yield place._replace(origin=OF_WINDOWS[place.origin])


def on_path(environ: Mapping[str, str]) -> Iterator[Place]:
    """Yield the entries of PATH as they stand; `shutil.which` would also look in the working directory."""
    for entry in dict.fromkeys(environ.get("PATH", "").split(os.pathsep)):
        yield Place(PATH, FOLDER, entry, "PATH")


def candidates(environ: Mapping[str, str], home: str, platform: str) -> Iterator[tuple[Place, str]]:
    """Yield what is at the known places and on PATH, with why it cannot be looked at, or ""; arguments as for `known`.

    A path on another machine is not looked at: every start of a program would wait for the network.
    """
    for place in itertools.chain(known(environ, home, platform), beside(environ), on_path(environ)):
        name = "keyring.exe" if platform == _WINDOWS or wsl.is_windows(place.path) else "keyring"
        path = place.path if place.kind == ENVIRONMENT else os.path.join(place.path, name)
        unseen = "on another machine" if is_remote(path, platform) else ""
        try:
            if not unseen:
                os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue
        except OSError as error:
            unseen = str(error.strerror)
        yield place._replace(path=path), unseen


def is_absolute(path: str, flavour: ModuleType = os.path) -> bool:
    """Tell whether a path needs neither the working directory nor another machine; `flavour` as `os.path`."""
    drive = flavour.sep == "/" or flavour.splitdrive(path)[0].endswith(":")
    return bool(drive and flavour.isabs(path)) and "\0" not in path


def is_remote(path: str, platform: str) -> bool:
    r"""Tell whether a path is on another machine, as ``\\server\share`` on Windows; platform as for `known`."""
    if platform != _WINDOWS:
        return False
    import ntpath

    drive = ntpath.splitdrive(path)[0]
    return bool(drive) and not drive.endswith(":")


def _value(environ: Mapping[str, str], variable: str, home: str, system: str) -> str:
    value = environ.get(variable, "")
    if not value and home and system == _WINDOWS:
        return expanded(_WINDOWS_DEFAULTS.get(variable, ""), home)
    return expanded(value, home) if variable.startswith("PIPX_") else value  # pipx 1.18.4, paths.py


def _matches(base: str, rest: str) -> Iterator[str]:
    """Yield the paths below a folder; those with a "*" where they exist, the newest first."""
    before, star, after = rest.partition("*")
    path = os.path.join(base, before)
    if not star:
        yield path
        return
    folder, begin = os.path.split(path)
    try:
        names = sorted(os.listdir(folder)[:_MAX_NAMES], key=_version, reverse=True) if is_absolute(folder) else []
    except OSError:
        return
    for name in names:
        if name.startswith(begin):
            yield from _matches(os.path.join(folder, name), after[1:])


def _version(name: str) -> list[tuple[bool, int, str]]:
    """Return what a name is sorted by, so that 3.13 comes after 3.9, and words after numbers."""
    parts = ("".join(part) for _, part in itertools.groupby(name, str.isdecimal))
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
