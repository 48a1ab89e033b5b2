"""Every kind of globally installed keyring, installed for real, answers a lookup of an environment that has us."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.discovery import executable
from support import environments, machine, providers

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from support.environments import Environment, Environments, Text

URL = "https://feed.example/simple/"
TOKEN = "the-token-of-the-tool"  # noqa: S105

posix = pytest.mark.skipif(machine.WINDOWS, reason="links and scripts of POSIX systems")


@pytest.fixture
def venv(shared_environments: Environments, python: Path, wheel: Path) -> Environment:
    """An environment with keyring and us, and nothing else."""
    return shared_environments.get(python, "keyring", wheel)


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the provider ``stub-tokens`` answers."""
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"feed.example": TOKEN}), encoding="utf-8")
    monkeypatch.setenv("STUB_TOKENS_FILE", os.fspath(file))
    return file


@pytest.fixture
def ask(venv: Environment, tokens: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Ask the environment's keyring, with some variables changed."""

    def asked(**variables: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "STUB_TOKENS_FILE": os.fspath(tokens), **variables}
        return venv.keyring("get", URL, "VssSessionToken", env=env)

    return asked


def answered(result: subprocess.CompletedProcess[str]) -> bool:
    """Whether the token came, and nothing was said."""
    assert result.stderr == ""
    return (0, f"{TOKEN}\n") == (result.returncode, result.stdout)


def uv_tool_install(*arguments: str | Path, python: Path, **variables: str) -> None:
    """``uv tool install`` with some variables."""
    argv = [machine.uv(), "tool", "install", "--quiet", "--no-build", "--python", python, *arguments]
    environments.run(argv, env=machine.building(**variables), check=True)


def provider_in(folder: Path, wheel: Path) -> None:
    """Put a provider into a site-packages folder of a user."""
    folder.mkdir(parents=True)
    providers.unpack(wheel, folder)


def user_site(python: Path, home: Path) -> Path:
    """Where an interpreter looks for the packages of the user whose home folder is *home*."""
    argv: list[Text] = [python, "-c", "import site; print(site.getusersitepackages())"]
    return Path(environments.run(argv, env={**os.environ, **machine.home_variables(home)}, check=True).stdout.strip())


def no_cwd(folder: Path) -> Path:
    """A working directory with modules that leave a mark if they are imported."""
    folder.mkdir()
    for name in ("keyring", "stub_tokens", "json", "site"):
        (folder / f"{name}.py").write_text(f"open({os.fspath(folder / 'mark')!r}, 'w')\nraise SystemExit(9)\n")
    return folder


def test_no_tool(ask: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Without a tool there is no answer: what follows is not answered by something else."""
    result = ask()
    assert (1, "") == (result.returncode, result.stdout)
    assert "NoKeyringError" in result.stderr


def test_uv_tool(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    python: Path,
    stub_tokens: Path,
) -> None:
    """``uv tool install keyring --with stub-tokens``."""
    tool = shared_environments.uv_tool(python, stub_tokens)
    assert answered(ask(**machine.home_variables(tool.home)))


def test_uv_tool_with_another_name(
    ask: Callable[..., subprocess.CompletedProcess[str]], home: Path, python: Path, stub_tokens: Path
) -> None:
    """``uv tool install twine --with-executables-from keyring --with stub-tokens``."""
    arguments = ("twine", "--with-executables-from", "keyring", "--with", stub_tokens)
    uv_tool_install(*arguments, python=python, **machine.home_variables(home))
    assert answered(ask())


@pytest.mark.parametrize("variable", ["UV_TOOL_DIR", "XDG_DATA_HOME", "MISE_DATA_DIR"])
def test_uv_tool_elsewhere(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    home: Path,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
    variable: str,
) -> None:
    """uv's folder is where UV_TOOL_DIR or XDG_DATA_HOME say, or where mise has uv install it."""
    if variable == "XDG_DATA_HOME" and machine.WINDOWS:
        pytest.skip("uv's tools do not follow XDG_DATA_HOME on Windows")
    folder = tmp_path / "else where"
    install = folder / "installs/pipx-keyring/25.7.0"
    installing = {"UV_TOOL_DIR": os.fspath(install)} if variable == "MISE_DATA_DIR" else {variable: os.fspath(folder)}
    installing["UV_TOOL_BIN_DIR"] = os.fspath(tmp_path / "bin")
    uv_tool_install("keyring", "--with", stub_tokens, python=python, **machine.home_variables(home), **installing)
    assert answered(ask(**{variable: os.fspath(folder)}))
    assert 1 == ask().returncode


@pytest.mark.parametrize("name", ["ann", "o'brien home"])
def test_pipx(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
    name: str,
) -> None:
    """``pipx install keyring`` and ``pipx inject``, also in a home folder with a blank and a quote in its name."""
    home = tmp_path / name
    home.mkdir()
    environments.pipx_tool(shared_environments.pipx(), home, python, os.fspath(stub_tokens))
    assert answered(ask(**machine.home_variables(home)))


def test_pipx_with_another_name_and_home(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    tmp_path: Path,
    home: Path,
    python: Path,
    stub_tokens: Path,
) -> None:
    """Where PIPX_HOME is not set any more, and the environment has a suffix, the link in ~/.local/bin leads there."""
    pipx = shared_environments.pipx().script("pipx")
    env = machine.building(**machine.home_variables(home), PIPX_HOME=os.fspath(tmp_path / "my pipx"))
    environments.run([pipx, "install", "--quiet", "--python", python, "--suffix", "_x", "keyring"], env=env, check=True)
    environments.run([pipx, "inject", "keyring_x", stub_tokens], env=env, check=True)
    bin_folder = home / ".local/bin"
    for script in bin_folder.glob("keyring_x*"):
        script.rename(bin_folder / script.name.replace("_x", ""))
    assert answered(ask())


def pip_of(python: Path) -> list[str | Path]:
    """The interpreter's pip, ready to install for the user."""
    argv: list[str | Path] = [python, "-m", "pip"]
    if environments.run([*argv, "--version"], env=machine.building()).returncode:
        pytest.skip(f"{python} has no pip")
    # what the system has installed for itself is not what this is about
    options = [
        "install",
        "--quiet",
        "--user",
        "--ignore-installed",
        "--no-warn-script-location",
        "--break-system-packages",
    ]
    return [*argv, *options]


@pytest.mark.parametrize("variable", ["", "PYTHONUSERBASE"])
def test_pip_install_user(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    venv: Environment,
    home: Path,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
    variable: str,
) -> None:
    """``pip install --user keyring``: the user's packages are seen, the working directory's modules are not."""
    variables = {variable: os.fspath(tmp_path / "base")} if variable else {}
    env = machine.building(**machine.home_variables(home), **variables)
    environments.run([*pip_of(python), "keyring", stub_tokens], env=env, check=True)
    assert answered(ask(**variables))
    folder = no_cwd(tmp_path / "cwd")
    asked = venv.keyring("get", URL, "VssSessionToken", env={**os.environ, **variables}, cwd=folder)
    assert answered(asked)
    assert not (folder / "mark").exists()


@posix
def test_python3_keyring_of_debian(
    venv: Environment, tokens: Path, home: Path, tmp_path: Path, stub_tokens: Path
) -> None:
    """Debian's python3-keyring, with a provider that the user has installed for the system's Python."""
    script, python = Path("/usr/bin/keyring"), Path("/usr/bin/python3")
    if not script.exists() or "/usr/bin/python3" not in script.read_text(errors="replace")[:100]:
        pytest.skip("python3-keyring is not installed")
    if os.path.samefile(python, os.path.realpath(venv.python)):
        pytest.skip("the tests run on the system's own Python")
    provider_in(user_site(python, home), stub_tokens)
    folder = no_cwd(tmp_path / "cwd")
    env = {**os.environ, "PATH": "/usr/bin:/bin"}
    assert tokens.exists()
    assert answered(venv.keyring("get", URL, "VssSessionToken", env=env, cwd=folder))
    assert not (folder / "mark").exists()


@posix
def test_venv_linked_onto_path(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
) -> None:
    """An environment of the same base Python whose ``keyring`` somebody has linked onto PATH."""
    tool = shared_environments.get(python, "keyring", stub_tokens)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/keyring").symlink_to(tool.script("keyring"))
    assert answered(ask(PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"))


@posix
def test_shell_shim(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
) -> None:
    """A shell script on PATH is asked through keyring's command line."""
    tool = shared_environments.get(python, "keyring", stub_tokens)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/keyring"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(os.fspath(tool.script("keyring")))} "$@"\n')
    shim.chmod(0o755)
    assert answered(ask(PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"))


@posix
def test_pyenv(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    tmp_path: Path,
    python: Path,
    stub_tokens: Path,
) -> None:
    """A shim that the real pyenv has made, for an environment among its versions."""
    pyenv = next(
        (home / ".pyenv/libexec/pyenv" for home in machine.homes() if (home / ".pyenv/libexec/pyenv").exists()), None
    )
    if pyenv is None:
        pytest.skip("pyenv is not installed")
    tool = shared_environments.get(python, "keyring", stub_tokens)
    root = tmp_path / "pyenv"
    (root / "versions").mkdir(parents=True)
    (root / "versions/tool").symlink_to(tool.root)
    variables = {"PYENV_ROOT": os.fspath(root)}
    (root / "version").write_text("tool\n")  # as ``pyenv global tool`` does; a variable's choice is not passed on
    environments.run([pyenv, "rehash"], env={**os.environ, **variables}, check=True)
    assert "pyenv" in (root / "shims/keyring").read_text()
    path = f"{root / 'shims'}{os.pathsep}{os.environ['PATH']}"
    assert answered(ask(PATH=path, **variables))
    (root / "version").write_text("system\n")
    result = ask(PATH=path, **variables)
    assert (1, "") == (result.returncode, result.stdout)
    assert "ended with exit status 127" in result.stderr


def test_only_the_second_tool_has_the_provider(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    shared_environments: Environments,
    python: Path,
    stub_tokens: Path,
) -> None:
    """A bare tool at the first place does not hide the one that has the provider."""
    bare = shared_environments.uv_tool(python)
    equipped = shared_environments.uv_tool(python, stub_tokens)
    variables = {**machine.home_variables(equipped.home), "UV_TOOL_DIR": os.fspath(bare.environment.root.parent)}
    assert answered(ask(**variables))


@posix
def test_environment_that_shares(
    ask: Callable[..., subprocess.CompletedProcess[str]], home: Path, tmp_path: Path, python: Path, stub_tokens: Path
) -> None:
    """An environment with the system's packages (Homebrew's) also has the user's, as its own ``keyring`` sees them."""
    tool = environments.create(tmp_path / "k", python, "keyring", system_site_packages=True)
    provider_in(user_site(python, home), stub_tokens)
    assert answered(ask(KEYRING_PROPERTY_FALLBACK_TOOL=os.fspath(tool.root)))


@pytest.mark.parametrize("ours", ["in the project", "with uv run --with"])
def test_uv_run_with(
    tokens: Path,
    shared_environments: Environments,
    tmp_path: Path,
    python: Path,
    wheel: Path,
    stub_tokens: Path,
    ours: str,
) -> None:
    """In an overlay of ``uv run --with`` the project's environment is not taken for a tool; the tool answers."""
    tool = shared_environments.uv_tool(python, stub_tokens)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\n')
    environment = environments.create(
        tmp_path / "venvs/app", python, "keyring", *([wheel] if ours == "in the project" else [])
    )
    env = machine.building(
        **machine.home_variables(tool.home), STUB_TOKENS_FILE=os.fspath(tokens), PATH=os.environ["PATH"]
    )
    env["UV_PROJECT_ENVIRONMENT"] = os.fspath(environment.root)
    code = (
        "import json, sys, keyring; from keyring_fallback import survey\n"
        f"print(json.dumps([keyring.get_password({URL!r}, 'u'), sys.prefix,\n"
        " [tool.root for tool in survey.current().findings.tools],\n"
        " [one.reason for one in survey.current().findings.refusals if one.path.endswith(sys.argv[1])]]))"
    )
    argv = [machine.uv(), "run", "--quiet", "--no-sync", "--with", "six" if ours == "in the project" else wheel]
    own = os.fspath(environment.script("keyring"))
    result = environments.run([*argv, "python", "-c", code, own], env=env, cwd=project, check=True)
    token, prefix, roots, reasons = json.loads(result.stdout)
    assert os.fspath(environment.root) != prefix, "there is no overlay: this test tests nothing"
    assert (TOKEN, [os.fspath(tool.environment.root)]) == (token, roots)
    assert ["it is this environment itself"] == reasons


def test_tool_that_has_us_too(
    ask: Callable[..., subprocess.CompletedProcess[str]],
    home: Path,
    tokens: Path,
    python: Path,
    wheel: Path,
    stub_tokens: Path,
) -> None:
    """Where the tool has us too, and the common keyringrc.cfg selects us, it answers both us and its own user."""
    tool = environments.uv_tool(home, python, stub_tokens, wheel)
    assert answered(ask())
    for selected in ("", "keyring_fallback.GlobalKeyring", "keyring_fallback.FallbackKeyring"):
        env = {**os.environ, "STUB_TOKENS_FILE": os.fspath(tokens)}
        env.update({"PYTHON_KEYRING_BACKEND": selected} if selected else {})
        assert answered(ask(**({"PYTHON_KEYRING_BACKEND": selected} if selected else {})))
        assert answered(tool.environment.keyring("get", URL, "VssSessionToken", env=env))
    listed = tool.environment.keyring("--list-backends", check=True).stdout
    assert "keyring_fallback" not in listed


@posix
@pytest.mark.parametrize("installer", ["uv", "uv --relocatable", "pip"])
@pytest.mark.parametrize("folder", ["plain", "o'brien home", "x" * 120])
def test_scripts_of_real_installers(tmp_path: Path, python: Path, installer: str, folder: str) -> None:
    """The interpreter is read from what uv and pip write, also where the path has a blank, a quote or is very long."""
    root = tmp_path / folder / "k"
    argv: list[str | Path] = [machine.uv(), "venv", "--quiet", "--no-project", "--python", python, root]
    argv += ["--relocatable"] if "relocatable" in installer else []
    argv += ["--seed"] if installer == "pip" else []
    environments.run(argv, env=machine.building(), check=True)
    environment = environments.Environment(root)
    if installer == "pip":
        pip: list[Text] = [environment.python, "-m", "pip", "install", "--quiet", "keyring"]
        environments.run(pip, env=machine.building(), check=True)
    else:
        environment.install("keyring")
    script = environment.script("keyring")
    head = os.fsdecode(script.read_bytes()[:4096])
    read = executable.script_interpreter(head, os.fspath(script.parent))
    assert os.path.samefile(environment.root, os.path.dirname(os.path.dirname(read))), head[:300]
    assert executable.is_python(read)
