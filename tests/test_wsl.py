"""The Windows that WSL runs on, seen from Linux: by trees and mount tables, and with Windows' real Python and vault.

The real ones run under Wine; what stands for WSL's interop is a script that gives a Windows program to wine.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.discovery import search, wsl
from keyring_fallback.here import NESTED, here
from support import environments, machine, providers, trees, wine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyring_fallback.here import Here
    from support.environments import Environment, Environments, Text
    from support.wine import Windows

#: Seconds, on a machine that is busy, in which nothing hangs.
SOON = 20.0

pytestmark = pytest.mark.skipif(machine.WINDOWS or os.uname().sysname != "Linux", reason="WSL is a Linux")

#: What a drive's line in /proc/self/mountinfo looks like: WSL 2 of today and of 2020, and WSL 1.
LINES = {
    "WSL 2": r"79 68 0:54 / {} rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\134;uid=1000;symlinkroot=/mnt/",
    "WSL 2, older": r"79 68 0:54 / {} rw,noatime shared:7 - 9p drvfs rw,aname=drvfs;path=C:\134;uid=1000,trans=fd",
    "WSL 1": "79 68 0:54 / {} rw,noatime - drvfs C: rw,uid=1000,gid=1000",
}
OTHERS = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:55 / /mnt/share rw - 9p share rw,trans=virtio,path=/home\n"


def mounts(file: Path, drive: Path, line: str = LINES["WSL 2"]) -> str:
    """Write a table of mounts in which Windows' drive C is a folder; return its path."""
    file.write_text(OTHERS + line.format(os.fspath(drive).replace(" ", r"\040")) + "\n", encoding="utf-8")
    return os.fspath(file)


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is Windows' drive C; all that is in it seems to be open to everybody."""
    folder = tmp_path / "mnt c" / "c"
    folder.mkdir(parents=True)
    monkeypatch.setenv("WSL_DISTRO_NAME", "Debian")
    monkeypatch.setattr(wsl, "MOUNTS", mounts(tmp_path / "mountinfo", folder))
    wsl.drives.cache_clear()
    yield folder
    wsl.drives.cache_clear()


def _here(tmp_path: Path, drive: Path) -> Here:
    """A program on WSL's Linux, with Windows' PATH after its own, as WSL has it."""
    windows = [drive / "Windows/system32", drive / "Users/Ann B/AppData/Local/Microsoft/WindowsApps"]
    return trees.make_here(tmp_path, environ={"PATH": ":".join(map(os.fspath, windows)), "WSL_DISTRO_NAME": "Debian"})


