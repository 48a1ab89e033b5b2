"""Folder trees that look like environments and launchers of any platform; nothing in them can be run."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.here import Here

from . import machine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POSIX = ("linux", "darwin")
HUGE = 1 << 26 if machine.WINDOWS else 1 << 36
"""The size of a file as large as a disk; NTFS would allot all of it."""


def put(file: Path, text: str | bytes = "", *, executable: bool = False) -> Path:
    """Write a file and the folders that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else os.fsencode(text))
    if executable:
        file.chmod(0o755)
    return file


def link(place: Path, target: Path | str, *, folder: bool = False) -> None:
    """Make a symbolic link at *place*; the test is skipped where Windows keeps that to the privileged."""
    try:
        place.symlink_to(target, target_is_directory=folder)
    except OSError:
        if not machine.WINDOWS:
            raise
        pytest.skip("this user of Windows may not make symbolic links")


def make_environment(
    root: Path,
    *providers: str,
    platform: str = "linux",
    keyring: str = "25.7.0",
    settings: str = "include-system-site-packages = false\n",
) -> Path:
    """Make what looks like a virtual environment with keyring and distributions that have a backend each."""
    windows = platform == "win32"
    put(root / "pyvenv.cfg", settings)
    put(root / ("Scripts/python.exe" if windows else "bin/python"), executable=True)
    script = put(root / ("Scripts/keyring.exe" if windows else "bin/keyring"), "#!/bin/sh\nexit 9\n", executable=True)
    site = root / ("Lib/site-packages" if windows else "lib/python3.12/site-packages")
    site.mkdir(parents=True, exist_ok=True)
    if keyring:
        backends = "[keyring.backends]\nKWallet = keyring.backends.kwallet\n"
        put(site / f"keyring-{keyring}.dist-info" / "entry_points.txt", backends)
    for provider in providers:
        add_provider(site, provider)
    return script


def add_provider(site: Path, name: str, version: str = "1.0") -> None:
    """Put a distribution with a backend, to look at, into a site-packages folder."""
    module = name.replace("-", "_")
    text = f"[keyring.backends]\n{module} = {module}:Backend\n"
    put(site / f"{module}-{version}.dist-info" / "entry_points.txt", text)


def make_here(
    folder: Path, platform: str = "linux", environ: Mapping[str, str] | None = None, **changes: object
) -> Here:
    """Say that a program runs in a virtual environment of a project, and that its user's home is ``home``."""
    (folder / "home").mkdir(exist_ok=True)
    project = folder / "home" / "project"
    root = project / ".venv"
    if not root.exists():
        make_environment(root, platform=platform)
        put(project / "pyproject.toml")
    site = root / ("Lib/site-packages" if platform == "win32" else "lib/python3.12/site-packages")
    values: dict[str, object] = {
        "environ": environ or {},
        "home": os.fspath(folder / "home"),
        "platform": platform,
        "cwd": os.fspath(project),
        "prefix": os.fspath(root),
        "virtual": True,
        "executable": os.fspath(root / ("Scripts/python.exe" if platform == "win32" else "bin/python")),
        "sys_path": (os.fspath(site),),
        "uid": os.getuid() if hasattr(os, "getuid") else -1,
    }
    if platform == "win32":
        values["base"] = os.fspath(folder)  # no owner tells there what is trusted, but the place
    return Here(**{**values, **changes})  # type: ignore[arg-type]


def launcher(kind: str, interpreter: str) -> bytes:
    """Make what the launchers on Windows look like: a program, and somewhere in it an archive and the interpreter."""
    program = b"MZ" + b"\0#!" * 500
    text = f"#!{interpreter}\n" if kind.startswith("uv") else ""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", text + "# -*- coding: utf-8 -*-\nimport sys\n")
    payload = buffer.getvalue()
    path = interpreter.encode()
    if kind == "uv":  # 0.9.9 and newer: resources, and then more of the program
        return program + path + payload + b"\0" * 300
    if kind == "uv 0.4":
        return program + payload + path + struct.pack("<I", len(path)) + b"UVSC"
    end = {"distlib": b"\n", "distlib, arguments": b" -E\n", "distlib, CRLF": b"\r\n", "distlib, quoted": b"\n"}[kind]
    return program + b"#!" + (b'"' + path + b'"' if "quoted" in kind else path) + end + payload


