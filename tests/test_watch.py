"""Watch mode: ``doctor -- COMMAND`` changes nothing of the command, and tells whom it asked and what came."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.helper import recorder
from support import environments, machine, trees
from test_backends import reader

if TYPE_CHECKING:
    from support.stage import Stage

SECRET = "canary-password"  # noqa: S105 - a made-up one
URL = "https://pkgs.dev.azure.com/o/_packaging/f/pypi/simple/"
TOKEN = "canary-name-0123456789"  # noqa: S105 - a user name that is a token

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are POSIX'")


def watch(
    stage: Stage, *command: str, stdin: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command under the watch in the activated environment of the stage."""
    env = stage.environment.activated(stage.env())
    return stage.environment.run(["-m", "keyring_fallback", "doctor", "--", *command], env=env, stdin=stdin, cwd=cwd)


def test_what_uv_does(stage: Stage) -> None:
    """``keyring get`` of a command is passed through byte for byte; who was asked in it, and what came, is told."""
    stage.there(reader("There", 9, f"return '{SECRET}'"))
    plain = stage.environment.keyring("get", URL, "VssSessionToken", env=stage.env())
    result = watch(stage, "keyring", "get", URL, "VssSessionToken")
    assert (plain.stdout, 0) == (result.stdout, result.returncode)
    assert SECRET not in result.stderr
    first, inside, there = result.stderr.splitlines()[-3:]
    keyring = stage.environment.script("keyring")
    assert re.fullmatch(
        rf"  get {re.escape(URL)} for VssSessionToken: {re.escape(str(keyring))} answered \(\d+ ms\)", first
    )
    assert f"  keyring (get_password) {URL} for VssSessionToken: answered" == inside
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    assert re.fullmatch(rf"    {re.escape(tool)}: answered \(\d+ ms\)", there)


def test_what_pip_does(stage: Stage) -> None:
    """A program that imports keyring is heard, too; a user name that may be a token is not shown."""
    stage.there(reader("There", 9, "raise OSError('log in first')"))
    program = f"import keyring; keyring.get_credential('{URL}', '{TOKEN}')"
    result = watch(stage, os.fspath(stage.environment.python), "-c", program)
    assert 0 == result.returncode
    assert TOKEN not in result.stderr
    lines = result.stderr.splitlines()
    assert f"  -c (get_credential) {URL} for another user name: had no answer" in lines
    assert any("log in first" in line for line in lines[-3:])
    assert f"  'keyring-fallback doctor {URL}' says what mends it." == lines[-1]


@pytest.mark.parametrize(
    ("command", "status"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 127), (["/"], 127)],
    ids=["status", "signal", "missing", "a folder"],
)
def test_exit_status(stage: Stage, command: list[str], status: int) -> None:
    """The exit status is the command's, as a shell has it; who cannot be started, or asked nobody, is said so."""
    result = watch(stage, *command)
    assert status == result.returncode
    assert ("It cannot be started" in result.stderr) == (status in (126, 127))
    assert ("No keyring was seen to be asked" in result.stderr) == (status not in (126, 127))
    assert "Traceback" not in result.stderr


