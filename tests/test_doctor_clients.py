"""What the doctor says of uv and pip: which keyring they run from here, and whether they ask it at all."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import survey
from keyring_fallback.doctor import clients, told
from keyring_fallback.here import Here
from support import environments, hostile, machine, providers, trees
from support.feed import Feed
from support.patient import AZURE, CANARY, USERNAME, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Text

posix = pytest.mark.skipif(machine.WINDOWS, reason="the recording keyring is a shell script")


@pytest.fixture(scope="module")
def old_uvs(shared_environments: environments.Environments, python: Path) -> list[str]:
    """Older releases of uv: the first one to tell its settings, and one that still shows passwords."""
    return [os.fspath(shared_environments.get(python, f"uv=={one}").script("uv")) for one in ("0.4.0", "0.7.0")]


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
@pytest.mark.parametrize(
    ("files", "variables", "causes"),
    [
        ({"uv.toml": SUBPROCESS + PLAIN}, {}, ["uv-no-username"]),
        ({"uv.toml": SUBPROCESS + RULE}, {}, []),
        ({"uv.toml": RULE}, {}, ["uv-asks-no-keyring"]),
        ({"uv.toml": PLAIN}, {}, ["uv-no-username", "uv-asks-no-keyring"]),
        ({"uv.toml": "keyring-provider = 'disabled'\n" + RULE}, {"UV_KEYRING_PROVIDER": "subprocess"}, []),
        ({"uv.toml": SUBPROCESS + RULE}, {"UV_KEYRING_PROVIDER": "disabled"}, ["uv-asks-no-keyring"]),
        ({"uv.toml": RULE}, {"UV_KEYRING_PROVIDER": ""}, ["client-tells-nothing"]),
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
        ({"uv.toml": SUBPROCESS + RULE + "[pip]\nkeyring-provider = 'disabled'\n"}, {}, ["uv-asks-no-keyring"]),
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
    old_uvs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    variables: dict[str, str],
    causes: list[str],
) -> None:
    """Real uv asks keyring for an index, or does not, and the doctor says why not: by files and variables of all kinds.

    Of older releases, which have other rules, it says whether they ask, by what they tell.
    """
    patient.with_uv()
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
    argv: list[Text] = ["pip", "install", "--dry-run", "--no-cache", "--python", patient.environment.root, "absent"]
    monkeypatch.chdir(patient.folder)
    for uv in [*old_uvs, machine.uv()]:
        (tmp_path / "asked").unlink(missing_ok=True)
        ended = environments.run([uv, *argv], env=env, cwd=patient.folder).returncode
        asked = (tmp_path / "asked").exists()
        here = survey.here()._replace(environ={**env, "PATH": os.path.dirname(uv)})
        (said,) = (one for one in clients.uv(here) if one.client == "uv pip")
        assert asked == any(_asks(said, index) for index in said.indexes), uv
        assert said.silence is None or (said.stops and ended == 2), f"{uv}: {said.silence}"

    finding = patient.ask_for_data(feed.direct_url, "me", **variables)
    ours = ("uv-no-username", "uv-asks-no-keyring", "uv-never-authenticates", "client-tells-nothing")
    named = [cause["name"] for cause in finding.document["causes"] if cause["name"] in ours]
    assert (causes, not causes) == (named, asked)
    assert 1 == finding.status, "nobody knows the password"


def test_a_cure_that_an_old_uv_knows(
    patient: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """``authenticate`` came with uv 0.6: before that a user name in the URL is what has uv ask."""
    patient.with_uv(os.fspath(shared_environments.get(python, "uv==0.5.31").script("uv")))
    file = patient.folder / "uv.toml"
    for option in ("", 'authenticate = "always"\n'):
        file.write_text(f'keyring-provider = "subprocess"\n[[index]]\nurl = "{AZURE}"\n{option}')
        cause = patient.see_the_doctor(AZURE).cause
        named = AZURE.replace("://", f"://{USERNAME}@")
        assert ("uv-no-username", f"put a user name into its URL ({file}): {named}") == (cause["name"], cause["edit"])


def _asks(client: told.Told, index: told.Index) -> bool:
    """Whether uv asks keyring for an index, after all that it has told of it."""
    return client.provider == "subprocess" and (
        index.authenticate == "always" or (index.username is not None and index.authenticate == "auto")
    )


def _filled(text: str, address: dict[str, str]) -> str:
    """The text with the addresses of the feed."""
    for name, url in address.items():
        text = text.replace(f"'{name}'", f"'{url}'").replace(f'"{name}"', f'"{url}"')
        text = url if text == name else text.replace(f"={name}", f"={url}")
    return text


def test_cures_for_uv_in_its_files(patient: Patient) -> None:
    """What to write, and into which file: for known registries also without a service."""
    file = patient.folder / "pyproject.toml"
    file.write_text(f"[tool.uv]\n[[tool.uv.index]]\nurl = '{AZURE}'\n")
    finding = patient.with_uv().see_the_doctor()
    assert ["uv-no-username", "uv-asks-no-keyring"] == finding.problems
    username, provider = finding.document["causes"]
    assert f"set 'authenticate = \"always\"' for {AZURE} in [[tool.uv.index]] of {file}" == username["edit"]
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(f"[tool.uv]\nkeyring-provider='disabled'\nextra-index-url = ['{AZURE}']\n")
    username, provider = patient.see_the_doctor().document["causes"]
    url = AZURE.replace("://", f"://{USERNAME}@")
    assert f"put a user name into its URL ({file}): {url}" == username["edit"], "such an index has nothing but its URL"
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(f"[tool.uv.pip]\nextra-index-url = ['{url}']\n")
    provider = patient.see_the_doctor().cause
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv] of {file}" == provider["edit"]
    file.write_text(
        f"[tool.uv]\nkeyring-provider='subprocess'\n[tool.uv.pip]\nextra-index-url=['{url}']\nkeyring-provider='disabled'\n"
    )
    provider = patient.see_the_doctor().cause
    assert f"uv pip asks no keyring for {AZURE}: its keyring provider is disabled" in provider["text"]
    assert f"set 'keyring-provider = \"subprocess\"' in [tool.uv.pip] of {file}" == provider["edit"]
    file.write_text(
        f"[tool.uv]\nkeyring-provider='subprocess'\n[[tool.uv.index]]\nurl='{AZURE}'\nauthenticate='always'\n"
    )
    finding = patient.see_the_doctor()
    assert (0, str(file)) == (finding.status, finding.document["told"][0]["indexes"][0]["source"])
    file = patient.folder / "uv.toml"
    file.write_text(f"[[index]]\nurl = '{url}'\n")
    edit = f"set 'keyring-provider = \"subprocess\"' at the top of {file}"
    assert edit == patient.see_the_doctor().cause["edit"], "below [[index]] it would be the index's"


def test_cures_for_uv_in_its_variables(patient: Patient) -> None:
    """What to type, where variables say it."""
    finding = patient.with_uv().see_the_doctor(UV_INDEX=f"mine={AZURE}")
    username, provider = finding.document["causes"]
    assert ["uv-no-username", "uv-asks-no-keyring"] == finding.problems
    url = AZURE.replace("://", f"://{USERNAME}@")
    if not machine.WINDOWS:
        assert f"export UV_INDEX=mine={url}" == username["command"]
        assert provider["edit"].startswith("set 'keyring-provider = \"subprocess\"' at the top of ")
    assert 0 == patient.see_the_doctor(UV_INDEX=f"mine={url}", UV_KEYRING_PROVIDER="subprocess").status


def test_other_indexes_are_nobodys_business(patient: Patient) -> None:
    """An index of an unknown host may be public, and one with its password in its URL is worth a note."""
    urls = "https://download.example/whl https://me:secret@pkgs.dev.azure.com/x/ https://api.pyx.dev/simple/"
    finding = patient.with_uv().see_the_doctor(UV_EXTRA_INDEX_URL=urls)
    assert (["nothing-asked"], ["password-elsewhere"]) == (finding.problems, finding.notes)
    assert "secret" not in finding.text


def test_old_keyring_for_lookups_without_user_name(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """keyring's command line answers without a user name since 25.2.1 only, and that is what uv asks it for."""
    patient.with_uv().environment = environments.create(tmp_path / "env", python, "keyring<25", wheel)
    rule = RULE.replace("URL", AZURE)
    (patient.folder / "uv.toml").write_text(SUBPROCESS + rule)
    finding = patient.see_the_doctor()
    assert "keyring-too-old" == finding.cause["name"]
    assert finding.cause["command"].endswith("'keyring>=25.2.1'")
    (patient.folder / "uv.toml").write_text(SUBPROCESS + rule.replace("://", "://me@"))
    assert 0 == patient.see_the_doctor().status


