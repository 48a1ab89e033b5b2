"""A provider's prompt reaches the person: a real terminal, real programs that keep the stderr of ``keyring``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.delegation import waiting
from keyring_fallback.helper.shared import Descriptor
from support import machine, providers
from support.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environment, Environments, Text, Tool

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="there are no pseudo-terminals on Windows")
if not machine.WINDOWS:
    import fcntl
    import resource
    import termios

    from support.terminal import Terminal

PROMPT = "To sign in, open https://login.example/device and enter the code C0DE\n"
SERVICE = "https://feed.example/simple/"
GET = ("get", SERVICE, "somebody")
PASSWORD = "canary-password"  # noqa: S105


@dataclass
class Scene:
    """A program in an environment with us, and a tool whose provider asks the person to log in."""

    tool: Tool
    venv: Environment
    folder: Path

    def env(self, **more: str) -> dict[str, str]:
        """The variables in the person's terminal."""
        env = {**os.environ, **machine.home_variables(self.tool.home), "GATE": str(self.gate), "ASKED": str(self.asked)}
        return {**self.venv.activated(env), **more}

    @property
    def gate(self) -> Path:
        """The file that the provider waits for."""
        return self.folder / "gate"

    @property
    def asked(self) -> Path:
        """The file in which the provider leaves the number of its process."""
        return self.folder / "asked"

    def keyring(self, *args: Text, stderr: str = "kept", **env: str) -> Terminal:
        """``keyring ARGS`` in a terminal; its stdout is kept, and its stderr too if nothing else is said."""
        return Terminal([self.venv.script("keyring"), *args], env=self.env(**env), cwd=self.folder, stderr=stderr)

    @property
    def line(self) -> str:
        """The line before the prompt."""
        return (
            f"\nkeyring-fallback: waiting for the global keyring {self.tool.environment.root} to answer for "
            f"'{SERVICE}' (at most 120 seconds; Ctrl-C stops it)\n"
        )


@pytest.fixture
def scene(shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path) -> Scene:
    """The scene, with the gate closed."""
    folder = shared_environments.once(
        "prompting", lambda path: providers.make_provider(path, "prompting", providers.source("prompting"))
    )
    tool = shared_environments.uv_tool(python, next(folder.glob("*.whl")))
    return Scene(tool, shared_environments.get(python, "keyring", wheel), tmp_path)


@pytest.mark.parametrize("arguments", [GET, ("--mode", "creds", "get", SERVICE)], ids=["uv", "uv, always"])
@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_prompt_is_on_the_terminal_before_the_provider_ends(
    scene: Scene, arguments: tuple[str, ...], stream: str
) -> None:
    """With stderr kept by the caller, the prompt and one line before it are on the terminal while the provider waits."""
    with scene.keyring(*arguments, PROMPT_ON=stream) as terminal:
        terminal.until(PROMPT)
        os.kill(int(scene.asked.read_text()), 0)  # it still runs
        scene.gate.touch()
        result = terminal.end()
    assert scene.line + PROMPT == terminal.shown
    assert (0, PASSWORD) == (result.returncode, result.stdout.split()[-1])
    assert PROMPT == result.stderr, "the caller gets what it would have got without us"


def test_shown_on_the_terminal_where_a_tool_is_asked_through_its_command_line(scene: Scene) -> None:
    """The same where the tool is a program whose interpreter cannot be told."""
    shim = scene.folder / "shim" / "keyring"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {scene.tool.environment.script("keyring")} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    with scene.keyring(*GET, KEYRING_PROPERTY_FALLBACK_TOOL=str(shim), HOME=str(scene.folder)) as terminal:
        terminal.until(PROMPT)
        scene.gate.touch()
        result = terminal.end()
    assert re.fullmatch(
        rf"\nkeyring-fallback: waiting for the global keyring {re.escape(str(shim))} .*Ctrl-C.*\n",
        terminal.shown.replace(PROMPT, ""),
    )
    assert terminal.shown.endswith(PROMPT)
    assert (PROMPT, PASSWORD) == (result.stderr, result.stdout.strip())


def test_nothing_where_the_answer_comes_soon(scene: Scene) -> None:
    """An answer within three seconds: not a word on the terminal, whatever the provider says meanwhile."""
    scene.gate.touch()
    with scene.keyring(*GET) as terminal:
        result = terminal.end()
    assert "" == terminal.shown
    assert (PROMPT, PASSWORD) == (result.stderr, result.stdout.strip())


def test_a_line_where_stderr_is_the_terminal(scene: Scene) -> None:
    """stderr is the terminal: the provider's words come from itself, once, and then the line that says who waits."""
    with scene.keyring(*GET, stderr="terminal") as terminal:
        terminal.until("waiting for")
        scene.gate.touch()
        terminal.end()
    assert PROMPT + scene.line == terminal.shown


