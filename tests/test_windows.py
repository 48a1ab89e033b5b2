"""Windows for real, under Wine: what runs is a Windows Python, uv.exe, and Azure's provider with its .NET program."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from textwrap import dedent
from typing import TYPE_CHECKING, Callable, NamedTuple

import pytest

from support import providers, uv7003, wine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environments, Keywords, Text
    from support.feed import Feed
    from support.wine import Venv, Windows


@pytest.fixture(scope="module")
def windows() -> Windows:
    """The machine."""
    try:
        return wine.ready()
    except wine.MissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def profile(windows: Windows) -> Iterator[Path]:
    """A folder in the user's profile: what is elsewhere, and not named by a setting, is not taken for the user's."""
    folder = windows.home / "AppData" / "Local" / f"Zoë's files {uuid.uuid4().hex[:8]}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """The profile of a user of Windows, for `Windows.run`; it holds nothing."""
    for one in ("Roaming", "Local"):
        (tmp_path / "Zoë's" / "AppData" / one).mkdir(parents=True)
    return tmp_path / "Zoë's"


@pytest.fixture(scope="module")
def tool(windows: Windows, shared_environments: Environments) -> Venv:
    """A tool whose provider does what a test says, without Windows' vault, which all tests share."""

    def build(folder: Path) -> None:
        scripted = providers.make_provider(folder, "scripted-there", providers.source("scripted_there"))
        windows.venv(folder / "tool", "keyring", scripted).leave_vault_out()

    return wine.Venv(shared_environments.once("windows-tool", build) / "tool")


@pytest.fixture(scope="module")
def venv(windows: Windows, shared_environments: Environments, wheel: Path) -> Venv:
    """An environment with us in it, without Windows' vault."""

    def build(folder: Path) -> None:
        windows.venv(folder / "venv", wheel).leave_vault_out()

    return wine.Venv(shared_environments.once("windows", build, wheel) / "venv")


@pytest.fixture
def feed(windows: Windows, tmp_path: Path, wheel: Path) -> Iterator[Feed]:
    """The private feed, with our wheel on it."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for one in (wheel, *windows.wheels.glob("*.whl")):
        shutil.copy(one, folder)
    with uv7003.feed(folder) as running:
        yield running


def test_uv_7003(windows: Windows, profile: Path, feed: Feed, tmp_path: Path) -> None:
    """uv.exe fails once the active environment has keyring, and works again once it has keyring-fallback too."""
    windows.tool(profile, "artifacts-keyring")
    active = windows.venv(tmp_path / "project")
    # uv.exe looks for keyring beside itself before it does on PATH, as every program does that Windows starts
    path = [active.scripts, profile / "bin"]
    extra: Keywords = {
        **windows.tool_variables(profile),
        **feed.proxy_environment(),
        **uv7003.provider_variables(feed),
        "WINEPATH": ";".join(map(windows.windows, path)),
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_DEFAULT_INDEX": feed.with_username(uv7003.USERNAME),
        "VIRTUAL_ENV": windows.windows(active.root),
        "UV_LINK_MODE": "copy",
    }

    def install(name: str) -> tuple[bool, str]:
        done = windows.run([windows.uv, "pip", "install", "--no-cache", name], **extra)
        assert feed.password not in done.stdout + done.stderr
        return done.returncode == 0, done.stderr

    first, said = install("keyring")
    assert first, said
    without_us, said = install("six")
    assert not without_us
    assert "401" in said
    windows.install(active, next(feed.wheels.glob("keyring_fallback-*.whl")))
    with_us, said = install("six")
    assert with_us, said
    assert 200 in feed.statuses("/six")


#: Says what the tool's provider does; gives variables for the program that is to ask it.
Script = Callable[..., "Keywords"]

#: Seconds after which nothing holds the files of a tool that was asked.
SOON = 7.0
SERVICE, USERNAME = "https://host.example/simple", "ann"
GET = f"import keyring; print(keyring.get_password({SERVICE!r}, {USERNAME!r}))"


@pytest.fixture
def there(windows: Windows, tool: Venv, tmp_path: Path) -> Script:
    """Say what the tool's provider does in a method; the variables for the program that is to ask the tool."""

    def script(get: str, **extra: str) -> Keywords:
        lines = ["import os, subprocess, sys, time", "from keyring.backend import KeyringBackend", ""]
        lines += ["class Scripted(KeyringBackend):", "    priority = 9"]
        lines += ["    def set_password(self, service, username, password): pass"]
        lines += ["    def get_password(self, service, username):", *(f"        {one}" for one in get.splitlines())]
        file = tmp_path / "there.py"
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return {
            "SCRIPT_THERE": windows.windows(file),
            "KEYRING_PROPERTY_FALLBACK_TOOL": windows.windows(tool.root),
            **extra,
        }

    return script


