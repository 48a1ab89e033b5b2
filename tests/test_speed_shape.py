"""What makes lookups fast, as facts about processes and modules instead of seconds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keyring_fallback import here
from support import environments, interpreters, providers, trees
from support.helper import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environment, Environments
    from support.stage import Stage

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

#: Seconds that a helper may outlive its parent.
GONE_SECONDS = 2.0

#: Answers with what a test wants to know about the helper; a service of that name is asked for it.
TELLER = """
    import threading
    class Teller(KeyringBackend):
        priority = 9
        asked = 0
        def get_password(self, service, username):
            Teller.asked += 1
            if service == "https://slow/":
                note("slow")
                time.sleep(60)
            if service == "https://stops/":
                threading.Timer(0.1, os.kill, (os.getpid(), 19)).start()
            told = {"pid": os.getpid(), "asked": Teller.asked, "service": service, "username": username,
                    "variable": os.environ.get("VARIABLE"), "directory": os.getcwd()}
            return json.dumps(told)
        def set_password(self, service, username, password):
            raise NotImplementedError
"""

#: Before each program: `ask` returns what the provider tells, `processes` what this process has started so far.
BEGIN = """\
import json, os, sys, time
processes = []
STARTS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.spawn", "os.system")
sys.addaudithook(lambda event, arguments: event in STARTS and processes.append(event))
import keyring
keyring.get_keyring()
processes.clear()
def ask(service="https://h/", username="u"):
    return json.loads(keyring.get_password(service, username))
def tell(*values):
    print(json.dumps(values), flush=True)
"""


@pytest.fixture
def teller(stage: Stage) -> Stage:
    """A stage where the tool's provider tells about its helper."""
    return stage.there(TELLER)


def _run(stage: Stage, program: str) -> Any:
    """Run a program to its end; return what it told."""
    result = stage.environment.run(["-c", BEGIN + program], env=stage.env(), check=True)
    assert "" == result.stderr
    return json.loads(result.stdout)