def test_broken_file_of_uv(patient: Patient) -> None:
    """uv stops at a uv.toml that is no TOML, and warns of a pyproject.toml: both are said, and what it held is not."""
    file = patient.with_uv().folder / "uv.toml"
    file.write_text(f'[[index]\nurl = "https://u:{CANARY}@h/\n')
    finding = patient.see_the_doctor()
    assert (1, "client-tells-nothing") == (finding.status, finding.cause["name"])
    assert "does not tell what it would do: it ended with exit status 2." in finding.cause["text"]
    argv: list[Text] = [machine.uv(), "pip", "list", "--python", patient.environment.root]
    assert 2 == environments.run(argv, env=patient.env(), cwd=patient.folder).returncode, "uv does nothing"
    file.rename(patient.folder / "pyproject.toml")
    finding = patient.see_the_doctor()
    assert (["nothing-asked"], ["uv-warns"]) == (finding.problems, finding.notes)
    warned = environments.run(argv, env=patient.env(), cwd=patient.folder)
    assert (0, True) == (warned.returncode, "Failed to parse `pyproject.toml`" in warned.stderr)


def test_uv_is_not_told_to_ask(patient: Patient) -> None:
    """The lookup works, and uv would not make it: a note where there is a uv that is not told to ask keyring."""
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert [] == finding.notes, "there is no uv"
    variables = {"PATH": patient.with_uv().env()["PATH"]}
    finding = patient.see_the_doctor(AZURE, USERNAME, **variables)
    assert (0, ["uv-not-told"]) == (finding.status, finding.notes)
    if not machine.WINDOWS:
        file = patient.home / ".config" / "uv" / "uv.toml"
        edit = f"set 'keyring-provider = \"subprocess\"' at the top of {file}; uv asks for an index with a user name "
        assert finding.document["causes"][0]["edit"].startswith(edit)
    assert [] == patient.see_the_doctor(AZURE, USERNAME, UV_KEYRING_PROVIDER="subprocess", **variables).notes
    assert [] == patient.see_the_doctor(**variables).notes
    indexes = {"UV_DEFAULT_INDEX": AZURE.replace("//", "//me@"), **variables}
    finding = patient.see_the_doctor(AZURE, USERNAME, **indexes)
    assert (["uv-asks-no-keyring"], []) == (finding.problems, finding.notes), "it is said of the index"


