"""From an executable ``keyring`` to its interpreter: every shape of script and launcher that installers write."""

from __future__ import annotations

import json
import os
import platform
import shutil
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyring_fallback.discovery import executable, layout
from keyring_fallback.discovery.executable import Target
from support import trees

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="scripts of POSIX systems")

# As in the installers' sources; PYTHON stands for the interpreter's path.
SHAPES = {
    "plain": ("/x/bin/python", "#!PYTHON\n# -*- coding: utf-8 -*-\n"),
    "pipx >= 1.13": ("/x/bin/python", "#!PYTHON -E\n"),
    "blank before": ("/usr/bin/python3", "#! PYTHON\n"),
    "Fedora": ("/usr/bin/python3", "#!PYTHON -sP\n"),
    "tab": ("/usr/bin/python3", "#!PYTHON\t-s\n"),
    "PyPy": ("/usr/bin/pypy3", "#!PYTHON\n"),
    "pip, blanks": ("/srv/a b/bin/python", "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\" \"$@\"\n' '''\nimport re\n"),
    "pip, quotes": ("/srv/a 'b' $c/bin/python", "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\" \"$@\"\n' '''\n"),
    "pip, too long": ("/srv/" + "L" * 200 + "/bin/python", "#!/bin/sh\n'''exec' PYTHON \"$0\" \"$@\"\n' '''\n"),
    "uv, blanks": ("/home/ann lee/bin/python", "#!/bin/sh\n'''exec' 'PYTHON' \"$0\" \"$@\"\n' '''\n"),
    "conda": ("/opt/con da/bin/python3.12", "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\" \"$@\" #'''\n"),
    "no line feed": ("/x/bin/python", "#!PYTHON"),
}


@pytest.mark.parametrize(("path", "script"), SHAPES.values(), ids=SHAPES)
def test_script_shapes(path: str, script: str) -> None:
    """The interpreter is what stands after ``#!``, or what the shell is told to run instead."""
    assert path == executable.script_interpreter(script.replace("PYTHON", path), "/bin")


def test_quote_in_path() -> None:
    """uv and pypa/installer quote a quote as ``shlex.quote`` does."""
    script = "#!/bin/sh\n'''exec' '/home/o'\"'\"'brien home/k/bin/python' \"$0\" \"$@\"\n' '''\n"
    assert "/home/o'brien home/k/bin/python" == executable.script_interpreter(script, "/bin")


@pytest.mark.parametrize(
    "beside",
    [
        '"$(dirname -- "$(realpath -- "$0")")"/\'python\'',
        '"$(CDPATH= cd -- "$(dirname -- "$0")" && echo "$PWD")"/\'python3\'',
    ],
    ids=["now", "uv 0.2.31 to 0.4.20"],
)
def test_relocatable_scripts(beside: str) -> None:
    """uv's relocatable environments name the interpreter beside the script."""
    name = beside.rsplit("'", 2)[1]
    script = f"#!/bin/sh\n'''exec' {beside} \"$0\" \"$@\"\n' '''\n"
    assert os.path.join("/srv/k/bin", name) == executable.script_interpreter(script, "/srv/k/bin")


@pytest.mark.parametrize(
    ("script", "program"),
    [
        ("#!/usr/bin/env bash\nexec pyenv exec keyring", "/usr/bin/env"),
        ("#!/bin/sh\nexec keyring", "/bin/sh"),
        ("#!/bin/sh\n'''exec' whatever", "/bin/sh"),
        ("#!/usr/bin/env python3\n", "/usr/bin/env"),
        ("#! /nix/store/x-bash/bin/bash -e\n", "/nix/store/x-bash/bin/bash"),
        ("#!python\n", "python"),
        ("\x7fELF", ""),
        ("", ""),
        ("#!", ""),
        ("#!\n#!/bin/python", ""),
        ("# !/bin/python", ""),
    ],
)
def test_other_scripts(script: str, program: str) -> None:
    """What is no Python script names another program, or none."""
    assert program == executable.script_interpreter(script, "/bin")


@given(st.text())
def test_any_script(text: str) -> None:
    """Whatever a file begins with, there is a result and no exception."""
    for head in (text, "#!" + text, "#!/bin/sh\n'''exec' " + text + ' "$0" "$@"'):
        assert isinstance(executable.script_interpreter(head, "/bin"), str)


