"""A command as provider: rows of [fallback.commands] are asked before the tools, found and run by their rules."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import config
from keyring_fallback.config import Row
from support import hostile, machine
from support.lending import Lender
from test_backends import reader

if TYPE_CHECKING:
    from support.stage import Stage

URL = "https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"
NAME = "VssSessionToken"

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="the commands are shell scripts; tests/test_windows.py has .cmd"
)


def told(stage: Stage, *rows: str) -> Stage:
    """Write rows into the user's keyringrc.cfg."""
    file = Path(config.read(os.environ, os.environ["HOME"], sys.platform).file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["[fallback.commands]", *rows, ""]))
    return stage


def program(stage: Stage, source: str, name: str = "cloud") -> Path:
    """Make a program on the stage's PATH."""
    folder = stage.folder / "bin"
    folder.mkdir(exist_ok=True)
    stage.variables["PATH"] = os.pathsep.join([os.fspath(folder), os.environ["PATH"]])
    return hostile.executable(folder / name, "#!/bin/sh\n" + source + "\n")


@pytest.fixture
def alone(stage: Stage) -> Stage:
    """A stage where no tool is."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    return stage


def test_answer_without_any_tool(alone: Stage) -> None:
    """With a row for a host and no tool we are there: the one line that a command prints is the password."""
    program(alone, "echo from-the-cloud")
    told(alone, "pkgs.dev.azure.com = cloud token")
    results, _ = alone.calls(
        ["get_password", URL, NAME], ["get_credential", URL, None], ["get_credential", "https://other.test/", None]
    )
    assert ["from-the-cloud", [NAME, "from-the-cloud"], None] == [one["answer"] for one in results]
    got = alone.environment.keyring("get", URL, NAME, env=alone.env())
    assert ("from-the-cloud\n", 0) == (got.stdout, got.returncode)


def test_a_command_has_nothing_to_read(alone: Stage) -> None:
    """A command that reads its input comes to the end of it at once, whatever the program that asks could read."""
    program(alone, 'printf "x%sx" "$(cat)"')
    told(alone, "pkgs.dev.azure.com = cloud")
    assert "xx" == alone.call("get_password", URL, "me")["answer"]


def test_words_are_put_in_whole(alone: Stage) -> None:
    """``{service}``, ``{host}`` and ``{username}`` are words; quotes are a shell's, and no shell runs."""
    notes = alone.folder / "words"
    program(alone, f'printf "%s\\n" "$@" >{notes}; pwd >>{notes}; echo x')
    told(alone, "*.azure.com = cloud {service} {host} {username} 'a  b' \"$HOME\" x{host} *")
    alone.call("get_password", URL, "me; rm -rf")
    expected = [URL, "pkgs.dev.azure.com", "me; rm -rf", "a  b", "$HOME", "x{host}", "*", os.environ["HOME"]]
    assert expected == notes.read_text().splitlines()


@pytest.mark.parametrize(
    ("printed", "username", "expected"),
    [
        ('{"password": "a b", "username": "me"}', None, ["me", "a b"]),
        ('{"password": "p"}', None, ["__token__", "p"]),
        ('{"password": "p"}', "you", ["you", "p"]),
        ("p\\r\\n", None, ["__token__", "p"]),
        ("", None, None),
        ('"p"', None, ["__token__", "p"]),
    ],
    ids=["JSON", "no user name", "the one asked for", "CRLF", "nothing", "in quotes"],
)
def test_what_is_printed(alone: Stage, printed: str, username: str | None, expected: list[str] | None) -> None:
    """A JSON object has the password and may have the user name; nothing is no answer."""
    program(alone, f"printf '{printed}'")
    told(alone, "a.test = cloud")
    result = alone.call("get_credential", "https://a.test/", username)
    assert (expected, [], "") == (result["answer"], result["error"], result["stderr"])