@contextlib.contextmanager
def _running(stage: Stage, program: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Run a program until it has told something; then it waits for the end of its stdin. Gives it and what it told."""
    with subprocess.Popen(
        [os.fspath(stage.environment.python), "-c", BEGIN + program + "\nsys.stdin.read()"],
        env=stage.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _end(process: subprocess.Popen[str]) -> int:
    """Let the program come to its end; return its exit status."""
    process.communicate(timeout=environments.TIMEOUT)
    return process.returncode


def _state(pid: int) -> str:
    """The state of a process as /proc has it; "" where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _waits_for(pid: int, states: tuple[str, ...], seconds: float) -> bool:
    """Whether the process comes to one of the states in time; nobody may be there to reap it: then it is a zombie."""
    end = time.monotonic() + seconds
    while _state(pid) not in states:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _is_gone(pid: int, seconds: float = GONE_SECONDS) -> bool:
    return _waits_for(pid, ("", "Z", "X"), seconds)


@pytest.fixture(scope="module")
def url_only(shared_environments: Environments, python: Path) -> Environment:
    """A tool whose only provider is known to answer URLs only: its name and version say so."""

    def build(folder: Path) -> None:
        source = (
            "from keyring import credentials\nfrom keyring.backend import KeyringBackend\n"
            "class Url(KeyringBackend):\n"
            "    priority = 9.9\n"
            "    def get_password(self, service, username): return 'token'\n"
            "    def get_credential(self, service, username): return credentials.SimpleCredential('u', 'token')\n"
            "    def set_password(self, *arguments): raise NotImplementedError\n"
        )
        wheel = providers.make_provider(folder / "wheels", "artifacts-keyring", source, version="1.0.0")
        environments.create(folder / "tool", python, "keyring", wheel)
        if os.name == "posix":  # every start of the interpreter leaves a mark, whoever starts it and however
            interpreter = folder / "tool" / "bin" / "python"
            interpreter.rename(interpreter.with_name("marked-python"))
            interpreter.write_text('#!/bin/sh\necho started >> "$MARKS"\nexec "${0%/*}/marked-python" "$@"\n')
            interpreter.chmod(0o755)

    return environments.Environment(shared_environments.once("url-only", build, python) / "tool")


@pytest.mark.parametrize("service", ["pkgs.dev.azure.com", "pkgs.dev.azure.com:443", "python-poetry-check", "", "a b"])
def test_no_process_for_what_is_no_url(stage: Stage, url_only: Environment, service: str) -> None:
    """Where the tool has only providers that answer URLs, a bare host or another name starts no process at all."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(url_only.root)
    stage.variables["MARKS"] = os.fspath(stage.folder / "marks")
    program = f"answers = [keyring.get_password({service!r}, 'u'), keyring.get_credential({service!r}, None)]\n"
    assert [[None, None], []] == _run(stage, program + "tell(answers, processes)")
    assert not (stage.folder / "marks").exists()


def test_one_process_for_urls(stage: Stage, url_only: Environment) -> None:
    """The same providers are asked for URLs, all by one process."""
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(url_only.root)
    stage.variables["MARKS"] = os.fspath(stage.folder / "marks")
    program = "answers = [keyring.get_password(f'https://{host}/', 'u') for host in 'abc']\n"
    assert [["token"] * 3, 1] == _run(stage, program + "tell(answers, processes.count('subprocess.Popen'))")
    if os.name == "posix":
        assert "started\n" == (stage.folder / "marks").read_text()


@pytest.mark.parametrize("service", ["host", "host:80", "any name"])
def test_unknown_providers_are_asked_for_everything(teller: Stage, service: str) -> None:
    """A provider that we do not know is asked for bare hosts and names too: right before fast."""
    assert [service] == _run(teller, f"tell(ask({service!r})['service'])")


def test_all_lookups_of_a_process_share_a_helper(teller: Stage) -> None:
    """First and later lookups, of every kind and name, are answered by the same process, which is not the caller's."""
    program = """
told = [ask(), ask("https://other/", "v"), json.loads(keyring.get_credential("https://h/", "u").password), ask()]
tell([one["pid"] for one in told], os.getpid(), processes.count("subprocess.Popen"))
"""
    pids, caller, started = _run(teller, program)
    assert 1 == len(set(pids))
    assert caller not in pids
    assert 1 == started


def test_every_lookup_asks_the_provider_again(teller: Stage) -> None:
    """The helper keeps no answers: the same lookup three times is three questions to the provider."""
    assert [1, 2, 3] == _run(teller, "tell(*[ask()['asked'] for _ in range(3)])")


def test_changes_of_the_environment_reach_the_provider(teller: Stage) -> None:
    """A variable that the program sets, changes or removes between two lookups is what the provider sees."""
    program = """
seen = [ask()["variable"]]
for value in ("one", "two"):
    os.environ["VARIABLE"] = value
    seen.append(ask()["variable"])
del os.environ["VARIABLE"]
tell(*seen, ask()["variable"])
"""
    assert [None, "one", "two", None] == _run(teller, program)


def test_an_old_helper_ends_when_the_environment_changes(teller: Stage) -> None:
    """Where the environment changes between lookups, only one helper lives on."""
    program = "first = ask()['pid']\nos.environ['VARIABLE'] = 'x'\ntell(first, ask()['pid'])"
    with _running(teller, program) as (_, (first, second)):
        assert first != second
        if Path("/proc/self/stat").exists():
            assert _is_gone(first)
            assert _state(second) not in ("", "Z")


def test_changes_of_the_working_directory_reach_the_provider(teller: Stage) -> None:
    """The provider works where the program works at the time of the lookup, in the same helper."""
    program = """
told = [ask()]
for name in ("one", "two"):
    os.makedirs(name); os.chdir(name)
    told.append(ask())
tell([os.path.basename(one["directory"]) for one in told], len({one["pid"] for one in told}))
"""
    result = teller.environment.run(["-c", BEGIN + program], env=teller.env(), cwd=teller.folder, check=True)
    assert [[teller.folder.name, "one", "two"], 1] == json.loads(result.stdout)


@linux
@pytest.mark.parametrize("how", ["end", "SIGTERM", "SIGKILL", "SIGINT"])
def test_the_helper_goes_with_its_parent(teller: Stage, how: str) -> None:
    """However the program ends, its helper is gone two seconds later."""
    # whoever runs the tests in the background ignores SIGINT for them
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); tell(ask()['pid'])"
    with _running(teller, program) as (process, (helper,)):
        assert _state(helper) not in ("", "Z")
        if how == "end":
            assert 0 == _end(process)
        else:
            process.send_signal(signal.Signals[how])
            process.wait(environments.TIMEOUT)
        assert _is_gone(helper)