@posix
def test_script_in_an_environment_needs_no_reading(tmp_path: Path) -> None:
    """An executable in an environment belongs to it, also through links, and where its script names the old place."""
    script = trees.make_environment(tmp_path / "k")
    script.write_text("#!/old/place/bin/python\n")
    link = tmp_path / "bin" / "keyring"
    link.parent.mkdir()
    link.symlink_to("../k/bin/keyring")
    expected = Target(os.fspath(tmp_path / "k"), os.fspath(tmp_path / "k/bin/python"))
    assert expected == executable.target(os.fspath(script), "linux")
    assert expected == executable.target(os.fspath(link), "linux")


@posix
def test_conda_environment(tmp_path: Path) -> None:
    """An environment of conda has no pyvenv.cfg, but a folder conda-meta."""
    script = trees.put(tmp_path / "bin/keyring", "#!/usr/bin/env python3.12\n", executable=True)
    trees.put(tmp_path / "bin/python", executable=True)
    (tmp_path / "conda-meta").mkdir()
    assert Target(os.fspath(tmp_path), os.fspath(tmp_path / "bin/python")) == executable.target(
        os.fspath(script), "linux"
    )


@posix
@pytest.mark.parametrize("folder", ["k", "a b", "o'brien", "ü", "x" * 150, b"\xff".decode("utf-8", "surrogateescape")])
def test_copied_script(tmp_path: Path, folder: str) -> None:
    """A script outside of its environment leads to the environment that its interpreter is in."""
    try:
        trees.make_environment(tmp_path / folder / "k")
    except OSError:
        pytest.skip("this file system does not take such a name")
    interpreter = os.fspath(tmp_path / folder / "k/bin/python")
    text = f"#!{interpreter}\n"
    if " " in folder or len(text) > 127:
        text = f"#!/bin/sh\n'''exec' \"{interpreter}\" \"$0\" \"$@\"\n' '''\n"
    script = trees.put(tmp_path / "bin/keyring", text, executable=True)
    assert Target(os.fspath(tmp_path / folder / "k"), interpreter) == executable.target(os.fspath(script), "linux")


@posix
def test_plain_interpreter(tmp_path: Path) -> None:
    """A script of an interpreter that is in no environment has no root."""
    trees.put(tmp_path / "usr/bin/python3", executable=True)
    script = trees.put(tmp_path / "usr/bin/keyring", f"#!{tmp_path}/usr/bin/python3 -sP\n", executable=True)
    assert Target("", os.fspath(tmp_path / "usr/bin/python3")) == executable.target(os.fspath(script), "linux")


@posix
@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexec keyring",
        "#!/usr/bin/env bash\n",
        "#!/usr/bin/env python3\n",
        "\x7fELF\2\1",
        "",
        "echo no shebang",
    ],
)
def test_programs_that_are_asked_themselves(tmp_path: Path, text: str) -> None:
    """Where the interpreter cannot be told there is no reason against the executable either."""
    assert Target() == executable.target(os.fspath(trees.put(tmp_path / "keyring", text)), "linux")


@posix
@pytest.mark.parametrize(
    "text", ["#!python\n", "#!bin/python -E\n", "#!sh\n", "#!/bin/sh\n'''exec' bin/python \"$0\" \"$@\"\n"]
)
def test_interpreter_from_the_working_directory(tmp_path: Path, text: str) -> None:
    """An interpreter that the system would look for in the working directory is a reason not to run the script."""
    found = executable.target(os.fspath(trees.put(tmp_path / "keyring", text)), "linux")
    assert "is not an absolute path" in str(found.broken)


