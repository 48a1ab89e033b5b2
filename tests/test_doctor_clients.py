"""What the doctor says of uv and pip: which keyring they run from here, and whether they ask it at all."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import survey
from keyring_fallback.doctor import clients, uv_settings
from keyring_fallback.here import Here
from support import environments, machine, providers, trees
from support.feed import Feed
from support.patient import AZURE, USERNAME, Patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

posix = pytest.mark.skipif(machine.WINDOWS, reason="the recording keyring is a shell script")
reads_files = pytest.mark.skipif(sys.version_info < (3, 11), reason="uv's files are read on Python 3.11 and newer")


@pytest.fixture
def patient(
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    home: Path,
    tmp_path: Path,
    stub_tokens: Path,
) -> Patient:
    """A person with all that it takes."""
    folder = tmp_path / "work"
    folder.mkdir()
    patient = Patient(shared_environments.get(python, "keyring", wheel), home, folder)
    return patient.with_tool(shared_environments.uv_tool(python, stub_tokens))


@pytest.fixture(scope="module")
def feed(demo_store: Path) -> Iterator[Feed]:
    """A feed on loopback that nobody has the password for."""
    with Feed(demo_store.parent, password="unknown") as running:  # noqa: S106
        yield running


RULE = '[[index]]\nurl = "URL"\ndefault = true\nauthenticate = "always"\n'
PLAIN = '[[index]]\nurl = "URL"\ndefault = true\nname = "q-x.y"\n'
SUBPROCESS = 'keyring-provider = "subprocess"\n'
TOOL = (
    "[project]\nname = 'a'\nversion = '1'\n[tool.uv]\n"
    + SUBPROCESS
    + "[[tool.uv.index]]\nurl = 'URL'\ndefault = true\n"
)


@posix
@reads_files
@pytest.mark.parametrize(
    ("files", "variables", "causes"),
    [
        ({"uv.toml": SUBPROCESS + PLAIN}, {}, ["uv-no-username"]),
        ({"uv.toml": SUBPROCESS + RULE}, {}, []),
        ({"uv.toml": RULE}, {}, ["uv-asks-no-keyring"]),
        ({"uv.toml": PLAIN}, {}, ["uv-no-username", "uv-asks-no-keyring"]),
        ({"uv.toml": "keyring-provider = 'disabled'\n" + RULE}, {"UV_KEYRING_PROVIDER": "subprocess"}, []),
        ({"uv.toml": SUBPROCESS + RULE}, {"UV_KEYRING_PROVIDER": "disabled"}, ["uv-asks-no-keyring"]),
        ({"uv.toml": RULE}, {"UV_KEYRING_PROVIDER": ""}, ["uv-asks-no-keyring"]),
        ({"uv.toml": SUBPROCESS + PLAIN}, {"UV_INDEX_Q_X_Y_USERNAME": "bob"}, []),
        ({"uv.toml": SUBPROCESS + PLAIN.replace("URL", "USER")}, {}, []),
        ({"uv.toml": SUBPROCESS}, {"UV_DEFAULT_INDEX": "USER"}, []),
        ({"uv.toml": SUBPROCESS}, {"UV_INDEX_URL": "USER"}, []),
        ({"uv.toml": SUBPROCESS + "index-url = 'USER'\n"}, {}, []),
        ({"uv.toml": SUBPROCESS}, {"UV_DEFAULT_INDEX": "URL"}, ["uv-no-username"]),
        ({"uv.toml": SUBPROCESS + RULE + "name = 'n'\n"}, {"UV_INDEX": "n=URL"}, ["uv-no-username"]),
        ({"uv.toml": SUBPROCESS + RULE.replace("always", "never")}, {}, ["uv-never-authenticates"]),
        ({"pyproject.toml": TOOL + "authenticate = 'always'\n"}, {}, []),
        ({"pyproject.toml": TOOL}, {}, ["uv-no-username"]),
        ({"uv.toml": "[pip]\n" + SUBPROCESS + "extra-index-url = ['USER']\n"}, {}, []),
        ({"uv.toml": "[pip]\nindex-url = 'USER'\n"}, {}, ["uv-asks-no-keyring"]),
        ({"uv.toml": SUBPROCESS + "[pip]\nindex-url = 'URL'\n"}, {}, ["uv-no-username"]),
        # uv.toml hides the table beside it; the nearest file counts; the user's one is added
        ({"pyproject.toml": TOOL + "authenticate = 'always'\n", "uv.toml": SUBPROCESS + PLAIN}, {}, ["uv-no-username"]),
        ({"pyproject.toml": "[project]\nname = 'a'\nversion = '1'\n", "../uv.toml": SUBPROCESS + RULE}, {}, []),
        ({"uv.toml": RULE, "~/uv.toml": SUBPROCESS}, {}, []),
        ({"uv.toml": "keyring-provider = 'disabled'\n", "~/uv.toml": SUBPROCESS + RULE}, {}, ["uv-asks-no-keyring"]),
        ({"uv.toml": PLAIN, "~/uv.toml": SUBPROCESS + RULE}, {}, ["uv-no-username"]),
        ({"uv.toml": PLAIN, "chosen.toml": SUBPROCESS + RULE}, {"UV_CONFIG_FILE": "chosen.toml"}, []),
        ({"uv.toml": SUBPROCESS + RULE}, {"UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": "USER"}, ["uv-asks-no-keyring"]),
        # the workspace's root counts, not the member
        (
            {
                "../pyproject.toml": TOOL + "authenticate = 'always'\n[tool.uv.workspace]\nmembers = ['w*']\n",
                "pyproject.toml": TOOL.replace("'a'", "'b'").replace('"subprocess"', "'disabled'"),
            },
            {},
            [],
        ),
        (
            {
                "../pyproject.toml": TOOL + "[tool.uv.workspace]\nmembers = ['w*']\nexclude = ['work']\n",
                "pyproject.toml": TOOL.replace("'a'", "'b'") + "authenticate = 'always'\n",
            },
            {},
            [],
        ),
    ],
)  # fmt: skip
def test_the_doctor_says_what_uv_does(
    patient: Patient,
    feed: Feed,
    home: Path,
    tmp_path: Path,
    files: dict[str, str],
    variables: dict[str, str],
    causes: list[str],
) -> None:
    """Real uv asks keyring for an index, or does not, and the doctor says why not: by files and variables of all kinds."""
    address = {"URL": feed.direct_url, "USER": feed.with_username("me", feed.direct_url)}
    variables = {name: _filled(value, address) for name, value in variables.items()}
    for name, text in files.items():
        personal = home / ".config" / "uv"
        personal.mkdir(parents=True, exist_ok=True)
        file = personal / name[2:] if name.startswith("~/") else patient.folder / name
        file.write_text(_filled(text, address))

    recorder = tmp_path / "bin" / "keyring"
    recorder.parent.mkdir()
    recorder.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit 1\n')
    recorder.chmod(0o755)
    env = patient.env(**variables)
    env["PATH"] = f"{recorder.parent}:{env['PATH']}"
    argv = [machine.uv(), "pip", "install", "--dry-run", "--no-cache", "--python", patient.environment.root, "absent"]
    environments.run(argv, env=env, cwd=patient.folder)
    asked = (tmp_path / "asked").exists()

    finding = patient.ask_for_data(feed.direct_url, "me", **variables)
    named = [cause["name"] for cause in finding.document["causes"] if cause["name"].startswith("uv-")]
    assert (causes, not causes) == (named, asked)
    assert 1 == finding.status, "nobody knows the password"


def _filled(text: str, address: dict[str, str]) -> str:
    """The text with the addresses of the feed."""
    for name, url in address.items():
        text = text.replace(f"'{name}'", f"'{url}'").replace(f'"{name}"', f'"{url}"')
        text = url if text == name else text.replace(f"={name}", f"={url}")
    return text


@reads_files
def test_cures_for_uv_in_its_files(patient: Patient) -> None:
    """What to write, and into which file: for known registries also without a service."""
    file = patient.folder / "pyproject.toml"
    file.write_text(f"[tool.uv]\n[[tool.uv.index]]\nurl = '{AZURE}'\n")
    finding = patient.see_the_doctor()
    assert ["uv-no-username", "uv-asks-no-keyring"] == finding.problems
    username, provider = finding.document["causes"]
    assert f"set 'authenticate = \"always\"' for {AZURE} in [[tool.uv.index]] of {file}" == username["edit"]
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(f"[tool.uv]\nkeyring-provider='disabled'\nextra-index-url = ['{AZURE}']\n")
    username, provider = patient.see_the_doctor().document["causes"]
    url = AZURE.replace("://", f"://{USERNAME}@")
    assert f"put a user name into its URL in {file}: {url}" == username["edit"], "such an index has nothing but its URL"
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(f"[tool.uv.pip]\nextra-index-url = ['{url}']\n")
    provider = patient.see_the_doctor().cause
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(
        f"[tool.uv]\nkeyring-provider='subprocess'\n[[tool.uv.index]]\nurl='{AZURE}'\nauthenticate='always'\n"
    )
    finding = patient.see_the_doctor()
    assert (0, [str(file)]) == (finding.status, finding.document["uv"]["files"])
    file = patient.folder / "uv.toml"
    file.write_text(f"[[index]]\nurl = '{url}'\n")
    edit = f"set 'keyring-provider = \"subprocess\"' at the top of {file}"
    assert edit == patient.see_the_doctor().cause["edit"], "below [[index]] it would be the index's"


def test_cures_for_uv_in_its_variables(patient: Patient) -> None:
    """What to type, where variables say it."""
    finding = patient.see_the_doctor(UV_INDEX=f"mine={AZURE}")
    username, provider = finding.document["causes"]
    assert ["uv-no-username", "uv-asks-no-keyring"] == finding.problems
    url = AZURE.replace("://", f"://{USERNAME}@")
    if not machine.WINDOWS:
        assert f"export UV_INDEX=mine={url}" == username["command"]
        assert "export UV_KEYRING_PROVIDER=subprocess" == provider["command"]
    assert 0 == patient.see_the_doctor(UV_INDEX=f"mine={url}", UV_KEYRING_PROVIDER="subprocess").status


def test_other_indexes_are_nobodys_business(patient: Patient) -> None:
    """An index of an unknown host may be public, or have its password elsewhere: not a word without a service there."""
    urls = "https://download.example/whl https://me:secret@pkgs.dev.azure.com/x/ https://api.pyx.dev/simple/"
    finding = patient.see_the_doctor(UV_EXTRA_INDEX_URL=urls)
    assert (0, []) == (finding.status, finding.document["causes"])
    assert "secret" not in finding.text


def test_old_keyring_for_lookups_without_user_name(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """keyring's command line answers without a user name since 25.2.1 only, and that is what uv asks it for."""
    if sys.version_info < (3, 11):
        pytest.skip("uv's files are read on Python 3.11 and newer")
    patient.environment = environments.create(tmp_path / "env", python, "keyring<25", wheel)
    rule = RULE.replace("URL", AZURE)
    (patient.folder / "uv.toml").write_text(SUBPROCESS + rule)
    finding = patient.see_the_doctor()
    assert "keyring-too-old" == finding.cause["name"]
    assert finding.cause["command"].endswith("'keyring>=25.2.1'")
    (patient.folder / "uv.toml").write_text(SUBPROCESS + rule.replace("://", "://me@"))
    assert 0 == patient.see_the_doctor().status


