"""How the doctor speaks: text of 80 columns, colours where they are wanted, JSON of a fixed form, and exit statuses."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import keyring_fallback
from keyring_fallback.doctor import report
from support import environments, machine, providers, trees, uv7003
from support.patient import AZURE, CANARY, USERNAME, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Text
    from support.feed import Feed

if not machine.WINDOWS:
    from support.terminal import Terminal

GOOGLE = "https://europe-python.pkg.dev/p/r/simple/"
terminals = pytest.mark.skipif(machine.WINDOWS, reason="there are no pseudo-terminals on Windows")


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
MAYBE = {"type": ["string", "null"]}
TRUTH = {"type": "boolean"}
NUMBER = {"type": "integer", "minimum": 0}
OUTCOME = {"enum": ["answer", "nothing", "failed", "unfinished"]}


def _object(**properties: Any) -> dict[str, Any]:
    """The schema of an object with exactly these members."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(**properties: Any) -> dict[str, Any]:
    """The schema of a list of such objects."""
    return {"type": "array", "items": _object(**properties)}


KEYRING = {
    "anyOf": [
        {"type": "null"},
        _object(
            path=TEXT,
            environment=TEXT,
            keyring=TEXT,
            has_keyring_fallback={"type": ["boolean", "null"]},
            is_this_environment=TRUTH,
        ),
    ]
}
VARIABLE = {"name": TEXT, "value": MAYBE, "before": TRUTH}
CURE = {
    "anyOf": [
        {"type": "null"},
        _object(kind={"const": "command"}, words=TEXTS, variables=_list(**VARIABLE), mends=TRUTH, quiet=TRUTH),
        _object(kind={"const": "variable"}, **VARIABLE),
        _object(kind={"const": "edit"}, file=TEXT, table=TEXT, option=TEXT, value=MAYBE, element=TEXT),
    ]
}
PROVIDERS = _list(distribution=TEXT, version=TEXT, value=TEXT)
SCHEMA = _object(
    schema={"const": 2},
    works=TRUTH,
    version=TEXT,
    environment=_object(root=TEXT, python=TEXT, keyring=TEXT, providers=PROVIDERS, is_tool=TRUTH),
    reason=TEXT,
    selected=TEXT,
    backends=_list(name=TEXT, priority={"type": "number"}),
    tools=_list(
        source=TEXT,
        path=TEXT,
        root=TEXT,
        interpreter=TEXT,
        python=TEXT,
        keyring=TEXT,
        providers=PROVIDERS,
        adds=TEXTS,
        known=TRUTH,
        lent=TEXTS,
        error=TEXT,
    ),
    refused=_list(source=TEXT, path=TEXT, decides=TEXT, reason=TEXT, kind=TEXT),
    settings=_object(
        file=TEXT,
        enabled=TRUTH,
        tool=TEXTS,
        services=TEXTS,
        timeout={"type": "number"},
        selected=TEXT,
        commands=TEXTS,
        sources={"type": "object", "additionalProperties": TEXT},
    ),
    clients={"type": "object", "additionalProperties": KEYRING, "required": ["uv", "pip"]},
    told=_list(
        client={"enum": ["uv", "uv pip", "pip", "poetry"]},
        program=TEXT,
        silence=MAYBE,
        stops=TRUTH,
        warns=TRUTH,
        provider=MAYBE,
        source=MAYBE,
        quiet=MAYBE,
        indexes=_list(
            url=TEXT, name=MAYBE, username=MAYBE, password=MAYBE, authenticate=TEXT, source=MAYBE, table=TRUTH
        ),
    ),
    lookups=_list(
        service=TEXT,
        method={"enum": ["get_password", "get_credential"]},
        outcome=OUTCOME,
        milliseconds=NUMBER,
        username=MAYBE,
        length=NUMBER,
        error=TEXT,
        asked=_list(
            who=TEXT,
            kind={"enum": ["backend", "tool", "command"]},
            outcome=OUTCOME,
            milliseconds=NUMBER,
            answered_by=TEXT,
            errors=TEXTS,
        ),
    ),
    service=MAYBE,
    username=MAYBE,
    causes=_list(
        name={"type": "string", "pattern": "^[a-z-]+$"}, text=TEXT, command=TEXT, edit=TEXT, cure=CURE, problem=TRUTH
    ),
)

