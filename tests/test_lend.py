"""A lender answers for the hosts that it was started for, as long as it runs, to its own user, and for nothing else."""

from __future__ import annotations

import configparser
import json
import os
import plistlib
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyring_fallback import here as here_
from keyring_fallback.discovery import lent, places, search
from keyring_fallback.discovery.tool import Kind, Refusal, Tool
from keyring_fallback.lending import lender
from support import environments, hostile, machine, providers
from support.lending import Lender
from support.stage import Stage
from support.terminal import Terminal

if TYPE_CHECKING:
    from support.environments import Environment, Environments, Text

pytestmark = [
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name != "posix", reason="needs Unix sockets"),
    pytest.mark.usefixtures("runtime"),
]
root = pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs to be root")
linux = pytest.mark.skipif(not hostile.HAS_PROC, reason="needs /proc")

STRANGER = 54321
CANARY = "canary-password-that-is-lent"
URL = "https://feed.example/simple/"

#: The tool's provider: what it is asked is noted.
THERE = f"""
class Minting(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        note(f"{{service}} {{username}}")
        if "slow" in service:
            print("open https://device.example", file=sys.stderr)
            time.sleep(60)
        if "raises" in service: raise RuntimeError("log in anew")
        if "locked" in service: raise errors.KeyringLocked("unlock it")
        return None if "nothing" in service else "{CANARY}"
    def get_credential(self, service, username):
        return credentials.SimpleCredential(username or "token", self.get_password(service, username))
    def set_password(self, service, username, password):
        note("stored")
"""


@pytest.fixture
def owner(stage: Stage) -> Stage:
    """The person whose tool it is: in their terminal, the lender is started."""
    return stage.there(THERE)


def lend(owner: Stage, *hosts: str, **more: Any) -> Lender:
    """A lender in the owner's terminal."""
    return Lender(owner.environment, *(hosts or ("feed.example",)), env=owner.env(), **more)


def ask_raw(path: Path, data: bytes) -> bytes:
    """Send something to a socket; give what comes, until the connection ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(os.fspath(path))
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def question(service: str = URL) -> bytes:
    """A question, as it goes over the socket."""
    return json.dumps({"method": "get_password", "service": service, "username": "u"}).encode() + b"\n"


def test_whoever_asks_gets_only_what_is_lent(owner: Stage) -> None:
    """A program that asks the socket itself, for another host, gets nothing: the lender decides, and asks nobody."""
    with lend(owner) as lender:
        lender.until("lent at")
        other = json.loads(ask_raw(lender.socket, question("https://other.example/simple/")))
        assert None is other["answer"]
        lender.until("other.example/simple/: not lent")
        assert CANARY == json.loads(ask_raw(lender.socket, question()))["answer"]
    assert ["https://feed.example/simple/ u"] == owner.notes()


@pytest.mark.parametrize("place", ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"])
def test_answers_what_is_lent(owner: Stage, asker: Stage, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both methods are answered for the hosts that are lent, by name and by pattern; each is one line, without the password."""
    if place != "XDG_RUNTIME_DIR":
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        monkeypatch.setenv(place, os.path.join(os.environ["HOME"], *["a-long-name"] * 12))
    with lend(owner, "feed.example", "*.lent.example") as lender:
        results, stderr = asker.calls(
            ["get_password", URL, "u"],
            ["get_credential", "https://user:pass@a.Lent.example/?token=1", None],
            ["get_password", "feed.example", "u"],
            ["get_password", "https://lent.example/", "u"],
            ["get_password", "https://other.example/#.lent.example", "u"],
        )
        assert [CANARY, ["token", CANARY], CANARY, None, None] == [result["answer"] for result in results]
        assert "" == stderr
        assert [f"{URL}: answered", "https://a.Lent.example/: answered", "feed.example: answered"] == lender.questions
        (first, *_) = [line for line in lender.lines if " asked for " in line]
        assert first.startswith(f"uid {os.getuid()}, process ")
        assert CANARY not in "".join(lender.lines)
    assert 3 == len(owner.notes())