def test_broken_file_of_uv(patient: Patient) -> None:
    """A file that is no TOML is shown as such; on older Pythons that it is not read."""
    file = patient.folder / "uv.toml"
    file.write_text("[[index]\n")
    finding = patient.see_the_doctor()
    if sys.version_info < (3, 11):
        assert "Its files are not read: this Python is older than 3.11." in finding.text
    else:
        assert f"{file} cannot be read" in " ".join(finding.text.split())
        assert ["uv-file-unreadable"] == finding.problems, "uv does nothing"
        argv = [machine.uv(), "pip", "list", "--python", patient.environment.root]
        stopped = environments.run(argv, env=patient.env(), cwd=patient.folder)
        assert (2, True) == (stopped.returncode, "Failed to parse: " in stopped.stderr)
        file.rename(patient.folder / "pyproject.toml")
        finding = patient.see_the_doctor()
        assert (0, ["uv-file-unreadable"]) == (finding.status, finding.notes)
        warned = environments.run(argv, env=patient.env(), cwd=patient.folder)
        assert (0, True) == (warned.returncode, "Failed to parse `pyproject.toml`" in warned.stderr)


@reads_files
def test_uv_is_not_told_to_ask(patient: Patient) -> None:
    """The lookup works, and uv would not make it: a note where there is a uv that is not told to ask keyring."""
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert [] == finding.notes, "there is no uv"
    variables = {"PATH": patient.env()["PATH"] + os.pathsep + os.path.dirname(machine.uv())}
    finding = patient.see_the_doctor(AZURE, USERNAME, **variables)
    assert (0, ["uv-not-told"]) == (finding.status, finding.notes)
    if not machine.WINDOWS:
        assert "export UV_KEYRING_PROVIDER=subprocess" == finding.document["causes"][0]["command"]
    assert [] == patient.see_the_doctor(AZURE, USERNAME, UV_KEYRING_PROVIDER="subprocess", **variables).notes
    assert [] == patient.see_the_doctor(**variables).notes
    indexes = {"UV_DEFAULT_INDEX": AZURE.replace("//", "//me@"), **variables}
    finding = patient.see_the_doctor(AZURE, USERNAME, **indexes)
    assert (["uv-asks-no-keyring"], []) == (finding.problems, finding.notes), "it is said of the index"


