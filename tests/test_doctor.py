"""The doctor names what is wrong, and what mends it: each cause made real, and a look at what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from keyring_fallback.discovery import executable
from keyring_fallback.discovery.places import UV
from keyring_fallback.discovery.tool import Findings, Kind, Reason, Refusal
from keyring_fallback.doctor import tool_causes
from support import environments, hostile, machine, providers, trees
from support.patient import AZURE, CANARY, USERNAME, Patient

if TYPE_CHECKING:
    from typing import Callable

    from support.environments import Text

GOOGLE = "https://europe-python.pkg.dev/p/r/simple/"
#: What is said of a variable that is in the way: the command is for one shell.
LASTING = "and remove it from your shell's start-up file, if it is set there"
posix = pytest.mark.skipif(machine.WINDOWS, reason="there are no such permissions and scripts on Windows")


def test_healthy(patient: Patient) -> None:
    """Exit 0 where all is well: who answered, the user name, the length of the password, no cause."""
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, []) == (finding.status, finding.document["causes"])
    (lookup,) = finding.document["lookups"]
    assert ("answer", USERNAME, len(CANARY)) == (lookup["outcome"], lookup["username"], lookup["length"])
    (asked,) = lookup["asked"]
    assert (str(patient.tool.root), "stub_tokens.StubTokens") == (asked["who"], asked["answered_by"])
    assert 0 < asked["milliseconds"] <= lookup["milliseconds"]
    assert f"username: {USERNAME}\n      length: {len(CANARY)}\n" in finding.text
    (tool,) = finding.document["tools"]
    assert [("stub-tokens", "1.0")] == [(one["distribution"], one["version"]) for one in tool["providers"]]
    assert re.fullmatch(r"\d+\.\d+\.\d+", tool["python"])
    assert re.fullmatch(r"\d+\.\d+.*", tool["keyring"])
    assert ("uv tool", True) == (tool["source"], tool["known"])
    assert finding.document["clients"]["uv"]["is_this_environment"]
    assert finding.document["selected"] == finding.document["backends"][0]["name"]
    assert "    - name: keyring_fallback.backend.FallbackKeyring\n      priority: 10.5\n" in finding.text


def test_healthy_without_service(patient: Patient) -> None:
    """Without a service, and where no client is told of an index, nobody is asked for anything: that is not green."""
    finding = patient.see_the_doctor(STUB_TOKENS_FILE="/nowhere")
    assert (1, ["nothing-asked"], []) == (finding.status, finding.problems, finding.document["lookups"])
    assert "lookups:" not in finding.text


def test_user_name_in_the_url(patient: Patient) -> None:
    """A URL as it stands in an index's settings, with a user name: that one is asked for, and no password is shown."""
    finding = patient.see_the_doctor(AZURE.replace("://", f"://me:{CANARY}@"))
    assert (0, "me", AZURE) == (finding.status, finding.document["username"], finding.document["service"])
    assert "me" == finding.document["lookups"][0]["username"]


def test_no_global_tool(ill: Patient) -> None:
    """There is none: the command that installs one, with the provider for the host where that is known."""
    assert "uv tool install keyring --with PROVIDER" == ill.see_the_doctor().cause["command"]
    finding = ill.see_the_doctor(AZURE)
    assert ("no-tool", 1) == (finding.cause["name"], finding.status)
    assert "uv tool install keyring --with artifacts-keyring" == finding.cause["command"]


def test_no_provider_for_the_host(patient: Patient, stub_tokens: Path) -> None:
    """The tool has none for this host: the command that adds it, and keeps what the tool has."""
    finding = patient.see_the_doctor(GOOGLE)
    assert "no-provider" == finding.cause["name"]
    expected = f"{patient.install} --with keyrings.google-artifactregistry-auth"
    assert expected == finding.cause["command"]
    assert f" --with {stub_tokens} " in patient.install
    assert "Google Artifact Registry" in finding.cause["text"]


def test_no_provider_where_no_command_says_what_the_tool_has(patient: Patient) -> None:
    """uv's receipt names an editable source: the provider is added to the tool as it is, until uv makes it anew."""
    receipt = patient.tool.root / "uv-receipt.toml"
    receipt.write_text(receipt.read_text().replace("path =", "editable ="))
    cause = patient.with_uv().see_the_doctor(GOOGLE).cause
    command = f"uv pip install --directory {patient.tool.root} --python {patient.tool.root} keyrings.google-artifactregistry-auth"
    assert ("no-provider", command) == (cause["name"], cause["command"])
    assert "uv forgets it at 'uv tool upgrade': then run it again" == cause["edit"]
    if not machine.WINDOWS:
        patient.tool.python.unlink()
        cause = patient.see_the_doctor(GOOGLE).cause
        assert ("broken", "") == (cause["name"], cause["command"])
        assert cause["edit"].endswith(f"all that {receipt} names")


def test_no_provider_at_all(ill: Patient, shared_environments: environments.Environments, python: Path) -> None:
    """The tool has none at all, as after ``uv tool install keyring``."""
    ill.with_tool(shared_environments.uv_tool(python))
    finding = ill.see_the_doctor()
    assert ("no-provider", f"{ill.install} --with PROVIDER") == (
        finding.cause["name"],
        finding.cause["command"],
    )
    assert "artifacts-keyring (Azure Artifacts)" in finding.cause["edit"]
    finding = ill.see_the_doctor(AZURE, USERNAME)
    assert f"{ill.install} --with artifacts-keyring" == finding.cause["command"]
    elsewhere = ill.home / "tools"  # where uv now looks, it would make a second one and take the first one's commands
    cause = ill.see_the_doctor(AZURE, USERNAME, UV_TOOL_DIR=str(elsewhere)).cause
    assert ("no-provider", "") == (cause["name"], cause["command"])
    assert cause["edit"].startswith(f"add artifacts-keyring to {ill.tool.root}")
    elsewhere.symlink_to(ill.tool.root.parent)
    cause = ill.see_the_doctor(AZURE, USERNAME, UV_TOOL_DIR=str(elsewhere)).cause
    assert f"{ill.install} --with artifacts-keyring" == cause["command"]