@pytest.mark.parametrize("active", [True, False])
def test_our_package_is_missing_where_keyring_comes_first(
    with_pip: Patient, shared_environments: environments.Environments, python: Path, *, active: bool
) -> None:
    """Another environment's keyring comes first on PATH and lacks us: the command that installs us there."""
    other = shared_environments.get(python, "keyring")
    variables = {"VIRTUAL_ENV": str(other.root if active else with_pip.environment.root)}
    without_uv = [one for one in os.environ["PATH"].split(os.pathsep) if not os.path.exists(os.path.join(one, "uv"))]
    path = os.pathsep.join([str(other.scripts), *without_uv])
    assert 0 == with_pip.ask_for_data(AZURE, USERNAME, PATH=path, **variables).status, "nobody runs it"
    variables["PIP_KEYRING_PROVIDER"] = "subprocess"
    finding = with_pip.see_the_doctor(AZURE, USERNAME, PATH=path, **variables)
    assert "missing-there" == finding.cause["name"]
    assert str(other.root) in finding.cause["text"]
    assert finding.document["lookups"][0]["outcome"] == "answer", "here it works"
    if not machine.WINDOWS:
        assert "that pip runs" in finding.cause["text"], "there is no uv on this PATH"
        pip = f"PIP_KEYRING_PROVIDER=subprocess {other.python} -I -m pip install keyring-fallback"
        assert pip == finding.cause["command"], "there is no uv on this PATH"
        path += os.pathsep + os.path.dirname(machine.uv())
        finding = with_pip.see_the_doctor(AZURE, USERNAME, PATH=path, **variables)
        uv = f"PATH={with_pip.tool.scripts}:$PATH uv pip install --python {other.root} keyring-fallback"
        assert uv == finding.cause["command"]


def test_what_keeps_uv_from_asking_is_first(
    patient: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """What installs us asks the index, and needs its credentials: first uv is told to ask for them, or for this once."""
    other = shared_environments.get(python, "keyring")
    (patient.folder / "uv.toml").write_text(f"[[index]]\nurl = '{AZURE}'\n")
    path = os.pathsep.join([str(other.scripts), patient.with_uv().variables["PATH"]])
    variables = {"PATH": path, "VIRTUAL_ENV": str(other.root)}
    finding = patient.see_the_doctor(AZURE, USERNAME, **variables)
    assert ["uv-no-username", "uv-asks-no-keyring", "missing-there"] == finding.problems
    finding = patient.see_the_doctor(AZURE, USERNAME, UV_KEYRING_PROVIDER="disabled", **variables)
    assert "UV_KEYRING_PROVIDER=subprocess uv pip install " in finding.document["causes"][-1]["command"]


@posix
@pytest.mark.parametrize("lost", ["pyvenv.cfg", "keyring's metadata"])
def test_half_a_tool_first_on_path(patient: Patient, lost: str) -> None:
    """The global keyring lacks a file since it was half made: that is said, and nothing is installed there."""
    if lost == "pyvenv.cfg":
        (patient.tool.root / lost).unlink()
    else:
        shutil.rmtree(next(patient.tool.site_packages.glob("keyring-*.dist-info")))
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True, exist_ok=True)
    script = patient.tool.script("keyring")
    text = script.read_text().partition("\n")[2]
    script.unlink()
    hostile.executable(script, f"#!{patient.tool.python}\n{text}")
    trees.link(executables / "keyring", script)
    path = os.pathsep.join([str(executables), patient.with_uv().variables["PATH"]])
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    assert "missing-there" not in [*finding.problems, *finding.notes]
    assert "broken" == finding.problems[0]