def _tool(drive: Path, place: str = "AppData/Roaming/uv/tools") -> Path:
    """A tool of Windows, with its base Python; everything has the mode that WSL makes up."""
    root = drive / "Users/Ann B" / place / "keyring"
    trees.put(drive / "Python312/python.exe", executable=True)
    trees.make_environment(root, "one", platform="win32", settings="home = C:\\Python312\n")
    for folder, _, names in os.walk(drive):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            os.chmod(path, 0o777)  # noqa: S103 - it is what WSL shows
    return root


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_drives_by_their_mounts(tmp_path: Path, drive: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """A drive is known by its mount, also one with a blank in it; another machine's folder over 9p is none."""
    monkeypatch.setattr(wsl, "MOUNTS", mounts(tmp_path / "another", drive, line))
    wsl.drives.cache_clear()
    assert {"C:": os.fspath(drive)} == wsl.drives()
    assert wsl.is_windows(f"{drive}/Users")
    assert not wsl.is_windows(f"{drive}s/Users")
    assert f"{drive}/Users/ann/x" == wsl.seen(r"c:\Users\ann/x")
    assert "/home/ann" == wsl.seen("/home/ann")


def test_what_surrounds_a_tool_of_windows() -> None:
    """Its rules are Windows' own, and nobody has a number there."""
    there = wsl.there(here())
    assert ("win32", -1) == (there.platform, there.uid)


@pytest.mark.usefixtures("drive")
def test_no_drives_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this is not WSL, nothing is taken for Windows'."""
    assert wsl.drives()
    wsl.drives.cache_clear()
    monkeypatch.delenv("WSL_DISTRO_NAME")
    assert {} == wsl.drives()
    assert r"C:\x" == wsl.seen(r"C:\x")


@pytest.mark.parametrize("place", ["AppData/Roaming/uv/tools", "pipx/venvs", "AppData/Local/pipx/pipx/venvs"])
def test_tool_in_the_profile(tmp_path: Path, drive: Path, place: str) -> None:
    """The tool of Windows' uv or pipx is found without a setting, modes say nothing, and the vault is what it adds."""
    root = _tool(drive, place)
    (found,) = search.find(_here(tmp_path, drive)).tools
    assert (os.fspath(root), True) == (found.path, found.windows)
    assert os.fspath(root / "Scripts/python.exe") == found.interpreter
    assert ["one"] == [provider.module for provider in found.adds]
    assert ("keyring.backends.Windows",) == found.own
    assert f"Windows' keyring {root}" == found.name


def test_modes_count_on_linux(tmp_path: Path, drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tree in a folder of Linux is nobody's: everybody can write to it, and it is made for Windows."""
    root = _tool(drive)
    here = _here(tmp_path, drive)
    monkeypatch.setattr(wsl, "MOUNTS", "/nowhere")
    wsl.drives.cache_clear()
    assert () == search.find(here, [os.fspath(root)]).tools


@pytest.mark.parametrize("kind", ["uv", "distlib"])
def test_launcher_on_path(tmp_path: Path, drive: Path, kind: str) -> None:
    """``keyring.exe`` in a folder of PATH on a drive leads to the tool that it starts."""
    root = _tool(drive, "elsewhere")
    launcher = trees.launcher(kind, r"C:\Users\Ann B\elsewhere\keyring\Scripts\python.exe")
    trees.put(drive / "Windows/system32/keyring.exe", launcher, executable=True)
    (found,) = search.find(_here(tmp_path, drive)).tools
    assert os.fspath(root) == found.root


def test_broken_tool(tmp_path: Path, drive: Path) -> None:
    """A tool whose Python is gone is turned down, with the path as the person on Linux knows it."""
    _tool(drive)
    shutil.rmtree(drive / "Python312")
    (refusal,) = search.find(_here(tmp_path, drive)).refusals
    assert f"its interpreter {drive}/Python312/python.exe is missing" == str(refusal.reason)


def test_a_profile_that_path_does_not_tell(tmp_path: Path, drive: Path) -> None:
    """Where Windows' PATH is left out there is no tool, and why is told; one that is named is used all the same."""
    root = _tool(drive)
    here = _here(tmp_path, drive)._replace(environ={"PATH": "/nowhere", "WSL_DISTRO_NAME": "Debian"})
    found = search.find(here)
    assert () == found.tools
    (refusal,) = found.refusals
    assert (f"{drive}/Users", "Windows' uv tool") == (refusal.path, refusal.source)
    assert "name the tool there in the setting 'tool'" in refusal.reason
    (named,) = search.find(here, [os.fspath(root)]).tools
    assert (os.fspath(root), True) == (named.path, named.windows)


@pytest.fixture(scope="module")
def windows() -> Windows:
    """The machine."""
    try:
        return wine.ready()
    except wine.MissingError as error:
        pytest.skip(str(error))


#: What stands for interop: a program of Windows gets those variables that WSLENV names, and what Wine itself needs
#: (learn.microsoft.com/windows/wsl/filesystems, "Share environment variables").
INTEROP = """\
#!{python} -IS
import os, sys
names = [one.partition("/")[0] for one in os.environ.get("WSLENV", "").split(":")]
kept = ["PATH", "HOME", "LANG", *(one for one in os.environ if one.startswith("WINE"))]
environ = dict((name, os.environ[name]) for name in names + kept if name in os.environ)
os.execvpe("wine", ["wine", *{command}, *sys.argv[1:]], environ)
"""


def interop(place: Path, *command: str) -> None:
    """Put a program at *place* that has interop run a command of Windows."""
    trees.put(place, INTEROP.format(python=sys.executable, command=command), executable=True)


@pytest.fixture(scope="module")
def profile(windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The profile of a user of Windows who has run ``uv tool install keyring --with scripted-there``."""
    folder = windows.drive / "users" / f"ann-{uuid.uuid4().hex[:8]}"
    provider = providers.make_provider(
        tmp_path_factory.mktemp("wheels"), "scripted-there", providers.source("scripted_there")
    )
    tool = windows.tool(folder / "AppData/Roaming/uv/tools", provider)
    python = tool.python.rename(tool.script("windows-python"))
    interop(tool.python, os.fspath(python))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def linux(
    windows: Windows, profile: Path, shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path
) -> tuple[Environment, dict[str, str]]:
    """An environment of Linux with us, and the variables of its user."""

    def build(folder: Path) -> None:
        environment = environments.create(folder / "venv", python, "keyring", wheel)
        program = "import os\nfrom keyring_fallback.discovery import wsl\nwsl.MOUNTS = os.environ['MOUNTS']\n"
        (environment.site_packages / "mounts_of_wsl.py").write_text(program, encoding="utf-8")
        (environment.site_packages / "mounts_of_wsl.pth").write_text("import mounts_of_wsl\n", encoding="utf-8")

    folder = shared_environments.once("wsl", build, wheel)
    extra = windows.environment(WSL_DISTRO_NAME="Debian", MOUNTS=mounts(tmp_path / "mountinfo", windows.drive))
    extra["PATH"] = os.pathsep.join([os.environ["PATH"], os.fspath(profile / "AppData/Local/Microsoft/WindowsApps")])
    return environments.Environment(folder / "venv"), {**os.environ, **extra, "HOME": os.environ["HOME"]}


def test_linux_is_answered_by_windows(
    windows: Windows, profile: Path, linux: tuple[Environment, dict[str, str]]
) -> None:
    """An environment of Linux reads, stores and deletes in Windows' vault, without a setting; the doctor says whose."""
    environment, env = linux
    service, secret = f"https://{uuid.uuid4().hex[:8]}.example/", "s3cr3t-\u00e9\u6f22"
    tool = wine.Venv(profile / "AppData/Roaming/uv/tools/keyring")
    there: list[Text] = [
        tool.script("windows-python"),
        "-c",
        "import keyring, sys; sys.stdout.reconfigure(encoding='utf-8'); print(keyring.get_password(*sys.argv[1:]))",
    ]
    stored = environment.keyring("set", service, "ann", env=env, stdin=secret + "\n")
    assert 0 == stored.returncode, stored.stderr
    assert secret == windows.run([*there, service, "ann"]).stdout.strip()
    read = environment.keyring("get", service, "ann", env=env)
    assert (secret, "") == (read.stdout.strip(), read.stderr)
    said = environment.run(["-m", "keyring_fallback", "doctor", service, "ann"], env=env)
    assert f"Windows' keyring {tool.root} (scripted-there 1.0)" in " ".join(said.stdout.split()), (
        said.stdout + said.stderr
    )
    assert "uv pip install" not in said.stdout, "Linux' uv adds nothing to Windows' tools"
    assert secret not in said.stdout + said.stderr
    deleted = environment.keyring("del", service, "ann", env=env)
    assert 0 == deleted.returncode, deleted.stderr
    assert "None" == windows.run([*there, service, "ann"]).stdout.strip()


SEEN = """
import os
from keyring.backend import KeyringBackend
class Seen(KeyringBackend):
    priority = 9
    def set_password(self, service, username, password): pass
    def get_password(self, service, username):
        if service != "variables":
            return None
        print("open the page", flush=True)
        return " ".join(os.environ.get(name, "-") for name in username.split())
"""


def test_variables_that_windows_sees(
    windows: Windows, linux: tuple[Environment, dict[str, str]], tmp_path: Path
) -> None:
    """A provider over there sees what the user has named in WSLENV, and Azure's variables; what it says is passed on."""
    environment, env = linux
    script = tmp_path / "seen.py"
    script.write_text(SEEN, encoding="utf-8")
    values = {"VSS_NUGET_X": "nuget", "ARTIFACTS_KEYRING_X": "azure", "MINE": "mine", "OTHER": "other"}
    env.update(values, SCRIPT_THERE=windows.windows(script), WSLENV="SCRIPT_THERE/u:MINE")
    read = environment.keyring("get", "variables", " ".join([*values, NESTED]), env=env)
    assert "nuget azure mine - 1" == read.stdout.strip(), read.stderr
    assert ["open the page"] == read.stderr.splitlines()


def test_through_the_command_line(profile: Path, linux: tuple[Environment, dict[str, str]]) -> None:
    """A ``keyring.exe`` whose interpreter cannot be told reads and stores, whatever ends its lines, and accents too."""
    environment, env = linux
    folder = profile / "AppData" / "Local" / f"bin-{uuid.uuid4().hex[:8]}"
    tool = wine.Venv(profile / "AppData/Roaming/uv/tools/keyring")
    interop(folder / "keyring.exe", os.fspath(tool.script("windows-python")), "-m", "keyring")
    env["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(folder / "keyring.exe")
    service, secret = f"https://{uuid.uuid4().hex[:8]}.example/", "s3cr3t-\u00e9"
    stored = environment.keyring("set", service, "ann", env=env, stdin=secret + "\n")
    assert 0 == stored.returncode, stored.stderr
    read = environment.keyring("get", service, "ann", env=env)
    assert (secret + "\n", "") == (read.stdout, read.stderr)
    assert 0 == environment.keyring("del", service, "ann", env=env).returncode


#: A program of Windows that does not work, the time limit, and what is said of it.
BROKEN = {
    "interop is switched off": (None, "cannot be started (Exec format error: see 'interop' in /etc/wsl.conf"),
    "interop is broken": ("exit 1", "ended without a reply (exit status 1)"),
    "it says something else": ("echo broken; exit 1", "ended without a reply (exit status 1)"),
    "it never starts": ("exec sleep 100", "gave no answer within 2 seconds"),
}


@pytest.mark.parametrize(("program", "expected"), BROKEN.values(), ids=BROKEN)
def test_windows_that_does_not_answer(
    profile: Path, linux: tuple[Environment, dict[str, str]], program: str | None, expected: str
) -> None:
    """Where Windows' programs do not start, or not in time, the reason is said, soon."""
    environment, env = linux
    tool = wine.Venv(profile / "AppData/Roaming/uv/tools/keyring")
    stand_in = tool.python.read_bytes()
    tool.python.write_bytes(
        f"#!/bin/sh\n{program}\n".encode() if program else tool.script("windows-python").read_bytes()
    )
    begun = time.monotonic()
    try:
        asked = environment.keyring("get", "service", "ann", env={**env, "KEYRING_PROPERTY_FALLBACK_TIMEOUT": "2"})
    finally:
        tool.python.write_bytes(stand_in)
    assert (1, "") == (asked.returncode, asked.stdout)
    assert expected in asked.stderr
    assert time.monotonic() - begun < SOON