def test_errors_come_over(owner: Stage, asker: Stage) -> None:
    """A provider's error is the asker's: keyring's own as itself, others with their message; and a line says it."""
    with lend(owner) as lender:
        results, stderr = asker.calls(
            ["get_password", URL + "raises", "u"], ["get_password", URL + "nothing", "u"], ["get_password", URL, "u"]
        )
        assert [None, None, CANARY] == [result["answer"] for result in results]
        assert "log in anew" in stderr
        assert ["failed", "no answer", "answered"] == [line.split(": ")[1] for line in lender.questions]
        asker.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
        assert "KeyringLocked" in asker.call("get_password", URL + "locked", "u")["error"]


def test_nothing_is_stored(owner: Stage, asker: Stage) -> None:
    """A lender is not asked to store or to delete, and does not do so for who asks it nevertheless."""
    with lend(owner) as lender:
        results, _ = asker.calls(["set_password", URL, "u", "new"], ["delete_password", URL, "u"])
        assert "PasswordSetError" in results[0]["error"]
        assert "PasswordDeleteError" in results[1]["error"]
        forged = {"method": "set_password", "service": URL, "username": "u", "password": "new"}
        assert b"" == ask_raw(lender.socket, json.dumps(forged).encode() + b"\n")
        assert [] == lender.questions
    assert [] == owner.notes()


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("command", [(), ("env", "PATH=/usr/local/bin:/usr/bin:/bin")], ids=["here", "command"])
def test_leaves_nothing(owner: Stage, asker: Stage, command: tuple[str, ...], number: int) -> None:
    """However it ends, in the middle of a question too: the socket is gone, and so is all that it started."""
    with lend(owner, command=command) as lender:
        assert CANARY == asker.call("get_password", URL, "u")["answer"]
        folder = lender.socket.parent
        program: list[Text] = [asker.environment.script("keyring"), "get", URL + "slow", "u"]
        waits = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lender.until("open https://device.example")
        status = lender.end(number)
        assert status == (-9 if number == signal.SIGKILL else 0)
        assert "has ended in the middle of a question" in waits.communicate(timeout=30)[1]
    assert [] == lender.left_over()
    assert not folder.exists()
    assert None is asker.call("get_password", URL, "u")["answer"]


@linux
def test_terminal_ends(owner: Stage, runtime: Path) -> None:
    """A lender in a terminal shows the prompts of providers there, and ends with it."""
    argv: list[Text] = [owner.environment.script("keyring-fallback"), "lend", "--services", "feed.example"]
    mark = os.urandom(8).hex()
    with Terminal(argv, env={**owner.env(), hostile.MARK: mark}, stdout="terminal", stderr="terminal") as terminal:
        terminal.until("Ctrl-C ends it")
        folder = runtime / "keyring-fallback"
        (path,) = folder.glob("*.sock")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.fspath(path))
            connection.sendall(question(URL + "slow"))
            terminal.until("open https://device.example")
        terminal.press("\x03")
        terminal.until("lent no more")
        assert 0 == terminal.end().returncode
    assert [] == hostile.left_over(mark)
    assert not folder.exists()