@posix
def test_broken_executables(tmp_path: Path) -> None:
    """Folders, dangling links, loops, FIFOs and removed interpreters are told as what they are."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    trees.put(tmp_path / "removed", "#!/no/such/python\n")
    trees.make_environment(tmp_path / "k")
    (tmp_path / "k/bin/python").unlink()
    (tmp_path / "k/bin/python").symlink_to("/no/such/python3.12")
    (tmp_path / "stale").symlink_to("k/bin/keyring")
    expected = {
        "folder": "it is not a file",
        "fifo": "it is not a file",
        "dangling": "it is a link to nothing",
        "loop": "it is a link to nothing",
        "removed": "its interpreter /no/such/python is missing",
        "stale": f"its interpreter {tmp_path}/k/bin/python is missing",
    }
    assert expected == {
        name: str(executable.target(os.fspath(tmp_path / name), "linux").broken or "") for name in expected
    }


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_unreadable_script(tmp_path: Path) -> None:
    """A script that may be run but not read is told as that."""
    script = trees.put(tmp_path / "keyring", "#!/bin/sh\n")
    script.chmod(0o111)
    assert "it cannot be read (Permission denied)" == str(executable.target(os.fspath(script), "linux").broken or "")


def test_programs_of_windows(tmp_path: Path) -> None:
    """A name on PATH has one of the ends there: a dot in it is none."""
    for name in ("az.cmd", "python3.13.exe", "python3.13", "az.v2.bat"):
        trees.put(tmp_path / name, executable=True)
    here = trees.make_here(tmp_path, "win32", {"PATH": str(tmp_path)})
    ends = (".exe", ".cmd", ".bat")
    for name, found in (("az", "az.cmd"), ("AZ.cmd", ""), ("python3.13", "python3.13.exe"), ("az.v2", "az.v2.bat")):
        expected = [str(tmp_path / found)] if found else []
        assert expected == list(executable.programs(name, here, ends=ends))


def pixi(folder: Path, text: str) -> str:
    """A launcher of pixi's with its configuration."""
    trees.put(folder / "bin/trampoline_configuration/keyring.json", text)
    return os.fspath(trees.put(folder / "bin/keyring", "\x7fELF", executable=True))


@posix
def test_pixi(tmp_path: Path) -> None:
    """pixi's native launcher has a file beside it that names the executable in an environment of any name."""
    root = tmp_path / "envs/artifacts-keyring"
    trees.put(root / "bin/python", executable=True)
    (root / "conda-meta").mkdir()
    path = pixi(tmp_path, json.dumps({"exe": os.fspath(root / "bin/keyring"), "path_diff": "", "env": {}}))
    assert Target(os.fspath(root), os.fspath(root / "bin/python")) == executable.target(path, "linux")
    trees.put(root / "python.exe")
    (tmp_path / "bin/keyring").rename(tmp_path / "bin/keyring.exe")
    for where in ("Scripts/keyring.exe", "keyring.exe"):
        pixi(tmp_path, json.dumps({"exe": os.fspath(root / where)}))
        assert Target(os.fspath(root), os.fspath(root / "python.exe")) == executable.target(path + ".exe", "win32")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"exe": 5}',
        '{"exe": "a\\u0000b"}',
        '{"exe": "/\\ud800/x"}',
        "[" * 16000,
        '{"exe":' * 2000,
        "\xff",
    ],
)
def test_garbage_beside_a_launcher(tmp_path: Path, text: str) -> None:
    """What makes no sense beside a launcher is as if it were not there."""
    assert Target() == executable.target(pixi(tmp_path, text), "linux")


def test_install_manager_and_scoop(tmp_path: Path) -> None:
    """On Windows the launchers of python.org's install manager and of Scoop have a file beside them too."""
    python = trees.put(tmp_path / "Python/python.exe")
    exe = trees.put(tmp_path / "bin/keyring.exe", b"MZ")
    side = trees.put(tmp_path / "bin/keyring.exe.__target__", f"\ufeff{python}\r\n")
    assert Target("", os.fspath(python)) == executable.target(os.fspath(exe), "win32")
    side.unlink()
    assert Target() == executable.target(os.fspath(exe), "win32")
    trees.make_environment(tmp_path / "k", platform="win32")
    trees.put(tmp_path / "bin/keyring.shim", f'path = "{tmp_path / "k/Scripts/keyring.exe"}"\r\nargs = \r\n')
    expected = Target(os.fspath(tmp_path / "k"), os.fspath(tmp_path / "k/Scripts/python.exe"))
    assert expected == executable.target(os.fspath(exe), "win32")
    plain = trees.put(tmp_path / "Python/Scripts/keyring.exe", trees.launcher("distlib", os.fspath(python)))
    trees.put(tmp_path / "bin/keyring.shim", f"path = {plain}\n")
    assert Target("", os.fspath(python)) == executable.target(os.fspath(exe), "win32")