@linux
def test_the_helper_goes_in_the_middle_of_a_lookup(teller: Stage) -> None:
    """A helper whose provider takes a minute is gone two seconds after the program was killed."""
    program = """
import threading
tell(ask()["pid"])
threading.Thread(target=ask, args=("https://slow/",), daemon=True).start()
"""
    with _running(teller, program) as (process, (helper,)):
        end = time.monotonic() + environments.TIMEOUT
        while not teller.notes() and time.monotonic() < end:
            time.sleep(0.01)
        assert ["slow"] == teller.notes()
        process.kill()
        assert _is_gone(helper)


@linux
def test_the_helper_goes_although_a_child_holds_its_input(teller: Stage) -> None:
    """The program's other children may hold our pipe open: the helper sees that its parent is gone."""
    program = """
told = ask()
child = os.fork()
if not child:
    time.sleep(60); os._exit(0)
tell(told["pid"], child)
"""
    # the child must hold the pipe: without our own care after a fork
    program = "del os.register_at_fork\n" + program
    with _running(teller, program) as (process, (helper, child)):
        process.kill()
        process.wait(environments.TIMEOUT)
        assert _is_gone(helper, 2 * GONE_SECONDS)
        os.kill(child, signal.SIGKILL)


@linux
def test_nobody_waits_for_the_helper_at_the_end(teller: Stage) -> None:
    """A program ends although its helper cannot."""
    with _running(teller, "told = ask(); ask('https://stops/'); tell(told['pid'])") as (process, (helper,)):
        assert _waits_for(helper, ("T",), environments.TIMEOUT)
        assert 0 == _end(process)
        assert "T" == _state(helper)
        os.kill(helper, signal.SIGCONT)
        assert _is_gone(helper)


@posix
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_a_helper_that_died_is_started_again(teller: Stage, how: str) -> None:
    """Where the helper was killed between two lookups, the next one is answered by a new one."""
    program = f"""
import signal
first = ask()["pid"]
os.kill(first, signal.{how})
second = ask()["pid"]
tell(first != second, second == ask()["pid"], processes.count("subprocess.Popen"))
"""
    assert [True, True, 2] == _run(teller, program)


@posix
def test_forks_have_helpers_of_their_own(teller: Stage) -> None:
    """After a fork parent and child both get answers, each from a helper of its own, and neither ends the other's."""
    program = """
before = ask()["pid"]
read, write = os.pipe()
child = os.fork()
if not child:
    os.write(write, json.dumps([ask("https://child/"), ask()["pid"]]).encode())
    sys.exit(0)  # with exit handlers
os.waitpid(child, 0)
told, again = json.loads(os.read(read, 9999))
tell(told["service"], told["pid"] == again, told["pid"] != before, ask()["pid"] != told["pid"])
"""
    assert ["https://child/", True, True, True] == _run(teller, program)


@posix
@pytest.mark.filterwarnings("ignore")
def test_a_fork_in_the_middle_of_a_lookup(teller: Stage) -> None:
    """A child that was forked while a thread was waiting for the helper gets its own answer."""
    program = """
import threading, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forks where there are threads
threading.Thread(target=ask, args=("https://slow/",), daemon=True).start()
while not os.path.exists(os.environ["NOTES"]):
    time.sleep(0.01)
child = os.fork()
if not child:
    os._exit(0 if ask("https://child/")["service"] == "https://child/" else 1)
tell(os.waitpid(child, 0)[1])
sys.stdout.flush()
os._exit(0)
"""
    assert [0] == _run(teller, program)


def test_threads_get_their_own_answers(teller: Stage) -> None:
    """Sixteen threads with five lookups each: each gets the answers to its own questions, from few helpers."""
    program = """
import threading
told, wrong = [], []
def use(number):
    for lookup in range(5):
        question = f"https://{number}/{lookup}/", f"user{number}"
        answer = ask(*question)
        told.append(answer)
        if (answer["service"], answer["username"]) != question:
            wrong.append(answer)
threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
helpers = {one["pid"]: [] for one in told}
for one in told: helpers[one["pid"]].append(one["asked"])
counted = all(sorted(asked) == list(range(1, len(asked) + 1)) for asked in helpers.values())
tell(len(told), wrong, len(helpers), counted)
"""
    told, wrong, helpers, counted = _run(teller, program)
    assert (80, [], True) == (told, wrong, counted)
    assert helpers <= 4  # one, where none is busy for half a second


#: Tells which modules were loaded and which processes were started by the time that keyring has its backends.
STARTING = """
import json, sys
processes = []
sys.addaudithook(lambda event, arguments: event == "subprocess.Popen" and processes.append(str(arguments[0])))
import keyring, keyring.backend
keyring.backend.get_all_keyring()
backend = keyring.get_keyring()
print(json.dumps([sorted(sys.modules), processes, type(backend).__module__]))
"""