def test_nothing_changes_without_a_terminal(scene: Scene) -> None:
    """No controlling terminal: stderr is what the provider writes, however long it takes."""
    argv: list[Text] = [scene.venv.script("keyring"), *GET]
    with subprocess.Popen(
        argv,
        env=scene.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while not scene.asked.exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(3.5)
        scene.gate.touch()
        assert (PASSWORD + "\n", PROMPT) == process.communicate()


@pytest.mark.parametrize("stderr", ["kept", "terminal"])
def test_ctrl_c_stops_it(scene: Scene, stderr: str) -> None:
    """Ctrl-C ends the program as it says, by its signal, without a traceback, and the provider with it."""
    with scene.keyring(*GET, stderr=stderr) as terminal:
        terminal.until("Ctrl-C stops it")
        terminal.press("\x03")
        result = terminal.end()
        provider = int(scene.asked.read_text())
        deadline = time.monotonic() + 30
        while _runs(provider) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert -signal.SIGINT == result.returncode
    assert "Traceback" not in terminal.shown + result.stderr
    assert not _runs(provider)


def test_another_interrupt_is_explained(scene: Scene) -> None:
    """A program that goes on after our Ctrl-C and is interrupted again shows where, as ever."""
    program = (
        "import keyring, sys\n"
        "try: keyring.get_password(sys.argv[1], 'somebody')\n"
        "except KeyboardInterrupt: pass\n"
        "raise KeyboardInterrupt"
    )
    with Terminal([scene.venv.python, "-c", program, SERVICE], env=scene.env(), cwd=scene.folder) as terminal:
        terminal.until("Ctrl-C stops it")
        terminal.press("\x03")
        result = terminal.end()
    assert (
        PROMPT + 'Traceback (most recent call last):\n  File "<string>", line 4' == result.stderr.partition(", in")[0]
    )


@pytest.mark.parametrize(("terminal", "stderr", "unseen"), [(1, 0, True), (1, 1, False), (0, 0, False), (0, 1, False)])
def test_whether_stderr_is_kept_from_a_person(
    monkeypatch: pytest.MonkeyPatch, *, terminal: int, stderr: int, unseen: bool
) -> None:
    """It is where there is somebody to read and it is no terminal: pip and uv read it; a service has nobody."""
    monkeypatch.setattr(waiting, "has_terminal", lambda: bool(terminal))
    monkeypatch.setattr(waiting, "_is_stderr_terminal", lambda: bool(stderr))
    assert unseen == waiting.has_unseen_stderr()


def test_stderr_may_be_closed(scene: Scene) -> None:
    """Without any stderr the terminal shows the line and the prompt once, and nothing before its time."""
    closing: list[Text] = ["/bin/sh", "-c", 'exec "$0" "$@" 2>&-', scene.venv.script("keyring"), *GET]
    with Terminal(closing, env=scene.env(), cwd=scene.folder) as terminal:
        terminal.until(PROMPT)
        scene.gate.touch()
        result = terminal.end()
    assert scene.line + PROMPT == terminal.shown
    assert PASSWORD == result.stdout.strip()


def test_a_stopped_terminal_keeps_nobody(scene: Scene) -> None:
    """A terminal that takes nothing (Ctrl-S) loses what is to be shown; the lookup goes on."""
    with scene.keyring(*GET) as terminal:
        terminal.press("\x13")
        while not scene.asked.exists():
            time.sleep(0.05)
        time.sleep(4)
        scene.gate.touch()
        result = terminal.end(60)
    assert PASSWORD == result.stdout.strip()


@pytest.mark.parametrize("blocking", [True, False])
def test_a_full_pipe_with_a_large_number_keeps_nobody(monkeypatch: pytest.MonkeyPatch, *, blocking: bool) -> None:
    """Something that takes nothing loses what is to be shown, also where its number is too large for select."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit <= 1100:
        pytest.skip(f"this process may open {limit} files only")
    monkeypatch.setattr(waiting, "_STUCK_SECONDS", 0.1)
    reader, writer = os.pipe()
    large = fcntl.fcntl(writer, fcntl.F_DUPFD, 1100)
    os.set_blocking(writer, blocking)
    shown = waiting.Waiting("")
    begun = time.monotonic()
    try:
        for descriptor in (writer, large):
            for _ in range(20):
                shown._write(Descriptor(descriptor), b"x" * 1_000_000)  # noqa: SLF001 - stderr that nobody reads
        assert 0 < len(os.read(reader, 1_000_000)) < 1_000_000
    finally:
        for descriptor in (reader, writer, large):
            os.close(descriptor)
    assert time.monotonic() - begun < 1


def test_a_pipe_that_is_read_slowly_loses_nothing() -> None:
    """Who reads stderr, but not at once, gets all of it."""
    reader, writer = os.pipe()
    got = []

    def read() -> None:
        while data := os.read(reader, 20_000):
            got.append(data)
            time.sleep(0.01)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        waiting.Waiting("")._write(Descriptor(writer), b"x" * 300_000)  # noqa: SLF001 - stderr
    finally:
        os.close(writer)
        reading.join()
        os.close(reader)
    assert 300_000 == len(b"".join(got))


@pytest.mark.parametrize("kept", [True, False])
def test_the_time_limit_holds_where_nobody_reads_stderr(scene: Scene, *, kept: bool) -> None:
    """A provider that fills stderr, which is a pipe that nobody reads, takes no longer than it may, on a terminal and off."""
    program = (
        "import os, subprocess, sys, time\n"
        "started = time.monotonic()\n"
        "program = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "status = program.wait(25)\n"
        "print(status, int(time.monotonic() - started))\n"
    )
    variables = scene.env(KEYRING_PROPERTY_FALLBACK_TIMEOUT="2", FLOOD="yes")
    argv: list[Text] = [sys.executable, "-c", program, scene.venv.script("keyring"), *GET]
    if kept:
        with Terminal(argv, env=variables, cwd=scene.folder) as terminal:
            status, seconds = map(int, terminal.end().stdout.split())
    else:
        said = subprocess.run(argv, env=variables, stdout=subprocess.PIPE, start_new_session=True, check=True).stdout
        status, seconds = map(int, said.split())
    assert (1, True) == (status, seconds < 15)


def test_in_the_background(scene: Scene) -> None:
    """A job in the background of a terminal with ``stty tostop`` is not stopped by our line."""
    job: list[Text] = ["/bin/sh", "-mc", '"$0" "$@" & wait', scene.venv.script("keyring"), *GET]
    with Terminal(job, env=scene.env(), cwd=scene.folder) as terminal:
        settings = terminal.settings()
        settings[3] |= termios.TOSTOP
        terminal.set(settings)
        terminal.until(PROMPT)
        scene.gate.touch()
        result = terminal.end(60)
    assert PASSWORD == result.stdout.strip()


@pytest.fixture
def feed(demo_store: Path) -> Iterator[Feed]:
    """A feed on loopback."""
    with Feed(demo_store.parent, password=PASSWORD) as running:
        yield running


def test_uv_with_authenticate_always(scene: Scene, feed: Feed, home: Path) -> None:
    """uv keeps the stderr of ``keyring --mode creds``; its progress bar does not swallow the line and the prompt."""
    settings = home / "uv.toml"
    settings.write_text(
        f'keyring-provider = "subprocess"\n[[index]]\nurl = "{feed.direct_url}"\nauthenticate = "always"\ndefault = true\n'
    )
    argv: list[Text] = [
        machine.uv(),
        "--config-file",
        settings,
        "pip",
        "install",
        "--no-cache",
        "--dry-run",
        "--no-deps",
    ]
    argv += ["--python", scene.venv.python, "demo-store"]
    with Terminal(argv, env=scene.env(), cwd=scene.folder, stderr="terminal") as terminal:
        shown = terminal.until(PROMPT)
        assert f"\nkeyring-fallback: waiting for the global keyring {scene.tool.environment.root}" in shown
        scene.gate.touch()
        result = terminal.end()
    assert 0 == result.returncode, terminal.shown
    assert "demo-store" in terminal.shown


def test_pip_with_the_subprocess_provider(scene: Scene, feed: Feed) -> None:
    """pip keeps the stderr of ``keyring`` since 26.2 and never shows it; the person sees the prompt nevertheless."""
    if tuple(map(int, version("pip").split(".")[:2])) < (26, 2):
        pytest.skip(f"pip {version('pip')} shows the stderr of keyring itself")
    argv: list[Text] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-cache-dir",
        "--dry-run",
        "--no-deps",
        "--isolated",
    ]
    argv += ["--disable-pip-version-check", "--keyring-provider", "subprocess", "--index-url", feed.direct_url]
    with Terminal([*argv, "demo-store"], env=scene.env(), cwd=scene.folder, stderr="terminal") as terminal:
        shown = terminal.until(PROMPT)
        assert "\nkeyring-fallback: waiting for" in shown
        scene.gate.touch()
        result = terminal.end()
    assert 0 == result.returncode, terminal.shown
    assert "demo-store" in result.stdout


def _runs(process: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