def test_no_provider_beside_debians_keyring(ill: Patient) -> None:
    """Debian's keyring is all that there is: it may have a provider by its files, and the probe saw none."""
    if not os.path.exists("/usr/bin/keyring"):
        pytest.skip("this machine has no python3-keyring")
    finding = ill.see_the_doctor(PATH=f"{ill.environment.scripts}:/usr/bin")
    expected = ("no-provider", "uv tool install --force keyring --with PROVIDER")
    assert expected == (finding.cause["name"], finding.cause["command"])


@posix
def test_a_broken_tool_beside_debians_keyring(patient: Patient) -> None:
    """The tool with the provider is broken, and Debian's keyring has none: what mends the one, and no command besides."""
    if not os.path.exists("/usr/bin/keyring"):
        pytest.skip("this machine has no python3-keyring")
    patient.tool.python.unlink()
    for arguments in ((), (AZURE,)):
        cause = patient.see_the_doctor(*arguments, PATH=f"{patient.environment.scripts}:/usr/bin").cause
        assert ("broken", "") == (cause["name"], cause["command"])
        assert cause["edit"].endswith(f"all that {patient.tool.root / 'uv-receipt.toml'} names")


@pytest.mark.parametrize("provider_here", [False, True])
def test_no_provider_where_files_do_not_tell(
    ill: Patient,
    shared_environments: environments.Environments,
    python: Path,
    tmp_path: Path,
    stub_tokens: Path,
    *,
    provider_here: bool,
) -> None:
    """A tool in which code runs at its start might have a provider: the probe knows. One in this environment will do."""
    ill.with_tool(shared_environments.uv_tool(python))
    (ill.tool.site_packages / "more.pth").write_text("import os; os.environ\n")
    if provider_here:
        providers.unpack(stub_tokens, tmp_path / "site")
        ill.variables["PYTHONPATH"] = str(tmp_path / "site")
    finding = ill.see_the_doctor()
    assert not finding.document["tools"][0]["known"]
    causes = [(cause["name"], cause["problem"]) for cause in finding.document["causes"]]
    # nobody is asked for anything here
    assert ([("no-provider", False), ("nothing-asked", True)] if provider_here else [("no-provider", True)]) == causes


def test_our_backends_are_not_loaded(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """keyring works and cannot load what we bring, for want of a distribution: the command that mends it."""
    environment = environments.create(tmp_path / "env", python, "keyring==24.3.0", wheel)
    environment.uninstall("jaraco.classes")
    patient.environment = environment
    argv: list[Text] = [environment.script("keyring-fallback"), "doctor", "--json"]
    env = patient.env()
    env["PATH"] += os.pathsep + os.path.dirname(machine.uv())
    result = environments.run(argv, env=env)  # keyring logs a traceback
    (cause,) = [one for one in json.loads(result.stdout)["causes"] if one["problem"]]
    assert ("not-loaded", True, 1) == (cause["name"], cause["problem"], result.returncode)
    assert "run 'keyring --list-backends' to see why" == cause["edit"]
    reason = environments.run([environment.script("keyring"), "--list-backends"], env=env).stderr
    assert "No module named 'jaraco" in reason
    command = f"uv pip install --directory {environment.root} --python {environment.root} --reinstall keyring-fallback"
    assert cause["command"].endswith(command), "the tests' own folder is a project"
    mend: list[Text] = [machine.uv(), "pip", "install", "--python", environment.root, "--reinstall", wheel]
    environments.run(mend, env=machine.building(), check=True)
    assert 0 == patient.see_the_doctor(AZURE).status


def test_a_provider_raises(patient: Patient) -> None:
    """The provider's own message is shown, and the command that asks it alone says the same and no password."""
    finding = patient.see_the_doctor(AZURE, USERNAME, STUB_TOKENS_FILE="/nowhere/tokens.json")
    assert "provider-failed" == finding.cause["name"]
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/tokens.json'" in finding.cause["text"]
    if not machine.WINDOWS:
        env = patient.env(STUB_TOKENS_FILE="/nowhere/tokens.json")
        alone = environments.run(["/bin/sh", "-c", finding.cause["command"]], env=env)
        assert ("", True) == (alone.stdout, "/nowhere/tokens.json" in alone.stderr)
        alone = environments.run(["/bin/sh", "-c", finding.cause["command"]], env=patient.env())
        assert (0, "") == (alone.returncode, alone.stdout)


def test_a_tool_that_hangs(patient: Patient, python: Path, tmp_path: Path) -> None:
    """The tool gives no answer in time: what is said is no advice to run the doctor, which is running."""
    source = (
        "import time\nfrom keyring.backend import KeyringBackend\n"
        "class Stuck(KeyringBackend):\n priority = 9.5\n def get_password(self, s, u): time.sleep(600)\n"
        " set_password = delete_password = get_password\n"
    )
    tool = environments.create(tmp_path / "tool", python, "keyring")
    providers.unpack(providers.make_provider(tmp_path / "w", "stuck-store", source), tool.site_packages)
    variables = {"KEYRING_PROPERTY_FALLBACK_TOOL": str(tool.root), "KEYRING_PROPERTY_FALLBACK_TIMEOUT": "1"}
    finding = patient.see_the_doctor(AZURE, USERNAME, **variables)
    assert f"the global keyring {tool.root} gave no answer within 1 seconds." == finding.cause["text"]
    assert "ToolError" not in finding.text
    assert "doctor" not in finding.cause["text"]


def test_a_backend_here_raises(patient: Patient, tmp_path: Path) -> None:
    """A backend of this environment that raises is named, with its message and without what turned out to be secret."""
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Locked(KeyringBackend):\n priority = 5\n"
        f" def get_password(self, s, u): raise RuntimeError('locked {CANARY}')\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "locked-store", source), tmp_path / "site")
    patient.variables["PYTHONPATH"] = str(tmp_path / "site")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, []) == (finding.status, finding.document["causes"])
    patient.variables["STUB_TOKENS_FILE"] = "/nowhere"
    providers.unpack(
        providers.make_provider(tmp_path / "w", "locked-store", source.replace(f" {CANARY}", "")), tmp_path / "site"
    )
    finding = patient.see_the_doctor(AZURE, USERNAME)
    texts = [cause["text"] for cause in finding.document["causes"]]
    assert ["provider-failed", "provider-failed"] == finding.problems
    assert "locked_store.Locked failed: RuntimeError: locked." in texts