@pytest.mark.parametrize("with_tool", [True, False], ids=["tool", "no tool"])
def test_nothing_heavy_is_loaded_before_a_lookup(
    stage: Stage, shared_environments: Environments, python: Path, *, with_tool: bool
) -> None:
    """A program that imports keyring loads no module because of us but our own, of those that ask one, and starts nothing."""
    if not with_tool:
        del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    env = stage.env()
    alone = shared_environments.get(python, "keyring").run(["-c", STARTING], env=env, check=True).stdout
    modules_alone, processes_alone, _ = json.loads(alone)
    modules, processes, module = json.loads(stage.environment.run(["-c", STARTING], env=env, check=True).stdout)
    assert with_tool == module.startswith("keyring_fallback")
    more = set(modules) - set(modules_alone)
    ours = {name for name in more if name.partition(".")[0] == "keyring_fallback"}
    assert set() == more - ours
    asking = {name for name in ours if name.startswith(("keyring_fallback.delegation", "keyring_fallback.doctor"))}
    # backends of this environment are asked by it, too, where no file can be opened any more
    assert asking == ({"keyring_fallback.delegation", "keyring_fallback.delegation.trace"} if with_tool else set())
    if not with_tool:
        few = ("discovery", "discovery.places", "discovery.wsl", "here", "hidden", "plugin", "records")
        assert {"keyring_fallback", *(f"keyring_fallback.{name}" for name in few)} == ours
    assert len(processes_alone) == len(processes)


LOADED = (
    "import sys, keyring.backend; keyring.backend.get_all_keyring(); print('keyring_fallback.backend' in sys.modules)"
)


def test_the_backends_are_not_loaded_in_an_active_environment_without_a_tool(stage: Stage) -> None:
    """This environment's own executable on PATH is no reason to look for tools."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    env = stage.environment.activated(stage.env())
    assert "False\n" == stage.environment.run(["-c", LOADED], env=env, check=True).stdout


@pytest.mark.skipif(os.name == "nt", reason="a loop of links")
def test_the_backends_are_not_loaded_for_what_nobody_can_look_at(stage: Stage, tmp_path: Path) -> None:
    """A place that cannot be looked at, as a network folder of Windows, is no reason to load the backends."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    (tmp_path / "loop").symlink_to("loop")
    env = {**stage.env(), "PATH": os.fspath(tmp_path / "loop")}
    assert "False\n" == stage.environment.run(["-c", LOADED], env=env, check=True).stdout


def test_a_lookup_loads_no_way_that_it_does_not_take(teller: Stage) -> None:
    """What asks a command, a command line or a lender is loaded only where there is one."""
    rare = ["commands", "command_line", "lent"]
    code = (
        "import sys, keyring; keyring.get_password('https://host/', 'user') or sys.exit('no answer');"
        f"print([name for name in {rare} if f'keyring_fallback.delegation.{{name}}' in sys.modules])"
    )
    for selected in ({}, {"PYTHON_KEYRING_BACKEND": "keyring_fallback.GlobalKeyring"}):
        result = teller.environment.run(["-c", code], env={**teller.env(), **selected}, check=True)
        assert "[]\n" == result.stdout


@pytest.mark.parametrize("why", ["a tool in its place", "an executable on PATH", "a setting", "a variable", "pip"])
def test_the_backends_are_loaded_where_there_may_be_a_tool(
    stage: Stage, scripted_tool: Environment, home: Path, why: str
) -> None:
    """Whatever may lead to a tool makes keyring load the backends."""
    del stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    env, before = stage.environment.activated(stage.env()), ""
    if why == "a tool in its place":
        place = home / "tools" / "keyring"
        place.parent.mkdir()
        trees.link(place, scripted_tool.root, folder=True)
        env["UV_TOOL_DIR"] = os.fspath(place.parent)
    elif why == "an executable on PATH":
        env["PATH"] += os.pathsep + os.fspath(scripted_tool.scripts)
    elif why == "a setting":
        trees.put(Path(here.config_file(env, os.fspath(home), sys.platform)), "[fallback]\n")
    elif why == "a variable":
        env["KEYRING_PROPERTY_FALLBACK_SERVICES"] = "*"
    else:
        before = "import sys; sys.modules['pip._internal'] = sys\n"
    assert "True\n" == stage.environment.run(["-c", before + LOADED], env=env, check=True).stdout