BAD = {
    "status": ("echo CANARY; exit 3", "exit status 3"),
    "signal": ("echo CANARY; kill -9 $$", "was killed by signal 9"),
    "a shell that finds nothing": ("exec 2>/dev/null /no/such/program", "ended with exit status 127; run it"),
    "aws": ("exit 255", "ended with exit status 255;"),
    "two lines": ("echo CANARY; echo two", "something else than a password"),
    "HTML": ("echo '<html>CANARY</html>'", "something else than a password"),
    "a prompt": ("printf 'CANARY password: '", "something else than a password"),
    "other JSON": ("""echo '{"error": "CANARY"}'""", "something else than a password"),
    "a list": ("""echo '["CANARY"]'""", "something else than a password"),
    "JSON for nothing": ("echo null", "something else than a password"),
    "words in quotes": ("""echo '"Please run: CANARY"'""", "something else than a password"),
    "nothing in quotes": ("""echo '"null"'""", "something else than a password"),
    "nothing as aws prints it": ("echo None", "something else than a password"),
    "10 MB": ("head -c 10000000 /dev/zero | tr '\\0' x", "more than any answer"),
    "no end": ("exec sleep 60", "no answer within 1 seconds"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=list(BAD))
def test_failures_go_on_to_the_tools(stage: Stage, case: tuple[str, str]) -> None:
    """Whatever a command does, the tools are asked next; it is told, without its output, only where nobody answered."""
    source, message = case
    mark = os.fspath(stage.folder)
    stage.variables.update(
        {"KEYRING_PROPERTY_FALLBACK_TIMEOUT": "1" if "sleep 60" in source else "60", hostile.MARK: mark}
    )
    program(stage, source)
    told(stage, "pkgs.dev.azure.com = cloud")
    stage.there(reader("There", 9, "return 'from there'"))
    result = stage.call("get_password", URL, NAME)
    assert ("from there", "") == (result["answer"], result["stderr"])
    stage.there(reader("There", 9, "return None"))
    result = stage.call("get_password", URL, NAME)
    assert (None, 1) == (result["answer"], len(result["stderr"].splitlines()))
    assert message in result["stderr"]
    assert "'cloud'" in result["stderr"]
    assert "CANARY" not in result["stderr"]
    assert [] == hostile.left_over(mark)


def test_only_the_host_of_a_service_is_looked_at(alone: Stage) -> None:
    """An index elsewhere, whose path, query or user name ends as a row's host does, is not given what is that host's."""
    program(alone, "echo secret")
    told(alone, "*.pkg.dev = cloud", "pkgs.dev.azure.com = cloud")
    others = [
        f"https://evil.example{end}"
        for end in ("/simple/x.pkg.dev", "/?u=a.pkg.dev", "/#a.pkg.dev", "/pkgs.dev.azure.com")
    ]
    others += ["https://a.pkg.dev@evil.example/", "evil.example/x.pkg.dev", "https://a.pkg.dev.evil.example/"]
    results, _ = alone.calls(*(["get_credential", one, None] for one in (*others, "https://eu.PKG.dev./simple/")))
    assert [None] * len(others) + [["oauth2accesstoken", "secret"]] == [one["answer"] for one in results]


def test_what_a_command_says_is_plain_text(alone: Stage) -> None:
    """A password of a command's is a string of Python's own, as a provider's is: it can be shown, dumped and pickled."""
    program(alone, "echo plain")
    told(alone, "a.test = cloud")
    source = (
        "import keyring; service = 'https://a.test/'; credential = keyring.get_credential(service, 'me');"
        "print([type(one) is str for one in (keyring.get_password(service, 'me'), credential.password)])"
    )
    result = alone.environment.run(["-c", source], env=alone.env())
    assert ("[True, True]\n", "") == (result.stdout, result.stderr)


REAPERS = {
    "ignored": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "ignored by C": "import ctypes; libc = ctypes.CDLL(None); libc.signal(int(signal.SIGCHLD), ctypes.c_void_p(1))",
    "a handler": "signal.signal(signal.SIGCHLD, lambda *_: reap())",
    "a thread": "threading.Thread(target=lambda: [reap() for _ in iter(int, 1)], daemon=True).start()",
}


@pytest.mark.parametrize("how", REAPERS.values(), ids=list(REAPERS))
def test_exit_statuses_are_known_whoever_takes_them(alone: Stage, how: str) -> None:
    """A program may ignore SIGCHLD, or wait for all children: what a failed command has printed is no password."""
    source = (
        "import contextlib, os, signal, threading, time, keyring\n"
        "def reap():\n"
        "    time.sleep(0.0005)\n"
        "    with contextlib.suppress(ChildProcessError):\n"
        "        while os.waitpid(-1, os.WNOHANG)[0]: pass\n"
        f"{how}\n"
        "print([keyring.get_password(f'https://{name}.test/', 'me') for name in ('fails', 'dies', 'works', 'nothing')])"
    )
    program(alone, 'case "$1" in fails) echo Denied; exit 1;; dies) echo D; kill -9 $$;; works) printf 0000;; esac')
    told(alone, *(f"{name}.test = cloud {name}" for name in ("fails", "dies", "works", "nothing")))
    result = alone.environment.run(["-c", source], env=alone.env())
    assert "[None, None, '0000', None]\n" == result.stdout
    assert "ended with exit status 1;" in result.stderr


def test_the_global_keyring_itself_has_commands(alone: Stage) -> None:
    """In a tool's own environment rows are asked too, before its own backends; who fails leaves it to these."""
    alone.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(alone.environment.root)
    alone.here(reader("Here", 5, "return 'from here'"))
    program(alone, '[ "$1" = works ] && echo from-the-cloud')
    told(alone, "a.test = cloud works", "b.test = cloud")
    calls = [["get_password", f"https://{name}.test/", "me"] for name in ("a", "b", "c")]
    expected = ["from-the-cloud", "from here", "from here"]
    assert expected == [one["answer"] for one in alone.calls(*calls)[0]]
    alone.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    results, said = alone.calls(*calls)
    assert expected == [one["answer"] for one in results]
    assert 1 == len(said.splitlines())
    assert "ended with exit status 1" in said


def test_set_and_delete_pass_it_by(stage: Stage) -> None:
    """Commands only give: what is stored and deleted goes to stores and tools."""
    notes = stage.folder / "ran"
    program(stage, f"touch {notes}")
    told(stage, "pkgs.dev.azure.com = cloud")
    stage.calls(["set_password", URL, NAME, "secret"], ["delete_password", URL, NAME])
    assert not notes.exists()


def test_most_exact_row_wins() -> None:
    """A host itself comes before patterns, and the longer pattern before the shorter one."""
    rows = tuple(Row(pattern, (pattern,)) for pattern in ("*", "*.test", "*.a.test", "x.a.test", "[x].a.test"))
    hosts = ("https://x.a.test/", "https://y.a.test/", "https://b.test/", "b.example", "")
    found = [config.Settings(commands=rows).row_for(host) for host in hosts]
    assert ["x.a.test", "*.a.test", "*.test", "*", None] == [row and row.pattern for row in found]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("pkgs.dev.azure.com = cloud 'open", "No closing quotation"),
        ("https://pkgs.dev.azure.com/ = cloud", "is a URL"),
        ("pkgs.dev.azure.com:443 = cloud", "without a port"),
        ("pkgs.dev.azure.com =", "no command"),
    ],
)
def test_rows_that_make_no_sense(alone: Stage, row: str, message: str) -> None:
    """One warning line names file and row, and the other rows are used."""
    program(alone, "echo fine")
    told(alone, row, "*.test = cloud")
    result = alone.call("get_password", "https://a.test/", "me")
    assert ("fine", 1) == (result["answer"], len(result["stderr"].splitlines()))
    assert message in result["stderr"]
    assert "keyringrc.cfg" in result["stderr"]