@posix
@pytest.mark.parametrize("whose", ["the user's", "the project's", "a variable's", "a variable's that is passed over"])
def test_where_a_tool_is_from(patient: Patient, whose: str) -> None:
    """An index in its receipt that uv is told of by the same command is no reason not to make it anew; another is."""
    other, service = "https://corp.example/simple/", "https://eu-python.pkg.dev/p/r/simple/"
    receipt = patient.tool.root / "uv-receipt.toml"
    receipt.write_text(f'{receipt.read_text()}\n[tool.options]\nindex = [{{ url = "{other}", explicit = true }}]\n')
    files = {"the user's": patient.home / ".config" / "uv" / "uv.toml", "the project's": patient.folder / "uv.toml"}
    variables = {"UV_INDEX": f"{other} {service}" if "passed" in whose else other}
    if file := files.get(whose):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'[[index]]\nurl = "{other}"\n')
        variables.clear()
    finding = patient.with_uv().see_the_doctor(service, **variables)
    (command,) = (one["command"] for one in finding.document["causes"] if one["name"] == "no-provider")
    beside = f"uv pip install --directory {patient.tool.root} --python {patient.tool.root} "
    assert (patient.install if whose in ("the user's", "a variable's") else beside) in command
    assert command.endswith("keyrings.google-artifactregistry-auth")


@posix
def test_a_broken_tool_is_not_needed_to_mend_itself(patient: Patient, home: Path, python: Path, tmp_path: Path) -> None:
    """The person's own uv.toml names the index that this very tool answers for: what installs it again passes over that."""
    shutil.rmtree(patient.tool.root)
    tool = environments.uv_tool(home, python, providers.make_provider(tmp_path, "artifacts-keyring", "")).environment
    (tool.site_packages / "keyring" / "core.py").unlink()
    file = home / ".config" / "uv" / "uv.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[[index]]\nurl = '{AZURE}'\n")
    document = patient.with_uv().ask_for_data(AZURE, USERNAME).document
    (command,) = (one["command"] for one in document["causes"] if one["name"] == "broken")
    assert command.startswith("UV_NO_CONFIG=1 uv tool install --force keyring --with ")


def test_the_tool_first_on_path_needs_nothing(patient: Patient) -> None:
    """The global keyring comes first on PATH: it answers by itself, with or without us."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True, exist_ok=True)
    trees.link(executables / patient.tool.script("keyring").name, patient.tool.script("keyring"))
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=os.pathsep.join([str(executables), os.environ["PATH"]]))
    assert (0, []) == (finding.status, finding.document["causes"])


@posix
def test_the_tool_first_on_path_has_no_answer(patient: Patient) -> None:
    """What answers here is not in the global keyring that uv runs: this environment's one has to come first."""
    patient.with_configuration("[fallback.commands]\nregistry.example = /bin/echo word\n")
    url = "https://registry.example/simple/"
    variables = {"UV_KEYRING_PROVIDER": "subprocess", "UV_DEFAULT_INDEX": url.replace("//", "//me@")}
    path = patient.with_uv().variables["PATH"]
    first = os.pathsep.join([str(patient.tool.scripts), path])
    alone = environments.run([patient.tool.script("keyring"), "get", url, "me"], env=patient.env(**variables))
    assert (1, "") == (alone.returncode, alone.stdout), "uv has no answer there"
    finding = patient.see_the_doctor(url, "me", PATH=first, **variables)
    assert ("missing-there", f"export PATH={patient.environment.scripts}:$PATH") == (
        finding.cause["name"],
        finding.cause["command"],
    )
    after = os.pathsep.join([str(patient.environment.scripts), first])
    assert 0 == patient.see_the_doctor(url, "me", PATH=after, **variables).status


