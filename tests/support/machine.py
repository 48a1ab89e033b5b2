"""What this machine was like before a test replaced its home: read once, when the process starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRON = dict(os.environ)
"""The environment this process was started with; tests change ``os.environ``, never this."""

WINDOWS = sys.platform == "win32"

# What points a program at this user's own tools, settings, secrets and sessions. A test starts without any of it.
_PERSONAL_PREFIXES = (
    "ARTIFACTS_",
    "CONDA_",
    "HATCH_",
    "HOMEBREW_",
    "KEYRING_",
    "MISE_",
    "PDM_",
    "PIPX_",
    "PIP_",
    "PIXI_",
    "POETRY_",
    "PYENV_",
    "PYTHON",
    "RYE_",
    "TOX_",
    "TWINE_",
    "UV_",
    "VIRTUAL_ENV",
    "VSS_",
    "XDG_",
)
_PERSONAL_NAMES = frozenset(
    {"ALL_PROXY", "DBUS_SESSION_BUS_ADDRESS", "HTTPS_PROXY", "HTTP_PROXY", "NETRC", "NO_PROXY", "__PYVENV_LAUNCHER__"}
)

# The only settings of uv that may shape an environment that we build: how to reach the package index, and the cache.
_INDEX_SETTINGS = (
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
)


def message(posix: int, windows: int) -> str:
    """What the system says of an error of its, by its number on POSIX and on Windows."""
    if sys.platform == "win32":
        import ctypes

        return ctypes.FormatError(windows).rstrip(" .")
    return os.strerror(posix)


def uv() -> str:
    """The uv executable that came with the PyPI package ``uv`` of this environment."""
    from uv import find_uv_bin  # interpreters and clean environments can be had without uv

    return os.fspath(find_uv_bin())


def homes() -> list[Path]:
    """The user's real home folders: what the environment says, then what the system's user database says."""
    found = [Path(value) for name in ("HOME", "USERPROFILE") if (value := ENVIRON.get(name))]
    if not WINDOWS:
        import pwd  # POSIX only

        with suppress(KeyError):  # a container may run as a user that its database does not know
            found.append(Path(pwd.getpwuid(os.getuid()).pw_dir))
    # In a container the root folder may be somebody's home: nothing can be told from that.
    return list(dict.fromkeys(home for home in found if home.parent != home))


@cache
def _settings_of_pip() -> dict[str, str]:
    """How pip is configured to reach the package index, in case nobody told uv."""
    argv = [sys.executable, "-m", "pip", "config", "list"]  # "config get" reads one file only
    listed = subprocess.run(argv, env=ENVIRON, capture_output=True, text=True, check=False).stdout
    # Lines like these, in an order that differs: :env:.cert='...'  global.cert='...'. What the environment says wins.
    found = re.findall(r"^(global|:env:)\.([\w-]+)='([^'\n]+)'$", listed, re.MULTILINE)
    return {name: value for kind in ("global", ":env:") for source, name, value in found if source == kind}


@cache
def _uv_cache() -> str:
    """The cache that the user's own uv uses: what was fetched once is not fetched for every throw-away home."""
    listed = subprocess.run([uv(), "cache", "dir"], env=ENVIRON, capture_output=True, text=True, check=True).stdout
    return os.fspath(usable(Path(listed.strip())))


def usable(cache: Path) -> Path:
    """*cache* where it can be written, or else a folder for this user alone that outlives the tests."""
    # uv 0.13.9 names a relative folder to whom has no home.
    if cache.is_absolute():
        with suppress(OSError):
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=cache):
                return cache
    own = Path(tempfile.gettempdir(), f"keyring-fallback-uv-{'' if WINDOWS else os.getuid()}")
    own.mkdir(exist_ok=True)
    own.chmod(0o700)  # fails where somebody else has made it
    return own


