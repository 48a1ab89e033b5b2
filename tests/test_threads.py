"""The pipes as Windows needs them, with threads: they run on every system, so they are tested on every system."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Callable

import pytest

from keyring_fallback.delegation import bridge, command_line, pipes, process
from keyring_fallback.delegation.call import Call, Invocation, Reply, Setup
from keyring_fallback.errors import ToolError
from support.conformance import Conformance

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is chosen on this system.
KIND = pipes.Selected if os.name == "posix" else pipes.Threaded


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Choose the pipes that are chosen on Windows; helpers of other tests are left alone."""
    registry = bridge._Registry()  # noqa: SLF001 - with helpers of its own
    monkeypatch.setattr(pipes, "Selected", pipes.Threaded)
    monkeypatch.setattr(bridge, "_registry", registry)
    yield
    for session in registry.sessions:
        session.close(kill=True)


@pytest.mark.filterwarnings("ignore:Empty usernames are deprecated:DeprecationWarning")
class TestGlobalKeyring(Conformance):
    """keyring's conformance suite through a helper whose pipes are read by threads."""

    def test_large_password(self) -> None:
        """What does not fit into a pipe at once is written by a thread of its own."""
        password = "\u00e9" * 200_000
        self.set_password("service", "user", password)  # type: ignore[no-untyped-call]
        assert password == self.keyring.get_password("service", "user")


class Nobody:
    """Hears stderr for nobody."""

    def heard(self, data: bytes) -> None:
        """Take it."""

    def pause(self) -> float:
        """Nothing is ever due."""
        return 60.0


def started(code: str) -> process.Process:
    """Start a Python program whose stderr is listened to."""
    return process.Process([sys.executable, "-c", code], dict(os.environ), listen=True)


def test_time_limit_holds_while_a_child_keeps_the_pipe() -> None:
    """A program that never answers, and whose child holds its pipes, keeps nobody longer than the time limit."""
    child = "import time; time.sleep(60)"
    running = started(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        running.collect(lambda _: False, 1.0, Nobody())
    running.kill()
    assert time.monotonic() - begun < 20
    assert running.status() is not None


def test_end_of_a_program_is_noticed() -> None:
    """What a program has written is given back once it has ended, and its exit status told."""
    running = started("print('all', flush=True); raise SystemExit(3)")
    running.send(b"x" * 100_000, end=True)  # nobody reads it
    assert b"all" == running.collect(lambda _: False, 30.0, Nobody()).strip()
    assert 3 == running.wait(10.0)
    running.kill()


@pytest.mark.parametrize("kind", [KIND, pipes.Threaded])
def test_what_comes_behind_the_end_of_a_line_is_not_lost(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """What a program writes while its last words are looked at is there for the next look."""
    monkeypatch.setattr(pipes, "Selected", kind)
    running = started(
        "import sys, time; print('noise', flush=True); sys.stdin.readline(); print('answer', flush=True); time.sleep(60)"
    )

    def complete(_: bytes) -> bool:
        running.send(b"go\n")
        time.sleep(0.5)  # the answer is written meanwhile
        return True

    said: bytes = running.collect(complete, 30.0, Nobody())
    while b"answer" not in said:
        said += running.collect(lambda _: True, 10.0, Nobody())
    running.kill()
    assert [b"noise", b"answer"] == said.split()


def test_an_interrupt_while_a_program_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C while a program is ended leaves it neither running nor stopped."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    running = started("import time; time.sleep(60)")
    if sys.platform == "win32":
        monkeypatch.setattr("keyring_fallback.helper.windows.end_descendants", interrupted)
    monkeypatch.setattr(process, "processes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        running.kill()
    assert running.wait(10.0) is not None


@pytest.mark.parametrize(
    "ask", [bridge.ask, lambda invocation, _, call: command_line.ask(invocation, call)], ids=["helper", "command line"]
)
def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Reply]) -> None:
    """Where no thread can be started any more, at the end of a program for example, the tool cannot be asked."""

    def fails(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fails)
    invocation = Invocation((sys.executable,), dict(os.environ), "the tool", 10.0)
    call = Call("get_password", "service", "user")
    with pytest.raises(ToolError, match="the tool cannot be started"):
        ask(invocation, Setup(everything=True, entry_points=(), own=(), skip=()), call)
