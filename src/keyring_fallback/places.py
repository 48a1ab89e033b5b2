"""Where globally installed keyrings live: one row for each place, in the order in which they are looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

from .records import Record

#: What a row's path names.
ENVIRONMENT, FOLDER = "environment", "folder"
PATH, CONDA = "PATH", "conda base"
#: The platform that this process runs on: Cygwin's users have Windows' tools.
HERE = "win32" if sys.platform == "cygwin" else sys.platform


class Place(Record):
    """Where to look.

    Attributes:
        source: Whose place it is, as users call it.
        kind: `ENVIRONMENT`: the path is an environment's root. `FOLDER`: an executable keyring may be in it.
        path: The path; where a variable holds one that is not absolute, it is not absolute either.
        variable: The environment variable that the path comes from, or "".
    """

    source: str
    kind: str
    path: str
    variable: str = ""

    @property
    def dedicated(self) -> bool:
        """Whether an environment that is found there was made to be a globally installed tool."""
        return self.source not in (PATH, CONDA)


_STORE = "$LOCALAPPDATA/Packages/PythonSoftwareFoundation.Python.*/LocalCache"
_ALL, _POSIX, _LINUX, _MAC, _WINDOWS = "linux darwin win32", "linux darwin", "linux", "darwin", "win32"

#: (source, kind, platforms, path); a path begins with a variable, the home folder or a root, "*" ends any one name.
_ROWS = (
    # uv: uv-tool/src/lib.rs, uv-state/src/lib.rs, uv-dirs/src/lib.rs of uv 0.12.5. The folders of uv 0.2 and older
    # win where they exist; the default is XDG's on macOS too, and Windows knows no XDG_DATA_HOME for tools.
    ("uv tool", ENVIRONMENT, _ALL, "$UV_TOOL_DIR/keyring"),
    ("uv tool", ENVIRONMENT, _MAC, "~/Library/Application Support/uv/tools/keyring"),
    ("uv tool", ENVIRONMENT, _WINDOWS, "$APPDATA/uv/data/tools/keyring"),
    ("uv tool", ENVIRONMENT, _POSIX, "$XDG_DATA_HOME/uv/tools/keyring"),
    ("uv tool", ENVIRONMENT, _POSIX, "~/.local/share/uv/tools/keyring"),
    ("uv tool", ENVIRONMENT, _WINDOWS, "$APPDATA/uv/tools/keyring"),
    # Scoop sets UV_TOOL_DIR for the user, which services and editors may not have: ScoopInstaller/Main, bucket/uv.json
    ("uv tool", ENVIRONMENT, _WINDOWS, "$SCOOP/persist/uv/tools/versions/keyring"),
    ("uv tool", ENVIRONMENT, _WINDOWS, "~/scoop/persist/uv/tools/versions/keyring"),
    # pipx: paths.py of 1.1.0 to 1.18.4, and platformdirs' user_data_dir of the same times
    ("pipx", ENVIRONMENT, _ALL, "$PIPX_HOME/venvs/keyring"),
    ("pipx", ENVIRONMENT, _ALL, "~/.local/pipx/venvs/keyring"),
    ("pipx", ENVIRONMENT, _POSIX, "$XDG_DATA_HOME/pipx/venvs/keyring"),
    ("pipx", ENVIRONMENT, _LINUX, "~/.local/share/pipx/venvs/keyring"),
    ("pipx", ENVIRONMENT, _MAC, "~/Library/Application Support/pipx/venvs/keyring"),
    ("pipx", ENVIRONMENT, _WINDOWS, "~/pipx/venvs/keyring"),
    ("pipx", ENVIRONMENT, _WINDOWS, "$LOCALAPPDATA/pipx/pipx/venvs/keyring"),
    # what the Microsoft Store's Python writes is redirected, that of a pipx that it runs too (python/cpython#95029)
    ("pipx", ENVIRONMENT, _WINDOWS, _STORE + "/Local/pipx/pipx/venvs/keyring"),
    ("pipx --global", ENVIRONMENT, _POSIX, "$PIPX_GLOBAL_HOME/venvs/keyring"),
    ("pipx --global", ENVIRONMENT, _POSIX, "/opt/pipx/venvs/keyring"),
    # where uv and pipx expose executables, those of tools with other names too: uv-dirs/src/lib.rs of uv 0.12.5,
    # paths.py of pipx 1.18.4
    ("uv tool", FOLDER, _ALL, "$UV_TOOL_BIN_DIR"),
    ("uv tool", FOLDER, _ALL, "$XDG_BIN_HOME"),
    ("uv tool", FOLDER, _ALL, "$XDG_DATA_HOME/../bin"),
    ("pipx", FOLDER, _ALL, "$PIPX_BIN_DIR"),
    ("user's programs", FOLDER, _ALL, "~/.local/bin"),
    ("pipx --global", FOLDER, _POSIX, "$PIPX_GLOBAL_BIN_DIR"),
    ("system's programs", FOLDER, _POSIX, "/usr/local/bin"),
    # pip install --user: CPython, Lib/site.py, _getuserbase and _get_path (~/.local/bin stands above)
    ("pip install --user", FOLDER, _POSIX, "$PYTHONUSERBASE/bin"),
    ("pip install --user", FOLDER, _MAC, "~/Library/Python/*/bin"),
    ("pip install --user", FOLDER, _WINDOWS, "$PYTHONUSERBASE/Python*/Scripts"),
    ("pip install --user", FOLDER, _WINDOWS, "$APPDATA/Python/Python*/Scripts"),
    ("pip install --user", FOLDER, _WINDOWS, _STORE + "/local-packages/Python*/Scripts"),
    # pixi global: pixi_config/src/lib.rs at 2b25fc7; environments of other names have their executables in bin
    ("pixi global", ENVIRONMENT, _ALL, "$PIXI_HOME/envs/keyring"),
    ("pixi global", ENVIRONMENT, _ALL, "~/.pixi/envs/keyring"),
    ("pixi global", FOLDER, _ALL, "$PIXI_HOME/bin"),
    ("pixi global", FOLDER, _ALL, "~/.pixi/bin"),
    # rye: platform.rs and installer.rs at e213938
    ("rye", ENVIRONMENT, _ALL, "$RYE_HOME/tools/keyring"),
    ("rye", ENVIRONMENT, _ALL, "~/.rye/tools/keyring"),
    ("rye", FOLDER, _ALL, "$RYE_HOME/shims"),
    ("rye", FOLDER, _ALL, "~/.rye/shims"),
    # Homebrew: Library/Homebrew/utils/os.sh; opt/NAME is its stable link to the version in Cellar
    ("Homebrew", ENVIRONMENT, _POSIX, "$HOMEBREW_PREFIX/opt/keyring/libexec"),
    ("Homebrew", ENVIRONMENT, _MAC, "/opt/homebrew/opt/keyring/libexec"),
    ("Homebrew", ENVIRONMENT, _MAC, "/usr/local/opt/keyring/libexec"),
    ("Homebrew", ENVIRONMENT, _LINUX, "/home/linuxbrew/.linuxbrew/opt/keyring/libexec"),
    # mise's pipx backend, run by uv or by pipx: src/backend/pipx.rs and src/env.rs at 70e94a1
    ("mise", ENVIRONMENT, _ALL, "$MISE_DATA_DIR/installs/pipx-keyring/*/keyring"),
    ("mise", ENVIRONMENT, _ALL, "$MISE_DATA_DIR/installs/pipx-keyring/*/venvs/keyring"),
    ("mise", ENVIRONMENT, _POSIX, "$XDG_DATA_HOME/mise/installs/pipx-keyring/*/keyring"),
    ("mise", ENVIRONMENT, _POSIX, "$XDG_DATA_HOME/mise/installs/pipx-keyring/*/venvs/keyring"),
    ("mise", ENVIRONMENT, _POSIX, "~/.local/share/mise/installs/pipx-keyring/*/keyring"),
    ("mise", ENVIRONMENT, _POSIX, "~/.local/share/mise/installs/pipx-keyring/*/venvs/keyring"),
    ("mise", ENVIRONMENT, _WINDOWS, "$LOCALAPPDATA/mise/installs/pipx-keyring/*/keyring"),
    ("mise", ENVIRONMENT, _WINDOWS, "$LOCALAPPDATA/mise/installs/pipx-keyring/*/venvs/keyring"),
    # python.org's install manager: pymanager.json
    ("Python install manager", FOLDER, _WINDOWS, "$LOCALAPPDATA/Python/bin"),
    # conda's base environment: conda, base/context.py; another one that is activated is no global tool
    (CONDA, ENVIRONMENT, _ALL, "$CONDA_EXE/../.."),
)

#: Where a variable of Windows points when it is not set (known folders).
_WINDOWS_DEFAULTS = {"APPDATA": "AppData/Roaming", "LOCALAPPDATA": "AppData/Local"}
#: Variables in which the program that they belong to expands "~" (pipx 1.18.4, paths.py).
_EXPANDED = ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_GLOBAL_HOME", "PIPX_GLOBAL_BIN_DIR")


def known(environ: Mapping[str, str], home: str, platform: str) -> Iterator[Place]:
    """Yield the known places, whether there is something or not.

    Args:
        environ: The environment.
        home: The user's home folder, or "" if there is none.
        platform: As `sys.platform` names it.
    """
    system = platform if platform in (_MAC, _WINDOWS) else _LINUX
    for source, kind, platforms, template in _ROWS:
        if system not in platforms:
            continue
        base, _, rest = template.partition("/")
        variable = base[1:] if base.startswith("$") else ""
        start = _value(environ, variable, home, system) if variable else {"~": home, "": os.sep}[base]
        if start:
            for path in _matches(start, rest.split("/") if rest else []):
                yield Place(source, kind, os.path.normpath(path), variable)


def on_path(environ: Mapping[str, str]) -> Iterator[Place]:
    """Yield the entries of PATH as they stand, those that are no absolute paths included.

    `shutil.which` is of no use here: it also finds what is in the working directory.
    """
    for entry in dict.fromkeys(environ.get("PATH", "").split(os.pathsep)):
        yield Place(PATH, FOLDER, entry, PATH)


def candidates(environ: Mapping[str, str], home: str, platform: str) -> Iterator[tuple[Place, str]]:
    """Yield what is at the known places and on PATH: where, and why it cannot be looked at, or "".

    Args:
        environ: The environment.
        home: The user's home folder, or "" if there is none.
        platform: As `sys.platform` names it.
    """
    name = "keyring.exe" if platform == _WINDOWS else "keyring"
    for places in (known(environ, home, platform), on_path(environ)):
        for place in places:
            path = place.path if place.kind == ENVIRONMENT else os.path.join(place.path, name)
            try:
                os.lstat(path)
            except (FileNotFoundError, NotADirectoryError, ValueError):
                continue
            except OSError as error:
                yield place._replace(path=path), f"it cannot be looked at ({error.strerror})"
            else:
                yield place._replace(path=path), ""


def is_absolute(path: str, flavour: ModuleType = os.path) -> bool:
    """Tell whether a path says where it is without the working directory, and is no share of another machine.

    Args:
        path: The path.
        flavour: `posixpath` or `ntpath`.
    """
    if "\0" in path or not flavour.isabs(path):
        return False
    return bool(flavour.sep == "/" or flavour.splitdrive(path)[0].endswith(":"))


def _value(environ: Mapping[str, str], variable: str, home: str, system: str) -> str:
    value = environ.get(variable, "")
    if not value and home and system == _WINDOWS and variable in _WINDOWS_DEFAULTS:
        return os.path.join(home, *_WINDOWS_DEFAULTS[variable].split("/"))
    if home and variable in _EXPANDED and (value == "~" or value.startswith(("~/", "~" + os.sep))):
        return home + value[1:]
    return value


def _matches(base: str, parts: list[str]) -> Iterator[str]:
    """Yield the paths below a folder; those with a part that ends in "*" only where they exist."""
    for index, part in enumerate(parts):
        if part.endswith("*"):
            folder = os.path.join(base, *parts[:index])
            try:
                # the newest version first, roughly; mise's "latest" before all of them
                names = sorted(os.listdir(folder), reverse=True) if is_absolute(folder) else []
            except OSError:
                names = []
            for name in names:
                if name.startswith(part[:-1]):
                    yield from _matches(os.path.join(folder, name), parts[index + 1 :])
            return
    yield os.path.join(base, *parts)


def config_file(environ: Mapping[str, str], home: str, platform: str) -> str:
    """Return the path of keyringrc.cfg by keyring's rules (keyring 25.7.0, util/platform_.py).

    Args:
        environ: The environment.
        home: The user's home folder.
        platform: As `sys.platform` names it.
    """
    if platform == "win32":
        root = environ.get("LOCALAPPDATA", environ.get("ProgramData", "."))
        return os.path.join(root, "Python Keyring", "keyringrc.cfg")
    root = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(root, "python_keyring", "keyringrc.cfg")


def home_of(environ: Mapping[str, str], platform: str) -> str:
    """Return the user's home folder, or "" if none can be told.

    An empty HOME counts as none, as for uv (etcetera, its home crate): then the user database is asked.
    """
    name = "USERPROFILE" if platform == "win32" else "HOME"
    home = environ.get(name, "")
    if not home and sys.platform != "win32":
        try:
            import pwd

            home = pwd.getpwuid(os.getuid()).pw_dir
        except (ImportError, KeyError):
            home = ""
    return home if os.path.isabs(home) else ""