def test_old_python_says_what_it_does_not_read(
    patient: Patient, interpreter: Callable[[str], Path], wheel: Path, shared_environments: environments.Environments
) -> None:
    """On Python 3.9 and 3.10 uv's files are not read, and that is said; its variables are."""
    patient.environment = shared_environments.get(interpreter("3.9"), "keyring", wheel)
    (patient.folder / "uv.toml").write_text(SUBPROCESS + PLAIN.replace("URL", AZURE))
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert 0 == finding.status
    assert "Its files are not read: this Python is older than 3.11. Its variables are." in finding.text
    assert ["uv-asks-no-keyring"] == patient.see_the_doctor(
        AZURE, UV_DEFAULT_INDEX=AZURE.replace("//", "//me@")
    ).problems


@pytest.mark.parametrize("active", [True, False])
def test_our_package_is_missing_where_keyring_comes_first(
    patient: Patient, shared_environments: environments.Environments, python: Path, *, active: bool
) -> None:
    """Another environment's keyring comes first on PATH and lacks us: the command that installs us there."""
    other = shared_environments.get(python, "keyring")
    variables = {"VIRTUAL_ENV": str(other.root if active else patient.environment.root)}
    without_uv = [one for one in os.environ["PATH"].split(os.pathsep) if not os.path.exists(os.path.join(one, "uv"))]
    path = os.pathsep.join([str(other.scripts), *without_uv])
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path, **variables)
    assert "missing-there" == finding.cause["name"]
    assert str(other.root) in finding.cause["text"]
    assert finding.document["lookups"][0]["outcome"] == "answer", "here it works"
    if not machine.WINDOWS:
        pip = f"PIP_KEYRING_PROVIDER=subprocess {other.python} -m pip install keyring-fallback"
        assert pip == finding.cause["command"], "there is no uv on this PATH"
        path += os.pathsep + os.path.dirname(machine.uv())
        finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path, **variables)
        uv = f"PATH={patient.tool.scripts}:$PATH uv pip install --python {other.root} keyring-fallback"
        assert uv == finding.cause["command"]


