"""A tool whose interpreter cannot be told is asked through keyring's command line, with the same promises."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from support import machine

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environment, Environments
    from support.stage import Stage

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="the tools of these tests are shell scripts")

VERSIONS = {"newest": "keyring", "25.1": "keyring==25.1", "23.9": "keyring==23.9.3"}
OLD = ["25.1", "23.9"]

#: A backend that answers for one user, and stores nothing.
READER = """
    class Reader(KeyringBackend):
        priority = 9
        def get_password(self, service, username):
            {body}
        def get_credential(self, service, username):
            password = self.get_password(service, username)
            return password and credentials.SimpleCredential(username or "somebody", password)
        def set_password(self, service, username, password):
            {storing}
        def delete_password(self, service, username):
            {deleting}
"""


def reader(body: str, storing: str = "raise NotImplementedError", deleting: str = "raise NotImplementedError") -> str:
    """The code of a backend."""
    return READER.format(body=body, storing=storing, deleting=deleting)


def shim(stage: Stage, script: str) -> Path:
    """Make a shell script the only tool there is."""
    file = stage.folder / "keyring"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(file)
    return file


def shim_of(stage: Stage, tool: Environment, before: str = "") -> Path:
    """Make a shell script that runs a tool's ``keyring`` the only tool there is."""
    return shim(stage, f'{before}\nexec {shlex.quote(os.fspath(tool.script("keyring")))} "$@"')


def pinned(stage: Stage) -> Stage:
    """Have GlobalKeyring selected, which raises what goes wrong."""
    stage.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    return stage


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    """Which keyring the tool has."""
    return str(request.param)


@pytest.fixture
def store(
    version: str, stage: Stage, shared_environments: Environments, python: Path, demo_store: Path, tmp_path: Path
) -> Environment:
    """A tool with a keyring of some version and the demo store, behind a shell script."""
    tool = shared_environments.get(python, VERSIONS[version], demo_store)
    stage.variables["DEMO_STORE_FILE"] = os.fspath(tmp_path / "store.json")
    shim_of(stage, tool)
    return tool


@pytest.fixture
def scripted(stage: Stage, scripted_tool: Environment) -> Stage:
    """The stage, with the scripted tool behind a shell script."""
    shim_of(stage, scripted_tool)
    return stage


@pytest.fixture
def scripted_old(stage: Stage, shared_environments: Environments, python: Path, scripted_tool: Environment) -> Stage:
    """The same with keyring 23.9."""
    tool = shared_environments.get(python, VERSIONS["23.9"])
    site = stage.folder / "scripted"
    site.mkdir()
    for name in ("scripted_there.py", "scripted_there-1.0.dist-info"):
        (site / name).symlink_to(scripted_tool.site_packages / name)
    shim_of(stage, tool, f"export PYTHONPATH={shlex.quote(os.fspath(site))}")
    return stage


@pytest.mark.usefixtures("store")
def test_all_four_operations(stage: Stage, version: str) -> None:
    """What is stored is found, as a password and as a credential, and is gone once deleted; any keyring will do."""
    service, username, password = "-dashed ü", "--mode", "pass 'word' \"ü\" $HOME \\n"
    results, stderr = stage.calls(
        ["get_password", service, username],
        ["set_password", service, username, password],
        ["get_password", service, username],
        ["get_credential", service, username],
        ["get_credential", service, None],
        ["delete_password", service, username],
        ["get_password", service, username],
        ["delete_password", service, username],
    )
    # before 25.2 keyring's command line cannot be asked without a username
    anybody = None if version in OLD else [username, password]
    answers = [None, None, password, [username, password], anybody, None, None, None]
    assert answers == [result["answer"] for result in results]
    assert [[]] * 7 == [result["error"] for result in results[:7]]
    assert "PasswordDeleteError" in results[7]["error"]
    assert "" == stderr