def test_the_recording_keyring_is_no_tool(stage: Stage) -> None:
    """Where the global tools have no answer, the keyring that the watch puts on PATH is not asked as one of them."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    program = (
        "from keyring_fallback import survey; print([one.path for one in survey.make(survey.here()).findings.tools])"
    )
    python = os.fspath(stage.environment.python)
    plain = stage.environment.run(["-c", program], env=stage.environment.activated(stage.env()))
    assert plain.stdout == watch(stage, python, "-c", program).stdout


def test_success_that_asked_nobody_is_no_fault(stage: Stage) -> None:
    """What succeeds and asks nobody, since all is there already, is not said to need mending."""
    said = [watch(stage, "sh", "-c", f"exit {status}").stderr.splitlines()[-1] for status in (0, 1)]
    assert ["says whether there would be an answer.", "says what mends it."] == [one.split("URL' ")[1] for one in said]
    python = os.fspath(stage.environment.python)  # as poetry's own check of keyring does
    result = watch(stage, python, "-c", "import keyring; keyring.get_password('python-poetry-check', 'me')")
    assert "  -c (get_password) python-poetry-check for another user name: had no answer" in result.stderr
    assert "keyring-fallback doctor" not in result.stderr


@pytest.mark.parametrize("runs", [False, True])
def test_what_is_not_seen_is_not_said(stage: Stage, tmp_path: Path, *, runs: bool) -> None:
    """Only of a client that asks the first keyring on PATH itself is "nobody" a fact: uv run puts others before it."""
    lacks_us = environments.create(tmp_path / "lacks-us", stage.environment.python, "keyring")
    keyring = [str(lacks_us.script("keyring")), "get", URL, "me"]
    command = [machine.uv(), "run", "--no-project", *keyring] if runs else [machine.uv(), "pip", "list"]
    result = watch(stage, *command)
    assert runs == ("No keyring was seen to be asked; one of an environment without keyring-fallback" in result.stderr)
    assert runs == ("It asked nobody" not in result.stderr)
    for argv, sees in (
        ([str(lacks_us.python), "-m", "pip"], False),
        ([str(stage.environment.python), "-m", "pip"], True),
    ):
        assert sees == ("It asked nobody" in watch(stage, *argv, "--version").stderr), argv


def test_descriptors_are_passed_on(stage: Stage) -> None:
    """What a shell hands to a command besides is there: ``doctor -- uv pip install -r <(...)``; for a keyring, too."""
    keyring = stage.environment.scripts.parent / "first" / "keyring"
    trees.put(keyring, "#!/bin/sh\ncat <&7\n", executable=True)
    inner = f"cat <&8; PATH={keyring.parent}:$PATH; PATH=$(dirname $KEYRING_FALLBACK_WATCH):$PATH keyring get a b"
    argv = [str(stage.environment.script("keyring-fallback")), "doctor", "--", "sh", "-c", inner]
    script = 'exec 7<"$1" 8<"$2"; shift 2; exec "$@"'
    files = [str(trees.put(keyring.with_name(one), one)) for one in ("seven", "eight")]
    result = environments.run(["sh", "-c", script, "sh", *files, *argv], env=stage.environment.activated(stage.env()))
    assert ("eightseven", 0) == (result.stdout, result.returncode), result.stderr


def test_the_words_of_a_command_of_uv_count(stage: Stage, tmp_path: Path) -> None:
    """uv is asked what it would do with this command's options: which indexes it has, and why it asks nobody."""
    index = URL.replace("://", "://me@")
    lock = ["uv", "pip", "compile", "-", "--no-cache", "--quiet", "--offline", "--default-index", index]
    folder = tmp_path / "work"
    for one in (folder, tmp_path / "bin"):
        one.mkdir()
    trees.link(tmp_path / "bin" / "uv", machine.uv())
    stage.variables["PATH"] = os.pathsep.join([os.environ["PATH"], str(tmp_path / "bin")])
    plain = watch(stage, *lock, "--keyring-provider", "disabled", stdin="demo-store", cwd=folder)
    said = f"  uv asked nobody for pkgs.dev.azure.com ({URL})"
    assert f"{said}: its keyring provider is disabled.\n" in plain.stderr
    stage.variables.update(UV_DEFAULT_INDEX=index, UV_KEYRING_PROVIDER="disabled")
    (folder / "pyproject.toml").write_text("[project]\nname = 'a'\nversion = '1'\ndependencies = ['demo-store']\n")
    for words in (["sync"], ["add", "demo-store"], ["tree"], ["tool", "install", "demo-store"], ["--quiet", "lock"]):
        told = watch(stage, "uv", *words, "--no-cache", "--offline", cwd=folder)
        assert f"{said}: its keyring provider is disabled.\n" in told.stderr, (words, told.stderr)
    other = watch(stage, *lock[:-1], "https://other.example/simple/", stdin="", cwd=folder)
    assert (0, False) == (other.returncode, "asked nobody for pkgs.dev" in other.stderr), other.stderr


def test_a_command_is_run_once(stage: Stage, tmp_path: Path) -> None:
    """uv is asked with the words of such commands only as tell their settings and do nothing: ``tool update-shell`` does."""
    uv = trees.put(tmp_path / "uv", '#!/bin/sh\nprintf "%s\\n" "$*" >> "${0%/*}/ran"\n', executable=True)
    stage.variables["PATH"] = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    for words in ("tool update-shell", "self update", "cache clean pip", "-n lock", "sync"):
        (tmp_path / "ran").write_text("")
        watch(stage, str(uv), *words.split(), cwd=stage.folder)
        ran = (tmp_path / "ran").read_text().splitlines()
        asked = [one for one in ran if "--show-settings" in one and words in one]
        assert (1, words == "sync") == (ran.count(words), bool(asked)), ran