def test_another_user_name(
    ill: Patient, shared_environments: environments.Environments, python: Path, demo_store: Path
) -> None:
    """There is an answer, but for another user name: which one, and how the URL has to look."""
    ill.with_tool(shared_environments.uv_tool(python, demo_store))
    store = ill.home / "store.json"
    store.write_text(f'{{"{AZURE}": {{"right": "{CANARY}"}}}}')
    finding = ill.see_the_doctor(AZURE, "wrong", DEMO_STORE_FILE=str(store))
    assert "other-username" == finding.cause["name"]
    assert f"use the user name right, in a URL: {AZURE.replace('://', '://right@')}" == finding.cause["edit"]
    assert 0 == ill.see_the_doctor(AZURE, "right", DEMO_STORE_FILE=str(store)).status
    source = f"[[tool.poetry.source]]\nname = 'a-feed'\nurl = '{AZURE}'\n"
    (ill.folder / "pyproject.toml").write_text(f"[project]\nname = 'a'\nversion = '1'\n{source}")
    poetry = shared_environments.get(python, "poetry", "keyring").scripts
    variables = {"PATH": os.pathsep.join([os.environ["PATH"], str(poetry)]), "DEMO_STORE_FILE": str(store)}
    finding = ill.ask_for_data(AZURE, POETRY_HTTP_BASIC_A_FEED_USERNAME="wrong", **variables)
    commands = {cause["name"]: cause["command"] for cause in finding.document["causes"]}
    assert machine.WINDOWS or "export POETRY_HTTP_BASIC_A_FEED_USERNAME=right" == commands["other-username"]


def test_another_user_name_and_a_failure(
    ill: Patient, shared_environments: environments.Environments, python: Path, demo_store: Path, tmp_path: Path
) -> None:
    """The one who may have had the answer has failed: that is said, too, with the first of its messages."""
    ill.with_tool(shared_environments.uv_tool(python, demo_store))
    store = ill.home / "store.json"
    store.write_text(f'{{"{AZURE}": {{"right": "{CANARY}"}}}}')
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Locked(KeyringBackend):\n priority = 9.5\n"
        " def get_password(self, s, u): raise RuntimeError('it is locked')\n"
        " def get_credential(self, s, u): raise RuntimeError('it is still locked')\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "locked-store", source), ill.tool.site_packages)
    finding = ill.see_the_doctor(AZURE, "wrong", DEMO_STORE_FILE=str(store))
    assert ["other-username", "provider-failed"] == finding.problems
    assert finding.document["causes"][1]["text"].endswith("it is locked.")
    cause = ill.see_the_doctor(AZURE, "wrong", DEMO_STORE_FILE="/nowhere").cause
    assert ("provider-failed", True) == (cause["name"], cause["text"].endswith("it is locked."))


@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_selected_backend(patient: Patient, where: str) -> None:
    """PYTHON_KEYRING_BACKEND or ``default-keyring`` selects a backend, and nothing else is asked."""
    null = "keyring.backends.null.Keyring"
    if where == "variable":
        patient.variables["PYTHON_KEYRING_BACKEND"] = null
        cure = ("unset PYTHON_KEYRING_BACKEND", LASTING)
    else:
        file = patient.with_configuration(f"[backend]\ndefault-keyring = {null}\n")
        cure = ("", f"remove 'default-keyring' from [backend] in {file}")
    for arguments in ((), (AZURE, USERNAME)):
        finding = patient.see_the_doctor(*arguments)
        assert "backend-selected" == finding.cause["name"]
        if not machine.WINDOWS:
            assert cure == (finding.cause["command"], finding.cause["edit"])
    assert null == finding.document["selected"]


@pytest.mark.parametrize("name", ["no_such_module.Keyring", "keyring.backends.null.NoSuchClass", ""])
@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_selected_backend_that_is_missing(patient: Patient, where: str, name: str) -> None:
    """The backend that is selected is missing, so that keyring crashes before any plugin is loaded: the doctor starts."""
    if where == "variable":
        patient.variables["PYTHON_KEYRING_BACKEND"] = name
    else:
        patient.with_configuration(f"[backend]\ndefault-keyring = {name}\n")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "selected-backend-missing" == finding.cause["name"]
    assert str(patient.environment.root) in finding.cause["text"]
    assert str(patient.tool.root) in finding.cause["text"], "it is missing there, too"
    assert [] == finding.document["lookups"]
    wanted = "default-keyring" if where == "file" else "PYTHON_KEYRING_BACKEND"
    assert wanted in finding.cause["command"] + finding.cause["edit"]


def test_a_configuration_that_keyring_cannot_read(patient: Patient) -> None:
    """keyringrc.cfg is no configuration: keyring itself fails, and it is the file that is to be corrected."""
    file = patient.with_configuration("enabled = true\n")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "keyring-broken" == finding.cause["name"]
    assert f"correct {file}, or remove it (File contains no section headers.)" == finding.cause["edit"]
    assert [] == finding.notes, "it is said once"


def test_our_backend_selected_where_the_tool_lacks_us(patient: Patient) -> None:
    """``default-keyring`` names ours, in the one file for all: lookups work here, and the tool's own keyring does not."""
    patient.with_configuration("[backend]\ndefault-keyring = keyring_fallback.GlobalKeyring\n")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, ["selected-backend-missing"]) == (finding.status, finding.notes)
    assert str(patient.tool.root) in finding.document["causes"][0]["text"]
    assert str(patient.environment.root) not in finding.document["causes"][0]["text"]
    assert f"{patient.install} --with keyring-fallback" == finding.document["causes"][0]["command"]


@posix
@pytest.mark.parametrize("selected", ["keyring_fallback.GlobalKeyring", ""])
@pytest.mark.parametrize("core", ["", "(", "from os import nothing"], ids=["distribution", "syntax", "name"])
def test_a_part_is_missing_whatever_is_selected(patient: Patient, selected: str, core: str) -> None:
    """What the tool's keyring lacks is no matter of the backend that is selected, and is said once."""
    if selected:
        patient.with_configuration(f"[backend]\ndefault-keyring = {selected}\n")
    if core:
        file = patient.tool.site_packages / "keyring" / "core.py"
        file.unlink()  # it is a link to another tool's
        file.write_text(core)
    else:
        shutil.rmtree(patient.tool.site_packages / "jaraco")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "broken" == finding.cause["name"]
    assert patient.install.replace("keyring", "--force keyring", 1) == finding.cause["command"]
    assert [] == finding.notes