def _within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether a condition comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Marks(NamedTuple):
    """Names for processes that are this test's."""

    windows: Windows
    word: str

    def __call__(self, name: str) -> str:
        """An argument that names a process."""
        return f"{name}-{self.word}"

    def end(self) -> None:
        """End them all."""
        for name in ("child", "grandchild", "browser", "asking"):
            for pid in self.running(name):
                os.kill(pid, signal.SIGKILL)

    def running(self, name: str) -> list[int]:
        """The processes that are called so."""
        return [pid for pid, line in self.windows.processes().items() if line.endswith(self(name))]


@pytest.fixture
def marked(windows: Windows) -> Iterator[Marks]:
    """Names for processes of this test, which are ended with it."""
    marks = Marks(windows, uuid.uuid4().hex[:8])
    yield marks
    marks.end()


STARTS = """\
sleep = "import sys, time; time.sleep(100)"
nest = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {{!r}}, {grandchild!r}]); time.sleep(100)"
subprocess.Popen([sys.executable, "-c", nest.format(sleep), {child!r}])
browser = os.path.join(sys.base_prefix, "pythonw.exe")
subprocess.Popen([browser, "-c", sleep, {browser!r}], stdin=-3, stdout=-3, stderr=-3)
time.sleep(100)
"""


@pytest.mark.parametrize("parent", ["lives", "is killed"])
def test_what_a_provider_has_started_ends(
    windows: Windows, venv: Venv, there: Script, marked: Marks, parent: str
) -> None:
    """With the lookup ends what the provider has started for it, but not a program with windows, a browser for example."""
    body = STARTS.format(**{name: marked(name) for name in ("child", "grandchild", "browser")})
    program = windows.start(
        [venv.python, "-c", GET, marked("asking")], **there(body, KEYRING_PROPERTY_FALLBACK_TIMEOUT="12")
    )
    try:
        assert _within(60, lambda: all(map(marked.running, ("child", "grandchild", "browser"))))
        if parent == "is killed":
            for pid in marked.running("asking"):
                os.kill(pid, signal.SIGKILL)
        program.wait(60)
        assert _within(20, lambda: not marked.running("child"))
        assert not marked.running("grandchild")
        assert marked.running("browser")
    finally:
        marked.end()  # under Wine it has inherited our pipes, which it would keep open
        program.kill()
        _, said = program.communicate(timeout=60)
    assert parent == "is killed" or "gave no answer within 12 seconds" in said


def test_set_after_an_interrupt(windows: Windows, venv: Venv, there: Script) -> None:
    """A program that has survived a Ctrl-C can store a password: the helper that was idle meanwhile is still there."""
    program = f"""
        import keyring, time
        keyring.get_password({SERVICE!r}, {USERNAME!r})
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        keyring.set_password({SERVICE!r}, {USERNAME!r}, "new")
        print("stored", flush=True)
    """
    with windows.console([venv.python, "-c", dedent(program)], **there("return None")) as console:
        console.until("ready")
        console.press("\x03")
        console.until("interrupted")
        assert "stored" in console.until("stored", 30)


@pytest.mark.parametrize("kept", [subprocess.DEVNULL, subprocess.PIPE], ids=["NUL", "pipe"])
def test_a_question_is_seen(windows: Windows, venv: Venv, there: Script, kept: int) -> None:
    """A program whose stderr is NUL, or a pipe, has a console: what the provider asks is seen there."""
    extra = there("print('open the page', file=sys.stderr, flush=True); time.sleep(4); return 'secret'")
    nested = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], stdout={kept}, stderr={kept})"
    )
    with windows.console([venv.python, "-c", nested, GET], **extra) as console:
        assert "waiting for" in console.until("open the page", 60)


