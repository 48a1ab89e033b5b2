"""The helper's sources come over stdin where no file of ours can be run over there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from keyring_fallback.delegation import bridge
from keyring_fallback.delegation.call import Call, Invocation, Setup
from keyring_fallback.delegation.scripts import script
from support.helper import NONCE

if TYPE_CHECKING:
    from support.environments import Environment
    from support.stage import Stage

SETUP = {"nonce": NONCE, "everything": False, "entry_points": [], "own": [], "skip": []}
REQUEST = {"id": 1, "method": "get_password", "service": "s", "username": "u", "directory": None}


def reply(python: str | Path, *flags: str, piece: int = 1 << 20) -> str:
    """Run the helper from its sources, written in pieces, and put one request right behind them; return what it says."""
    helper = script("helper", shared=False)
    data = helper.first + b"".join(json.dumps(one).encode() + b"\n" for one in (SETUP, REQUEST))
    with subprocess.Popen(
        [os.fspath(python), *flags, *helper.arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for begin in range(0, len(data), piece):
            process.stdin.write(data[begin : begin + piece])
            time.sleep(0.001)
        said = process.stdout.readline()  # with its input's end it would have half a second to answer in
        process.stdin.close()
        process.wait(60)
    assert 0 == process.returncode
    return said.decode()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13", "pypy3"])
@pytest.mark.parametrize("flags", [("-I",), ("-s",)])
def test_from_its_sources(interpreter: Callable[[str], Path], version: str, flags: tuple[str, ...]) -> None:
    """Interpreters from 3.8 on run the helper without a file of ours, and get the request that stands behind the sources."""
    assert reply(interpreter(version), *flags).startswith(f'{NONCE}{{"id": 1, "answer": null')


def test_sources_in_pieces() -> None:
    """The sources may come in pieces of any size."""
    assert reply(sys.executable, "-I", piece=1000).startswith(f'{NONCE}{{"id": 1')


def test_sources_that_end_too_soon() -> None:
    """Where the sources are cut off the interpreter ends."""
    helper = script("helper", shared=False)
    command = [sys.executable, "-I", *helper.arguments]
    ended = subprocess.run(command, input=helper.first[:-1], stdout=subprocess.PIPE, timeout=60, check=False)
    assert (1, b"") == (ended.returncode, ended.stdout)


def test_the_working_directory_stays_off_the_path(tmp_path: Path) -> None:
    """A module in the working directory is not imported, also where the interpreter is not isolated."""
    (tmp_path / "queue.py").write_text("raise SystemExit('imported')")
    helper = script("helper", shared=False)
    data = helper.first + json.dumps(SETUP).encode() + b"\n"
    command = [sys.executable, *helper.arguments]
    assert 0 == subprocess.run(command, input=data, cwd=tmp_path, timeout=60, check=False).returncode


def test_a_tool_that_does_not_see_our_files(bare_tool: Environment) -> None:
    """A tool that is marked so is asked all the same, and stays for the next lookup."""
    invocation = Invocation((os.fspath(bare_tool.python), "-I"), dict(os.environ), "it", 60.0, shared=False)
    setup = Setup(everything=False, entry_points=(), own=("keyring.backends.null",), skip=())
    for _ in range(2):
        assert (None, ()) == bridge.ask(invocation, setup, Call("get_password", "s", "u"))[0:4:3]


def test_from_within_a_zip(stage: Stage, bare_tool: Environment, wheel: Path) -> None:
    """A program that imports us from a zip (zipapp, pex, shiv) is answered by the tool's provider."""
    stage.there("""
        class Answers(KeyringBackend):
            priority = 9
            def get_password(self, service, username): return "the answer"
            def set_password(self, *arguments): raise NotImplementedError
    """)
    program = stage.folder / "program.pyz"
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(program, "w") as whole:
        for name in ours.namelist():
            whole.writestr(name, ours.read(name))
        whole.writestr("__main__.py", "import keyring\nprint(keyring.get_password('https://host/', 'user'))\n")
    result = bare_tool.run([os.fspath(program)], env=stage.env(), check=True)
    assert ("the answer\n", "") == (result.stdout, result.stderr)


def test_a_program_that_was_built_without_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen program that lacks our sources is told what it lacks, and the tool is not blamed."""
    monkeypatch.setattr("pkgutil.get_data", lambda *_: None)
    with pytest.raises(OSError, match=r"this program was built without the files in .*--collect-all keyring_fallback"):
        script("helper", shared=False)
