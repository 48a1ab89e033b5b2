"""Programs that came with their own habits: what they do is the same with the provider in the global tool as installed here."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Callable, NamedTuple

import pytest

from support import clients, environments, machine

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environment, Environments, Text
    from support.stage import Stage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")

PROVIDER = """
class Provider(KeyringBackend):
    priority = 9
    def get_password(self, service, username): return "token" if service == "https://host/" else None
    def set_password(self, service, username, password): raise NotImplementedError
    def delete_password(self, service, username): raise errors.PasswordDeleteError("minted, not stored")
"""
#: A store of this environment's own, in a file.
STORE = """
class Store(KeyringBackend):
    priority = 5
    file = os.path.join(os.path.dirname(os.environ["NOTES"]), "store.json")
    def kept(self):
        return json.load(open(self.file)) if os.path.exists(self.file) else []
    def get_password(self, service, username):
        return next((kept[2] for kept in self.kept() if kept[:2] == [service, username]), None)
    def set_password(self, service, username, password):
        json.dump([*self.kept(), [service, username, password]], open(self.file, "w"))
"""


#: Programs that can be installed together, which is quicker.
TOGETHER = ("debugpy", "gevent", "gunicorn", "osc", "python-daemon", "trino")


class Habit(NamedTuple):
    """A program and what it does.

    Attributes:
        program: The program, as the table names it.
        habit: What it does that others do not.
        packages: What has it.
        code: Does it, in an environment that has the program and keyring, and prints what came of it.
        prints: What has to come of it.
        store: Whether the environment has a store of its own.
        built: What has no wheel there, and is built.
        switch: The variable that lets it run, where it takes long.
    """

    program: str
    habit: str
    packages: tuple[str, ...]
    code: str
    prints: str
    store: bool = False
    built: tuple[str, ...] = ()
    switch: str = ""


HABITS = [
    Habit(
        "python-daemon",
        "looks up and stores, closes all descriptors, opens its own files, and looks up again",
        ("python-daemon",),
        """
        import contextlib, os, sys, daemon, keyring
        first = keyring.get_password("https://host/", "user")
        with daemon.DaemonContext(detach_process=False, working_directory=os.getcwd(), stdout=sys.stdout):
            files = [open("data%d" % number, "w") for number in range(8)]
            with contextlib.suppress(Exception): keyring.set_password("app", "me", "the secret")
            second = keyring.get_password("https://host/", "user")
            for file in files: file.write("mine"), file.flush()
            print(first, second, {open("data%d" % number).read() for number in range(8)}, flush=True)
        """,
        "token token {'mine'}",
    ),
    Habit(
        "gunicorn",
        "looks up when it loads the application, forks, and looks up in its worker",
        ("gunicorn",),
        """
        import http.client, os, socket, subprocess, sys
        open("app.py", "w").write(
            "import keyring\\n"
            "first = keyring.get_password('https://host/', 'user')\\n"
            "def app(environ, start):\\n"
            "    start('200 OK', [])\\n"
            "    return [f\\"{first} {keyring.get_password('https://host/', 'user')}\\".encode()]\\n"
        )
        listening = socket.socket(socket.AF_UNIX)
        listening.bind("socket")
        listening.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--preload", "--bind", f"fd://{listening.fileno()}", "app:app"],
            pass_fds=[listening.fileno()], stderr=subprocess.PIPE,
        )
        for _ in range(2):
            asked = http.client.HTTPConnection("host")
            asked.sock = socket.socket(socket.AF_UNIX)
            asked.sock.settimeout(60)
            asked.sock.connect("socket")
            asked.request("GET", "/")
            print(asked.getresponse().read().decode(), end=" ")
        server.terminate()
        noise = server.communicate(timeout=30)[1]
        print(server.returncode, b"Traceback" in noise, b"keyring" in noise)
        """,
        "token token token token 0 False False",
    ),
    Habit(
        "debugpy",
        "follows child processes (its default), with a client that attaches to none",
        ("debugpy",),
        """
        import json, socket, subprocess, sys, time
        open("program.py", "w").write("import keyring\\nprint(keyring.get_password('https://host/', 'user'))\\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        argv = ["-m", "debugpy", "--listen", "%s:%d" % address, "--wait-for-client", "program.py"]
        program = subprocess.Popen([sys.executable, *argv], stdout=open("printed", "w"))
        while True:
            try: client = socket.create_connection(address)
            except ConnectionRefusedError: time.sleep(0.05)
            else: break
        def send(number, command, **arguments):
            body = json.dumps({"seq": number, "type": "request", "command": command, "arguments": arguments}).encode()
            client.sendall(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
        send(1, "initialize", adapterID="test")
        send(2, "attach", subProcess=True, justMyCode=True)
        read = b""
        while b'"initialized"' not in read: read += client.recv(65536)
        send(3, "configurationDone")
        program.wait(60)
        print(open("printed").read())
        """,
        "token",
    ),
    Habit(
        "gevent",
        "replaces sockets, threads and processes of the standard library by its own (`monkey.patch_all`)",
        ("gevent",),
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent, keyring, threading
        def ask(): return keyring.get_password("https://host/", "user")
        asked = [gevent.spawn(ask) for _ in range(8)]
        gevent.joinall(asked, timeout=60)
        thread = threading.Thread(target=lambda: print(ask(), {one.value for one in asked}))
        thread.start()
        thread.join(60)
        """,
        "token {'token'}",
    ),
    Habit(
        "pip",
        "forbids every import once it installs",
        ("pip",),
        """
        import pip._internal.cli.main, pip._internal.commands.install as install
        from pip._internal.network.auth import get_keyring_provider
        keyring = get_keyring_provider("import")
        print(keyring.get_auth_info("https://host/", None), keyring.get_auth_info("https://host/", "user"))
        if hasattr(install, "_prevent_further_imports"): install._prevent_further_imports()
        print(keyring.get_auth_info("https://host/", "user"))
        """,
        "None ('user', 'token')\n('user', 'token')",
    ),
    Habit(
        "poetry",
        "asks whether there is a keyring, by its name and with a lookup, and stores in it what would stand in a file",
        ("poetry",),
        """
        import json, os, subprocess, sys
        argv = [sys.executable, "-m", "poetry", "config", "http-basic.feed", "somebody", "secret"]
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "POETRY_CONFIG_DIR": os.getcwd()})
        in_file = any("secret" in open(file).read() for file in os.listdir() if file.endswith(".toml"))
        print(done.returncode, done.stdout, done.stderr, in_file, json.load(open("store.json")))
        """,
        "0   False [['poetry-repository-feed', 'somebody', 'secret']]",
        store=True,
    ),
    Habit(
        "hatch",
        "asks with the URL, and stores there what the person has typed",
        ("hatch",),
        """
        import os, pathlib, sys
        from hatch.cli.application import Application
        from hatch.publish.auth import AuthenticationCredentials as Credentials
        app = Application(sys.exit, verbosity=0, enable_color=False, interactive=True)
        def asked(url):
            options = {"no_prompt": False, "user": "user"}
            return Credentials(app, pathlib.Path.cwd(), options, "main", {"url": url})
        first, second = asked("https://host/"), asked("https://other/")
        os.setsid()  # without a terminal what is typed is read from stdin
        found = first.password, second.password
        second.write_updated_data()
        print(found, asked("https://other/").password)
        """,
        "('token', 'typed') typed",
        store=True,
    ),
    Habit(
        "trino",
        "keeps tokens in the keyring, unless its class is that of keyring's own for none",
        ("trino",),
        """
        from trino.auth import _OAuth2KeyRingTokenCache as Cache
        cache = Cache()
        if cache.is_keyring_available(): cache.store_token_to_cache("host", "a token")
        print(cache.is_keyring_available(), Cache().get_token_from_cache("host"), Cache().get_token_from_cache("other"))
        """,
        "True a token None",
        store=True,
    ),
    Habit(
        "gimme-aws-creds",
        "offers to store, and goes on where that fails, by the error's class",
        ("gimme-aws-creds",),
        """
        import os, sys
        os.setsid()
        from gimme_aws_creds.okta_classic import OktaClassicClient
        from gimme_aws_creds.ui import CLIUserInterface
        sys.argv[1:] = []
        client = OktaClassicClient(CLIUserInterface(), "https://okta.example")
        print(sorted(client._get_username_password_creds().items()))
        """,
        "[('password', 'typed'), ('username', 'typed')]",
        built=("fido2<0.10",),
    ),
    Habit(
        "osc",
        "notes the class of the keyring, and loads it by that name later, also when there is no tool any more",
        ("osc",),
        """
        import configparser, os, subprocess, sys
        from osc import credentials
        settings = configparser.ConfigParser()
        settings.read("oscrc")
        url = "https://obs.example"
        if not settings.has_section(url):
            settings.add_section(url)
            credentials.get_keyring_credentials_manager(settings).set_password(url, "me", "secret")
            settings.write(open("oscrc", "w"))
            for variables in ({}, {"KEYRING_PROPERTY_FALLBACK_ENABLED": "false"}):
                subprocess.run([sys.executable, __file__], env={**os.environ, **variables})
        else:
            print(credentials.create_credentials_manager(url, settings)._get_password(url, "me"), flush=True)
        """,
        "secret\nsecret",
        store=True,
    ),
    Habit(
        "Back In Time",
        "takes the stores that it knows, and keyring's chain, by class (its check; it is not on the index)",
        (),
        """
        import keyring
        from keyring.backends.chainer import ChainerBackend
        selected = keyring.get_keyring()
        print(isinstance(selected, ChainerBackend), len(selected.backends))
        """,
        "True 2",
        store=True,
    ),
    Habit(
        "PyInstaller",
        "makes a program of its own of it (a folder, with `--collect-all keyring_fallback`)",
        ("pyinstaller",),
        """
        import importlib.util, subprocess, sys
        open("program.py", "w").write("import keyring\\nprint(keyring.get_password('https://host/', 'user'))\\n")
        options = ["--copy-metadata=scripted_here", "--hidden-import=scripted_here"]
        if importlib.util.find_spec("keyring_fallback"): options = ["--collect-all=keyring_fallback"]
        argv = [sys.executable, "-m", "PyInstaller", "--log-level=ERROR", "--noconfirm", *options, "program.py"]
        subprocess.run(argv, check=True)
        print(subprocess.check_output(["dist/program/program"], text=True))
        """,
        "token",
        switch="KEYRING_FALLBACK_PYINSTALLER",
    ),
]