@linux
def test_stale_sockets(owner: Stage, asker: Stage) -> None:
    """What a killed far end has left is no lender, costs nobody a millisecond, and the next lender removes it."""
    with lend(owner) as lender:
        path = lender.socket
        (far,) = (pid for pid in children(lender.pid) if "far" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(far, signal.SIGKILL)
        assert 1 == lender.wait()
        assert "has ended" in lender.lines[-1]
    assert path.exists()
    times = []
    for _ in range(20):
        start = time.perf_counter()
        assert [] == list(lent.read(os.fspath(path.parent), os.getuid()))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.001
    assert ["NoKeyringError"] == asker.call("get_password", URL, "u")["error"][:1]
    with lend(owner) as lender:
        assert [lender.socket] == list(path.parent.glob("*.sock"))
        assert not path.exists()


def test_what_is_found_of_a_lender(owner: Stage) -> None:
    """Its socket and its hosts, and nothing that could be run; a folder that cannot be looked at is told."""
    with lend(owner) as lender:
        (found,) = lent.read(os.fspath(lender.socket.parent), os.getuid())
    assert isinstance(found, Tool)
    assert (os.fspath(lender.socket), "", "") == (found.path, found.root, found.interpreter)
    (refusal,) = lent.read("x" * 300, os.getuid())
    assert isinstance(refusal, Refusal)
    assert Kind.UNSEEN == refusal.kind


@linux
def test_a_folder_with_other_things(owner: Stage, asker: Stage) -> None:
    """What is no far end's in the folder hinders neither a lender from lending there nor one from being seen."""
    with lend(owner) as lender:
        folder = lender.socket.parent
        (folder / "000-folder").mkdir(mode=0o700)
        (folder / "000-link").symlink_to("nowhere")
        (folder / "000-loop").symlink_to("000-loop")
        with lend(owner, "other.example") as other:
            assert folder == other.socket.parent
            assert CANARY == asker.call("get_password", "https://other.example/", "u")["answer"]
        assert CANARY == asker.call("get_password", URL, "u")["answer"]


def test_a_folder_where_lenders_come_and_go(owner: Stage) -> None:
    """A lender is seen while others begin and end beside it: with a file and no socket yet, or gone meanwhile."""
    with lend(owner) as lender:
        folder = lender.socket.parent
        script = (
            "import fcntl, os, sys; os.chdir(sys.argv[1]); os.umask(0o77); print(flush=True)\n"
            "while True:\n"
            "    mark = os.open('.0', os.O_CREAT | os.O_RDWR); fcntl.flock(mark, fcntl.LOCK_EX); os.write(mark, b'other')\n"
            "    os.rename('.0', '0'); os.unlink('0'); os.close(mark)\n"
        )
        with subprocess.Popen([sys.executable, "-c", script, folder], stdout=subprocess.PIPE) as coming:
            assert coming.stdout is not None
            coming.stdout.readline()
            try:
                seen = [[*lent.read(os.fspath(folder), os.getuid())] for _ in range(2000)]
            finally:
                coming.kill()
        assert {os.fspath(lender.socket)} == {one.path for found in seen for one in found if isinstance(one, Tool)}
        assert [] == [found for found in seen if not any(isinstance(one, Tool) for one in found)]


def test_answers_the_global_keyring_itself(owner: Stage, asker: Stage) -> None:
    """A keyring that is itself a global tool, as that of a container may be, gets what is lent, and asks no other tool."""
    tools = asker.folder / "tools"
    tools.mkdir()
    (tools / "keyring").symlink_to(asker.environment.root)
    asker.variables["UV_TOOL_DIR"] = os.fspath(tools)
    source = "from keyring_fallback import survey; print(survey.current().state.name)"
    state = asker.environment.run(["-c", source], env=asker.env()).stdout
    assert "AT_HOME\n" == state
    with lend(owner):
        assert CANARY == asker.call("get_password", URL, "u")["answer"]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_two_lenders(owner: Stage, asker: Stage) -> None:
    """Two lenders at once answer for their own hosts, and one that ends takes nothing from the other."""
    with lend(owner, "feed.example") as one, lend(owner, "other.example") as other:
        results, _ = asker.calls(["get_password", URL, "u"], ["get_password", "https://other.example/", "u"])
        assert [CANARY, CANARY] == [result["answer"] for result in results]
        assert [1, 1] == [len(one.questions), len(other.questions)]
        assert 0 == one.end()
        assert CANARY == asker.call("get_password", "https://other.example/", "u")["answer"]


def plant_folder_mode(path: Path) -> None:
    """Open the folder to the group."""
    path.parent.chmod(0o750)


def plant_link(path: Path) -> None:
    """Put a link in the folder's place."""
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


def plant_file_mode(path: Path) -> None:
    """Open the file with the hosts to others."""
    path.with_suffix("").chmod(0o644)


def plant_file_link(path: Path) -> None:
    """Put a link in the place of the file with the hosts."""
    path.with_suffix("").rename(path.with_name(".kept"))
    path.with_suffix("").symlink_to(".kept")


def plant_socket_mode(path: Path) -> None:
    """Open the socket to others."""
    path.chmod(0o666)


def plant_socket_link(path: Path) -> None:
    """Put a link in the socket's place."""
    path.rename(path.with_name(".kept"))
    path.symlink_to(".kept")


def plant_owner(path: Path) -> None:
    """Have the folder be another user's."""
    os.chown(path.parent, STRANGER, -1)


PLANTED = [plant_folder_mode, plant_link, plant_file_mode, plant_file_link, plant_socket_mode, plant_socket_link]


@pytest.mark.skipif(machine.WINDOWS, reason="Windows' users have names")
def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may be run by any number, without a name or a variable that says one: it can lend."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987654321)
    assert "somebody" == lender._user()  # noqa: SLF001


@pytest.mark.parametrize("plant", [*PLANTED, pytest.param(plant_owner, marks=root)])
def test_planted_is_refused(owner: Stage, asker: Stage, plant: Any) -> None:
    """What is not the user's alone, or a link, is not asked; the refusal says where and why."""
    with lend(owner) as lender:
        assert CANARY == asker.call("get_password", URL, "u")["answer"]
        plant(lender.socket)
        assert None is asker.call("get_password", URL, "u")["answer"]
        here = here_.here()
        (refusal,) = [one for one in search.find(here).refusals if "keyring-fallback" in one.path]
        assert re.search("it is not a .* of mode 0.00, of this user's alone|symbolic links", refusal.reason)
        assert 1 == len(lender.questions)


@root
def test_another_user_cannot_ask(owner: Stage, python: Path, runtime: Path) -> None:
    """Another user cannot connect, and the connection of a root that is not the user ends without an answer."""
    program = (
        "import os, socket, sys; os.setuid(int(sys.argv[2])); s = socket.socket(socket.AF_UNIX); s.settimeout(30)\n"
        "try: s.connect(sys.argv[1])\nexcept PermissionError: sys.exit('refused')\n"
        "s.sendall(sys.argv[3].encode()); print(s.recv(1000))"
    )
    with lend(owner) as lender:
        argv: list[Text] = [python, "-c", program, lender.socket]
        assert "refused\n" == environments.run([*argv, str(STRANGER), question().decode()]).stderr
        assert CANARY in environments.run([*argv, "0", question().decode()]).stdout
        # the folder is open to the user now, and the socket too: the far end itself tells them apart
        for path in (lender.socket, lender.socket.parent, runtime):
            path.chmod(0o777)
        assert CANARY not in environments.run([*argv, str(STRANGER), question().decode()]).stdout
        assert 1 == len(lender.questions)


@root
def test_another_user_is_not_asked(asker: Stage, runtime: Path) -> None:
    """Where another user listens at the user's own socket, nothing is asked there."""
    folder = runtime / "keyring-fallback"
    folder.mkdir(0o700)
    program = (
        "import fcntl, os, socket, sys; os.umask(0o177); file = open('12', 'w'); file.write('x@y\\nfeed.example')\n"
        "file.flush(); fcntl.flock(file, fcntl.LOCK_EX)\ns = socket.socket(socket.AF_UNIX)\n"
        f"s.bind('12.sock'); os.seteuid({STRANGER})\n"
        "s.listen(); print('ready', flush=True); c, _ = s.accept(); print(c.recv(1000))"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None
        assert "ready\n" == stranger.stdout.readline()
        result = asker.call("get_password", URL, "u")
        assert None is result["answer"]
        assert "another user" in result["stderr"]
        assert "b''\n" == stranger.stdout.readline()


def test_viability_calls_nobody(owner: Stage, asker: Stage) -> None:
    """That a lender is there is told from files: connecting is left to the lookup, and only that for a lent host."""
    program = (
        "import json, sys; calls = []\n"
        "sys.addaudithook(lambda event, args: event == 'socket.connect' and calls.append(event))\n"
        "import keyring; chosen = type(keyring.get_keyring()).__name__; before = len(calls)\n"
        "keyring.get_password('https://other.example/', 'u'); other = len(calls)\n"
        f"keyring.get_password('{URL}', 'u'); print(json.dumps([chosen, before, other, len(calls)]))"
    )
    with lend(owner):
        said = asker.environment.run(["-c", program], env=asker.env(), check=True).stdout
        assert ["FallbackKeyring", 0, 0, 1] == json.loads(said)


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (70 << 10),
        b"x" * (70 << 10) + b"\n",
        b"no json\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"[" * 60000 + b"\n",
        json.dumps({"method": "get_password", "service": 1, "username": "u"}).encode() + b"\n",
        json.dumps({"method": "get_password", "service": URL, "username": []}).encode() + b"\n",
        json.dumps({"method": "eval", "service": URL, "username": "u"}).encode() + b"\n",
        json.dumps({"method": "get_password", "service": URL + "x" * (64 << 10), "username": "u"}).encode() + b"\n",
        ('{"method": "get_password", "username": "u", "service": "' + "\u20ac" * 20_000 + '"}\n').encode(),
    ],
    ids=lambda data: data[:20].decode(),
)
def test_no_question(lender_for_all: Lender, data: bytes) -> None:
    """What is no question, or more than 64 kB, ends the connection; the lender goes on."""
    lender = lender_for_all
    before = len(lender.questions)
    try:
        assert b"" == ask_raw(lender.socket, data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert CANARY in ask_raw(lender.socket, question()).decode()
    assert before + 1 == len(lender.questions)


@pytest.fixture(scope="module")
def lender_for_all(
    shared_environments: Environments,
    python: Path,
    wheel: Path,
    scripted_tool: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A lender for the tests that do not harm it."""
    folder = tmp_path_factory.mktemp("lender")
    stage = Stage(shared_environments.get(python, "keyring", wheel), folder)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(scripted_tool.root)
    with machine.temporary_folder("lend") as runtime:
        stage.variables["XDG_RUNTIME_DIR"] = os.fspath(runtime)
        with lend(stage.there(THERE)) as lender:
            yield lender


def test_half_a_question(lender_for_all: Lender) -> None:
    """A connection that ends in the middle of a question is none."""
    lender = lender_for_all
    before = len(lender.questions)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(lender.socket))
        connection.sendall(question()[:20])
    assert CANARY in ask_raw(lender.socket, question()).decode()
    assert before + 1 == len(lender.questions)


def test_a_thousand_at_once(lender_for_all: Lender) -> None:
    """A thousand questions at once are all answered: some at a time, while the others wait in the socket's queue."""
    lender = lender_for_all
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 1000 if hard == resource.RLIM_INFINITY or hard > 1200 else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    waiting: dict[socket.socket, bytes] = {}
    poll, answered, deadline = select.poll(), 0, time.monotonic() + 60
    numbers: dict[int, socket.socket] = {}
    try:
        for _ in range(count):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(30)
            while True:
                try:
                    connection.connect(os.fspath(lender.socket))
                    break
                except BlockingIOError:
                    time.sleep(0.01)
            connection.sendall(question())
            waiting[connection] = b""
            numbers[connection.fileno()] = connection
            poll.register(connection, select.POLLIN)
        while answered < count:
            assert time.monotonic() < deadline, answered
            for number, _ in poll.poll(1000):
                connection = numbers[number]
                data = connection.recv(65536)
                waiting[connection] += data
                if not data:
                    assert CANARY in waiting[connection].decode()
                    answered += 1
                    poll.unregister(connection)
    finally:
        for connection in numbers.values():
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_time_limits(owner: Stage, asker: Stage) -> None:
    """The asker waits no longer than its own limit, and a question takes the lender no longer than the lender's."""
    owner.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "3"
    asker.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "1"
    with lend(owner) as lender:
        result = asker.call("get_password", URL + "slow", "u")
        assert None is result["answer"]
        assert "gave no answer within 1 seconds" in result["stderr"]
        lender.until("gave no answer within 3 seconds")


def test_what_is_borrowed_is_not_lent(owner: Stage, asker: Stage) -> None:
    """A lender whose machine has nothing but what another one lends has nothing to lend."""
    with lend(owner):
        second = Lender(asker.environment, "feed.example", env=asker.env())
        assert 1 == second.wait()
        assert "nothing can be lent" in second.lines[-1]


def test_ends_when_the_tools_change(owner: Stage, asker: Stage, tmp_path: Path, scripted_tool: Environment) -> None:
    """A new version of a provider, or any other package, in the tool: nobody is answered any more by what is gone."""
    root = tmp_path / "changing"
    shutil.copytree(scripted_tool.root, root, symlinks=True)
    owner.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(root)
    tool = environments.Environment(root)
    with lend(owner) as lender:
        assert CANARY == asker.call("get_password", URL, "u")["answer"]
        providers.put_provider(tool, "new-package", "", "", version="2.0")
        assert None is asker.call("get_password", URL, "u")["answer"]
        assert 1 == lender.wait()
        # the line of the question that found it may come after
        assert any("has changed" in line for line in lender.lines)


def another_socket(path: Path) -> None:
    """Put somebody else's socket into the place of a lender's."""
    with socket.socket(socket.AF_UNIX) as other, tempfile.TemporaryDirectory() as folder:
        other.bind(os.path.join(folder, "s"))  # a socket's path must be short
        os.replace(os.path.join(folder, "s"), path)


#: By names, what happens to a lender's socket.
GONE = {
    "folder": lambda path: shutil.rmtree(path.parent),
    "moved": lambda path: path.parent.rename(path.parent.parent / "moved"),
    "file": lambda path: path.with_suffix("").unlink(),
    "socket": lambda path: path.unlink(),
    "another's": another_socket,
}


@pytest.mark.parametrize("command", [(), ("env", "PATH=/usr/local/bin:/usr/bin:/bin")], ids=["here", "command"])
def test_ends_when_its_socket_is_gone(owner: Stage, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Where nobody finds its socket any more, a lender ends by its next sign of life, says why, and leaves what is not its own."""
    lenders = {}
    for name in GONE:
        (tmp_path / name).mkdir(mode=0o700)
        env = {**owner.env(), "XDG_RUNTIME_DIR": os.fspath(tmp_path / name)}
        lenders[name] = Lender(owner.environment, "feed.example", command=command, env=env)
    paths = {name: one.socket for name, one in lenders.items()}
    for name, does in GONE.items():
        does(paths[name])
    for name, one in lenders.items():
        path = paths[name].with_suffix("") if name in ("folder", "moved", "file") else paths[name]
        why = " is another's now" if name == "another's" else ": No such file or directory"
        one.until(f"this machine: {path}{why}: lent no more" if not command else f": {path}{why}: lent no more")
        assert 1 == one.wait()
    assert [True, *[False] * 4] == [path.exists() for path in reversed(paths.values())]


def test_why_it_ends_is_on_stderr(asker: Stage) -> None:
    """What ends a lender is an error: it is no line of those who watch the questions."""
    result = environments.run(
        [asker.environment.script("keyring-fallback"), "lend", "--services", "x"], env=asker.env()
    )
    assert (1, "", True) == (result.returncode, result.stdout, "nothing can be lent" in result.stderr)


@linux
def test_who_lends_nothing_is_passed_over(owner: Stage, asker: Stage) -> None:
    """An older lender that lends nothing is a lender, and no program that could be started."""
    with lend(owner, "feed.example") as lender:
        lender.socket.with_suffix("").write_text("ann@box\n")
        result, stderr = asker.calls(["get_password", URL, "u"])
        assert (["NoKeyringError"], "") == (result[0]["error"][:1], stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--services"),
        (("--services", ""), "'' is no host"),
        (("--services", "feed.example", " "), "' ' is no host"),
        (("--services",), "--services"),
        (("--services", "https://feed.example/simple/"), "feed.example"),
        (("--services", "--", "ssh", "box"), "--services"),
    ],
)
def test_usage(asker: Stage, arguments: tuple[str, ...], says: str) -> None:
    """At least one host is named, and hosts are no URLs: what else is typed ends with status 2 and says what to type."""
    result = environments.run([asker.environment.script("keyring-fallback"), "lend", *arguments])
    assert 2 == result.returncode
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("pattern", ["*", "*.*", "?*"])
def test_everything_is_warned_of(owner: Stage, pattern: str) -> None:
    """A pattern for every host is lent with a word of warning."""
    with lend(owner, pattern) as lender:
        assert "every host" in lender.until("every host")


def test_far_folder_is_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a far end may open its socket is where discovery looks, in the same order."""
    environ = {"XDG_RUNTIME_DIR": "/run/user/1", "XDG_STATE_HOME": "/state", "HOME": "/home/ann"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found: list[str] = []

    def there(path: str) -> bool:
        found.append(path)
        return True

    monkeypatch.setattr(os.path, "lexists", there)
    for platform in ("linux", "darwin"):
        found.clear()
        assert found == places.lenders(environ, "/home/ann", platform)
        assert [os.path.expanduser(os.path.expandvars(one)) for one in places.LENT_AT[platform]] == found
    assert [] == places.lenders(environ, "C:\\Users\\ann", "win32")


def test_the_doctor_shows_it(owner: Stage, asker: Stage, tmp_path: Path) -> None:
    """The doctor shows the lender: where it leads, and for which hosts; a lookup that it answers works."""
    with lend(owner, "feed.example", "*.lent.example") as lender:
        argv: list[Text] = [
            asker.environment.script("keyring-fallback"),
            "doctor",
            "--verbose",
            "https://feed.example/simple/",
            "u",
        ]
        result = environments.run(argv, env=asker.env(), cwd=tmp_path)
        assert f"      path: {lender.socket}\n" in result.stdout
        assert "      lent:\n        - feed.example\n        - *.lent.example\n" in result.stdout
        assert "It works." in result.stdout
        assert CANARY not in result.stdout + result.stderr
        assert f"{URL}: answered" in lender.questions


def test_services_of_the_page() -> None:
    """The unit and the property list of the page are whole, and start what the command line takes."""
    page = Path(__file__).parent.parent / "docs" / "lend.md"
    unit, plist = re.findall(r"```(?:ini|xml)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    parsed = configparser.RawConfigParser()
    parsed.read_string(unit)
    for words in (parsed["Service"]["ExecStart"].split(), plistlib.loads(plist.encode())["ProgramArguments"]):
        assert ["keyring-fallback", "lend", "--services"] == [Path(words[0]).name, *words[1:3]]


def test_the_unit_is_one(tmp_path: Path) -> None:
    """systemd takes the unit."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this machine has no systemd-analyze")
    page = Path(__file__).parent.parent / "docs" / "lend.md"
    (unit,) = re.findall(r"```ini\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "keyring-fallback.service"
    file.write_text(unit.replace("%h/.local/bin/keyring-fallback", "/bin/true"))
    result = environments.run(["systemd-analyze", "--user", "verify", file])
    assert "" == "\n".join(line for line in result.stderr.splitlines() if "keyring-fallback" in line)