def test_patterns_that_begin_with_a_bracket(alone: Stage) -> None:
    """To keyring, in every environment, ``[ab].test = cloud`` is a heading: that is said, and what is lost; a comment is fine."""
    program(alone, "echo fine")
    told(alone, "a[bc].test = cloud", "[other] ; a = b", "[fallback] # c = d", "timeout = 9")
    results, said = alone.calls(*(["get_password", f"https://{name}.test/", "me"] for name in ("ab", "ac", "ad")))
    assert (["fine", "fine", None], "") == ([one["answer"] for one in results], said)
    told(alone, "a.test = cloud", "[ab].test = cloud SECRET", "c.test = cloud")
    results, said = alone.calls(*(["get_password", f"https://{name}.test/", "me"] for name in "abc"))
    assert ["fine", None, None] == [one["answer"] for one in results]
    assert "a pattern cannot begin with [ab], which is a heading to keyring" in said
    assert "SECRET" not in said
    told(alone, "[ab].test = cloud", "[ab]c.test = cloud")
    said = alone.environment.run(["-m", "keyring_fallback", "doctor", "--json"], env=alone.env()).stdout
    (cause, *_) = json.loads(said)["causes"]
    assert ("keyring-broken", "") == (cause["name"], cause["command"]), "two such are no file for keyring any more"
    assert "section 'ab' already exists" in cause["edit"]