@pytest.mark.usefixtures("store")
def test_passwords_that_would_not_come_back(stage: Stage, version: str) -> None:
    """A password that the command line would change or ask for is refused before anything is stored."""
    results, _ = stage.calls(
        ["set_password", "s", "empty", ""],
        ["set_password", "s", "return", "a\rb"],
        ["set_password", "s", "surrogate", "\udc80"],
        ["set_password", "s", "lines", "a\nb\n"],
        ["get_password", "s", "lines"],
    )
    refused = ["PasswordSetError" in result["error"] or "ToolError" in result["error"] for result in results]
    assert [True, True, True, version in OLD, False] == refused
    assert (None if version in OLD else "a\nb\n") == results[4]["answer"]


def test_password_stands_nowhere(stage: Stage, scripted_tool: Environment) -> None:
    """A password that is stored is neither an argument nor in the environment of what we start."""
    shim_of(stage, scripted_tool, f'{{ echo "$@"; env; }} >> {shlex.quote(os.fspath(stage.folder))}/seen')
    stage.there(reader("return 'opensesame'", storing="pass"))
    assert [] == stage.call("set_password", "service", "user", "opensesame")["error"]
    seen = (stage.folder / "seen").read_text()
    assert "set service user" in seen
    assert "opensesame" not in seen


@pytest.mark.parametrize("old", [False, True])
def test_password_that_nobody_stores(request: pytest.FixtureRequest, *, old: bool) -> None:
    """keyring exits with 0 although no backend took the password: we read it back and say so."""
    stage: Stage = request.getfixturevalue("scripted_old" if old else "scripted")
    stage.there(reader("return None"))
    result = stage.call("set_password", "service", "user", "opensesame")
    assert "PasswordSetError" in result["error"]
    assert "opensesame" not in result["message"] + result["stderr"]


NOISE = """
            print("Welcome! {}")
            os.system("echo from a child")
            sys.stdout.write("no line feed ")
            import atexit; atexit.register(print, "goodbye {}")
            return 'token\\u00fc"'"""


def test_noise(scripted: Stage) -> None:
    """What a provider and its children print on stdout, with and without a line feed, does not spoil the answer."""
    scripted.there(reader(NOISE))
    results, stderr = scripted.calls(["get_password", "s", "u"], ["get_credential", "s", None])
    assert ['tokenü"', ["somebody", 'tokenü"']] == [result["answer"] for result in results]
    assert "" == stderr


def test_noise_of_an_old_keyring(scripted_old: Stage) -> None:
    """Where nothing tells noise from the password, there is an error, never a wrong password."""
    pinned(scripted_old).there(reader(NOISE))
    result = scripted_old.call("get_password", "s", "u")
    assert None is result["answer"]
    assert "ToolError" in result["error"]
    assert "install keyring 25.2 or newer there" in result["message"]
    assert "token" not in result["message"] + result["stderr"]


def test_old_keyring_makes_no_noise(scripted_old: Stage) -> None:
    """That an old keyring does not know the options is not shown, and is found out once."""
    scripted_old.there(reader("note('asked'); return 'token'"))
    log = shlex.quote(os.fspath(scripted_old.folder / "runs"))
    file = scripted_old.folder / "keyring"
    file.write_text(file.read_text().replace("exec ", f"echo run >> {log}\nexec "))
    results, stderr = scripted_old.calls(["get_password", "s", "u"], ["get_credential", "s", "u"])
    assert ["token", ["u", "token"]] == [result["answer"] for result in results]
    assert "" == stderr
    assert 3 == len((scripted_old.folder / "runs").read_text().splitlines())


def test_what_the_provider_says_is_passed_on(scripted: Stage) -> None:
    """What a provider writes on stderr reaches the caller's, a traceback that it survived too."""
    scripted.there(
        reader("sys.stderr.write('Enter the code ABC\\n'); import traceback; traceback.print_stack(); return 'x'")
    )
    result = scripted.call("get_password", "s", "u")
    assert "x" == result["answer"]
    assert "Enter the code ABC\n" in result["stderr"]