def test_program_without_handles(windows: Windows, venv: Venv, there: Script, tmp_path: Path) -> None:
    """A program without standard handles (pythonw, a service) gets the answer of a provider that prints."""
    written = tmp_path / "answer.txt"
    program = f"""
        import sys, keyring
        answer = keyring.get_password({SERVICE!r}, {USERNAME!r})
        with open({windows.windows(written)!r}, "w") as file:
            print(sys.stdout, sys.stderr, answer, file=file)
    """
    extra = there("print('hello'); print('hello', file=sys.stderr); os.write(1, b'hello'); return 'secret'")
    nested = "import subprocess, sys; subprocess.run([sys.executable.replace('python.exe', 'pythonw.exe'), '-c', sys.argv[1]], creationflags=8, close_fds=True)"
    windows.run([venv.python, "-c", nested, dedent(program)], check=True, **extra)
    assert "None None secret" == written.read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("where", ["there", "here"])
def test_descriptors_that_are_closed(windows: Windows, venv: Venv, there: Script, where: str) -> None:
    """A provider, or a program, that closes all descriptors from 3 up hinders no answer."""
    close = "import os; os.closerange(3, 256)\n"
    extra = there((close if where == "there" else "") + "return 'secret'", KEYRING_PROPERTY_FALLBACK_TIMEOUT="30")
    body = f"{GET}\n{close if where == 'here' else ''}{GET}\n"
    done = windows.run([venv.python, "-c", body], timeout=120, **extra)
    assert "secret\nsecret\n" == done.stdout, done.stderr


BEHAVIOUR = """\
if service == "noisy":
    print("noise")
    os.write(1, b"noise")
    subprocess.run(["cmd", "/c", "echo noise"])
if service == "reading":
    return "nothing" if sys.stdin.read() == "" else "something"
if service == "raising":
    raise RuntimeError("log in first")
if service == "dying":
    os._exit(3)
return service
"""


def test_providers_of_all_kinds(windows: Windows, venv: Venv, there: Script) -> None:
    """A provider that prints, reads, raises or dies: the answer or the reason, and the next lookup is answered."""
    program = """
        import keyring
        for service in ("noisy", "reading", "raising", "dying", "good"):
            print(service, keyring.get_password(service, "ann"))
    """
    done = windows.run([venv.python, "-c", dedent(program)], **there(BEHAVIOUR))
    assert ["noisy noisy", "reading nothing", "raising None", "dying None", "good good"] == done.stdout.splitlines()
    assert "RuntimeError: log in first" in done.stderr
    assert "ended without a reply (exit status 3)" in done.stderr


def test_vault_and_tool(windows: Windows, profile: Path, wheel: Path, tmp_path: Path) -> None:
    """In folders with blanks and accents: Windows' vault is read, written and emptied first, then uv's tool is asked.

    While the program goes on that has asked it, uv can remove the tool.
    """
    store = providers.make_provider(tmp_path, "demo-store", providers.source("demo_store"))
    windows.tool(profile, store)
    mine = windows.venv(tmp_path / "Zoë's venv", wheel)
    file = tmp_path / "store.json"
    file.write_text(json.dumps({"tool.example": {"ann": "from the tool"}}), encoding="utf-8")
    extra: Keywords = {**windows.tool_variables(profile), "DEMO_STORE_FILE": windows.windows(file)}
    service = f"{uuid.uuid4().hex[:8]}.example"
    program = f"""
        import keyring, sys
        keyring.set_password({service!r}, "ann", "to the vault")
        print(keyring.get_password({service!r}, "ann"))
        keyring.delete_password({service!r}, "ann")
        print(keyring.get_password({service!r}, "ann"))
        print(keyring.get_password("tool.example", "ann"), flush=True)
        sys.stdin.readline()
    """
    words = ["--mode", "creds", "--output", "json", "get", "tool.example", "ann"]
    said = windows.run([mine.script("keyring"), *words], **extra)
    assert {"username": "ann", "password": "from the tool"} == json.loads(said.stdout), said.stderr
    running = windows.start([mine.python, "-c", dedent(program)], **extra)
    try:
        assert running.stdout is not None
        lines = [running.stdout.readline().strip() for _ in range(3)]
        assert ["to the vault", "None", "from the tool"] == lines
        assert service not in file.read_text(encoding="utf-8")
        time.sleep(SOON)
        removed = windows.run([windows.uv, "tool", "uninstall", "keyring"], **extra)
        assert (0, None) == (removed.returncode, running.poll()), removed.stderr
    finally:
        running.kill()
        running.communicate(timeout=60)
    assert not (profile / "keyring").exists()