@pytest.mark.parametrize("kind", ["uv", "uv 0.4", "distlib", "distlib, arguments", "distlib, CRLF", "distlib, quoted"])
def test_launchers_of_windows(tmp_path: Path, kind: str) -> None:
    """What uv and pip put into a folder on PATH names its interpreter, also with blanks, without being run."""
    blank = " " if kind.startswith("uv") or "quoted" in kind else "_"
    root = tmp_path / f"Ann{blank}Lee"
    trees.make_environment(root, platform="win32")
    python = os.fspath(root / "Scripts/python.exe")
    exe = trees.put(tmp_path / "bin/keyring.exe", trees.launcher(kind, python))
    assert Target(os.fspath(root), python) == executable.target(os.fspath(exe), "win32")


@pytest.mark.parametrize(
    "named", ["<launcher_dir>\\python.exe -E", '<launcher_dir>\\"python.exe"', "<launcher_dir>python.exe"]
)
def test_interpreter_beside_its_launcher(tmp_path: Path, named: str) -> None:
    """A launcher of distlib's may name the interpreter by its own folder."""
    python = trees.put(tmp_path / "bin/python.exe")
    exe = trees.put(tmp_path / "bin/keyring.exe", trees.launcher("distlib", named))
    assert Target("", os.fspath(python)) == executable.target(os.fspath(exe), "win32")


@pytest.mark.parametrize("named", ["python3", "C:\\bin\\python3", "<launcher_dir>\\python3", "<launcher_dir>"])
def test_launcher_without_an_exe(tmp_path: Path, named: str) -> None:
    """What a launcher names that is no program of Windows cannot be told: the launcher is asked itself."""
    exe = trees.put(tmp_path / "keyring.exe", trees.launcher("distlib", named))
    assert Target() == executable.target(os.fspath(exe), "win32")


def test_interpreter_in_a_network_folder(tmp_path: Path) -> None:
    """An interpreter on another machine is a reason not to run the launcher, and is told as that."""
    exe = trees.put(tmp_path / "keyring.exe", trees.launcher("distlib", "\\\\server\\share\\python.exe"))
    expected = "its interpreter \\\\server\\share\\python.exe lies in a network folder"
    assert expected == str(executable.target(os.fspath(exe), "win32").broken or "")


def test_other_programs_of_windows(tmp_path: Path) -> None:
    """A program without such an archive is asked itself; a large one is not looked through."""
    good = trees.launcher("distlib", "C:\\python.exe")
    for data in (
        b"",
        b"MZ",
        b"MZ" * 999,
        good[:-30],
        good[2000:-10],
        good.replace(b"#!", b"##"),
        b"PK\5\6" + b"\xff" * 18,
    ):
        exe = trees.put(tmp_path / "keyring.exe", data)
        assert Target() == executable.target(os.fspath(exe), "win32")
    os.truncate(exe, trees.HUGE)
    assert Target() == executable.target(os.fspath(exe), "win32")
    exe.write_bytes(b"MZ" * (1 << 20) + good)
    assert Target() == executable.target(os.fspath(exe), "win32")


def test_launcher_whose_python_is_gone(tmp_path: Path) -> None:
    """On Windows an environment's python.exe outlives the Python that it starts, which pyvenv.cfg names."""
    base = tmp_path / "Python312"
    script = trees.make_environment(tmp_path / "k", platform="win32", settings=f"home = {base}\n")
    assert f"its interpreter {base / 'python.exe'} is missing" == str(
        executable.target(os.fspath(script), "win32").broken or ""
    )
    trees.put(base / "python.exe")
    assert "" == str(executable.target(os.fspath(script), "win32").broken or "")
    shutil.rmtree(tmp_path / "k/Scripts")
    assert "is missing" in str(executable.target(os.fspath(tmp_path / "k"), "win32").broken)


def test_named_interpreters(tmp_path: Path) -> None:
    """An interpreter belongs to the environment that it stands in: two levels up, or on Windows one for conda's."""
    trees.make_environment(tmp_path / "k")
    python = os.fspath(tmp_path / "k/bin/python")
    assert Target(os.fspath(tmp_path / "k"), python) == executable.interpreter_target(python, "linux")
    conda = os.fspath(trees.put(tmp_path / "conda/python.exe"))
    (tmp_path / "conda/conda-meta").mkdir()
    assert Target(os.fspath(tmp_path / "conda"), conda) == executable.interpreter_target(conda, "win32")