def test_question_without_line_feed(scripted: Stage) -> None:
    """A question without a line feed at its end is shown at once, not when the wait is over."""
    scripted.there(
        reader("sys.stderr.write('Tr'); sys.stderr.flush(); time.sleep(.3); sys.stderr.write('ust? '); return 'x'")
    )
    assert "Trust? " == scripted.call("get_password", "s", "u")["stderr"]


def test_question_after_an_empty_line(scripted: Stage) -> None:
    """An empty line before it holds nothing back: a person can answer while the keyring waits."""
    body = "sys.stderr.write('\\nTrust? '); sys.stderr.flush(); return sys.stderr.isatty() or input()"
    scripted.there(reader(body))
    program = "import keyring; print(keyring.get_password('s', 'u'))"
    with subprocess.Popen(
        [scripted.environment.python, "-c", program],
        env=scripted.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr
        assert b"\nTrust? " == process.stderr.read(8)
        process.kill()


FAILING = [
    ("raise RuntimeError('run gcloud\\n auth login')", "ProviderError", "failed: RuntimeError: run gcloud"),
    ("raise errors.KeyringLocked('unlock it')", "KeyringLocked", "unlock it"),
    ("raise errors.InitError('no store')", "InitError", "no store"),
    ("raise type('KeyringLocked', (Exception,), {})('not yours')", "ProviderError", "failed: KeyringLocked: not yours"),
]


@pytest.mark.parametrize(
    ("body", "error", "message"), FAILING, ids=["others'", "KeyringLocked", "InitError", "of the same name"]
)
def test_exceptions(scripted: Stage, body: str, error: str, message: str) -> None:
    """A provider's exception comes as its type and one line, without the traceback; keyring's own as themselves."""
    result = pinned(scripted.there(reader(body))).call("get_password", "s", "u")
    assert error in result["error"]
    assert message in result["message"]
    assert "" == result["stderr"]


def test_exception_with_the_password_in_it(scripted: Stage) -> None:
    """A password that stands in a provider's complaint is struck out."""
    scripted.there(reader("return None", storing="raise errors.PasswordSetError('cannot store ' + password)"))
    result = scripted.call("set_password", "s", "u", "opensesame")
    assert "PasswordSetError" in result["error"]
    assert "cannot store ***" in result["message"]
    assert "opensesame" not in result["stderr"]


@pytest.mark.parametrize("password", ["p@ss w0rd/+opensesame", "opensesame\nand more"])
def test_exception_with_forms_of_the_password_in_it(scripted: Stage, password: str) -> None:
    """A password that stands in a provider's complaint encoded, or in several lines, is struck out too."""
    said = "password, urllib.parse.quote(password), base64.b64encode(f'{username}:{password}'.encode()).decode()"
    failing = f"import base64, urllib.parse; raise errors.PasswordSetError(' '.join(['cannot store', {said}]))"
    scripted.there(reader("return None", storing=failing))
    result = scripted.call("set_password", "s", "u", password)
    assert "PasswordSetError" in result["error"]
    if "\n" not in password or "one line" not in result["message"]:  # an older keyring cannot store several lines
        assert "cannot store *** *** ***" in result["message"]
    assert "opensesame" not in result["message"] + result["stderr"]


def test_nothing_found_where_no_exit_status_tells(scripted: Stage) -> None:
    """Where a program ignores SIGCHLD every exit status is 0 to it: a keyring that prints nothing has found nothing."""
    scripted.there(reader("return None"))
    program = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "import keyring; print(keyring.get_password('s', 'u'), keyring.get_credential('s', None))"
    )
    result = scripted.environment.run(["-c", program], env=pinned(scripted).env(), check=True)
    assert "None None\n" == result.stdout


