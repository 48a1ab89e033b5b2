"""A lender and its far end on another machine: whatever stands between them, and whoever answers there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import environments, hostile
from support.lending import Lender
from support.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Text

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs Unix sockets"),
    pytest.mark.usefixtures("runtime"),
]

URL = "https://feed.example/simple/"
CANARY = "canary-password-that-is-lent"
THERE = f"""
class Minting(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        note(service)
        if "slow" in service: time.sleep(60)
        return "{CANARY}"
    def set_password(self, service, username, password): raise NotImplementedError
"""

#: A login shell, as sshd starts it: the words are joined and given to it; its files greet, without a line's end too.
LOGIN = """\
#!/bin/sh
shell=$1; shift
echo 'Welcome to the box!  keyring-fallback'; printf 'You have mail. '; exec "$shell" -c "$*"
"""

#: A far end that is not ours: it takes what it is sent, and then does what the test says.
FALSE = """\
#!{python}
import json, os, sys, time
stdin = sys.stdin.buffer.raw
def line():
    data = b""
    while not data.endswith(b"\\n"): data += stdin.read(1) or sys.exit()
    return data
def say(data): os.write(1, data)
def speak(document): say(setup["nonce"].encode() + json.dumps(document).encode() + b"\\n")
def question(number, service="https://feed.example/simple/", method="get_password", username="u", asker="somebody"):
    speak({{"id": number, "asker": asker, "method": method, "service": service, "username": username}})
def answer():
    data = line()
    while data == b"\\n": data = line()
    return json.loads(data)
line(); say(b"keyring-fallback=python\\n")
first = line(); size = int(first[5:].split(b";")[0])
while size: size -= len(stdin.read(size))
setup = json.loads(line())
speak({{"ready": "/false/socket"}})
{does}
"""


@pytest.fixture
def owner(stage: Stage) -> Stage:
    """The person whose tool it is."""
    return stage.there(THERE)


def lend(owner: Stage, *command: Text) -> Lender:
    """A lender in the owner's terminal, with a command."""
    return Lender(owner.environment, "feed.example", command=command, env=owner.env())


def ended(lender: Lender) -> str:
    """What a lender says that ends at once, with status 1; it leaves nothing."""
    assert 1 == lender.wait()
    assert [] == lender.left_over()
    assert "Traceback" not in "".join(lender.lines)
    return lender.lines[-1]


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "fish", "csh", "zsh"])
def test_login_shells(owner: Stage, asker: Stage, tmp_path: Path, shell: str) -> None:
    """Whatever the login shell is, and whatever it prints, the far end is there."""
    if shutil.which(shell) is None:
        pytest.skip(f"this machine has no {shell}")
    login = hostile.executable(tmp_path / "login", LOGIN)
    with lend(owner, login, shell):
        assert CANARY == asker.call("get_password", URL, "u")["answer"]


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_pythons(owner: Stage, asker: Stage, interpreter: Callable[[str], Path], version: str) -> None:
    """The far end runs on an old Python and a new one."""
    folder = interpreter(version).parent
    with lend(owner, "env", f"PATH={folder}:/usr/bin:/bin") as lender:
        (far,) = [line for line in hostile.marked(lender.mark) if line.rstrip().endswith(" far")]
        assert far.startswith("python3 ")
        assert CANARY == asker.call("get_password", URL, "u")["answer"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("false",), "has ended with exit status 1"),
        (("/nowhere/ssh", "box"), "cannot be run (No such file or directory)"),
        (("sh", "-c", "yes keyring-fallback"), "has said no end"),
        (("env", "XDG_RUNTIME_DIR=", "HOME=/proc/none"), "no socket can be opened there: /proc/none/"),
        (("env", "XDG_RUNTIME_DIR=", "HOME=here"), "no socket can be opened there: HOME is not set"),
        (("sh", "-c", "echo 'Permission denied (publickey).' >&2; exit 255"), "has ended with exit status 255"),
    ],
    ids=["false", "missing", "endless", "read-only home", "no home", "ssh fails"],
)
def test_no_far_end(owner: Stage, command: tuple[str, ...], says: str) -> None:
    """Where there can be no far end, one line says why."""
    assert says in ended(lend(owner, *command))


@pytest.mark.parametrize("what", ["open", "link", "file"])
def test_a_folder_that_is_not_the_users_alone(owner: Stage, tmp_path: Path, what: str) -> None:
    """Where others could put a socket there is no far end, and one line says what is wrong with the folder."""
    folder = tmp_path / "run" / "keyring-fallback"
    folder.parent.mkdir()
    says = "it is not a folder of this user's alone, of mode 0700"
    if what == "open":
        folder.mkdir()
        folder.chmod(0o755)
    elif what == "link":
        (tmp_path / "real").mkdir(0o700)
        folder.symlink_to(tmp_path / "real")
    else:
        folder.write_text("")
        says = "File exists"
    assert f"{folder}: {says}" in ended(lend(owner, "env", f"XDG_RUNTIME_DIR={folder.parent}", "HOME=here"))