@linux
def test_the_helper_needs_less_memory_than_the_tools_own_keyring(teller: Stage, scripted_tool: Environment) -> None:
    """The helper's peak of memory is at most a tenth above that of the tool's own ``keyring get``."""
    peak = "next(line for line in open('/proc/%s/status') if line.startswith('VmHWM')).split()[1]"
    own = f"from keyring import cli\ncli.main(['get', 'https://h/', 'u'])\nprint({peak % 'self'})"
    result = scripted_tool.run(["-c", own], env=teller.env(), check=True)
    there = int(result.stdout.split()[-1])
    program = """
pid = ask()["pid"]
tell(open("/proc/%s/status" % pid).read().split("VmHWM:")[1].split()[0])
"""
    (helper,) = _run(teller, program)
    assert int(helper) <= 1.1 * there


@pytest.fixture
def own_stage(stage: Stage, tmp_path: Path, python: Path, wheel: Path) -> Stage:
    """A stage whose environment no other test uses, with nothing compiled in it."""
    stage.environment = environments.create(tmp_path / "own", python, "keyring", wheel)
    return stage.there(TELLER)


def _compiled(stage: Stage) -> list[Path]:
    """The compiled forms of the helper that are kept in the environment."""
    return sorted((stage.environment.site_packages / "keyring_fallback" / "helper" / "__pycache__").glob("helper.*"))


def test_the_helper_runs_from_its_compiled_form(own_stage: Stage) -> None:
    """The first lookup leaves the helper's bytecode beside its source, as an import does; later helpers run that."""
    _run(own_stage, "tell(ask())")
    (compiled,) = _compiled(own_stage)
    source = own_stage.environment.site_packages / "keyring_fallback" / "helper" / "helper.py"
    marked = source.read_text(encoding="utf-8") + "open(os.environ['NOTES'], 'a').write('used\\n')\n"
    write = (
        "import importlib._bootstrap_external as b, pathlib, sys\n"
        "header = pathlib.Path(sys.argv[1]).read_bytes()[8:16]\n"
        "numbers = [int.from_bytes(header[:4], 'little'), int.from_bytes(header[4:], 'little')]\n"
        "data = b._code_to_timestamp_pyc(compile(sys.stdin.read(), 'marked', 'exec'), *numbers)\n"
        "pathlib.Path(sys.argv[1]).write_bytes(data)\n"
    )
    own_stage.environment.run(["-c", write, compiled], stdin=marked, check=True)
    _run(own_stage, "tell(ask())")
    assert ["used"] == own_stage.notes()


def test_bytecode_is_not_written_where_the_user_wants_none(own_stage: Stage) -> None:
    """With PYTHONDONTWRITEBYTECODE no bytecode of the helper is left behind."""
    own_stage.variables["PYTHONDONTWRITEBYTECODE"] = "1"
    _run(own_stage, "tell(ask())")
    assert [] == _compiled(own_stage)


def test_a_tool_of_another_python_leaves_no_bytecode(own_stage: Stage, tmp_path: Path) -> None:
    """A tool's interpreter of another version answers, and leaves nothing in this environment."""
    others = [name for name in interpreters.available() if interpreters.find(name) != interpreters.current()]
    if not others:
        pytest.skip("this machine has one Python only")
    source = providers.source("scripted_there")
    wheel = providers.make_provider(tmp_path / "wheels", "scripted-there", source)
    tool = environments.create(tmp_path / "tool", others[-1], "keyring", wheel)
    own_stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(tool.root)
    assert 1 == _run(own_stage, "tell(ask())")[0]["asked"]
    assert [] == _compiled(own_stage)


def test_the_package_folder_is_not_searched_for_modules(stage: Stage, python: Path) -> None:
    """A tool that runs without ``-I`` finds its own modules, never one of ours of the same name."""
    base = environments.create(stage.folder / "base", python, "keyring")
    providers.put_provider(base, "scripted-there", providers.source("scripted_there"))
    (base.site_packages / "places.py").write_text("whose = 'theirs'\n")
    stage.there(
        """
        class Importer(KeyringBackend):
            priority = 9
            def get_password(self, service, username):
                import places
                return json.dumps([places.whose, [entry for entry in sys.path if "keyring_fallback" in entry]])
            def set_password(self, service, username, password):
                raise NotImplementedError
        """
    )
    for flags in ([], ["-I"]):
        assert ["theirs", []] == json.loads(ask(base, "scripted_there", "s", flags=flags, env=stage.env()))