ROWS: list[tuple[list[str], dict[str, str]]] = [
    ([], {}),
    ([AZURE, USERNAME], {}),
    (["https://registry.example/", "me"], {"UV_INDEX": f"a={AZURE} https://b.example"}),
    ([AZURE], {"STUB_TOKENS_FILE": "/nowhere", "PYTHON_KEYRING_BACKEND": ""}),
    ([AZURE], {"STUB_TOKENS_FILE": "/nowhere", "KEYRING_PROPERTY_FALLBACK_TIMEOUT": "never"}),
    ([AZURE], {"UV_TOOL_DIR": "/nowhere", "PATH": "/nowhere"}),
    (["https://registry.example/a/simple/", "a user name of several words"], {}),
    ([], {"KEYRING_PROPERTY_FALLBACK_TOOL": "/nowhere/some/where\n/nowhere/else/where\n/nowhere/to/go"}),
    ([AZURE], {"HOME": "/nowhere", "USERPROFILE": "/nowhere"}),
    (["no-url\n\x1b[31m\u2028ü\udc80", "\udc81"], {}),
]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_form(patient: Patient, row: tuple[list[str], dict[str, str]]) -> None:
    """The JSON document has its form, and no line of the text is wider than 80 columns but for what is to be copied."""
    arguments, variables = row
    if machine.WINDOWS and any("\udc80" in word for word in arguments):
        pytest.skip("such arguments exist on POSIX only")
    finding = patient.see_the_doctor(*arguments, **variables)
    jsonschema.validate(finding.document, SCHEMA)
    for line in finding.text.splitlines():
        long = [word for word in line.split() if len(word) > 40]
        assert len(line) <= 80 or long or line.startswith("     $ "), line
        assert line == line.rstrip()
    assert "\x1b" not in finding.text


@pytest.mark.parametrize("text", ['[[index]]\nurl = "https://me@h.example/"\n', "[[index]\n"], ids=["index", "broken"])
def test_files_of_uv_do_not_widen_the_text(patient: Patient, text: str) -> None:
    """Where uv's files lie in deep folders, their paths stand alone on their lines."""
    patient.folder = patient.folder / ("deep" * 10)
    patient.folder.mkdir()
    (patient.folder / "uv.toml").write_text('keyring-provider = "subprocess"\n' + text)
    section = patient.with_uv().see_the_doctor().text.partition("\n  told:\n")[2].partition("\n  lookups:\n")[0]
    assert section
    assert [] == [line for line in section.splitlines() if len(line) > 80 and len(line.split()) > 2]


def test_the_verdict_comes_first(patient: Patient) -> None:
    """Whether it works, the one thing to do now, a line for each area; all that was found only on demand."""
    shown = patient.run("doctor", GOOGLE).stdout
    lines = shown.splitlines()
    assert ["It does not work.", "", "What to do now"] == lines[:3]
    prompt = "PS>" if machine.WINDOWS else "$"
    command = next(number for number, line in enumerate(lines) if line.startswith(f"     {prompt} uv tool install"))
    assert command < 7, "below what is wrong"
    areas = shown.partition("\nWhat was looked at\n")[2].splitlines()
    marks = [line.split(":")[0].split() for line in areas if re.match("  (ok|no|--) ", line)]
    names = [name for _, name in marks if name != "uv"]  # which is there where there is one
    assert ["environment", "settings", "tools", "pip", "lookup"] == names
    assert ["tools", "lookup"] == [name for mark, name in marks if mark == "no"]
    assert "backends:" not in shown
    assert "\n  backends:\n" in patient.run("doctor", "-v", GOOGLE).stdout
    works = patient.run("doctor", AZURE, USERNAME).stdout
    assert works.startswith("It works.\n\nWhat was looked at\n")
    assert len(works.splitlines()) < 24