def test_no_keyring_on_path(patient: Patient) -> None:
    """None is on PATH: worth a note, a problem where uv is told to ask it, and nobody's business without uv."""
    assert [] == patient.see_the_doctor(AZURE, PATH=os.environ["PATH"]).notes
    path = patient.with_uv().variables["PATH"]
    finding = patient.see_the_doctor(AZURE, PATH=path)
    assert (0, ["no-keyring-on-path", "uv-not-told"]) == (finding.status, finding.notes)
    finding = patient.see_the_doctor(AZURE, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    assert "no-keyring-on-path" == finding.cause["name"]
    if not machine.WINDOWS:
        assert f"export PATH={patient.environment.scripts}:$PATH" == finding.cause["command"]


def test_pip_is_told_not_to_ask(with_pip: Patient) -> None:
    """pip's keyring provider, from its variable and its files; that it is disabled is worth a note."""
    finding = with_pip.see_the_doctor(PIP_KEYRING_PROVIDER="disabled")
    assert (["nothing-asked"], ["pip-disabled"]) == (finding.problems, finding.notes)
    note = finding.document["causes"][0]
    assert machine.WINDOWS or "unset PIP_KEYRING_PROVIDER" == note["command"]
    file = with_pip.folder / "pip.conf"
    file.write_text("[global]\nkeyring-provider = disabled\n")
    note = with_pip.see_the_doctor(PIP_CONFIG_FILE=str(file)).document["causes"][0]
    expected = ("", f"set keyring-provider to import in {file}, or remove it")
    assert expected == (note["command"], note["edit"])


@pytest.mark.parametrize(("version", "names"), [("25.3", ["pip-no-username"]), ("26.2", [])])
def test_old_pip_for_urls_without_user_name(
    patient: Patient, python: Path, wheel: Path, tmp_path: Path, version: str, names: list[str]
) -> None:
    """pip's subprocess mode asks without a user name since 26.2 only: until then it is to import keyring, or has one."""
    patient.environment = environments.create(tmp_path / "env", python, "keyring", f"pip=={version}", wheel)
    variables = {"PIP_KEYRING_PROVIDER": "subprocess", "PIP_EXTRA_INDEX_URL": AZURE}
    finding = patient.see_the_doctor(AZURE, USERNAME, **variables)
    assert names == [name for name in finding.problems if name.startswith("pip")]
    named = AZURE.replace("://", f"://{USERNAME}@")
    assert [] == [
        one
        for one in patient.see_the_doctor(AZURE, USERNAME, **{**variables, "PIP_EXTRA_INDEX_URL": named}).document[
            "causes"
        ]
        if one["name"].startswith("pip")
    ]
    if names:
        (note,) = (one for one in finding.document["causes"] if one["name"] == names[0])
        assert machine.WINDOWS or "export PIP_KEYRING_PROVIDER=import" == note["command"]
        assert note["edit"].endswith(named)
    other = "https://gitlab.example/simple/"  # no registry that is known
    patient.with_tokens({"gitlab.example": CANARY})
    finding = patient.see_the_doctor(other, **{**variables, "PIP_EXTRA_INDEX_URL": other})
    assert names == [name for name in finding.problems if name.startswith("pip")]


def test_pip_is_told_to_ask_for_no_input(with_pip: Patient, feed: Feed, demo_store: Path) -> None:
    """With ``no-input`` pip asks no keyring by default, and does where it is told to: what the doctor says is so."""
    if tuple(map(int, metadata.version("pip").split(".")[:2])) < (23, 1):
        pytest.skip(f"pip {metadata.version('pip')} has no choice of keyring providers")
    with_pip.with_tokens({"127.0.0.1": feed.password})
    argv: list[Text] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        with_pip.environment.python,
        "install",
        "--dry-run",
        "--no-deps",
    ]
    argv += ["--no-cache-dir", "--disable-pip-version-check", "--index-url", feed.direct_url, "demo-store"]
    silent = {"PIP_NO_INPUT": "1"}
    assert demo_store
    assert 0 != environments.run(argv, env=with_pip.env(**silent)).returncode
    finding = with_pip.see_the_doctor(**silent)
    assert (["nothing-asked"], ["pip-silent"]) == (finding.problems, finding.notes)
    if not machine.WINDOWS:
        assert "export PIP_KEYRING_PROVIDER=import" == finding.document["causes"][0]["command"]
    silent["PIP_KEYRING_PROVIDER"] = "import"
    told = environments.run(argv, env=with_pip.env(**silent))
    assert 0 == told.returncode, told.stderr
    assert [] == with_pip.see_the_doctor(**silent).notes