@pytest.mark.skipif(os.name != "posix", reason="POSIX: exit statuses are taken once")
def test_failed_deletion_where_c_code_ignores_sigchld(stage: Stage) -> None:
    """What was not deleted does not count as done, though every exit status is 0 to the program."""
    shim(stage, "exit 1")
    program = (
        "import ctypes, signal, keyring\n"
        "ctypes.CDLL(None).signal(int(signal.SIGCHLD), ctypes.c_void_p(1))\n"
        "try: print(keyring.delete_password('s', 'u'))\n"
        "except keyring.errors.PasswordDeleteError: print('not deleted')"
    )
    result = stage.environment.run(["-c", program], env=pinned(stage).env(), check=True)
    assert "not deleted\n" == result.stdout


def test_the_shell_that_tells_is_ended(stage: Stage) -> None:
    """Where nobody can tell how the keyring ended, what was to be stored or deleted does not count as done."""
    shim(stage, 'case $(ps -o comm= -p $PPID) in *sh) kill -9 $PPID; touch "$0.killed";; esac')
    result = pinned(stage).call("delete_password", "s", "u")
    assert os.path.exists(stage.folder / "keyring.killed")
    assert "NotDeletedError" == result["error"][0]


def test_missing_password_is_not_deleted(scripted: Stage) -> None:
    """That there was nothing to delete is keyring's own exception, as it would be here."""
    scripted.there(reader("return None", deleting="raise errors.PasswordDeleteError('Password not found')"))
    result = scripted.call("delete_password", "s", "u")
    assert "PasswordDeleteError" in result["error"]
    assert "Password not found" in result["message"]


def test_tool_without_any_store(stage: Stage, bare_tool: Environment) -> None:
    """A keyring that has no backend at all has no answer; that is nothing to complain about."""
    shim_of(stage, bare_tool)
    results, stderr = stage.calls(
        ["get_password", "s", "u"], ["set_password", "s", "u", "p"], ["delete_password", "s", "u"]
    )
    assert [False, True, True] == [bool(result["error"]) for result in results]
    assert "" == stderr


@pytest.mark.parametrize("body", ["sys.exit(2)", "os._exit(2)", "os.kill(os.getpid(), 9)", "sys.exit(127)"])
def test_exit_status(scripted: Stage, body: str) -> None:
    """An exit status that is none of keyring's is an error, and 2 alone does not mean that it knows no options."""
    pinned(scripted).there(reader(f"note('asked'); {body}"))
    result = scripted.call("get_password", "s", "u")
    assert "ToolError" in result["error"]
    assert "signal 9" in result["message"] or "exit status" in result["message"]
    assert ["asked"] == scripted.notes()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo hello", "something else than a credential"),
        ("echo '{\"password\": 5}'", "something else than a credential"),
        ('echo \'{"username": [], "password": "opensesame"}\'', "something else than a credential"),
        ('printf \'{"password": "\\200"}\'', "not UTF-8"),
        ("exec head -c 9000000 /dev/zero", "more than any answer"),
        ("kill -9 $$", "killed by signal 9"),
    ],
)
def test_program_that_is_no_keyring(stage: Stage, script: str, message: str) -> None:
    """What no keyring would print is an error in one line, and is not in it."""
    shim(stage, script)
    result = pinned(stage).call("get_password", "s", "u")
    assert "ToolError" in result["error"]
    assert message in result["message"]
    assert "opensesame" not in result["message"] + result["stderr"]


def test_program_that_cannot_be_started(stage: Stage) -> None:
    """A script for an interpreter that does not exist is an error that names the script."""
    file = shim(stage, "")
    file.write_text("#!/no/such/shell\n", encoding="utf-8")
    result = pinned(stage).call("get_password", "s", "u")
    assert "ToolError" in result["error"]
    assert f"{file} cannot be started (No such file or directory)" in result["message"]


def test_arguments_that_no_command_line_carries(stage: Stage) -> None:
    """A NUL or something that is not a string is an error in our words, not a crash."""
    shim(stage, "exit 1")
    results, _ = pinned(stage).calls(
        ["get_password", "a\0b", "u"], ["get_password", 5, "u"], ["get_password", "s", None]
    )
    assert [True, True, False] == ["ToolError" in result["error"] for result in results]
    assert [[], None] == [results[2]["error"], results[2]["answer"]]