@terminals
def test_where_settings_are_set(patient: Patient) -> None:
    """The line for the settings has where those are that count: a variable, the file, or both."""
    file = patient.with_configuration("[fallback]\nservices = *\ntimeout = 9\n")
    line = " ".join(patient.run("doctor", KEYRING_PROPERTY_FALLBACK_TIMEOUT="7").stdout.split())
    assert f"ok settings: services, timeout ({file}, KEYRING_PROPERTY_FALLBACK_TIMEOUT)" in line
    file.unlink()
    line = " ".join(patient.run("doctor", KEYRING_PROPERTY_FALLBACK_TIMEOUT="7").stdout.split())
    assert "ok settings: timeout (KEYRING_PROPERTY_FALLBACK_TIMEOUT)" in line


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours(patient: Patient, variables: dict[str, str], *, coloured: bool) -> None:
    """On a terminal there are colours, and never with NO_COLOR."""
    argv: list[Text] = [patient.environment.script("keyring-fallback"), "doctor", AZURE, USERNAME]
    env = patient.env(TERM="xterm", **variables) if "TERM" not in variables else patient.env(**variables)
    with Terminal(argv, env=env, cwd=patient.folder, stdout="terminal") as terminal:
        assert 0 == terminal.end().returncode
    assert coloured == ("\x1b[" in terminal.shown)
    assert "It works." in terminal.shown


def test_usage(patient: Patient) -> None:
    """Wrong usage is exit 2, with a line on stderr; help and version are exit 0."""
    for arguments in ((), ("cure",), ("help", "cure"), ("doctor", "a", "b", "c"), ("doctor", "--yaml")):
        result = patient.run(*arguments)
        assert (2, "") == (result.returncode, result.stdout)
        assert "usage: keyring-fallback" in result.stderr
    for option in ("-V", "--version"):
        assert re.fullmatch(r"keyring-fallback \d+\.\d+\.\d+\n", patient.run(option).stdout)
    assert patient.run("help").stdout == patient.run("--help").stdout == patient.run().stderr
    assert patient.run("help", "doctor").stdout == patient.run("doctor", "--help").stdout


def test_as_a_module(patient: Patient) -> None:
    """``python -m keyring_fallback doctor`` is the same command."""
    result = patient.environment.run(["-m", "keyring_fallback", "doctor", AZURE], env=patient.env())
    assert (0, True) == (result.returncode, result.stdout.startswith("It works.\n"))
    result = patient.environment.run(
        ["-m", "keyring_fallback", "doctor"], env=patient.env(PYTHON_KEYRING_BACKEND="x.y")
    )
    assert 1 == result.returncode


def test_it_starts_without_keyring(patient: Patient) -> None:
    """Nothing of the doctor imports keyring, or anything else that is not in the standard library."""
    program = (
        "import sys; from keyring_fallback import cli; from keyring_fallback.doctor import causes, document, examination, report\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "site = [n for n in roots if 'site-packages' in (getattr(sys.modules[n], '__file__', None) or '')]\n"
        "print(sorted(n for n in site if not n.startswith('_')))"
    )
    assert "['keyring_fallback']\n" == patient.environment.run(["-c", program], env=patient.env(), check=True).stdout


def test_any_encoding(patient: Patient) -> None:
    """A terminal that knows ASCII only gets escapes, no crash."""
    result = patient.run("doctor", "https://ü.example/", "ü", PYTHONIOENCODING="ascii")
    assert (1, True) == (result.returncode, r"https://\xfc.example/" in result.stdout)


@pytest.mark.parametrize("closed", ["doctor >&-", "doctor --fix 2>&-", "doctor --fix <&-", "help >&-"])
def test_closed_descriptors(ill: Patient, closed: str) -> None:
    """Without stdin, stdout or stderr it does what it does, and says nothing of its own failing."""
    if machine.WINDOWS:
        pytest.skip("a shell's redirections")
    script = shlex.quote(str(ill.environment.script("keyring-fallback")))
    result = environments.run(["/bin/sh", "-c", f"{script} {closed}"], env=ill.env(), cwd=ill.folder)
    assert (0 if "help" in closed else 1, "") == (result.returncode, result.stderr)


def test_nobody_reads_on(patient: Patient) -> None:
    """``doctor | head -1`` is no error."""
    if machine.WINDOWS:
        pytest.skip("a shell's pipe")
    script = shlex.quote(str(patient.environment.script("keyring-fallback")))
    env = patient.env()
    result = environments.run(["/bin/sh", "-c", f"{script} doctor | true"], env=env)
    assert ("", "") == (result.stdout, result.stderr)