def test_full_disk(owner: Stage, tmp_path: Path) -> None:
    """On a full disk there is no far end, nothing stays behind, and one line says why."""
    folder = tmp_path / "full"
    folder.mkdir()
    if os.getuid() or environments.run(["mount", "-t", "tmpfs", "-o", "size=4k", "full", folder]).returncode:
        pytest.skip("needs to mount something")
    try:
        (folder / "fills").write_bytes(b"x" * 4096)
        assert "No space left on device" in ended(lend(owner, "env", f"XDG_RUNTIME_DIR={folder}", "HOME=here"))
        assert ["fills"] == [one.name for one in folder.rglob("*")], "nothing is left there"
    finally:
        environments.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("version", ["", "3.7"])
def test_no_python(owner: Stage, tmp_path: Path, interpreter: Callable[[str], Path], version: str) -> None:
    """Where there is no Python, or an old one only, one line says so."""
    if shutil.which("bwrap") is None:
        pytest.skip("this machine has no bwrap")
    box: list[Text] = ["bwrap", "--dev", "/dev", "--bind", tmp_path, "/root"]
    for folder in ("/lib", "/lib64"):
        box += ["--ro-bind", folder, folder] if Path(folder).exists() else []
    box += ["--ro-bind", "/bin/sh", "/bin/sh", "--ro-bind", "/usr/bin/env", "/usr/bin/env"]
    if version:
        root = interpreter(version).parent.parent
        box += ["--ro-bind", root, "/usr/local", "--setenv", "LD_LIBRARY_PATH", "/usr/local/lib"]
    said = ended(lend(owner, *box, "/usr/bin/env", "PATH=/usr/local/bin:/bin"))
    assert "there is no Python 3.8 or newer there" in said


def false_far_end(tmp_path: Path, does: str) -> Path:
    """A command that is a far end of somebody else's."""
    return hostile.executable(tmp_path / "false", FALSE.format(python=sys.executable, does=does))


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("say(b'x' * (3 << 20)); time.sleep(60)", "no question"),
        ("say(b'garbage\\n' * (1 << 20)); time.sleep(60)", "no question"),
        ("say(setup['nonce'].encode() + b'{\\n'); time.sleep(60)", "no question"),
        ("say(setup['nonce'].encode() + b'[1]\\n'); time.sleep(60)", "no question"),
        ("say(setup['nonce'].encode() + b'[' * 60000 + b'\\n'); time.sleep(60)", "no question"),
        ("say(setup['nonce'].encode() + b'\"' + b'x' * (9 << 20)); time.sleep(60)", "no question"),
        ("speak({}); time.sleep(60)", "no question"),
        ("question('1'); time.sleep(60)", "no question"),
        ("question(1, service=2); time.sleep(60)", "no question"),
        ("question(1, method='set_password'); time.sleep(60)", "no question"),
        ("question(1, method='__init__'); time.sleep(60)", "no question"),
        ("question(1, username={}); time.sleep(60)", "no question"),
        ("for n in range(1000): question(n, service='https://feed.example/slow')\ntime.sleep(60)", "questions at once"),
        ("sys.exit(3)", "has ended with exit status 3"),
        ("os.close(1); time.sleep(60)", "has ended"),
    ],
)
def test_false_far_end(owner: Stage, tmp_path: Path, does: str, says: str) -> None:
    """A far end that sends garbage, or floods, is the end of it, with one line; whatever it was, nothing is lent."""
    assert says in ended(lend(owner, false_far_end(tmp_path, does)))
    assert [] == [note for note in owner.notes() if "slow" not in note]


def test_other_hosts(owner: Stage, tmp_path: Path) -> None:
    """A far end that asks for other hosts gets nothing, nobody is asked, and a line says what it wanted."""
    file = tmp_path / "answers"
    does = f"""
services = ["https://other.example/", "https://feed.example@other.example/", "https://other.example/?feed.example",
    "https://other.example\\\\\\\\@feed.example.other.example/", "feed.example.", "other", "", "https://[feed.example/"]
for number, service in enumerate(services): question(number, service, asker="\\\\x1b[31mevil\\\\n\\\\u202e")
with open({os.fspath(file)!r}, "w") as file: json.dump(sorted([answer()["answer"] or "" for _ in services]), file)
"""
    lender = lend(owner, false_far_end(tmp_path, does))
    ended(lender)
    assert [*[""] * 7, CANARY] == json.loads(file.read_text())
    assert ["feed.example."] == owner.notes()
    assert ["answered", *["not lent"] * 7] == sorted(line.rpartition(": ")[2] for line in lender.questions)
    assert "\x1b" not in "".join(lender.lines)
    assert "\u202e" not in "".join(lender.lines)


def test_command_is_run_as_it_is(owner: Stage, tmp_path: Path) -> None:
    """COMMAND's words are given as they are, with one more at their end; quotes and blanks in them stay."""
    command = hostile.executable(
        tmp_path / "a b", f'#!/bin/sh\nprintf "<%s>" "$@" > {shlex.quote(str(tmp_path / "words"))}\n'
    )
    ended(lend(owner, command, "x y", "--services", "--", "'"))
    assert "<x y><--services><--><'><sh>" == (tmp_path / "words").read_text()