def add_keyring(site: Path, kind: str = "dist-info", version: str = "25.7.0") -> None:
    """Put keyring, to look at, into a site-packages folder."""
    backends = "[keyring.backends]\nKWallet = keyring.backends.kwallet\n"
    put(site / f"keyring-{version}.{kind}" / "entry_points.txt", backends)
    put(site / "keyring" / "__init__.py")
    put(site / "keyring" / "backends" / "kwallet.py")


def python(prefix: Path, version: str = "3.12") -> Path:
    """Make what looks like an interpreter, with its standard library; whoever runs it leaves a mark."""
    put(prefix / "lib" / f"python{version}" / "os.py")
    program = f"#!/bin/sh\ntouch {prefix}/ran\nexit 9\n"
    return put(prefix / "bin" / f"python{version}", program, executable=True)


PRECEDENCE = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); \n"
)


def debian(usr: Path) -> Path:
    """Make what Debian's python3-keyring looks like, with what else stands there; return the ``keyring``."""
    link(usr / "bin" / "python3", python(usr).name)
    packages = usr / "lib" / "python3" / "dist-packages"
    add_keyring(packages, "egg-info", "23.9.3")
    put(packages / "PyGObject-3.42.2.egg-info", "Metadata-Version: 1.2\n")
    put(packages / "distutils-precedence.pth", PRECEDENCE)
    for name in ("dbus", "gi", "secretstorage"):
        (packages / name).mkdir()
    (usr / "local" / "lib" / "python3.12" / "dist-packages").mkdir(parents=True)
    return put(usr / "bin" / "keyring", f"#!{usr}/bin/python3\n", executable=True)


def homebrew(prefix: Path, platform: str = "linux") -> Path:
    """Make what Homebrew's keyring looks like: an environment that sees the packages of Homebrew's Python.

    Homebrew/brew, Library/Homebrew/language/python.rb; homebrew-core, Formula/p/python@3.13.rb and k/keyring.rb.
    """
    version = prefix / "Cellar" / "python@3.13" / "3.13.1"
    base = version / "Frameworks/Python.framework/Versions/3.13" if platform == "darwin" else version
    python(base, "3.13")
    (version / "bin").mkdir(exist_ok=True)
    if platform == "darwin":
        link(version / "bin/python3.13", "../Frameworks/Python.framework/Versions/3.13/bin/python3.13")
    (prefix / "opt").mkdir()
    link(prefix / "opt/python@3.13", "../Cellar/python@3.13/3.13.1", folder=True)
    packages = prefix / "lib/python3.13/site-packages"
    put(packages / "cryptography-44.0.0.dist-info/METADATA")
    link(base / "lib/python3.13/site-packages", packages, folder=True)
    put(prefix / "opt/x/libexec/lib/python3.13/site-packages/x-1.dist-info/METADATA")
    added = f"import site; site.addsitedir('{prefix}/opt/x/libexec/lib/python3.13/site-packages')\n"
    put(packages / "homebrew-x.pth", added)
    libexec = prefix / "Cellar/keyring/25.7.0/libexec"
    settings = f"home = {prefix}/opt/python@3.13/bin\ninclude-system-site-packages = true\nversion = 3.13.1\n"
    put(libexec / "pyvenv.cfg", settings)
    add_keyring(libexec / "lib/python3.13/site-packages")
    script = put(libexec / "bin/keyring", f"#!{libexec}/bin/python\n", executable=True)
    link(libexec / "bin/python3.13", f"{prefix}/opt/python@3.13/bin/python3.13")
    link(libexec / "bin/python", "python3.13")
    link(prefix / "opt/keyring", "../Cellar/keyring/25.7.0", folder=True)
    (prefix / "bin").mkdir()
    link(prefix / "bin/keyring", script)
    return prefix / "bin/keyring"