@terminals
def test_ctrl_c(patient: Patient, tmp_path: Path) -> None:
    """Ctrl-C ends the doctor and what it started: exit 130, no traceback."""
    source = (
        "import time, pathlib, os\nfrom keyring.backend import KeyringBackend\n"
        "class Stuck(KeyringBackend):\n priority = 9.5\n"
        " def get_password(self, s, u):\n"
        f"  pathlib.Path({str(tmp_path / 'asked')!r}).write_text(str(os.getpid())); time.sleep(600)\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "stuck-store", source), tmp_path / "site")
    argv: list[Text] = [patient.environment.script("keyring-fallback"), "doctor", AZURE, USERNAME]
    env = patient.env(PYTHONPATH=str(tmp_path / "site"))
    with Terminal(argv, env=env, cwd=patient.folder, stdout="terminal", stderr="terminal") as terminal:
        line = (
            f"keyring-fallback: waiting for the keyring of this environment to answer for '{AZURE}'; Ctrl-C stops it\n"
        )
        terminal.until(line)
        terminal.press("\x03")
        assert 130 == terminal.end().returncode
    assert "Traceback" not in terminal.shown
    probe = int((tmp_path / "asked").read_text())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(probe, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the probe still runs")


@terminals
def test_prompts_while_the_doctor_asks(
    patient: Patient, shared_environments: environments.Environments, python: Path, tmp_path: Path
) -> None:
    """A provider's prompt reaches the person who asked the doctor, and one line says who waits, not two."""
    folder = shared_environments.once(
        "prompting", lambda path: providers.make_provider(path, "prompting", providers.source("prompting"))
    )
    tool = shared_environments.uv_tool(python, next(folder.glob("*.whl")))
    argv: list[Text] = [patient.environment.script("keyring-fallback"), "doctor", AZURE, USERNAME]
    env = patient.env(
        KEYRING_PROPERTY_FALLBACK_TOOL=str(tool.environment.root),
        GATE=str(tmp_path / "gate"),
        ASKED=str(tmp_path / "asked"),
    )
    with Terminal(argv, env=env, cwd=patient.folder, stderr="terminal") as terminal:
        terminal.until("waiting for the global keyring")
        (tmp_path / "gate").touch()
        result = terminal.end()
    assert (0, True) == (result.returncode, result.stdout.startswith("It works.\n"))
    assert 1 == terminal.shown.count("waiting for")
    assert "enter the code C0DE" in terminal.shown
    assert "canary-password" not in terminal.shown + result.stdout


def test_the_canary_is_nowhere(patient: Patient, tmp_path: Path) -> None:
    """What an exception tells of the password that another one answers with is struck out."""
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Talker(KeyringBackend):\n priority = 9.95\n"
        f" def get_password(self, s, u): raise RuntimeError({f'no {CANARY}, {CANARY!r}'!r})\n"
        " get_credential = set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "a-talker", source), tmp_path / "site")
    patient.variables["PYTHONPATH"] = str(tmp_path / "site")
    for arguments in ((AZURE, USERNAME), (AZURE,), (AZURE.replace("://", f"://{USERNAME}:{CANARY}@"),)):
        assert "no ***" in json.dumps(patient.see_the_doctor(*arguments).document)

    # the same where a provider of this environment answers
    token = providers.make_provider(tmp_path / "w", "stub-tokens", providers.source("stub_tokens"))
    providers.unpack(token, tmp_path / "site")
    for arguments in ((AZURE, USERNAME), (AZURE,)):
        finding = patient.see_the_doctor(*arguments, PYTHON_KEYRING_BACKEND="keyring_fallback.FallbackKeyring")
        assert 0 == finding.status
        assert "no ***" in json.dumps(finding.document)


def test_a_password_that_is_a_word_of_the_report(patient: Patient) -> None:
    """A password is struck out of messages, not out of what the doctor itself has to say."""
    patient.with_tokens({"pkgs.dev.azure.com": "answer"})
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, "answer") == (finding.status, finding.document["lookups"][0]["outcome"])


def test_each_is_asked_once(patient: Patient, tmp_path: Path) -> None:
    """A backend whose methods call each other is shown as asked once; what is here too is not asked over there."""
    source = (
        "from keyring.backend import KeyringBackend\nfrom keyring.credentials import SimpleCredential\n"
        f"class Here(KeyringBackend):\n priority = 9\n def get_password(self, s, u): return {CANARY!r}\n"
        " def get_credential(self, s, u): return SimpleCredential('me', self.get_password(s, u))\n"
        " set_password = delete_password = None\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "stub-tokens", source), tmp_path / "site")
    finding = patient.see_the_doctor(AZURE, PYTHONPATH=str(tmp_path / "site"))
    (lookup,) = finding.document["lookups"]
    assert [("stub_tokens.Here", "backend", "answer")] == [
        (asked["who"], asked["kind"], asked["outcome"]) for asked in lookup["asked"]
    ]
    assert ("me", len(CANARY)) == (lookup["username"], lookup["length"])
    assert [[]] == [one["adds"] for one in finding.document["tools"]]


@pytest.fixture
def story(
    shared_environments: environments.Environments,
    python: Path,
    tmp_path: Path,
    feed_wheels: Path,
    azure: tuple[Path, str],
) -> Iterator[tuple[uv7003.Story, Feed]]:
    """The project of uv#7003, whose active venv has keyring, and not us."""
    tool = shared_environments.uv_tool(*azure)
    with uv7003.feed(feed_wheels) as feed:
        story = uv7003.Story(tmp_path / "project", tool, feed, python)
        added = story.uv_add("keyring", active=True)
        assert added.returncode == 0, added.stderr
        yield story, feed


@pytest.mark.skipif(machine.WINDOWS, reason="the command is for a POSIX shell here")
def test_the_one_command_that_installs_us(
    story: tuple[uv7003.Story, Feed], shared_environments: environments.Environments, python: Path, wheel: Path
) -> None:
    """The venv's keyring is in the way of its own cure: the command that the doctor prints is run as it stands."""
    told, feed = story
    elsewhere = shared_environments.get(python, "keyring", wheel)
    env = told.environment(active=True)
    env["PATH"] += os.pathsep + os.path.dirname(machine.uv())
    assert told.uv_add("six", active=True).returncode != 0
    argv: list[Text] = [elsewhere.script("keyring-fallback"), "doctor", "--json"]
    result = environments.run(argv, env=env, cwd=told.folder)
    (cause,) = json.loads(result.stdout)["causes"]
    assert ("missing-there", 1) == (cause["name"], result.returncode)
    expected = f"PATH={told.tool.environment.scripts}:$PATH uv add --project {told.folder} keyring-fallback"
    assert expected == cause["command"]

    cured = environments.run(["/bin/sh", "-c", cause["command"]], env={**env, "UV_NO_CACHE": "1"}, cwd=told.folder)
    assert cured.returncode == 0, cured.stderr
    added = told.uv_add("six", active=True)
    assert added.returncode == 0, added.stderr
    asked: list[Text] = [told.venv.script("keyring-fallback"), "doctor", feed.url, uv7003.USERNAME]
    result = environments.run(asked, env=env, cwd=told.folder)
    assert 0 == result.returncode, result.stdout
    assert feed.password not in result.stdout + result.stderr


@pytest.mark.parametrize("active", [True, False])
def test_run_by_uvx(story: tuple[uv7003.Story, Feed], python: Path, wheel: Path, *, active: bool) -> None:
    """Before it is installed anywhere, ``uvx keyring-fallback doctor`` looks at the active or the project's venv."""
    told, _ = story
    env = {**machine.building(), **told.environment(active=active), "UV_CACHE_DIR": machine.building()["UV_CACHE_DIR"]}
    for name in ("HTTP_PROXY", "http_proxy", "UV_DEFAULT_INDEX"):
        env.pop(name)
    env.update({name: value for name, value in machine.building().items() if name == "UV_DEFAULT_INDEX"})
    env["PATH"] += os.pathsep + os.path.dirname(machine.uv())
    argv: list[Text] = [machine.uv(), "tool", "run", "--quiet", "--python", python, "--from", wheel, "keyring-fallback"]
    result = environments.run([*argv, "doctor", "--json"], env=env, cwd=told.folder)
    document = json.loads(result.stdout)
    (cause,) = (one for one in document["causes"] if one["name"] == "missing-there")
    assert str(told.venv.root) in cause["text"]
    assert str(told.venv.root) == document["environment"]["root"]
    # the nearest one, whatever lies above it
    below = Path(told.folder) / "src"
    below.mkdir()
    (below.parent.parent / ".git").mkdir()
    result = environments.run([*argv, "doctor", "--json"], env=env, cwd=below)
    assert str(told.venv.root) == json.loads(result.stdout)["environment"]["root"]
    conda = {"CONDA_PREFIX": str(told.tool.environment.root), "CONDA_DEFAULT_ENV": "base"}  # active in every shell
    result = environments.run([*argv, "doctor", "--json"], env={**env, **conda}, cwd=told.folder)
    assert str(told.venv.root) == json.loads(result.stdout)["environment"]["root"]
    # one without keyring asks nobody: uv runs the global keyring itself, and there is nothing to install
    told.venv.uninstall("keyring")
    file = Path(told.folder) / "pyproject.toml"
    for locked in (True, False):  # unless it is only not synchronised yet, with or without a lock
        result = environments.run([*argv, "doctor", "--json"], env=env, cwd=told.folder)
        assert str(told.venv.root) == json.loads(result.stdout)["environment"]["root"], locked
        file.with_name("uv.lock").unlink(missing_ok=True)
    file.write_text(re.sub(r'"keyring[^"]*",?', "", file.read_text()))
    global_first = os.pathsep.join([str(told.tool.environment.scripts), env["PATH"]])
    result = environments.run([*argv, "doctor", "--json"], env={**env, "PATH": global_first}, cwd=told.folder)
    document = json.loads(result.stdout)
    assert "missing-there" not in [one["name"] for one in document["causes"]]
    assert str(told.venv.root) != document["environment"]["root"]
    if not active:  # and where there is no environment in use: none of uvx' own is offered
        (told.folder / "bin").mkdir()
        trees.link(told.folder / "bin" / "uv", machine.uv())
        env["PATH"] = os.pathsep.join([str(told.folder / "bin"), os.environ["PATH"]])
        result = environments.run([*argv, "doctor", "--json"], env=env, cwd=told.tool.home)
        named = {one["name"]: one for one in json.loads(result.stdout)["causes"]}
        cause = named["no-keyring-on-path"]
        assert (None, True) == (cause["cure"], "uv tool update-shell" in cause["edit"])


@pytest.mark.skipif(machine.WINDOWS, reason="the command is for a POSIX shell here")
def test_the_one_command_for_pip(
    story: tuple[uv7003.Story, Feed], shared_environments: environments.Environments, python: Path, wheel: Path
) -> None:
    """The same where there is no uv: pip in its subprocess mode passes its own environment's keyring over."""
    told, feed = story
    elsewhere = shared_environments.get(python, "keyring", wheel)
    told.venv.install("pip")
    env = {
        **told.environment(active=True),
        "PIP_INDEX_URL": feed.with_username(uv7003.USERNAME),
        "PIP_NO_CACHE_DIR": "1",
    }
    env["PIP_TRUSTED_HOST"] = "pkgs.dev.azure.com"
    without_uv = [entry for entry in env["PATH"].split(os.pathsep) if not os.path.exists(os.path.join(entry, "uv"))]
    env["PATH"] = os.pathsep.join(without_uv)
    argv: list[Text] = [elsewhere.script("keyring-fallback"), "doctor", "--json", feed.url, uv7003.USERNAME]
    (cause,) = json.loads(environments.run(argv, env=env, cwd=told.folder).stdout)["causes"]
    assert f"PIP_KEYRING_PROVIDER=subprocess {told.venv.python} -I -m pip install keyring-fallback" == cause["command"]
    cured = environments.run(["/bin/sh", "-c", cause["command"]], env=env, cwd=told.folder)
    assert cured.returncode == 0, cured.stderr
    installed = told.venv.run(["-m", "pip", "install", "--no-input", "--keyring-provider", "import", "six"], env=env)
    assert installed.returncode == 0, installed.stderr


def test_all_causes_are_explained() -> None:
    """The table in the troubleshooting guide has each cause that the doctor can name, and no other."""
    repository = Path(__file__).parent.parent
    package = Path(keyring_fallback.__file__).parent
    sources = "".join(file.read_text(encoding="utf-8") for file in package.glob("**/*cause*.py"))
    named = set(re.findall(r'Cause\(\s*"([a-z-]+)"', sources))
    rows = re.findall(
        r"^\| `([a-z-]+)` \|", (repository / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(named) == sorted(rows)
    assert named == set(report.AREAS), "each belongs to one area of the short report"