def test_set_reads_from_the_command(stage: Stage) -> None:
    """What a command gives ``keyring set`` to read goes to the keyring itself, and stands in no record."""
    stage.there(
        "class Store(KeyringBackend):\n"
        "    priority = 9\n"
        "    def get_password(self, service, username): return None\n"
        "    def set_password(self, service, username, password): note(str(len(password)))\n"
    )
    result = watch(stage, "sh", "-c", f"printf %s {SECRET} | keyring set app me; cat $KEYRING_FALLBACK_WATCH")
    assert [str(len(SECRET))] == stage.notes()
    assert SECRET not in result.stdout + result.stderr
    assert "set" in [json.loads(line)["method"] for line in result.stdout.splitlines()]


def test_nothing_is_left(stage: Stage) -> None:
    """The recording keyring is first on PATH only while the command runs, and its folder is gone after it."""
    result = watch(stage, "sh", "-c", "command -v keyring; echo $KEYRING_FALLBACK_WATCH")
    ours, records = result.stdout.splitlines()
    assert os.path.dirname(ours) == os.path.dirname(records)
    assert not os.path.exists(os.path.dirname(ours))


def test_a_watch_in_a_watched_command(stage: Stage) -> None:
    """Each tells what it hears; so does one whose variable was dropped, as sudo and tox do. None runs itself."""
    stage.there(reader("There", 9, f"return '{SECRET}'"))
    get = ["keyring", "get", URL, "VssSessionToken"]
    keyring = stage.environment.script("keyring")
    for times, command in ((2, ["keyring-fallback", "doctor", "--", *get]), (1, ["env", "-u", recorder.WATCH, *get])):
        result = watch(stage, *command)
        assert (SECRET + "\n", 0) == (result.stdout, result.returncode)
        said = re.findall(rf"(?m)^  get {re.escape(URL)} for VssSessionToken: (\S+) answered", result.stderr)
        assert (times, True) == (len(said), os.fspath(keyring) in said)


@pytest.mark.parametrize("ill", ["noexec", "size=4k"])
def test_where_no_recording_keyring_can_be(stage: Stage, tmp_path: Path, ill: str) -> None:
    """Where programs do not run, or the disk is full, another folder is taken."""
    if os.getuid() or environments.run(["mount", "-t", "tmpfs", "-o", f"mode=700,{ill}", "x", tmp_path]).returncode:
        pytest.skip("needs to mount something")
    try:
        with contextlib.suppress(OSError):
            (tmp_path / "fills").write_bytes(b"x" * (4096 if ill == "size=4k" else 1))
        stage.variables["XDG_RUNTIME_DIR"] = os.fspath(tmp_path)
        result = watch(stage, "sh", "-c", f"command -v keyring; echo ${recorder.WATCH}")
        assert 1 == len({os.path.dirname(line) for line in result.stdout.splitlines()})
        assert not result.stdout.startswith(os.fspath(tmp_path))
    finally:
        environments.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.parametrize("runtime", ["own", "of others", "none", "a file", "missing"])
def test_its_folder_is_where_nobody_else_writes(stage: Stage, tmp_path: Path, runtime: str) -> None:
    """What a command leaves running has the folder on PATH for good: nobody else can make it again."""
    stage.variables["XDG_RUNTIME_DIR"] = ""
    expected = Path(os.environ["HOME"]) / ".cache"
    if runtime == "a file":
        stage.variables["XDG_RUNTIME_DIR"] = os.fspath(stage.environment.python)
    elif runtime == "missing":
        stage.variables["XDG_RUNTIME_DIR"] = os.fspath(tmp_path / "missing")
    elif runtime != "none":
        folder = tmp_path / "runtime"
        folder.mkdir()
        folder.chmod(0o700 if runtime == "own" else 0o1777)
        stage.variables["XDG_RUNTIME_DIR"] = os.fspath(folder)
        expected = folder if runtime == "own" else expected
    result = watch(stage, "sh", "-c", f"echo ${recorder.WATCH}")
    assert expected == Path(result.stdout).parent.parent
    assert not (tmp_path / "missing").exists(), "which is the system's to make"