def building(**extra: str) -> dict[str, str]:
    """The environment for programs that build environments: reaches the package index, ignores all other settings."""
    env = {key: value for key, value in ENVIRON.items() if not _is_personal(key)}
    env.update({key: value for key, value in ENVIRON.items() if key in _INDEX_SETTINGS or key.startswith("UV_INDEX_")})
    env.update({key: value for key, value in ENVIRON.items() if key.startswith("PIP_")})
    env.update({key: value for key, value in ENVIRON.items() if key.upper().endswith("_PROXY")})
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE"} & env.keys() and "index-url" in _settings_of_pip():
        env["UV_DEFAULT_INDEX"] = _settings_of_pip()["index-url"]
    if not {"SSL_CERT_FILE", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"} & env.keys() and "cert" in _settings_of_pip():
        env["SSL_CERT_FILE"] = _settings_of_pip()["cert"]
    # A user's own uv.toml and pip.conf may hold the index, also where HOME is a throw-away one.
    if not WINDOWS:
        env["XDG_CONFIG_HOME"] = ENVIRON.get("XDG_CONFIG_HOME") or os.fspath(next(iter(homes()), Path("/")) / ".config")
    env["UV_CACHE_DIR"] = _uv_cache()
    env["UV_PYTHON_DOWNLOADS"] = "never"
    env.setdefault("PIP_PREFER_BINARY", "1")  # an older wheel is better than hours with a compiler
    env.update(extra)
    return env


def running(home: Path, farm: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """The environment for what is tested: *home* is the home folder, and nothing leads to the real user's things.

    PATH is kept, but holds no ``keyring``, none of the programs *without*, and not the scripts of the environment that
    the tests run in; *farm* is a folder to put what replaces a system folder that has one of these.
    """
    env = {key: value for key, value in ENVIRON.items() if not _is_personal(key)}
    env.update(home_variables(home))
    env["PATH"] = os.pathsep.join(_path_without(("keyring*", *without), farm))
    return env


def home_variables(home: Path) -> dict[str, str]:
    """What makes programs take *home* for the user's home folder, on every platform."""
    env = {"HOME": os.fspath(home)}
    if WINDOWS:
        env["USERPROFILE"] = os.fspath(home)
        env["APPDATA"] = os.fspath(home / "AppData" / "Roaming")
        env["LOCALAPPDATA"] = os.fspath(home / "AppData" / "Local")
    return env


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder whose name begins with *prefix*, without links in its path, that is removed at the end.

    Windows cannot remove a program that still ends: what cannot be removed stays and hurts nobody there.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_personal(name: str) -> bool:
    """Whether the variable points programs at things of this machine's user."""
    upper = name.upper()
    return upper.startswith(_PERSONAL_PREFIXES) or upper in _PERSONAL_NAMES


@cache
def _path_without(names: tuple[str, ...], farm: Path) -> list[str]:
    """PATH's absolute folders without some programs, and without the user's and the test environment's own."""
    ours = [Path(sys.prefix).resolve(), *(home.resolve() for home in homes())]
    folders: list[str] = []
    for entry in ENVIRON.get("PATH", "").split(os.pathsep):
        folder = Path(entry)
        if not entry or not folder.is_absolute() or not folder.is_dir():
            continue
        if any(root in (folder.resolve(), *folder.resolve().parents) for root in ours):
            continue
        if any(one for name in names for one in folder.glob(name)):
            if WINDOWS:
                continue
            folder = _links(folder, farm, names)
        folders.append(os.fspath(folder))
    return list(dict.fromkeys(folders))


def _links(folder: Path, farm: Path, without: tuple[str, ...]) -> Path:
    """A folder with links to all that is in *folder* but some programs: a system's bin folder cannot be left out."""
    copy = farm / "-".join(folder.resolve().parts[1:])
    if not copy.is_dir():
        building_site = farm / f"{copy.name}.{os.getpid()}"
        building_site.mkdir(parents=True)
        for program in folder.iterdir():
            if not any(program.match(name) for name in without):
                (building_site / program.name).symlink_to(program)
        try:
            building_site.rename(copy)
        except OSError:  # another worker was faster
            shutil.rmtree(building_site)
    return copy