def test_percent_and_braces_are_words(alone: Stage) -> None:
    """``%`` and ``{`` mean nothing in a row."""
    program(alone, 'printf %s "$1$2"')
    told(alone, "*.test = cloud %d%%(x)s {x:y}")
    assert "%d%%(x)s{x:y}" == alone.call("get_password", "https://a.test/", "me")["answer"]


def asked_in(alone: Stage, folder: Path) -> tuple[str, str]:
    """Ask for a password in a folder; return what is printed of the answer, and stderr."""
    asks = "import keyring; print(keyring.get_password('https://a.test/', 'me'))"
    result = alone.environment.run(["-c", asks], env=alone.env(), cwd=folder)
    return result.stdout, result.stderr


def test_a_program_of_a_project_is_not_run(alone: Stage, tmp_path: Path) -> None:
    """On PATH, what lies in a project, or where others can write, is passed over, and what is missing is said."""
    ran = tmp_path / "ran"
    program(alone, f"touch {ran}; echo stolen")
    project = Path(os.environ["HOME"]) / "repo"
    (project / "bin").mkdir(parents=True)
    (project / ".git").mkdir()
    (alone.folder / "bin" / "cloud").rename(project / "bin" / "cloud")
    alone.variables["PATH"] = os.pathsep.join([os.fspath(project / "bin"), os.environ["PATH"]])
    told(alone, "*.test = cloud")
    answer, stderr = asked_in(alone, project)
    assert ("None\n", False) == (answer, ran.exists())
    assert "is not found" in stderr


def test_what_runs_a_script_is_not_others(alone: Stage) -> None:
    """A program is passed over where everybody can change what its first line names, and the next on PATH is run."""
    told(alone, "*.test = cloud")
    path = os.environ["PATH"]
    for name, mode in (("theirs", 0o777), ("mine", 0o755)):
        shell = alone.folder / name / "sh"
        shell.parent.mkdir()
        shell.symlink_to("/bin/sh")
        shell.parent.chmod(mode)
        (alone.folder / f"{name}-bin").mkdir()
        hostile.executable(alone.folder / f"{name}-bin" / "cloud", f"#!{shell}\necho {name}\n")
        path = os.pathsep.join([path, os.fspath(alone.folder / f"{name}-bin")])
    alone.variables["PATH"] = path
    assert "mine" == alone.call("get_password", "https://a.test/", "me")["answer"]


@pytest.mark.parametrize("line", ["#!/usr/bin/env cloudpy", "#!/usr/bin/env -S A=b cloudpy -x", "#!/usr/bin/env loop"])
def test_what_env_finds_in_a_project_is_not_run(alone: Stage, tmp_path: Path, line: str) -> None:
    """A script that has ``env`` look for its interpreter: what only a project has on PATH is not run, the person's is."""
    ran = tmp_path / "ran"
    project = Path(os.environ["HOME"]) / "repo"
    (project / "bin").mkdir(parents=True)
    (project / ".git").mkdir()
    hostile.executable(project / "bin" / "cloudpy", f"#!/bin/sh\ntouch {ran}; echo stolen\n")
    script = program(alone, "")
    hostile.executable(script.with_name("loop"), "#!/usr/bin/env loop\n")
    script.write_text(f"{line}\n")
    alone.variables["PATH"] = os.pathsep.join([os.fspath(project / "bin"), alone.variables["PATH"]])
    for word in ("cloud", script):
        told(alone, f"*.test = {word}")
        answer, stderr = asked_in(alone, project)
        assert ("None\n", False) == (answer, ran.exists())
        assert "is not found" in stderr
        if "loop" not in line:
            program(alone, "echo mine", name="cloudpy")
            alone.variables["PATH"] = os.pathsep.join([os.fspath(project / "bin"), alone.variables["PATH"]])
            assert "mine\n" == asked_in(alone, project)[0]
            script.with_name("cloudpy").unlink()


def test_a_name_with_a_dot_at_its_end(alone: Stage) -> None:
    """A host with the dot that makes it absolute is the same host, in a row and in what is asked for."""
    program(alone, "echo from-the-cloud")
    told(alone, "a.test. = cloud", "*.b.test. = cloud")
    calls = [["get_password", f"https://{host}/", "me"] for host in ("a.test", "a.test.", "c.b.test", "other.test")]
    answers = [one["answer"] for one in alone.calls(*calls)[0]]
    assert ["from-the-cloud"] * 3 + [None] == answers


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to give a file away")
def test_a_file_of_others_is_not_read(alone: Stage) -> None:
    """Rows count in the user's own keyringrc.cfg alone."""
    program(alone, "echo stolen")
    told(alone, "*.test = cloud")
    file = Path(config.read(os.environ, os.environ["HOME"], sys.platform).file)
    os.chown(file, 12345, -1)
    result = alone.call("get_password", "https://a.test/", "me")
    assert None is result["answer"]
    assert "[fallback.commands]" in result["stderr"]
    os.chown(file, 0, -1)
    file.chmod(stat.S_IMODE(file.stat().st_mode) | 0o002)
    assert None is alone.call("get_password", "https://a.test/", "me")["answer"]


