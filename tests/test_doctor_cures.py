"""The doctor's cures hold: each is run as it stands, and looked at again after the client's next two commands."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import pytest

from keyring_fallback import survey
from keyring_fallback.doctor import edits, report, shell
from keyring_fallback.doctor.project import additions
from support import environments, machine, providers
from support.patient import AZURE, CANARY, USERNAME, Patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.environments import Text

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="the commands are for a POSIX shell here")

PROJECT = '[project]\nname = "{}"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = [{}]\n'
WORKSPACE = '[tool.uv.workspace]\nmembers = ["packages/*"]\n'


class Row(NamedTuple):
    """A project of uv's: its files, how it is synchronised, what is set, and what the command adds to."""

    files: dict[str, str]
    sync: str
    adds: str
    variables: tuple[tuple[str, str], ...] = ()
    folder: str = "."
    what: str = "keyring-fallback"


ROWS = {
    "dependencies": Row({".": PROJECT.format("p", '"keyring"')}, "--no-dev", "--project {}"),
    "group by default": Row(
        {
            ".": PROJECT.format("p", "")
            + '[dependency-groups]\ntools = ["keyring"]\n[tool.uv]\ndefault-groups = ["tools"]\n'
        },
        "",
        "--project {} --group tools",
    ),
    "extra": Row(
        {".": PROJECT.format("p", "") + '[project.optional-dependencies]\nx = ["keyring"]\n'},
        "--extra x",
        "--project {} --optional x",
    ),
    "member": Row(
        {".": WORKSPACE, "packages/a": PROJECT.format("a", '"keyring"'), "packages/b": PROJECT.format("b", "")},
        "--package a",
        "--project {}/packages/a",
    ),
    "environment elsewhere": Row(
        {".": PROJECT.format("p", '"keyring"'), "sub": ""},
        "",
        "--project {}",
        (("UV_PROJECT_ENVIRONMENT", "opt/venv"), ("UV_FROZEN", "1")),
        "sub",
    ),
    "locked": Row({".": PROJECT.format("p", '"keyring"')}, "", "--project {}", (("UV_LOCKED", "1"),)),
    "older Pythons": Row(
        {".": PROJECT.format("p", '"keyring"').replace("3.9", "3.8")},
        "",
        "--project {}",
        what="\"keyring-fallback; python_version >= '3.9'\"",
    ),
    "a workspace's group": Row(
        {".": WORKSPACE + '[dependency-groups]\nq = ["keyring"]\n', "packages/b": PROJECT.format("b", "")},
        "--group q",
        "--project {} --group q",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_cure_outlives_uv_sync(
    shared_environments: environments.Environments, home: Path, tmp_path: Path, python: Path, wheel: Path, row: Row
) -> None:
    """Whatever brings keyring into a project's environment brings us: dependencies, a group, an extra, a member."""
    project = tmp_path / "project"
    for folder, text in row.files.items():
        (project / folder).mkdir(parents=True, exist_ok=True)
        if text:
            (project / folder / "pyproject.toml").write_text(text)
    variables = dict(row.variables)
    root = project / variables.get("UV_PROJECT_ENVIRONMENT", ".venv")
    env = machine.building(**machine.home_variables(home), UV_FIND_LINKS=str(wheel.parent), UV_PYTHON=str(python))
    sync = [machine.uv(), "sync", "--quiet", *row.sync.split()]
    environment = {"UV_PROJECT_ENVIRONMENT": str(root)}
    environments.run(sync, env={**env, **environment}, cwd=project, check=True)
    path = os.pathsep.join([str(root / "bin"), os.path.dirname(machine.uv()), os.environ["PATH"]])
    env.update(PATH=path, VIRTUAL_ENV=str(root), **variables)
    argv: list[Text] = [
        shared_environments.get(python, "keyring", wheel).script("keyring-fallback"),
        "doctor",
        "--json",
    ]

    def causes() -> dict[str, str]:
        document = json.loads(environments.run(argv, env=env, cwd=project / row.folder).stdout)
        return {cause["name"]: cause["command"] for cause in document["causes"]}

    command = causes()["missing-there"]
    assert command.partition("uv add ")[2] == f"{row.adds.format(project)} {row.what}"
    environments.run(["/bin/sh", "-c", command], env=env, cwd=project / row.folder, check=True)
    for _ in range(2):
        environments.run(sync, env=env, cwd=project / row.folder, check=True)
        assert "missing-there" not in causes()


#: What brings keyring, whether there is a lock, and what `uv add` is told where uv does not tell.
NAMED = {
    "no lock": (PROJECT.format("p", '"keyring>=25"') + "[tool.uv]\n", False, [[]]),
    "no lock, a group": (PROJECT.format("p", "") + '[dependency-groups]\nx = ["keyring"]\n[tool.uv]\n', False, [["--group", "x"]]),
    "no lock, not named": (PROJECT.format("p", '"twine"') + "[tool.uv]\n", False, []),
    "none of uv's": (PROJECT.format("p", '"keyring"'), False, []),
    "unmanaged": (PROJECT.format("p", '"keyring"') + "[tool.uv]\nmanaged = false\n", False, []),
    "an old uv, a group": (PROJECT.format("p", "") + '[dependency-groups]\ndev = ["keyring"]\n', True, [["--group", "dev"]]),
    "an old uv, an extra": (
        PROJECT.format("p", "") + '[project.optional-dependencies]\nx = ["keyring"]\n', True, [["--optional", "x"]]
    ),
    "an old uv, not named": (PROJECT.format("p", '"twine"'), True, [[]]),
    "an old uv, by hand": (PROJECT.format("p", '"keyrings.alt"'), True, []),
    "a workspace": (WORKSPACE, False, []),
}  # fmt: skip


@pytest.fixture
def old_uv(shared_environments: environments.Environments, python: Path) -> Path:
    """A release of uv that does not tell what brings keyring."""
    return shared_environments.get(python, "uv==0.8.24").script("uv")


def lock(uv: Path, folder: Path, python: Path) -> None:
    """``uv lock`` in a project's folder."""
    environments.run([uv, "lock", "--quiet"], env=machine.building(UV_PYTHON=str(python)), cwd=folder, check=True)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML")
@pytest.mark.parametrize("case", NAMED.values(), ids=NAMED)
def test_where_uv_does_not_tell_what_brings_keyring(
    old_uv: Path, tmp_path: Path, python: Path, case: tuple[str, bool, list[list[str]]]
) -> None:
    """Before the first lock, and by a uv before 0.9.31, the project's own file says where keyring comes from."""
    text, locked, expected = case
    (tmp_path / "pyproject.toml").write_text(text)
    if locked:
        lock(old_uv, tmp_path, python)
    root = tmp_path / ".venv"
    here = survey.here()._replace(environ={"PATH": str(old_uv.parent)}, cwd=str(tmp_path), virtual=False)
    assert [["--project", str(tmp_path), *one] for one in expected] == additions(str(root), here)


#: What a lock tells: the files of a project, and the places that `uv add` is told.
LOCKED = {
    "alone": (
        {
            ".": PROJECT.format("p", '"p[x]"')
            + '[project.optional-dependencies]\nx = ["build[keyring]"]\n[tool.uv]\ndev-dependencies = ["twine"]\n'
        },
        ["--project {}", "--project {} --group dev", "--project {} --optional x"],
    ),
    "members": (
        {
            ".": PROJECT.format("r", '"a"') + WORKSPACE + "[tool.uv.sources]\na.workspace = true\n",
            "packages/a": PROJECT.format("a", '"twine"')
            + '[project.optional-dependencies]\nx = ["b[y]"]\n[tool.uv.sources]\nb.workspace = true\n',
            "packages/b": PROJECT.format("b", '"build"') + '[project.optional-dependencies]\ny = ["keyring"]\n',
        },
        ["--project {}/packages/a", "--project {}/packages/b --optional y"],
    ),
    "no project": (
        {
            ".": WORKSPACE + '[dependency-groups]\nq = [{include-group = "k"}]\nk = ["build[keyring]"]\nn = ["six"]\n',
            "packages/b": PROJECT.format("b", '"build"'),
        },
        ["--project {} --group k", "--project {} --group q"],
    ),
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML")
@pytest.mark.parametrize("case", LOCKED.values(), ids=LOCKED)
def test_what_a_lock_tells(old_uv: Path, tmp_path: Path, python: Path, case: tuple[dict[str, str], list[str]]) -> None:
    """By an old uv's lock the same is found as by the tree that a newer one tells: groups, extras, members."""
    files, expected = case
    for folder, text in files.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "pyproject.toml").write_text(text)
    lock(old_uv, tmp_path, python)
    here = survey.here()._replace(cwd=str(tmp_path), virtual=False)
    for program in (old_uv, Path(machine.uv())):
        found = additions(str(tmp_path / ".venv"), here._replace(environ={"PATH": str(program.parent)}))
        assert [one.format(tmp_path) for one in expected] == [" ".join(one) for one in found]


def test_dynamic_dependencies(
    shared_environments: environments.Environments, home: Path, tmp_path: Path, python: Path, wheel: Path
) -> None:
    """What a build backend reads elsewhere ``uv add`` cannot write to: the doctor says in words where we belong."""
    (tmp_path / "pyproject.toml").write_text(
        PROJECT.format("p", "").replace("dependencies = []", "dynamic = [\n  'dependencies',\n]")
        + '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        + '[tool.setuptools]\npy-modules = []\ndynamic.dependencies = {file = ["needs.txt"]}\n'
    )
    (tmp_path / "needs.txt").write_text("keyring\n")
    root = tmp_path / ".venv"
    env = machine.building(**machine.home_variables(home), UV_FIND_LINKS=str(wheel.parent), UV_PYTHON=str(python))
    environments.run([machine.uv(), "sync", "--quiet"], env=env, cwd=tmp_path, check=True)
    path = os.pathsep.join([str(root / "bin"), os.path.dirname(machine.uv()), os.environ["PATH"]])
    script = shared_environments.get(python, "keyring", wheel).script("keyring-fallback")
    argv: list[Text] = [script, "doctor", "--json"]

    def causes() -> dict[str, dict[str, Any]]:
        document = json.loads(environments.run(argv, env={**env, "PATH": path}, cwd=tmp_path).stdout)
        return {cause["name"]: cause for cause in document["causes"]}

    cause = causes()["missing-there"]
    assert (None, True) == (cause["cure"], "'uv sync --refresh'" in cause["edit"])
    (tmp_path / "needs.txt").write_text("keyring\nkeyring-fallback\n")
    environments.run([machine.uv(), "sync", "--refresh"], env=env, cwd=tmp_path, check=True)
    assert "missing-there" not in causes()


def test_what_was_installed_by_hand_gets_us_by_hand(
    shared_environments: environments.Environments, home: Path, tmp_path: Path, python: Path, wheel: Path
) -> None:
    """A project whose lock has no keyring: the next ``uv sync`` removes it and us alike, and the project stays as it is."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT.format("p", ""))
    env = machine.building(**machine.home_variables(home), UV_PYTHON=str(python))
    environments.run([machine.uv(), "sync", "--quiet"], env=env, cwd=project, check=True)
    by_hand: list[Text] = [machine.uv(), "pip", "install", "--quiet", "--python", project / ".venv", "keyring"]
    environments.run(by_hand, env=env, cwd=project, check=True)
    path = os.pathsep.join([str(project / ".venv" / "bin"), os.path.dirname(machine.uv()), os.environ["PATH"]])
    argv: list[Text] = [
        shared_environments.get(python, "keyring", wheel).script("keyring-fallback"),
        "doctor",
        "--json",
    ]
    result = environments.run(argv, env={**env, "PATH": path}, cwd=project)
    commands = [one["command"] for one in json.loads(result.stdout)["causes"] if one["name"] == "missing-there"]
    assert [f"uv pip install --python {project / '.venv'} keyring-fallback"] == commands


OTHER = "https://registry.example/simple/"
ASK, INDEX = 'keyring-provider = "subprocess"\n', f'[[index]]\nname = "feed"\nurl = "{AZURE}"\nexplicit = true\n'
CRASH = """\
import os
from keyring.backend import KeyringBackend
class Crash(KeyringBackend):
    priority = 9.5
    def get_password(self, service, username): os._exit(7)
    set_password = delete_password = get_password
"""


class Ill(NamedTuple):
    """What makes a cause real, and what a person does beside the cure, as its advice says."""

    asked: tuple[str, ...] = (AZURE, USERNAME)
    variables: Mapping[str, str] = {}
    configuration: str = ""
    """keyringrc.cfg"""
    files: Mapping[str, str] = {}
    """In the project."""
    packages: tuple[str, ...] = ()
    """Of an environment of its own; the first one is keyring."""
    does: Callable[[Patient], object] = lambda _: None
    """What goes wrong besides."""
    advised: Callable[[Patient, dict[str, str]], object] = lambda *_: None
    """What the advice says, with the variables."""
    then: tuple[str, ...] = (AZURE, USERNAME)
    """What is asked after the cure."""


def without(name: str) -> Callable[[Patient, dict[str, str]], object]:
    """The advice to remove a variable, or a file of the project."""

    def advised(patient: Patient, variables: dict[str, str]) -> None:
        if variables.pop(name, None) is None:
            (patient.folder / name).unlink()

    return advised


def crashing(patient: Patient) -> None:
    """Bring a backend that ends the process."""
    site = patient.folder / "site"
    providers.unpack(providers.make_provider(patient.folder / "wheels", "crash-store", CRASH), site)
    patient.variables["PYTHONPATH"] = os.fspath(site)


def keyring_gone(environment: environments.Environment) -> None:
    """Break a keyring."""
    (environment.site_packages / "keyring" / "core.py").unlink()


ILL = {
    "nothing-asked": Ill(asked=()),
    "setting-without-sense": Ill(
        variables={"KEYRING_PROPERTY_FALLBACK_TIMEOUT": "soon"}, advised=without("KEYRING_PROPERTY_FALLBACK_TIMEOUT")
    ),
    "setting-unusable": Ill(
        variables={"KEYRING_PROPERTY_FALLBACK_TOOL": "/nowhere"}, advised=without("KEYRING_PROPERTY_FALLBACK_TOOL")
    ),
    "nested": Ill(variables={"KEYRING_FALLBACK_NESTED": "1"}),
    "switched-off": Ill(configuration="[fallback]\nenabled = false\n"),
    "service-excluded": Ill(configuration="[fallback]\nservices = other.example\n"),
    "selected-backend-missing": Ill(configuration="[backend]\ndefault-keyring = no_such.Keyring\n"),
    "backend-selected": Ill(variables={"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}),
    "keyring-broken": Ill(packages=("keyring",), does=lambda patient: keyring_gone(patient.environment)),
    "broken": Ill(does=lambda patient: keyring_gone(patient.tool)),
    "no-end": Ill(does=crashing, advised=lambda patient, _: patient.variables.pop("PYTHONPATH")),
    "not-a-url": Ill(asked=("feed", USERNAME)),
    "no-answer": Ill(
        asked=(OTHER, "me"),
        advised=lambda patient, _: patient.with_tokens({"registry.example": CANARY}),
        then=(OTHER, "me"),
    ),
    "client-tells-nothing": Ill(files={"uv.toml": "[[index]\n"}, advised=without("uv.toml")),
    "uv-warns": Ill(files={"pyproject.toml": "[[index]\n"}, advised=without("pyproject.toml")),
    "no-keyring-on-path": Ill(variables={"PATH": "UV", "UV_KEYRING_PROVIDER": "subprocess"}),
    "password-elsewhere": Ill(variables={"UV_INDEX_FEED_PASSWORD": "old"}, files={"uv.toml": ASK + INDEX}),
    "uv-no-username": Ill(files={"uv.toml": ASK + INDEX}),
    "uv-asks-no-keyring": Ill(files={"uv.toml": INDEX + 'authenticate = "always"\n'}),
    "uv-never-authenticates": Ill(files={"uv.toml": ASK + INDEX + 'authenticate = "never"\n'}),
    "keyring-too-old": Ill(files={"uv.toml": ASK + INDEX + 'authenticate = "always"\n'}, packages=("keyring==24.3.1",)),
    "pip-disabled": Ill(variables={"PIP_KEYRING_PROVIDER": "disabled"}, packages=("keyring", "pip")),
    "pip-silent": Ill(variables={"PIP_NO_INPUT": "1"}, packages=("keyring", "pip")),
    "pip-no-username": Ill(
        variables={"PIP_KEYRING_PROVIDER": "subprocess", "PIP_INDEX_URL": AZURE}, packages=("keyring", "pip==25.3")
    ),
}
#: The causes whose cures other tests run.
ELSEWHERE = {
    "no-tool": "test_repair.test_from_nothing",
    "uv-not-told": "test_repair.test_uv_is_told_for_good",
    "no-provider": "test_repair.test_from_nothing_with_pipx",
    "client-lacks-us": "test_repair.test_from_nothing_with_poetry",
    "poetry-disabled": "test_doctor_indexes.test_what_poetry_prefers_to_keyring",
    "poetry-username": "test_doctor_indexes.test_what_poetry_prefers_to_keyring",
    "missing-there": "test_doctor_cures.test_a_cure_outlives_uv_sync",
    "pip-no-keyring": "test_outside.test_pip_of_an_environment_without_keyring",
    "not-loaded": "test_doctor.test_our_backends_are_not_loaded",
    "untrusted": "test_doctor.test_all_is_open_after_umask_0",
    "provider-failed": "test_doctor.test_a_provider_raises",
    "other-username": "test_doctor.test_another_user_name",
}


def test_every_cure_is_run() -> None:
    """Each cause that the doctor can name has a test that runs its cure."""
    assert sorted(report.AREAS) == sorted([*ILL, *ELSEWHERE])
    for module, _, name in (one.partition(".") for one in ELSEWHERE.values()):
        assert f"\ndef {name}(" in (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML")
@pytest.mark.parametrize("name", ILL)
def test_a_cure_mends(
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    home: Path,
    tmp_path: Path,
    stub_tokens: Path,
    name: str,
) -> None:
    """The cause is named, its cure is used as it stands, then its advice, and the cause is named no more."""
    ill, folder = ILL[name], tmp_path / "work"
    folder.mkdir()
    packages: list[environments.Text] = [*(ill.packages or ("keyring",)), wheel]
    if ill.packages and "pip" not in ill.packages:
        environment = environments.create(tmp_path / "env", python, *packages)
    else:
        environment = shared_environments.get(python, *packages)
    patient = Patient(environment, home, folder).with_tool(shared_environments.uv_tool(python, stub_tokens)).with_uv()
    variables = {key: value.replace("UV", patient.variables["PATH"]) for key, value in ill.variables.items()}
    if ill.configuration:
        patient.with_configuration(ill.configuration)
    for file, text in ill.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    ill.does(patient)

    def causes(*asked: str) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in patient.ask_for_data(*asked, **variables).document["causes"]}

    cause = causes(*ill.asked)[name]
    cure = dict(cause["cure"] or {"kind": ""})
    kind = cure.pop("kind")
    if kind == "variable" and cure["value"] is None:
        del variables[cure["name"]]
    elif kind == "variable":
        after = os.pathsep + variables[cure["name"]] if cure["before"] else ""
        variables[cure["name"]] = cure["value"] + after
    elif kind == "edit":
        edits.Change(shell.Edit(**cure)).make()
    elif kind == "command" and "PROVIDER" not in cause["command"]:
        command = cause["command"].replace("doctor URL", f"doctor {AZURE}").replace("https://HOST/...", AZURE)
        building = machine.building()
        env = {**building, **patient.env(**variables), "UV_CACHE_DIR": building["UV_CACHE_DIR"]}
        done = environments.run(["/bin/sh", "-c", command], env=env, cwd=folder)
        shows_what_is_wrong = name in ("client-tells-nothing", "uv-warns")
        assert (done.returncode == 0 or shows_what_is_wrong, not shows_what_is_wrong or "TOML" in done.stderr) == (
            True,
            True,
        ), done.stderr
    ill.advised(patient, variables)
    assert kind or ill.advised is not Ill().advised, "nothing was done"
    assert name not in causes(*ill.then)