def test_time_limit(stage: Stage) -> None:
    """A tool that does not answer is ended with what it started when the time is over."""
    file = stage.folder / "pids"
    shim(stage, f"sleep 1000 & echo $! > {shlex.quote(os.fspath(file))}; sleep 1000")
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "0.4"
    start = time.monotonic()
    result = pinned(stage).call("get_password", "s", "u")
    assert time.monotonic() - start < 60
    assert "gave no answer within 0.4 seconds" in result["message"]
    child = int(file.read_text())
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.1)
    assert not _runs(child)


def test_nothing_to_read(stage: Stage) -> None:
    """What is asked for stands on its command line: a tool that reads its input comes to the end of it at once."""
    shim(stage, 'printf \'{"password": "<%s>"}\' "$(cat)"')
    assert "<>" == stage.call("get_password", "s", "u")["answer"]


def test_what_it_leaves_behind(stage: Stage) -> None:
    """A daemon that a provider has started and that holds its stdout open does not keep the caller waiting."""
    file = stage.folder / "pids"
    # not a direct child: nobody waits for a daemon
    shim(stage, f'(sleep 60 & echo $! > {shlex.quote(os.fspath(file))}); echo \'{{"password": "x"}}\'')
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "50"
    start = time.monotonic()
    assert "x" == stage.call("get_password", "s", "u")["answer"]
    assert time.monotonic() - start < 40
    os.kill(int(file.read_text()), 9)