WHERE = """\
from keyring.backend import KeyringBackend

class Where(KeyringBackend):
    priority = 9
    def set_password(self, service, username, password): pass
    def get_password(self, service, username):
        return __file__ if service in __file__.replace(chr(92), "/") else None
"""


def test_tools_in_their_places(windows: Windows, venv: Venv, person: Path, tmp_path: Path) -> None:
    """The tools of uv, pipx, ``pip install --user`` and conda are found, by uv's and pip's launchers too, and asked."""
    where = providers.make_provider(tmp_path, "where-provider", WHERE)
    roaming = person / "AppData" / "Roaming"
    windows.tool(roaming / "uv" / "tools", where)
    elsewhere = windows.tool(person / "elsewhere", where)
    (person / ".local").mkdir()
    (elsewhere.root.parent / "bin").rename(person / ".local" / "bin")  # uv's launcher
    pipx = windows.venv(person / "pipx" / "venvs" / "keyring", "keyring", where)
    conda = wine.Venv(person / "miniconda3")
    shutil.copytree(windows.base.parent, conda.root)
    (conda.root / "conda-meta").mkdir()
    windows.install(conda, "keyring", where)
    users = roaming / "Python" / "Python311"
    shutil.copytree(pipx.site_packages, users / "site-packages", ignore=shutil.ignore_patterns("keyring*", "where*"))
    (pip,) = windows.wheels.glob("pip-*.whl")
    (keyring,) = windows.wheels.glob("keyring-*.whl")
    options = ["--user", "--no-deps", "--no-compile", "--no-index", "--no-warn-script-location"]
    windows.run([windows.base, pip / "pip", "install", *options, keyring, where], home=person, check=True)
    assert (users / "Scripts" / "keyring.exe").is_file(), "pip's launcher"
    expected = {
        "Roaming/uv": wine.Venv(roaming / "uv" / "tools" / "keyring").site_packages,
        "pipx/venvs": pipx.site_packages,
        "elsewhere": elsewhere.site_packages,
        "Roaming/Python": users / "site-packages",
        "miniconda3": conda.site_packages,
    }
    program = f"""
        import keyring
        from keyring_fallback import survey
        print([one.path for one in survey.current().findings.tools if not one.interpreter])
        for part in {list(expected)!r}:
            print(ascii(keyring.get_password(part, "ann")))
    """
    conda_exe = windows.windows(conda.scripts / "conda.exe")
    done = windows.run([venv.python, "-c", dedent(program)], home=person, CONDA_EXE=conda_exe)
    untold, *found = map(ast.literal_eval, done.stdout.splitlines())
    assert [] == untold
    wanted = [windows.windows(one / "where_provider.py").lower() for one in expected.values()]
    assert wanted == [(one or "").lower() for one in found], done.stderr


def _configure(person: Path, text: str, codec: str = "utf-8") -> Path:
    """Write a person's keyringrc.cfg, with the line ends of Windows."""
    file = person / "AppData" / "Local" / "Python Keyring" / "keyringrc.cfg"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.replace("\n", "\r\n").encode(codec))
    return file


def test_doctor(windows: Windows, venv: Venv, tool: Venv, there: Script, person: Path, tmp_path: Path) -> None:
    """The doctor, as JSON and as text: what works, which file says so, and that uv.exe runs the keyring beside it."""
    file = _configure(person, "[fallback]\ntimeout = 50\n")
    beside = person / ".local" / "bin"
    beside.mkdir(parents=True)
    os.link(windows.uv, beside / "uv.exe")
    shutil.copy(tool.script("keyring"), beside)
    path = ";".join(map(windows.windows, (venv.scripts, beside)))
    variables = there("return 's3cr3t' if service.startswith('https:') else None", WINEPATH=path)
    command: list[Text] = [venv.python, "-m", "keyring_fallback", "doctor", SERVICE, USERNAME]
    said = windows.run([*command, "--json"], home=person, **variables)
    document = json.loads(said.stdout)
    assert (0, True) == (said.returncode, document["works"])
    assert [windows.windows(tool.root)] == [one["path"] for one in document["tools"]]
    assert windows.windows(beside / "keyring.exe") == document["clients"]["uv"]["path"]
    assert windows.windows(file) == document["settings"]["sources"]["timeout"]
    bare = windows.venv(tmp_path / "bare", "keyring")
    shutil.copy(bare.script("keyring"), beside)
    text = windows.run(command, home=person, **variables)
    assert (1, "It does not work.") == (text.returncode, text.stdout.partition("\n")[0].strip()), text.stdout
    words = " ".join(text.stdout.split())
    assert f"The keyring that uv runs is the one of {windows.windows(bare.root)}" in words
    assert f"PS> uv pip install --python {windows.windows(bare.root)} keyring-fallback" in words, "PATH is no cure"
    assert "s3cr3t" not in said.stdout + said.stderr + text.stdout + text.stderr


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_settings_that_powershell_wrote(windows: Windows, venv: Venv, person: Path, codec: str) -> None:
    """keyringrc.cfg with a byte order mark: keyring itself cannot read it, and how it is to be saved is said."""
    file = _configure(person, "[backend]\n[fallback]\ntimeout = 9\n", codec)
    said = windows.run([venv.python, "-m", "keyring_fallback", "doctor", "--json"], home=person)
    (cause, *_) = json.loads(said.stdout)["causes"]
    assert "keyring-broken" == cause["name"]
    assert windows.windows(file) in cause["text"] + cause["edit"]
    assert "save it as UTF-8 without BOM" in cause["edit"]