def test_option_like_services_are_not_asked_for(alone: Stage) -> None:
    """A service that a program would read as an option is not put into its words."""
    program(alone, "echo stolen")
    told(alone, "* = cloud {service}")
    result = alone.call("get_password", "--config=evil", "me")
    assert None is result["answer"]
    assert "would be read as something else" in result["stderr"]


def test_the_doctor_tells_of_commands(alone: Stage) -> None:
    """Who was asked, and in how many milliseconds, is in the doctor's report."""
    program(alone, "echo from-the-cloud")
    told(alone, "pkgs.dev.azure.com = cloud")
    result = alone.environment.run(
        ["-m", "keyring_fallback", "doctor", "--json", URL, NAME], env=alone.env(), cwd=os.environ["HOME"]
    )
    (asked,) = [one for one in json.loads(result.stdout)["lookups"][0]["asked"] if one["kind"] == "command"]
    assert ("the command 'cloud' for pkgs.dev.azure.com", "answer", []) == (
        asked["who"],
        asked["outcome"],
        asked["errors"],
    )
    assert "from-the-cloud" not in result.stdout


@pytest.mark.parametrize("service", [URL, "https://a.test/simple/"], ids=["known", "unknown"])
def test_the_doctor_tells_of_a_command_without_an_answer(alone: Stage, service: str) -> None:
    """A row is there in the place of a provider: where its command has no answer, none is to be installed."""
    program(alone, "exit 0")
    told(alone, "* = cloud")
    result = alone.environment.run(
        ["-m", "keyring_fallback", "doctor", "--json", service, NAME], env=alone.env(), cwd=os.environ["HOME"]
    )
    document = json.loads(result.stdout)
    (cause,) = [one for one in document["causes"] if one["problem"]]
    assert ("no-answer", "") == (cause["name"], cause["command"])
    assert "(the command 'cloud' for *) has no answer" in cause["text"]
    assert "commands" in document["settings"]["sources"]


def test_selected_without_any_tool(alone: Stage) -> None:
    """GlobalKeyring as the selected keyring asks the command too; what it does not store is said in words."""
    program(alone, "echo from-the-cloud")
    told(alone, "pkgs.dev.azure.com = cloud")
    alone.variables["PYTHON_KEYRING_BACKEND"] = "keyring_fallback.GlobalKeyring"
    calls = (
        ["get_password", URL, NAME],
        ["get_password", "https://a.test/", "me"],
        ["set_password", URL, NAME, "secret"],
    )
    got, other, stored = alone.calls(*calls)[0]
    assert ("from-the-cloud", []) == (got["answer"], got["error"])
    assert "NoKeyringError" in other["error"], "None would say that there is no such password"
    assert "PasswordSetError" in stored["error"]
    assert "[fallback.commands] only gives" in stored["message"]


def test_what_nobody_stores_beside_a_command(alone: Stage) -> None:
    """In the chain, too."""
    told(alone, "pkgs.dev.azure.com = cloud")
    (stored,) = alone.calls(["set_password", URL, NAME, "secret"])[0]
    assert "; ;" not in stored["message"]
    assert "[fallback.commands] only gives" in stored["message"]


def test_it_is_lent_like_a_tool(alone: Stage, tmp_path: Path) -> None:
    """A lender with nothing but a command answers those who have none."""
    program(alone, "echo from-the-cloud")
    told(alone, "pkgs.dev.azure.com = cloud")
    with machine.temporary_folder("lend") as runtime:
        there = {"XDG_RUNTIME_DIR": os.fspath(runtime)}
        with Lender(alone.environment, "pkgs.dev.azure.com", env={**alone.env(), **there}) as lender:
            env = {**os.environ, **there, **machine.home_variables(tmp_path)}
            assert "from-the-cloud\n" == alone.environment.keyring("get", URL, NAME, env=env).stdout
            assert "pkgs.dev.azure.com" in lender.questions[0]