def test_a_part_is_missing_here_and_a_backend_is_selected(patient: Patient, python: Path, wheel: Path) -> None:
    """The same in this environment: the command that reinstalls its keyring."""
    patient.environment = environments.create(patient.folder / "env", python, "keyring", wheel)
    patient.with_configuration("[backend]\ndefault-keyring = keyring_fallback.GlobalKeyring\n")
    patient.environment.uninstall("jaraco.classes")
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert ["keyring-broken"] == finding.problems
    assert finding.cause["command"].endswith("keyring")


def test_a_selected_backend_of_another_system(patient: Patient) -> None:
    """A backend that is there, and not for this system, is one that cannot be used."""
    name = "keyring.backends.kwallet.DBusKeyring" if machine.WINDOWS else "keyring.backends.Windows.WinVaultKeyring"
    finding = patient.see_the_doctor(AZURE, USERNAME, PYTHON_KEYRING_BACKEND=name)
    assert "selected-backend-missing" == finding.cause["name"]
    assert machine.WINDOWS or "unset PYTHON_KEYRING_BACKEND" == finding.cause["command"]


def test_our_backend_selected_beside_debians_keyring(
    ill: Patient, shared_environments: environments.Environments, python: Path, wheel: Path, stub_tokens: Path
) -> None:
    """uv's tool is complete and Debian's keyring lacks us: no command touches the one for the sake of the other."""
    if not os.path.exists("/usr/bin/keyring"):
        pytest.skip("this machine has no python3-keyring")
    ill.with_tool(shared_environments.uv_tool(python, stub_tokens, wheel))
    ill.with_configuration("[backend]\ndefault-keyring = keyring_fallback.GlobalKeyring\n")
    finding = ill.see_the_doctor(AZURE, USERNAME, PATH=f"{ill.environment.scripts}:/usr/bin")
    (note,) = finding.document["causes"]
    assert ("selected-backend-missing", "") == (note["name"], note["command"])
    assert note["edit"].startswith("install keyring-fallback there, too, or remove the setting")