def test_old_pip_has_no_choice(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """pip before 23.1 has no keyring-provider: it imports the environment's keyring, unless it is to ask for no input."""
    patient.environment = environments.create(tmp_path / "env", python, "keyring", "pip==22.3.1", wheel)
    finding = patient.see_the_doctor(PIP_NO_INPUT="1")
    (pip,) = finding.document["told"]
    assert (["nothing-asked"], ["pip-silent"], None) == (finding.problems, finding.notes, pip["provider"])
    cause = patient.see_the_doctor(PIP_NO_INPUT="1", PIP_INDEX_URL=AZURE).cause
    assert ("pip-silent", True) == (cause["name"], "'pip>=23.1'" in cause["command"])
    assert 0 == patient.see_the_doctor(PIP_INDEX_URL=AZURE).status
    assert "    - client: pip\n      program: 22.3.1\n" in finding.text
    assert "subprocess:" not in finding.text


@posix
@pytest.mark.parametrize("said", ["", "echo ''", "exit 1", "echo canary-password-of-the-provider"])
def test_a_keyring_of_which_nothing_can_be_told(patient: Patient, tmp_path: Path, said: str) -> None:
    """A shim, or a native program, that is first on PATH is asked itself, as uv asks it, whoever else would answer."""
    shim = trees.put(tmp_path / "shims" / "keyring", f"#!/bin/sh\n{said}\n", executable=True)
    path = os.pathsep.join([str(shim.parent), patient.with_uv().env()["PATH"]])
    finding = patient.ask_for_data(AZURE, USERNAME, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    mute = said in ("", "echo ''", "exit 1")
    assert mute == (["missing-there"] == finding.problems)
    if mute:
        assert str(shim) in finding.cause["text"]
        assert (str(patient.environment.scripts), True) == (
            finding.cause["cure"]["value"],
            finding.cause["cure"]["before"],
        )


@posix
@pytest.mark.parametrize("username", [USERNAME, None])
def test_a_wrapper_of_a_keyring_that_answers(patient: Patient, tmp_path: Path, username: str | None) -> None:
    """A wrapper of the global keyring is asked in words that this one understands; a line that is no credential is none."""
    keyring = os.fspath(patient.tool.script("keyring"))
    for program, problems in (
        (f'exec {keyring} "$@"', []),
        ("echo warning", [] if username else ["missing-there"]),
        (f'echo warning; exec {keyring} "$@"', ["missing-there"]),
    ):
        shim = trees.put(tmp_path / f"{len(program)}" / "keyring", f"#!/bin/sh\n{program}\n", executable=True)
        path = os.pathsep.join([str(shim.parent), patient.with_uv().env()["PATH"]])
        more = [username] if username else []
        finding = patient.ask_for_data(AZURE, *more, PATH=path, UV_KEYRING_PROVIDER="subprocess")
        assert problems == finding.problems, program


def test_pip_asks_for_credentials(with_pip: Patient, tmp_path: Path, feed: Feed, demo_store: Path) -> None:
    """pip takes the credential of an index whose URL has a placeholder for a user name; uv needs the name itself."""
    source = (
        "from keyring.backend import KeyringBackend\nfrom keyring.credentials import SimpleCredential\n"
        f"class Mint(KeyringBackend):\n priority = 9.9\n"
        f" def get_password(self, s, u): return {feed.password!r} if u == 'real' else None\n"
        f" def get_credential(self, s, u): return SimpleCredential('real', {feed.password!r})\n"
        " set_password = delete_password = get_password\n"
    )
    assert demo_store
    providers.unpack(providers.make_provider(tmp_path / "w", "mint", source), tmp_path / "site")
    env = {**feed.proxy_environment(), "PYTHONPATH": str(tmp_path / "site"), "PIP_TRUSTED_HOST": feed.host}
    told = with_pip.with_tokens({}).with_uv().env(**env, PIP_INDEX_URL=feed.with_username("build"))
    argv: list[Text] = [with_pip.environment.python, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
    assert 0 == environments.run([*argv, "demo-store"], env=told, cwd=tmp_path).returncode
    env["PIP_INDEX_URL"] = feed.with_username("build")
    assert [] == with_pip.see_the_doctor(**env).problems
    env.update(UV_INDEX=f"a={feed.with_username('build')}", UV_KEYRING_PROVIDER="subprocess")
    finding = with_pip.ask_for_data(**env)
    assert ["other-username"] == finding.problems, finding.document


def test_an_empty_password_is_no_answer(patient: Patient) -> None:
    """A token that is set, and empty, as secrets are in a fork's job: no client gets in with it."""
    patient.with_tokens({"pkgs.dev.azure.com": ""})
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (1, "no-answer") == (finding.status, finding.cause["name"])
    assert "has an empty password for" in finding.cause["text"]
    assert f"{AZURE}: an empty password" in " ".join(finding.text.split())


@posix
@pytest.mark.parametrize("place", ["variable", "file"])
def test_the_python_of_pips_settings_is_not_run(with_pip: Patient, tmp_path: Path, place: str) -> None:
    """A repository's variable or file may name one: pip is asked what it is told, and runs nothing for that."""
    evil = trees.put(with_pip.folder / "tools" / "evil", f"#!/bin/sh\ntouch {tmp_path}/ran\n", executable=True)
    (with_pip.folder / "pip.conf").write_text(f"[global]\npython = {evil}\nindex-url = {AZURE}\n")
    both = {"variable": {"PIP_PYTHON": str(evil)}, "file": {"PIP_CONFIG_FILE": str(with_pip.folder / "pip.conf")}}
    finding = with_pip.ask_for_data(AZURE, USERNAME, **both[place])
    (told,) = (one for one in finding.document["told"] if one["client"] == "pip")
    assert (0, None, False) == (finding.status, told["silence"], (tmp_path / "ran").exists())


@pytest.fixture
def with_pip(patient: Patient, shared_environments: environments.Environments, python: Path, wheel: Path) -> Patient:
    """A person whose environment has pip."""
    patient.environment = shared_environments.get(python, "keyring", "pip", wheel)
    return patient


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
    (pip,) = clients.pip(_here(tmp_path, HOME=str(tmp_path), **variables))
    assert (provider, None) == (pip.provider, pip.silence)


@posix
def test_the_working_directory_on_path(tmp_path: Path) -> None:
    """An empty entry of PATH is the working directory, where uv's keyring would come from, too."""
    (tmp_path / "keyring").write_text("#!/bin/sh\n")
    (tmp_path / "keyring").chmod(0o755)
    found = clients.on_path(_here(tmp_path, PATH=":/nowhere"))
    assert found is not None
    assert (str(tmp_path / "keyring"), None) == (found.path, found.ours)
    assert clients.on_path(_here(tmp_path, PATH="/nowhere")) is None


STRANGE = [
    b"index = 3\n",
    b"index = [1, {}, {url = 2}]\n",
    b"pip = 3\nextra-index-url = 'x'\n",
    b"[[index]]\nurl='http://['\n",
    b"\xff\xfe[\x00t\x00",
    b"x = " + b"[" * 5000 + b"]" * 5000,
    b"a = 1\n# " + b"x" * (2 << 20),
]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_files_of_uv(patient: Patient, text: bytes) -> None:
    """Whatever uv's files hold, the doctor says in a line that uv does not tell, or warns; so do variables."""
    (patient.with_uv().folder / "uv.toml").write_bytes(text)
    finding = patient.ask_for_data(UV_INDEX="= ==x http://[ a=b")
    assert ["client-tells-nothing"] == [one for one in [*finding.problems, *finding.notes] if one != "nothing-asked"]


@posix
@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml", "packages/m/pyproject.toml", "pip.conf"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_files_that_are_none(with_pip: Patient, name: str, kind: str) -> None:
    """A FIFO or a device in the place of a settings file, as a repository can bring a link to: no client is asked."""
    file = with_pip.with_uv().folder / name
    if name.startswith("packages"):  # of a workspace's member
        workspace = "[project]\nname = 'a'\nversion = '1'\n[tool.uv.workspace]\nmembers = [\n  'packages/*',\n]\n"
        (with_pip.folder / "pyproject.toml").write_text(workspace)
        file.parent.mkdir(parents=True)
    os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    variables = {"PIP_CONFIG_FILE": str(file)} if name == "pip.conf" else {}
    finding = with_pip.ask_for_data(**variables)
    assert ["client-tells-nothing"] == finding.notes
    assert f"{file} is not a regular file" in finding.document["causes"][0]["text"]


@posix
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("exec sleep 600", "it gave no answer within 1 seconds"),
        ("echo GlobalSettings {", "what it says of its settings is not understood"),
        ("yes '[[[[((((\"'", "it says more than any client does"),
        ("exit 3", "it ended with exit status 3"),
        ("kill -9 $$", "it ended with exit status -9"),
        ("\0", "it cannot be started"),
    ],
)
def test_a_uv_that_says_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    """It hangs, prints anything, dies, does not start: said in a line, after a bounded time."""
    monkeypatch.setattr(clients, "SECONDS", 1)
    uv = tmp_path / "uv"
    uv.write_text(program if program == "\0" else f"#!/bin/sh\n{program}\n")
    uv.chmod(0o755)
    here = _here(tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin")._replace(cwd="")
    for one in clients.uv(here):
        assert said in str(one.silence)


@posix
def test_a_uv_that_is_not_run(patient: Patient, tmp_path: Path) -> None:
    """A uv in the project, or that others can change, is not run, and that is said."""
    for uv in (patient.folder / "uv", tmp_path / "uv"):
        uv.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        uv.chmod(0o757)
        finding = patient.ask_for_data(PATH=f"{patient.env()['PATH']}:{uv.parent}")
        cause, _ = finding.document["causes"]
        assert ("client-tells-nothing", False) == (cause["name"], cause["problem"])
        assert f"uv ({uv}) does not tell" in cause["text"]
    assert not (tmp_path / "ran").exists()


def test_provider_elsewhere_on_path_is_enough(patient: Patient, python: Path, tmp_path: Path) -> None:
    """The environment whose keyring comes first has the host's provider itself: it does not need us."""
    other = environments.create(tmp_path / "other", python, "keyring")
    providers.put_provider(other, "artifacts-keyring", "x = 1")
    path = os.pathsep.join([str(other.scripts), os.environ["PATH"]])
    assert 0 == patient.see_the_doctor(AZURE, USERNAME, PATH=path).status


def test_stored_for_the_host(patient: Patient, tmp_path: Path) -> None:
    """A password for the host, as pip's documentation has it: uv and pip ask for that next, and so does the doctor."""
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Hosts(KeyringBackend):\n priority = 9.5\n"
        " def get_password(self, s, u): return 'stored' if (s, u) == ('gitlab.example:8443', 'me') else None\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "host-store", source), tmp_path / "site")
    finding = patient.see_the_doctor(
        "https://gitlab.example:8443/api/simple/", "me", "--verbose", PYTHONPATH=str(tmp_path / "site")
    )
    outcomes = [one["outcome"] for one in finding.document["lookups"]]
    assert (0, ["nothing", "answer"]) == (finding.status, outcomes)


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_the_user_name_of_the_index(with_pip: Patient, tmp_path: Path, client: str) -> None:
    """Without a user name the doctor takes the one in uv's or pip's own index, and does not show it: it may be a token."""
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Users(KeyringBackend):\n priority = 9.9\n"
        " def get_password(self, s, u): return 'stored' if u == 'canary-token' else None\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "user-store", source), tmp_path / "site")
    url = AZURE.replace("pkgs.dev.azure.com", "registry.example")
    index = url.replace("://", "://canary-token@")
    variables = {"UV_INDEX": f"a={index}", "UV_KEYRING_PROVIDER": "subprocess"} if client == "uv" else {}
    variables.update({"PIP_INDEX_URL": index} if client == "pip" else {}, PYTHONPATH=str(tmp_path / "site"))
    finding = with_pip.with_uv().see_the_doctor(url, "--verbose", **variables)
    assert (0, "answer") == (finding.status, finding.document["lookups"][0]["outcome"])
    assert "canary-token" not in finding.text + str(finding.document)


@pytest.mark.parametrize("where", ["variable", "url", "netrc", "store"])
def test_what_uv_prefers_to_keyring(patient: Patient, home: Path, where: str) -> None:
    """A password that uv has from elsewhere: it asks no keyring, and the doctor names the place."""
    (patient.with_uv().folder / "uv.toml").write_text(
        SUBPROCESS + PLAIN.replace("URL", AZURE.replace("://", "://me:old@" if where == "url" else "://me@"))
    )
    variables = {"UV_INDEX_Q_X_Y_PASSWORD": "old"} if where == "variable" else {}
    place = {"variable": "UV_INDEX_Q_X_Y_PASSWORD", "url": "uv.toml", "netrc": ".netrc"}.get(where, "credentials.toml")
    if where == "netrc":
        (home / ".netrc").write_text("machine pkgs.dev.azure.com\nlogin me\npassword old\n")
    if where == "store":
        argv = [machine.uv(), "auth", "login", AZURE, "--username", "me", "--password", "old"]
        environments.run(argv, env=patient.env(), check=True)
    finding = patient.ask_for_data(AZURE, "me", **variables)
    (cause,) = (one for one in finding.document["causes"] if one["name"] == "password-elsewhere")
    assert cause["problem"]
    assert place in cause["text"]


@posix
@pytest.mark.parametrize("closed", [True, False])
def test_a_plain_interpreters_keyring_comes_first(
    patient: Patient, python: Path, tmp_path: Path, *, closed: bool
) -> None:
    """As in an image, or after ``pip install --system``: it is named, with the command, unless the system has it."""
    interpreter = tmp_path / "image" / "bin" / "python3.12"
    (interpreter.parent.parent / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    if closed:
        (interpreter.parent.parent / "lib" / "python3.12" / "EXTERNALLY-MANAGED").touch()
    interpreter.parent.mkdir()
    interpreter.write_bytes(python.read_bytes())
    interpreter.chmod(0o755)
    (interpreter.parent / "keyring").write_text(f"#!{interpreter}\n")
    (interpreter.parent / "keyring").chmod(0o755)
    path = f"{interpreter.parent}:{patient.with_uv().env()['PATH']}"
    finding = patient.ask_for_data(AZURE, USERNAME, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    command = f"uv pip install --python {interpreter} keyring-fallback"
    command = f"export PATH={patient.environment.scripts}:$PATH" if closed else command  # nobody installs there
    assert ("missing-there", command) == (finding.cause["name"], finding.cause["command"])
    assert str(interpreter) in finding.cause["text"]


@posix
@pytest.mark.parametrize(
    ("client", "folder", "mark", "command"),
    [
        ("poetry", "pipx/venvs/poetry", "pipx_metadata.json", "pipx inject --include-apps poetry keyring-fallback"),
        ("pdm", "pypoetry/venv", "", "uv pip install --python ROOT keyring-fallback"),
        ("poetry", "pypoetry/venv", "", "poetry self add keyring-fallback"),
        ("pdm", "pdm/venv", "", "pdm self add keyring-fallback"),
        ("hatch", "venv", "", "uv pip install --python ROOT keyring-fallback"),
        (
            "twine",
            "uv/tools/twine",
            "uv-receipt.toml",
            "uv tool install 'twine>=5' --with rich --python 3.12 --with keyring-fallback",
        ),
    ],
)
def test_a_client_with_an_environment_of_its_own(
    patient: Patient,
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    client: str,
    folder: str,
    mark: str,
    command: str,
) -> None:
    """Its keyring is the one that it asks: what brings us there, the way it was made, is a note, and a word once we are."""
    if mark.endswith("toml") and sys.version_info < (3, 11):
        pytest.skip("no parser for uv's receipts before 3.11")
    root = patient.home / ".local" / "share" / folder
    (root.parent).mkdir(parents=True, exist_ok=True)

    def made_of(*requirements: Text) -> None:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(shared_environments.get(python, *requirements).root, root, symlinks=True, copy_function=os.link)
        (root / "bin" / client).write_text(f"#!{root}/bin/python\n")
        (root / "bin" / client).chmod(0o755)
        if mark:
            said = 'requirements = [{name = "twine", specifier = ">=5"}, {name = "rich"}]\npython = "3.12"\n'
            (root / mark).write_text(f"[tool]\n{said}" if mark.endswith("toml") else "{}")

    made_of("keyring")
    trees.link(patient.home / client, root / "bin" / client)
    path = os.pathsep.join([patient.with_uv().env()["PATH"], str(patient.home)])
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    assert (0, ["client-lacks-us"]) == (finding.status, finding.notes)
    assert command.replace("ROOT", str(root)) == finding.document["causes"][0]["command"]
    assert f"clients: {client} (without keyring-fallback)" in finding.text
    made_of("keyring", wheel)
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path, UV_KEYRING_PROVIDER="subprocess")
    assert (0, []) == (finding.status, finding.document["causes"])
    assert f"  ok clients: {client} (with keyring-fallback)\n" in finding.text