@pytest.mark.parametrize("name", ["notes.txt", recorder.RECORDS])
def test_no_file_of_others_is_written_to(stage: Stage, tmp_path: Path, name: str) -> None:
    """A variable that a project sets has nothing written but to a file of that very name, and makes none."""
    stage.there(reader("There", 9, f"return '{SECRET}'"))
    file = tmp_path / name
    stage.variables[recorder.WATCH] = os.fspath(file)
    if name != recorder.RECORDS:
        file.write_text("mine\n")
    assert 0 == stage.environment.keyring("get", URL, "VssSessionToken", env=stage.env()).returncode
    assert ["mine\n"] * (name != recorder.RECORDS) == [one.read_text() for one in tmp_path.glob(name)]


@pytest.mark.parametrize(
    "option", [["-p", "x"], ["--keyring-path", "x"], ["-b", "x"], ["--keyring-backend", "x"], ["--mode", "creds"]]
)
@pytest.mark.parametrize("last", [["--output", "json"], ["--output=json"], []])
def test_options_of_keyring(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: list[str],
    last: list[str],
) -> None:
    """What is asked is told whatever options of keyring's command line stand before it, between or after."""
    file = tmp_path / recorder.RECORDS
    file.touch()
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setenv(recorder.WATCH, os.fspath(file))
    assert 127 == recorder.run([*option, "get", *option, URL, *last, TOKEN])
    assert "keyring-fallback: there is no other keyring on PATH\n" == capsys.readouterr().err
    record = json.loads(file.read_text())
    expected = ["get", URL, recorder.digest(TOKEN)]
    assert expected == [record[name] for name in ("method", "service", "username")]


def test_the_end_of_a_keyring_by_a_signal(stage: Stage) -> None:
    """Who runs ``keyring`` sees the end that the next one has come to."""
    stage.there(reader("There", 9, "return None"))
    stage.here(reader("Killed", 9.9, f"os.kill(os.getpid(), {int(signal.SIGKILL)})"))
    result = watch(
        stage,
        os.fspath(stage.environment.python),
        "-c",
        f"import subprocess as s; print(s.call(['keyring', 'get', '{URL}', 'x']))",
    )
    assert f"{-int(signal.SIGKILL)}\n" == result.stdout
    assert f"ended with status {-int(signal.SIGKILL)}" in result.stderr


ENDING = """
import os, subprocess, sys, time
process = subprocess.Popen(["keyring", "get", sys.argv[1], "x"])
while not os.path.islink(sys.argv[2]):
    time.sleep(0.05)
process.terminate()
print(process.wait())
try:
    os.kill(int(os.readlink(sys.argv[2])), 0)
except ProcessLookupError:
    print("ended")
"""


def test_a_keyring_that_is_ended(stage: Stage, tmp_path: Path) -> None:
    """Who ends the ``keyring`` that it has run ends the next one, and sees that."""
    started = tmp_path / "started"
    wait = f"(os.symlink(str(os.getpid()), {os.fspath(started)!r}), time.sleep(30))"
    stage.there(reader("There", 9, "return None")).here(reader("Waits", 9.9, wait))
    python = os.fspath(stage.environment.python)
    result = watch(stage, python, "-c", ENDING, URL, os.fspath(started))
    assert [str(-int(signal.SIGTERM)), "ended"] == result.stdout.split(), result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_the_end_of_a_watched_command(stage: Stage, tmp_path: Path, number: signal.Signals) -> None:
    """What ends the watch ends the command, as without us, and the records of who asked whom are gone."""
    started, temporary = tmp_path / "started", tmp_path / "temporary"
    temporary.mkdir()
    source = "import os, sys, time; os.symlink(str(os.getpid()), sys.argv[1]); time.sleep(60)"
    argv = [os.fspath(stage.environment.script("keyring-fallback")), "doctor", "--"]
    argv += [os.fspath(stage.environment.python), "-c", source, os.fspath(started)]
    with subprocess.Popen(
        argv, env={**stage.env(), "TMPDIR": os.fspath(temporary)}, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not started.is_symlink():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (128 + number, []) == (process.returncode, list(temporary.iterdir()))
    assert "No keyring was seen to be asked" in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(os.readlink(started)), 0)


@pytest.mark.parametrize(
    "words", ["--", "doctor --", "help -- true", "doctor --fix -- true", "doctor URL -- true", "doctor --json --fix"]
)
def test_wrong_usage(stage: Stage, words: str) -> None:
    """Without a command behind ``--``, or with one where none goes, or with options for two things, it is wrong usage."""
    result = stage.environment.run(["-m", "keyring_fallback", *words.split()], env=stage.env())
    assert 2 == result.returncode
    assert "usage:" in result.stderr