def test_our_backend_selected_and_no_provider(
    ill: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """The same where the tool has no provider: that, too, is said."""
    ill.with_tool(shared_environments.uv_tool(python))
    ill.with_configuration("[backend]\ndefault-keyring = keyring_fallback.GlobalKeyring\n")
    assert "no-provider" == ill.see_the_doctor().cause["name"]


@posix
@pytest.mark.parametrize("how", ["gone", "does not start", "has a broken keyring"])
def test_broken_interpreter(patient: Patient, how: str) -> None:
    """The tool's interpreter is gone, does not start, or its keyring cannot be imported: what reinstalls it."""
    if how == "has a broken keyring":
        (patient.tool.site_packages / "keyring" / "core.py").unlink()
    else:
        patient.tool.python.unlink()
        if how == "gone":
            patient.tool.python.symlink_to("/nowhere/python")
        else:
            patient.tool.python.write_text("#!/bin/sh\necho 'it is all wrong' >&2\nexit 3\n")
            patient.tool.python.chmod(0o755)
    reason = {
        "gone": "is missing",
        "does not start": "ended with exit status 3 (it is all wrong)",
        "has a broken keyring": "its keyring cannot be used: ",
    }[how]
    for arguments in ((), (AZURE, USERNAME)):
        cause = patient.see_the_doctor(*arguments).cause
        assert "broken" == cause["name"]
        assert reason in cause["text"]
        if how == "gone":  # turned down: nothing of it is used but its path
            receipt = patient.tool.root / "uv-receipt.toml"
            edit = f"install it again, with 'uv tool install --force keyring' and all that {receipt} names"
            assert ("", edit) == (cause["command"], cause["edit"])
        else:
            assert patient.install.replace("keyring", "--force keyring", 1) == cause["command"]


@posix
def test_untrusted(patient: Patient) -> None:
    """Everybody can write to the tool: the command that ends this, and then it works."""
    patient.tool.root.chmod(0o777)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert ("untrusted", f"chmod o-w {patient.tool.root}") == (finding.cause["name"], finding.cause["command"])
    environments.run(["/bin/sh", "-c", finding.cause["command"]], check=True)
    assert 0 == patient.see_the_doctor(AZURE, USERNAME).status
    patient.tool.root.parent.chmod(0o777)
    edit = f"if it is meant, say so: 'tool = {patient.tool.root}' in [fallback] of "
    assert patient.see_the_doctor(AZURE, USERNAME).cause["edit"].startswith(edit)
    finding = patient.see_the_doctor(AZURE, USERNAME, KEYRING_PROPERTY_FALLBACK_TOOL=str(patient.tool.root))
    (note,) = finding.document["causes"]
    assert (0, "untrusted") == (finding.status, note["name"])
    assert note["text"].endswith(f"although everybody can write to {patient.tool.root.parent}.")


@posix
def test_untrusted_for_what_is_above_it(patient: Patient) -> None:
    """An open folder above the tool is closed itself: what else lies in it, and is open for a reason, stays so."""
    others = [patient.home / "volume", patient.tool.root.parent / "other"]
    for one in others:
        one.mkdir()
    for one in (*others, patient.tool.root, patient.tool.root.parent, patient.home):
        one.chmod(0o777)
    inside = patient.tool.root / "open"
    inside.write_text("")
    inside.chmod(0o666)
    command = patient.see_the_doctor(AZURE, USERNAME).cause["command"]
    environments.run(["/bin/sh", "-c", command], check=True)
    assert 0 == patient.see_the_doctor(AZURE, USERNAME).status
    assert [0o777] * 2 == [stat.S_IMODE(one.stat().st_mode) for one in others]
    assert (0o775, 0o664) == tuple(stat.S_IMODE(one.stat().st_mode) for one in (patient.home, inside))


@posix
def test_what_another_has_written_is_taken_by_hand_only(tmp_path: Path) -> None:
    """The command that makes somebody else's keyring the person's own is shown, and no program runs it."""
    hostile.executable(tmp_path / "sudo", "#!/bin/sh\n")
    command = tool_causes._taken("/srv/keyring", trees.make_here(tmp_path, uid=65534, environ={"PATH": str(tmp_path)}))  # noqa: SLF001
    assert command is not None
    assert ("sudo", False) == (command.words[0], command.mends)


@posix
def test_a_setting_that_names_nothing_is_all_that_is_wrong(patient: Patient) -> None:
    """Then nobody was looked for, and the tool that is first on PATH is no environment that lacks us."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True, exist_ok=True)
    trees.link(executables / "keyring", patient.tool.script("keyring"))
    path = os.pathsep.join([str(executables), patient.with_uv().variables["PATH"]])
    variables = {"PATH": path, "UV_KEYRING_PROVIDER": "subprocess", "KEYRING_PROPERTY_FALLBACK_TOOL": "/nowhere/tool"}
    assert ["setting-unusable"] == patient.see_the_doctor(AZURE, USERNAME, **variables).problems


def test_where_nobody_looks_is_no_loss() -> None:
    """A place on another machine, where there may be nothing at all, is nothing to be mended; one that is there is."""
    why = Reason(Kind.REMOTE)
    gone, there = (Refusal(UV, path, why) for path in ("/nowhere/keyring", os.path.realpath(__file__)))
    facts: Any = SimpleNamespace(
        survey=SimpleNamespace(findings=Findings(refusals=(gone, there))), here=SimpleNamespace(platform="win32")
    )
    assert [there] == list(tool_causes._refusals(facts, useful=False))  # noqa: SLF001


@pytest.mark.skipif(machine.WINDOWS or os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["tool", "folder"])
def test_of_another_user(patient: Patient, what: str) -> None:
    """The tool belongs to another user, and naming it does not help: the command that makes it the person's own.

    Where it is a folder above, which others may need, there is none.
    """
    given = patient.tool.root if what == "tool" else patient.tool.scripts
    os.chown(given, 65534, -1)
    cause = patient.see_the_doctor(AZURE, USERNAME).cause
    command = ""
    assert ("untrusted", command) == (cause["name"], cause["command"])
    assert "tool =" not in cause["edit"]


def test_in_the_project(patient: Patient) -> None:
    """The only keyring lies in the project that the person works on: how to say that it is meant."""
    shutil.move(patient.tool.root, patient.folder / "keyring")
    patient.variables["UV_TOOL_DIR"] = str(patient.folder)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "untrusted" == finding.cause["name"]
    assert f"'tool = {patient.folder / 'keyring'}'" in finding.cause["edit"]
    patient.with_configuration(f"[fallback]\ntool = {patient.folder / 'keyring'}\n")
    assert 0 == patient.see_the_doctor(AZURE, USERNAME).status


@pytest.mark.parametrize("where", ["variable", "file"])
def test_switched_off(patient: Patient, where: str) -> None:
    """The person switched us off: where."""
    if where == "variable":
        patient.variables["KEYRING_PROPERTY_FALLBACK_ENABLED"] = "no"
        wanted = "KEYRING_PROPERTY_FALLBACK_ENABLED"
    else:
        wanted = str(patient.with_configuration("[fallback]\nenabled = off\n"))
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "switched-off" == finding.cause["name"]
    assert wanted in finding.cause["command"] + finding.cause["edit"]
    assert 1 == len(finding.document["tools"]), "what there would be is shown all the same"


def test_left_over_mark(patient: Patient) -> None:
    """The mark of what we start has come into the person's environment."""
    finding = patient.see_the_doctor(AZURE, USERNAME, KEYRING_FALLBACK_NESTED="1")
    assert "nested" == finding.cause["name"]
    if not machine.WINDOWS:
        assert ("unset KEYRING_FALLBACK_NESTED", LASTING) == (finding.cause["command"], finding.cause["edit"])


@pytest.mark.parametrize("where", ["variable", "file"])
def test_service_excluded(patient: Patient, where: str) -> None:
    """The setting ``services`` leaves the service out: what to add, and where."""
    if where == "variable":
        patient.variables["KEYRING_PROPERTY_FALLBACK_SERVICES"] = "*.pkg.dev"
        wanted = "export KEYRING_PROPERTY_FALLBACK_SERVICES='*.pkg.dev pkgs.dev.azure.com'"
        wanted += "and put it into your shell's start-up file"
    else:
        file = patient.with_configuration("[fallback]\nservices = *.pkg.dev\n")
        wanted = f"set 'services = *.pkg.dev pkgs.dev.azure.com' in [fallback] of {file}"
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "service-excluded" == finding.cause["name"]
    assert machine.WINDOWS or wanted == finding.cause["command"] + finding.cause["edit"]
    assert ["nothing-asked"] == patient.see_the_doctor().problems


@pytest.mark.parametrize("service", ["pkgs.dev.azure.com", "registry.example:443", "poetry-repository-feed", "feed"])
def test_not_a_url(patient: Patient, service: str) -> None:
    """A bare host, or a name: providers answer for URLs only."""
    finding = patient.with_tokens({}).see_the_doctor(service, USERNAME)
    assert "not-a-url" == finding.cause["name"]
    host = service.partition(":")[0] if "." in service else "HOST"
    assert f"keyring-fallback doctor https://{host}/..." == finding.cause["command"]


def test_no_answer(patient: Patient) -> None:
    """Nobody has an answer for an unknown host, and nothing is wrong: what to look at."""
    finding = patient.see_the_doctor("https://registry.example/simple/", USERNAME)
    assert "no-answer" == finding.cause["name"]
    assert str(patient.tool.root) in finding.cause["text"]
    assert f"{patient.install} --with PROVIDER" == finding.cause["command"]


def test_no_answer_of_the_hosts_own_provider(patient: Patient, tmp_path: Path) -> None:
    """The provider for the host is there and has no answer: no other one is to be installed."""
    patient.with_tokens({})
    providers.unpack(providers.make_provider(tmp_path / "w", "artifacts-keyring", "x = 1"), tmp_path / "site")
    cause = patient.see_the_doctor(AZURE, "me", PYTHONPATH=str(tmp_path / "site")).cause
    assert ("no-answer", "") == (cause["name"], cause["command"])
    assert cause["edit"].startswith("check the URL, the user name (VssSessionToken), and the login: ")


@pytest.mark.parametrize("value", ["/nowhere/keyring", "relative"])
def test_setting_that_leads_nowhere(patient: Patient, value: str) -> None:
    """The setting ``tool`` names what is not there: nothing is searched for instead. Without sense, it is not used."""
    finding = patient.see_the_doctor(AZURE, USERNAME, KEYRING_PROPERTY_FALLBACK_TOOL=value)
    if value == "relative":
        assert (0, ["setting-without-sense"]) == (finding.status, finding.notes)
    else:
        assert "setting-unusable" == finding.cause["name"]
        assert "/nowhere/keyring" in finding.cause["text"]
        assert "KEYRING_PROPERTY_FALLBACK_TOOL" in finding.cause["edit"]


def test_this_environment_has_no_keyring(patient: Patient, python: Path, wheel: Path, tmp_path: Path) -> None:
    """keyring is gone from this environment: the doctor starts, and names the command that brings it back."""
    environment = environments.create(tmp_path / "env", python, "keyring", wheel)
    environment.uninstall("keyring")
    patient.environment = environment
    pip = f"PIP_KEYRING_PROVIDER=subprocess {environment.python} -I -m pip install --force-reinstall keyring"
    path = os.pathsep.join(one for one in patient.env()["PATH"].split(os.pathsep) if not (Path(one) / "uv").exists())
    assert machine.WINDOWS or pip == patient.see_the_doctor(AZURE, PATH=path).cause["command"]
    path += os.pathsep + os.path.dirname(machine.uv())
    finding = patient.see_the_doctor(AZURE, USERNAME, PATH=path)
    assert "keyring-broken" == finding.cause["name"]
    first = f"PATH={patient.tool.scripts}:$PATH " if not machine.WINDOWS else ""
    command = finding.cause["command"].removeprefix(first)
    assert f"uv pip install --python {environment.root} --reinstall keyring" == command
    argv = [machine.uv(), *command.split()[1:]]
    environments.run(argv, env=machine.building(), check=True)
    assert 0 == patient.see_the_doctor(AZURE, USERNAME).status


def test_a_backend_that_hangs(patient: Patient, tmp_path: Path) -> None:
    """A backend of this environment never answers: the doctor does, and says who it is."""
    source = (
        "import time\nfrom keyring.backend import KeyringBackend\n"
        "class Stuck(KeyringBackend):\n priority = 9.5\n def get_password(self, s, u): time.sleep(600)\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "stuck-store", source), tmp_path / "site")
    env = patient.env(PYTHONPATH=str(tmp_path / "site"), KEYRING_PROPERTY_FALLBACK_TIMEOUT="1")
    program = "from keyring_fallback import cli; from keyring_fallback.doctor import examination; examination.LOCAL_SECONDS = 5; raise SystemExit(cli.main())"
    result = patient.environment.run(["-c", program, "doctor", AZURE, USERNAME], env=env)
    assert 1 == result.returncode
    assert "1. stuck_store.Stuck was asked, and it gave no answer within 7 seconds." in " ".join(result.stdout.split())
    assert "2. " not in result.stdout.partition("What is wrong")[2], "the keyring is not broken, too"
    assert "-> the command asks without it; if that works, remove that backend" in " ".join(result.stdout.split())
    if not machine.WINDOWS:  # PowerShell's words are others
        alone = f"PYTHON_KEYRING_BACKEND=keyring_fallback.GlobalKeyring keyring-fallback doctor {AZURE} {USERNAME}"
        assert f"$ {alone}\n" in result.stdout


@pytest.mark.parametrize("method", ["get_password", "get_credential"])
def test_a_backend_that_crashes(patient: Patient, tmp_path: Path, method: str) -> None:
    """A backend of this environment ends the process when it is asked: it is that one, and the keyring is not broken."""
    source = (
        "import os\nfrom keyring.backend import KeyringBackend\n"
        "class Crash(KeyringBackend):\n priority = 9.5\n def get_password(self, s, u): return None\n"
        f" set_password = delete_password = get_password\n def {method}(self, s, u): os._exit(7)\n"
    )
    patient.with_tokens({})
    providers.unpack(providers.make_provider(tmp_path / "w", "crash-store", source), tmp_path / "site")
    finding = patient.see_the_doctor(AZURE, USERNAME, PYTHONPATH=str(tmp_path / "site"))
    expected = ("no-end", "crash_store.Crash was asked, and it ended with exit status 7.")
    assert expected == (finding.cause["name"], finding.cause["text"])


def test_a_crash_of_keyring_is_no_crash_of_the_doctor(patient: Patient, tmp_path: Path) -> None:
    """A backend that ends the process takes keyring with it, and is a cause like others."""
    providers.unpack(providers.make_provider(tmp_path / "w", "crashing", "import os\nos._exit(7)\n"), tmp_path / "site")
    finding = patient.see_the_doctor(AZURE, USERNAME, PYTHONPATH=str(tmp_path / "site"))
    assert "keyring-broken" == finding.cause["name"]
    assert "exit status 7" in finding.cause["text"]


def test_keyring_is_whole_and_fails(patient: Patient, tmp_path: Path) -> None:
    """What no new installation of keyring mends gets none: here a provider has words for a priority."""
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Words(KeyringBackend):\n priority = 'high'\n"
        " get_password = set_password = delete_password = None\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "words", source), tmp_path / "site")
    finding = patient.see_the_doctor(AZURE, USERNAME, PYTHONPATH=str(tmp_path / "site"))
    assert ("keyring-broken", "") == (finding.cause["name"], finding.cause["command"])
    assert "TypeError" in finding.cause["text"]


def test_a_tool_without_a_known_interpreter(patient: Patient, tmp_path: Path) -> None:
    """A shell shim is a tool too: it is asked through its command line, and that is said."""
    if machine.WINDOWS:
        pytest.skip("shell shims are for POSIX")
    shim = tmp_path / "shims" / "keyring"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {patient.tool.script("keyring")} "$@"\n')
    shim.chmod(0o755)
    finding = patient.see_the_doctor(AZURE, USERNAME, KEYRING_PROPERTY_FALLBACK_TOOL=str(shim))
    assert (0, []) == (finding.status, finding.document["causes"])
    assert "" == finding.document["tools"][0]["interpreter"]


def test_a_tool_of_an_old_python(
    ill: Patient, shared_environments: environments.Environments, interpreter: Callable[[str], Path], stub_tokens: Path
) -> None:
    """The probe runs on Python 3.8, as the helper does."""
    ill.with_tool(shared_environments.uv_tool(interpreter("3.8"), stub_tokens))
    finding = ill.see_the_doctor(AZURE, USERNAME)
    assert (0, []) == (finding.status, finding.document["causes"])
    assert finding.document["tools"][0]["python"].startswith("3.8.")


def test_in_the_tool_itself(patient: Patient, wheel: Path, python: Path, stub_tokens: Path, tmp_path: Path) -> None:
    """In a global keyring that has us, too, it answers for itself, and nothing is wrong."""
    tool = environments.uv_tool(tmp_path / "other", python, stub_tokens, wheel)
    patient.home, patient.environment = tool.home, tool.environment
    variables = machine.home_variables(tool.home)
    patient.variables.update(variables)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, True) == (finding.status, finding.document["environment"]["is_tool"])
    finding = patient.see_the_doctor(GOOGLE)
    assert f"{patient.install} --with keyrings.google-artifactregistry-auth" == finding.cause["command"]
    assert f"--with {wheel} " in finding.cause["command"], "we are to stay"


def test_a_named_tool_that_no_command_is_known_for(ill: Patient, tmp_path: Path) -> None:
    """The setting names what nobody manages: no other tool would be looked at, and so no command installs one."""
    if machine.WINDOWS:
        pytest.skip("shell shims are for POSIX")
    shim = tmp_path / "keyring"
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)
    cause = ill.see_the_doctor("https://registry.example/simple/", "me", KEYRING_PROPERTY_FALLBACK_TOOL=str(shim)).cause
    assert ("no-answer", "") == (cause["name"], cause["command"])
    assert cause["edit"].endswith(f"add it to {shim}, the way its keyring was installed")
    cause = ill.see_the_doctor(AZURE, KEYRING_PROPERTY_FALLBACK_TOOL=str(shim)).cause
    expected = f"add artifacts-keyring to {shim}, the way its keyring was installed"
    assert ("no-provider", "", expected) == (cause["name"], cause["command"], cause["edit"])