def test_environment(stage: Stage, scripted_tool: Environment) -> None:
    """It is run without what belongs to this Python, and with a keyring that it has; everything else stays."""
    seen = stage.folder / "seen"
    shim_of(stage, scripted_tool, f"env > {shlex.quote(os.fspath(seen))}")
    stage.there(reader("return 'x'"))
    stage.variables.update(
        PYTHONPATH="/nowhere", VIRTUAL_ENV="/nowhere", PYTHONHOME="", AWS_PROFILE="work", FORCE_COLOR="1"
    )
    assert "x" == pinned(stage).call("get_password", "s", "u")["answer"]
    environ = dict(line.split("=", 1) for line in seen.read_text().splitlines() if "=" in line)
    assert not environ.keys() & {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    assert "keyring.backends.chainer.ChainerBackend" == environ["PYTHON_KEYRING_BACKEND"]
    assert ("work", "1") == (environ["AWS_PROFILE"], environ["KEYRING_FALLBACK_NESTED"])


@pytest.mark.parametrize("end", ["\\n", "\\r\\n"])
@pytest.mark.parametrize("usage", ["usage", "Usage"])
def test_a_program_that_is_not_pythons(stage: Stage, usage: str, end: str) -> None:
    """A native keyring without the options says "Usage:" and ends with 2: it is asked plainly, whatever ends its lines."""
    shim(stage, f'case "$1" in --*) echo "{usage}: keyring get SERVICE USER" >&2; exit 2;; esac\nprintf "s3cret{end}"')
    results, stderr = pinned(stage).calls(["get_password", "s", "u"], ["get_credential", "s", "u"])
    assert (["s3cret", ["u", "s3cret"]], "") == ([one["answer"] for one in results], stderr)


@pytest.mark.parametrize("end", ["\\n", "\\r\\n"])
def test_lines_of_windows_in_json(stage: Stage, end: str) -> None:
    """What keyring 25 prints as JSON is read whatever ends its lines."""
    document = '{\\"username\\": \\"u\\", \\"password\\": \\"s3cret\\"}'
    shim(stage, f'printf "{document}{end}"')
    results, stderr = pinned(stage).calls(["get_password", "s", "u"], ["get_credential", "s", None])
    assert (["s3cret", ["u", "s3cret"]], "") == ([one["answer"] for one in results], stderr)


def test_scripts_of_this_environment_come_last(stage: Stage, scripted_tool: Environment, tmp_path: Path) -> None:
    """What a provider runs by name is found in this environment, but what is elsewhere too, python for one, is not ours."""
    seen, other = stage.folder / "seen", tmp_path / "other"
    other.mkdir()
    scripts = os.fspath(stage.environment.scripts)
    shim_of(stage, scripted_tool, f"printf '%s' \"$PATH\" > {shlex.quote(os.fspath(seen))}")
    stage.there(reader("return 'x'"))
    stage.variables["PATH"] = os.pathsep.join([scripts, os.fspath(other), os.environ["PATH"]])
    assert "x" == pinned(stage).call("get_password", "s", "u")["answer"]
    assert os.pathsep.join([os.fspath(other), os.environ["PATH"], scripts]) == seen.read_text()


def test_colours_change_nothing(scripted: Stage) -> None:
    """Where the user wants colours everywhere, an exception is still understood."""
    scripted.variables.update(FORCE_COLOR="1")
    result = pinned(scripted.there(reader("raise errors.KeyringLocked('unlock it')"))).call("get_password", "s", "u")
    assert ["KeyringLocked", "unlock it"] == [result["error"][0], result["message"]]


SHOWN = """\
import sys, traceback, keyring
try:
    if sys.argv[1] == "set":
        keyring.set_password("s", "u", sys.stdin.read())
    else:
        keyring.get_password("s", "u")
except Exception as error:
    for one in traceback.TracebackException.from_exception(error, capture_locals=True).format():
        print(one)
"""


@pytest.mark.parametrize(
    ("operation", "secret", "script"),
    [
        ("set", "opensesame", "exit 3"),
        ("set", "opensesame\r", "exit 0"),
        ("set", "opensesame", "sleep 1000"),
        ("set", "opensesame", 'case $* in *get*) echo \'{"password": "other"}\';; esac'),
        ("get", "opensesame", "echo opensesame"),
        ("get", "opensesame", 'echo \'{"username": 5, "password": "opensesame"}\''),
        ("get", "opensesame", "printf 'opensesame\\200'"),
        ("get", "opensesame", 'echo \'{"password": "opensesame"}\'; exit 3'),
        ("get", "opensesame", 'echo \'{"password": "opensesame"}\'; sleep 1000'),
        (
            "get",
            "opensesame",
            "case $* in *--mode*) echo usage: >&2; exit 2;; *) echo opensesame; echo opensesame;; esac",
        ),
    ],
    ids=range(10),  # pytest tells the program's environment which test runs
)
def test_tracebacks_with_locals(stage: Stage, operation: str, secret: str, script: str) -> None:
    """No frame of ours shows a password where a program prints tracebacks with their local variables."""
    shim(stage, script)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TIMEOUT"] = "1"
    result = pinned(stage).environment.run(["-c", SHOWN, operation], env=stage.env(), stdin=secret, check=True)
    frames = [frame for frame in result.stdout.split("File ") if "command_line.py" in frame.splitlines()[0]]
    assert frames, result.stdout + result.stderr
    assert "opensesame" not in "".join(frames)


def test_tool_with_us_in_it(
    stage: Stage, shared_environments: Environments, python: Path, wheel: Path, demo_store: Path, tmp_path: Path
) -> None:
    """Where the tool has keyring-fallback too, it answers from its own environment and asks nobody."""
    tool = shared_environments.get(python, "keyring", wheel, demo_store)
    stage.variables["DEMO_STORE_FILE"] = os.fspath(tmp_path / "store.json")
    (tmp_path / "store.json").write_text(json.dumps({"s": {"u": "mine"}}))
    shim_of(stage, tool, f"echo run >> {shlex.quote(os.fspath(stage.folder / 'runs'))}")
    assert "mine" == pinned(stage).call("get_password", "s", "u")["answer"]
    assert "run\n" == (stage.folder / "runs").read_text()


def _runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody waits for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