@pytest.fixture
def client(shared_environments: Environments, python: Path, wheel: Path) -> Callable[[Habit, bool], Environment]:
    """Makes an environment that has a program, and us where it is told so; what cannot be installed is skipped."""

    def build(folder: Path, package: str) -> None:
        command: list[Text] = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            folder,
            package,
        ]
        environments.run(command, env=machine.building(), check=True)

    def make(habit: Habit, us: bool) -> Environment:  # noqa: FBT001 - the parameter is what differs
        ours = [wheel] if us else []
        if set(habit.packages) <= set(TOGETHER):
            with contextlib.suppress(environments.FailedError):  # one of the others may not be there for this Python
                return clients.client(shared_environments, python, *TOGETHER, *ours)
        try:
            folders = [
                shared_environments.once("built", lambda folder, one=one: build(folder, one), one)  # type: ignore[misc]
                for one in habit.built
            ]
            wheels = [file for folder in folders for file in folder.glob("*.whl")]
            return clients.client(shared_environments, python, *habit.packages, *wheels, *ours)
        except environments.FailedError as error:
            pytest.skip(f"{habit.program} cannot be installed here: {str(error).strip().splitlines()[-1]}")

    return make


def run(stage: Stage, habit: Habit, environment: Environment, *, us: bool) -> str:
    """Do what a program does, with the provider in the tool or in the environment; return what it prints."""
    folder = stage.folder / ("with" if us else "without")
    folder.mkdir()
    stage.there(PROVIDER).here((STORE if habit.store else "") + ("" if us else PROVIDER))
    stage.variables.update(NOTES=os.fspath(folder / "notes"), KEYRING_PROPERTY_FALLBACK_TIMEOUT="20")
    stage.variables.update(PYDEVD_DISABLE_FILE_VALIDATION="1", PYTHONWARNINGS="ignore")
    program = folder / "habit.py"
    program.write_text(textwrap.dedent(habit.code), encoding="utf-8")
    done = environment.run([program], env=stage.env(), cwd=folder, stdin="typed\ntyped\ny\n", check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("habit", HABITS, ids=[habit.program for habit in HABITS])
def test_habit(stage: Stage, client: Callable[[Habit, bool], Environment], habit: Habit) -> None:
    """A real program does with the provider in the global tool what it does with the provider installed beside it."""
    if habit.switch and habit.switch not in machine.ENVIRON:
        pytest.skip(f"takes a minute: {habit.switch}=1 runs it")
    actual = {us: run(stage, habit, client(habit, us), us=us) for us in (False, True)}
    assert {False: habit.prints, True: habit.prints} == actual


@pytest.mark.parametrize("program", ["trino", "gimme-aws-creds"])
def test_no_store(stage: Stage, client: Callable[[Habit, bool], Environment], program: str) -> None:
    """Who takes the class for "no keyring" sees one where a tool only mints tokens, and goes on by the error's class."""
    habit = next(habit for habit in HABITS if habit.program == program)
    if program == "trino":
        code = """
        from trino.auth import _OAuth2KeyRingTokenCache as Cache
        print(Cache().is_keyring_available())
        try: Cache().store_token_to_cache("host", "a token")
        except Exception as error: print(type(error).__name__)
        """
        none, there = "False\nNotSupportedError", "True\nNotSupportedError"
    else:
        code, none, there = habit.code, habit.prints, habit.prints
    stage.there(PROVIDER)
    script = stage.folder / "program.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    for us, enabled, expected in ((False, "true", none), (True, "true", there), (True, "false", none)):
        stage.variables["KEYRING_PROPERTY_FALLBACK_ENABLED"] = enabled
        done = client(habit, us).run([script], env=stage.env(), cwd=stage.folder, stdin="typed\ntyped\ny\n", check=True)
        assert expected == done.stdout.strip()


def table() -> str:
    """The table of docs/robustness.md."""
    rows = [f"| {habit.program} | {habit.habit} |" for habit in HABITS]
    return "\n".join(["| program | what it does |", "| --- | --- |", *rows, ""])