def test_the_setting_names_an_environment_without_keyring(
    ill: Patient, shared_environments: environments.Environments, python: Path, stub_tokens: Path
) -> None:
    """It is the setting that is to be corrected, also after the tool was installed that a search would find."""
    bare = str(shared_environments.get(python, "six").root)
    for one in (ill, ill.with_tool(shared_environments.uv_tool(python, stub_tokens))):
        finding = one.see_the_doctor(AZURE, USERNAME, KEYRING_PROPERTY_FALLBACK_TOOL=bare)
        text = f"The setting 'tool' names {bare}, which cannot be used: it has no keyring."
        edit = "correct or remove 'tool' (KEYRING_PROPERTY_FALLBACK_TOOL)"
        assert (["setting-unusable"], text, edit) == (finding.problems, finding.cause["text"], finding.cause["edit"])


def test_the_setting_names_this_environment(ill: Patient) -> None:
    """The setting names the environment itself, which has no provider: nothing is delegated, and nothing is there."""
    root = str(ill.environment.root)
    finding = ill.see_the_doctor(KEYRING_PROPERTY_FALLBACK_TOOL=root)
    assert "setting-unusable" == finding.cause["name"]
    assert f"names {root}, which cannot be used: it is this environment itself" in finding.cause["text"]


@posix
def test_each_broken_tool_is_named_once(patient: Patient) -> None:
    """A broken tool is found at its own place, in the folder of executables and on PATH: one cause."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir()
    (executables / "keyring").symlink_to(patient.tool.script("keyring"))
    patient.tool.python.unlink()
    path = f"{patient.env()['PATH']}{os.pathsep}{executables}"
    assert "broken" == patient.see_the_doctor(AZURE, PATH=path).cause["name"]
    patient.tool.root.chmod(0o777)
    finding = patient.see_the_doctor(AZURE, PATH=path)
    assert "broken" == finding.cause["name"]


@posix
def test_a_link_to_a_tool_that_is_gone(ill: Patient) -> None:
    """The executable's link is all that is left: uv replaces it when it is told to."""
    executables = ill.home / ".local" / "bin"
    executables.mkdir(parents=True)
    (executables / "keyring").symlink_to(ill.tool.script("keyring"))
    cause = ill.see_the_doctor(AZURE).cause
    expected = ("broken", "uv tool install --force keyring --with artifacts-keyring")
    assert expected == (cause["name"], cause["command"])