def test_the_tool_first_on_path_needs_nothing(patient: Patient) -> None:
    """The global keyring comes first on PATH: it answers by itself, with or without us."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True, exist_ok=True)
    trees.link(executables / patient.tool.script("keyring").name, patient.tool.script("keyring"))
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=os.pathsep.join([str(executables), os.environ["PATH"]]))
    assert (0, []) == (finding.status, finding.document["causes"])


def test_no_keyring_on_path(patient: Patient) -> None:
    """None is on PATH: worth a note, and a problem where uv is told to ask it."""
    finding = patient.see_the_doctor(AZURE, PATH=os.environ["PATH"])
    assert (0, ["no-keyring-on-path"]) == (finding.status, finding.notes)
    finding = patient.see_the_doctor(AZURE, PATH=os.environ["PATH"], UV_KEYRING_PROVIDER="subprocess")
    assert "no-keyring-on-path" == finding.cause["name"]
    if not machine.WINDOWS:
        assert f"export PATH={patient.environment.scripts}:$PATH" == finding.cause["command"]


def test_pip_is_told_not_to_ask(patient: Patient) -> None:
    """pip's keyring provider, from its variable and its files; that it is disabled is worth a note."""
    finding = patient.see_the_doctor(PIP_KEYRING_PROVIDER="disabled")
    assert (0, ["pip-disabled"]) == (finding.status, finding.notes)
    (note,) = finding.document["causes"]
    assert machine.WINDOWS or "unset PIP_KEYRING_PROVIDER" == note["command"]
    file = patient.folder / "pip.conf"
    file.write_text("[global]\nkeyring-provider = disabled\n")
    (note,) = patient.see_the_doctor(PIP_CONFIG_FILE=str(file)).document["causes"]
    expected = ("", f"set keyring-provider to import in {file}, or remove it")
    assert expected == (note["command"], note["edit"])