@posix
def test_not_more_than_a_few_kilobytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file as large as a disk no more than 4096 bytes are read."""
    script = trees.put(tmp_path / "keyring", "#!/bin/sh\n")
    os.truncate(script, trees.HUGE)
    sizes: list[int] = []
    read = os.read

    def counted(descriptor: int, size: int) -> bytes:
        sizes.append(size)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", counted)
    assert Target() == executable.target(os.fspath(script), "linux")
    assert [4096] == sizes


@pytest.mark.parametrize("name", ["keyring.bat", "keyring.CMD"])
def test_batch_files(tmp_path: Path, name: str) -> None:
    """A batch file is not run on Windows, where cmd.exe would read what is asked for as commands."""
    file = os.fspath(trees.put(tmp_path / name, "@echo off\n"))
    assert str(executable.target(file, "win32").broken).startswith("it is a batch file")
    assert Target() == executable.target(file, "linux")


def mach_o(*kinds: str) -> bytes:
    """The beginning of a program for macOS: for one kind of processor, or a fat one (XNU, mach-o/loader.h and fat.h)."""
    numbers = [{"x86_64": 0x01000007, "arm64": 0x0100000C}[kind] for kind in kinds]
    if len(numbers) == 1:
        return struct.pack("<II", 0xFEEDFACF, numbers[0]) + b"\0" * 24
    head = struct.pack(">II", 0xCAFEBABE, len(numbers))
    return head + b"".join(struct.pack(">5I", number, 0, 16384, 9, 14) for number in numbers)


@posix
@pytest.mark.skipif(platform.machine() not in ("x86_64", "arm64"), reason="no processor of a Mac's")
def test_interpreter_for_another_processor(tmp_path: Path) -> None:
    """An interpreter for the other kind of processor does not run on a Mac without Rosetta, which files tell."""
    mine = platform.machine()
    (other,) = {"x86_64", "arm64"} - {mine}
    trees.make_environment(tmp_path / "k")
    python = tmp_path / "k/bin/python"
    for head, runs in (
        (mach_o(mine), True),
        (mach_o(other), os.path.exists(executable.ROSETTA)),
        (mach_o(other, mine), True),
        (b"\xca\xfe\xba\xbe", True),
        (b"#!/bin/sh\n", True),
    ):
        python.write_bytes(head)
        broken = executable.target(os.fspath(tmp_path / "k"), "darwin").broken
        expected = f"its interpreter {python} is for another kind of processor, and Rosetta is not installed"
        assert ("" if runs else expected) == str(broken or "")
    assert not executable.target(os.fspath(tmp_path / "k"), "linux").broken


@posix
def test_rosetta_runs_the_other_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Rosetta is installed both kinds run."""
    monkeypatch.setattr(executable, "ROSETTA", os.fspath(trees.put(tmp_path / "libRosettaRuntime")))
    trees.make_environment(tmp_path / "k")
    for kind in ("x86_64", "arm64"):
        (tmp_path / "k/bin/python").write_bytes(mach_o(kind))
        assert not executable.target(os.fspath(tmp_path / "k"), "darwin").broken


@posix
@pytest.mark.skipif(
    not os.path.exists("/usr/bin/python3") or sys.platform == "darwin", reason="another /usr/bin/python3"
)
def test_stub_of_xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS' /usr/bin/python3 opens a dialog where Xcode's tools are missing: then it is not run."""
    script = os.fspath(trees.put(tmp_path / "bin/keyring", "#!/usr/bin/python3\n", executable=True))
    assert "its interpreter /usr/bin/python3 needs Xcode's command line tools" in (
        str(executable.target(script, "darwin").broken)
    )
    assert not executable.target(script, "linux").broken
    tools = tmp_path / "CommandLineTools"
    trees.put(tools / "usr/bin/python3", executable=True)
    monkeypatch.setattr(layout, "XCODE", (os.fspath(tmp_path / "nowhere"), os.fspath(tools)))
    found = executable.target(script, "darwin")
    assert ("/usr/bin/python3", False) == (found.interpreter, bool(found.broken))