@posix
def test_a_link_that_leads_nowhere_beside_a_tool(patient: Patient) -> None:
    """A link is left over, and uv's tool is whole, or lacks a provider: no new tool takes its place."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True)
    (executables / "keyring").symlink_to("/nowhere/keyring")
    for tokens in ({}, {"pkgs.dev.azure.com": CANARY}):
        finding = patient.with_tokens(tokens).see_the_doctor(AZURE, USERNAME)
        (cause,) = (cause for cause in finding.document["causes"] if cause["name"] == "broken")
        assert ("", "remove this link, which leads nowhere", False) == (
            cause["command"],
            cause["edit"],
            cause["problem"],
        )


@posix
def test_a_link_that_leads_nowhere_hides_no_other_cause(
    ill: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """Beside a tool it is no reason for a failure: what is missing there is."""
    ill.with_tool(shared_environments.uv_tool(python))
    executables = ill.home / ".local" / "bin"
    executables.mkdir(parents=True)
    (executables / "keyring").symlink_to("/nowhere/keyring")
    cause = ill.ask_for_data(AZURE, USERNAME)
    assert (["no-provider"], ["broken"]) == (cause.problems, cause.notes)
    assert "artifacts-keyring" in cause.cause["command"]


@pytest.mark.skipif(machine.WINDOWS, reason="there are no such permissions on Windows")
def test_all_is_open_after_umask_0(patient: Patient) -> None:
    """All that the tool is, and the folders above it: one command closes it, and then it works."""
    above = [folder for folder in patient.tool.root.parents if folder.is_relative_to(patient.home)]
    # the packages' files are links to those of another tool
    folders = (path for path in patient.tool.root.rglob("*") if path.is_dir() and not path.is_symlink())
    for path in (*above, patient.tool.root, *folders):
        path.chmod(0o777)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "untrusted" == finding.cause["name"]
    environments.run(["/bin/sh", "-c", finding.cause["command"]], check=True)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert (0, []) == (finding.status, finding.notes)


@pytest.mark.skipif(machine.WINDOWS or os.getuid() != 0, reason="only root can give files away")
def test_what_is_open_and_somebody_elses_gets_no_command(patient: Patient) -> None:
    """A folder above, open to all, belongs to another user: it is not the person's to close."""
    folder = patient.tool.root.parent
    folder.chmod(0o777)
    os.chown(folder, 65534, -1)
    cause = patient.see_the_doctor(AZURE, USERNAME).cause
    assert ("untrusted", "") == (cause["name"], cause["command"])