def test_pip_is_told_to_ask_for_no_input(patient: Patient, feed: Feed, demo_store: Path) -> None:
    """With ``no-input`` pip asks no keyring by default, and does where it is told to: what the doctor says is so."""
    if tuple(map(int, metadata.version("pip").split(".")[:2])) < (23, 1):
        pytest.skip(f"pip {metadata.version('pip')} has no choice of keyring providers")
    patient.with_tokens({"127.0.0.1": feed.password})
    argv = [sys.executable, "-m", "pip", "--python", patient.environment.python, "install", "--dry-run", "--no-deps"]
    argv += ["--no-cache-dir", "--disable-pip-version-check", "--index-url", feed.direct_url, "demo-store"]
    silent = {"PIP_NO_INPUT": "1"}
    assert demo_store
    assert 0 != environments.run(argv, env=patient.env(**silent)).returncode
    finding = patient.see_the_doctor(**silent)
    assert (0, ["pip-silent"]) == (finding.status, finding.notes)
    if not machine.WINDOWS:
        assert "export PIP_KEYRING_PROVIDER=import" == finding.document["causes"][0]["command"]
    silent["PIP_KEYRING_PROVIDER"] = "import"
    told = environments.run(argv, env=patient.env(**silent))
    assert 0 == told.returncode, told.stderr
    assert [] == patient.see_the_doctor(**silent).document["causes"]


def test_old_pip_has_no_choice(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """pip before 23.1 has no keyring-provider: it imports the environment's keyring, and the report claims no more."""
    patient.environment = environments.create(tmp_path / "env", python, "keyring", "pip==22.3.1", wheel)
    finding = patient.see_the_doctor(PIP_NO_INPUT="1")
    assert (0, [], "") == (
        finding.status,
        finding.document["causes"],
        finding.document["clients"]["pip_keyring_provider"],
    )
    assert "  pip 22.3.1: the keyring of this environment\n" in finding.text
    assert "subprocess:" not in finding.text


def _here(tmp_path: Path, **environ: str) -> Here:
    """This process in a home folder of its own."""
    return survey.here()._replace(environ=environ, home=str(tmp_path), cwd=str(tmp_path), platform="linux")


@pytest.mark.parametrize(
    ("section", "file", "variables", "provider"),
    [
        ("global", ".config/pip/pip.conf", {}, "import"),
        ("install", ".pip/pip.conf", {}, "import"),
        ("download", ".config/pip/pip.conf", {}, "auto"),
        ("global", "chosen.conf", {"PIP_CONFIG_FILE": "HOME/chosen.conf"}, "import"),
        ("global", ".config/pip/pip.conf", {"PIP_CONFIG_FILE": os.devnull}, "auto"),
        ("global", ".config/pip/pip.conf", {"PIP_KEYRING_PROVIDER": "subprocess"}, "subprocess"),
        ("global", "xdg/pip/pip.conf", {"XDG_CONFIG_HOME": "HOME/xdg"}, "import"),
    ],
)
def test_where_pip_is_told(tmp_path: Path, section: str, file: str, variables: dict[str, str], provider: str) -> None:
    """pip's files, by section, and the variables that win."""
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(f"[{section}]\nkeyring-provider = import\n")
    variables = {name: value.replace("HOME", str(tmp_path)) for name, value in variables.items()}
    assert provider == clients.pip(_here(tmp_path, **variables)).provider


@posix
def test_the_working_directory_on_path(tmp_path: Path) -> None:
    """An empty entry of PATH is the working directory, where uv's keyring would come from, too."""
    (tmp_path / "keyring").write_text("#!/bin/sh\n")
    (tmp_path / "keyring").chmod(0o755)
    found = clients.on_path(_here(tmp_path, PATH=":/nowhere"))
    assert found is not None
    assert (str(tmp_path / "keyring"), None) == (found.path, found.ours)
    assert clients.on_path(_here(tmp_path, PATH="/nowhere")) is None


@reads_files
def test_strange_files_of_uv(tmp_path: Path) -> None:
    """Whatever is in uv's files and variables, reading them raises nothing."""
    for text in (
        "index = 3\n",
        "index = [1, {}, {url = 2}]\n",
        "pip = 3\nextra-index-url = 'x'\n",
        "[[index]]\nurl='http://['\n",
    ):
        (tmp_path / "uv.toml").write_text(text)
        uv_settings.read(_here(tmp_path, UV_INDEX="= ==x http://[ a=b"))
    (tmp_path / "uv.toml").write_bytes(b"\xff\xfe")
    assert 1 == len(uv_settings.read(_here(tmp_path)).problems)
    assert () == uv_settings.read(_here(tmp_path)._replace(cwd="")).files


def test_provider_elsewhere_on_path_is_enough(patient: Patient, python: Path, tmp_path: Path) -> None:
    """The environment whose keyring comes first has the host's provider itself: it does not need us."""
    other = environments.create(tmp_path / "other", python, "keyring")
    providers.put_provider(other, "artifacts-keyring", "x = 1")
    path = os.pathsep.join([str(other.scripts), os.environ["PATH"]])
    assert 0 == patient.see_the_doctor(AZURE, USERNAME, PATH=path).status