def test_a_batch_file_as_provider(windows: Windows, venv: Venv, person: Path) -> None:
    """``az`` is ``az.cmd`` there: found by its name without the end, and never run with words that cmd.exe takes apart."""
    folder = person / "bin"
    folder.mkdir()
    (folder / "az.cmd").write_text('@echo off\r\nif "%1 %2"=="account ann" echo secret\r\n', newline="")
    rows = "host.example = az account {username}\n"
    words = ("%PATH%", "a|calc", "'a b %PATH%'", "a^b", "'a b|c'")
    rows += "".join(f"{number}.example = az account ann {word}\n" for number, word in enumerate(words))
    _configure(person, f"[fallback.commands]\n{rows}", "utf-8")
    program = f"""
        import keyring
        print(keyring.get_password({SERVICE!r}, "ann"), keyring.get_password({SERVICE!r}, "ann&calc"))
        print([keyring.get_password(f"https://{{number}}.example/", "ann") for number in range({len(words)})])
    """
    done = windows.run([venv.python, "-c", dedent(program)], home=person, WINEPATH=windows.windows(folder))
    assert "secret None\n[None, None, None, None, 'secret']\n" == done.stdout, done.stderr
    assert "would be read as something else" in done.stderr
    assert "cmd.exe would take apart a word of its row" in done.stderr


def test_a_watched_command_asks_as_it_does_by_itself(windows: Windows, venv: Venv, there: Script) -> None:
    """What runs ``keyring`` below ``keyring-fallback doctor --`` gets the same answer, and it is told who was asked."""
    extra = there("return 'secret'", WINEPATH=windows.windows(venv.scripts))
    command = ["cmd", "/c", "keyring", "get", SERVICE, USERNAME]
    watched = windows.run([venv.script("keyring-fallback"), "doctor", "--", *command], **extra)
    assert (0, "secret\n") == (watched.returncode, watched.stdout), watched.stderr
    assert f"get_password {SERVICE}" in watched.stderr or f"get {SERVICE}" in watched.stderr
    assert "keyring.exe answered" in watched.stderr


def test_network_folders_are_not_touched(windows: Windows, venv: Venv, there: Script) -> None:
    """A lookup touches no folder of PATH that is on another machine: it would wait for the network."""
    share = r"\\server\share"
    program = f"""
        import nt, ntpath, os
        touched = []
        def noted(function):
            def note(path, *args, **kwargs):
                touched.append(str(path))
                return function(path, *args, **kwargs)
            return note
        for module in (nt, ntpath, os):
            for name in ("stat", "lstat", "open", "listdir", "scandir", "access", "_getfinalpathname", "readlink"):
                if hasattr(module, name):
                    setattr(module, name, noted(getattr(module, name)))
        import keyring
        keyring.get_password({SERVICE!r}, {USERNAME!r})  # keyring's own backend for macOS looks for libraries on PATH
        os.environ["PATH"] = {share!r} + ";" + os.environ["PATH"]
        touched.clear()
        print(keyring.get_password({SERVICE!r}, {USERNAME!r}), [one for one in touched if "server" in one])
        print(len(touched) > 10)
    """
    done = windows.run([venv.python, "-c", dedent(program)], **there("return 'secret'"))
    assert "secret []\nTrue\n" == done.stdout, done.stderr