@pytest.mark.skipif(machine.WINDOWS, reason="a link in the folder of executables")
def test_a_refused_tool_is_not_told_to_install_us(patient: Patient) -> None:
    """The tool comes first on PATH and is open to others: that is mended, and nothing is to be installed there."""
    executables = patient.home / ".local" / "bin"
    executables.mkdir(parents=True)
    (executables / "keyring").symlink_to(patient.tool.script("keyring"))
    patient.tool.root.chmod(0o777)
    path = os.pathsep.join([str(executables), os.environ["PATH"]])
    causes = patient.see_the_doctor(AZURE, USERNAME, PATH=path).document["causes"]
    assert ["untrusted"] == [cause["name"] for cause in causes]


@pytest.mark.skipif(machine.WINDOWS or os.getuid() != 0, reason="only root can look as somebody else")
def test_no_permission_is_no_link_to_nothing() -> None:
    """A tool in a folder that the person may not look into is somebody else's, and not broken."""
    with machine.temporary_folder("permission") as folder:
        folder.chmod(0o755)
        (folder / "private").mkdir(mode=0o700)
        (folder / "private" / "keyring").touch()
        (folder / "keyring").symlink_to(folder / "private" / "keyring")
        os.seteuid(65534)
        try:
            found = executable.target(str(folder / "keyring"), "linux").broken
        finally:
            os.seteuid(0)
        assert found
        assert (Kind.UNSEEN, "it cannot be looked at (Permission denied)") == (found.kind, str(found))


def test_an_environment_of_the_project_gets_no_command(
    patient: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """An environment in the project that is first on PATH, and nobody has activated: nothing runs what it holds."""
    other = shared_environments.get(python, "keyring")
    (patient.folder / "pyproject.toml").write_text("")
    shutil.copytree(other.root, patient.folder / ".e", symlinks=True)
    brought = environments.Environment(patient.folder / ".e")
    path = os.pathsep.join([str(brought.scripts), os.environ["PATH"], os.path.dirname(machine.uv())])
    cause = patient.see_the_doctor(AZURE, USERNAME, PATH=path, VIRTUAL_ENV="").cause
    assert ("missing-there", "") == (cause["name"], cause["command"])
    assert "it lies in the" in cause["edit"]
    cause = patient.see_the_doctor(AZURE, USERNAME, PATH=path, VIRTUAL_ENV=str(brought.root)).cause
    assert cause["command"].endswith(f"uv pip install --python {brought.root} keyring-fallback")


def test_where_a_global_keyring_was_looked_for(ill: Patient) -> None:
    """There is none: where it was looked for, or that the home folder is not there."""
    text = ill.see_the_doctor(AZURE).cause["text"]
    assert str(ill.tool.root) in text
    variables = {"HOME": "/nonexistent", "USERPROFILE": "/nonexistent", "XDG_DATA_HOME": "", "APPDATA": ""}
    assert "The home folder /nonexistent is not there." in ill.see_the_doctor(AZURE, **variables).cause["text"]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_configuration_that_powershell_wrote(patient: Patient, codec: str) -> None:
    """keyringrc.cfg with a byte order mark: keyring itself cannot read it, and how it is to be saved is said."""
    file = patient.with_configuration("")
    file.write_text("[fallback]\ntimeout = 9\n", encoding=codec)
    finding = patient.see_the_doctor(AZURE, USERNAME)
    assert "keyring-broken" == finding.cause["name"]
    assert "save it as UTF-8 without BOM" in finding.cause["edit"]


def test_a_mistyped_section(patient: Patient) -> None:
    """[fallbak] in keyringrc.cfg is told: see test_config."""
    patient.with_configuration("[fallbak]\nenabled = false\n")
    finding = patient.ask_for_data(AZURE, USERNAME)
    assert (0, ["setting-without-sense"]) == (finding.status, finding.notes)
    assert "the section [fallbak] is not known" in finding.document["causes"][0]["text"]


def test_the_index_that_does_not_work_is_passed_over(ill: Patient) -> None:
    """What uv has for an index is what is missing: the command that brings it does not ask that index."""
    cause = (
        ill.with_uv()
        .see_the_doctor(AZURE, USERNAME, UV_DEFAULT_INDEX=AZURE.replace("//", "//me@"))
        .document["causes"][0]
    )
    if not machine.WINDOWS:
        assert "UV_DEFAULT_INDEX='' uv tool install keyring --with artifacts-keyring" == cause["command"]
    assert cause["edit"].startswith("it passes over UV_DEFAULT_INDEX")


def test_what_logs_in_is_said(patient: Patient) -> None:
    """A provider that fails, and says little: what logs in at that registry, on a terminal and in CI."""
    finding = patient.see_the_doctor(AZURE, USERNAME, STUB_TOKENS_FILE="/nowhere")
    assert "az login" in finding.cause["edit"]
    assert "in CI set ARTIFACTS_" in finding.cause["edit"]
