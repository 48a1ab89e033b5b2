"""Programs that run pip or uv for you, from an active environment that has keyring."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support import environments, machine
from support.client_table import row

if TYPE_CHECKING:
    from support.clients import Result, Stage
    from support.environments import Keywords

RUN = "run"
ASKS = ("get_credential(URL, USERNAME)", "get_password(URL, USERNAME)")  # by pip, by uv
PIP_SET = ("PIP_KEYRING_PROVIDER=subprocess",)
UV_SET = ("UV_KEYRING_PROVIDER=subprocess",)


@row("build", "`python -m build`, also `--installer uv`", RUN, *ASKS, note="build chooses `subprocess` by itself")
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_build(stage: Stage, installer: str) -> None:
    """``python -m build`` gets the build requirements into an isolated environment."""
    project = stage.project("app")

    def build(us: bool) -> Result:  # noqa: FBT001
        requirements = ("build", "uv") if installer == "uv" else ("build[virtualenv]",)
        client = stage.client(*requirements, us=us)
        return stage.module(client, "build", "--wheel", "--installer", installer, cwd=project)

    stage.proves("/flit", build)


def pipx_install(stage: Stage, *requirements: str, us: bool, backend: str) -> Result:
    """``pipx install`` from the active environment of a person who has used pipx before."""
    before = stage.shared.once("pipx-shared", lambda root: environments.create(root, stage.python, "pip"), stage.python)
    variables: Keywords = {
        "PIPX_HOME": os.fspath(stage.folder / f"pipx-{us}"),
        "PIPX_BIN_DIR": os.fspath(stage.folder / "bin"),
        "PIPX_SHARED_LIBS": os.fspath(before),
        "UV_KEYRING_PROVIDER": "subprocess",
    }
    argv = ("pipx", "install", "--backend", backend, "--python", os.fspath(stage.python), "kf-app")
    return stage.module(stage.client(*requirements, us=us), *argv, **variables)


@row(
    "pipx",
    "`pipx install`",
    RUN,
    ASKS[0],
    note="pipx chooses `subprocess` by itself; the pip that it shares has to be 23.1 or newer",
)
def test_pipx(stage: Stage) -> None:
    """``pipx install`` from the active environment, with pip."""
    stage.proves("/kf-app", lambda us: pipx_install(stage, "pipx", us=us, backend="pip"))


@row("pipx", "`pipx install --backend uv`", RUN, ASKS[1], needs=UV_SET)
def test_pipx_with_uv(stage: Stage) -> None:
    """``pipx install`` from the active environment, with uv."""
    stage.proves("/kf-app", lambda us: pipx_install(stage, "pipx", "uv", us=us, backend="uv"))


TOX = """\
[tox]
env_list = one
no_package = true
[testenv]
deps = six
pass_env =
    STUB_TOKENS_*
commands = python -c "import six"
"""


@row(
    "tox",
    "`tox`: the dependencies of an environment",
    RUN,
    ASKS[0],
    needs=PIP_SET,
    note="`pass_env` has to name what the provider reads",
)
def test_tox(stage: Stage) -> None:
    """tox installs what an environment needs."""
    project = stage.project("app")
    (project / "tox.ini").write_text(TOX, encoding="utf-8")
    stage.proves(
        "/six",
        lambda us: stage.module(stage.client("tox", us=us), "tox", cwd=project, PIP_KEYRING_PROVIDER="subprocess"),
    )


NOX = """\
import nox

@nox.session
def one(session):
    session.install("six")
    session.run("python", "-c", "import six")
"""


@row("nox", "`session.install`, also with `--default-venv-backend uv`", RUN, *ASKS, needs=PIP_SET + UV_SET)
@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_nox(stage: Stage, backend: str) -> None:
    """nox installs what a session needs."""
    project = stage.project("app")
    (project / "noxfile.py").write_text(NOX, encoding="utf-8")

    def nox(us: bool) -> Result:  # noqa: FBT001
        client = stage.client(*(("nox", "uv") if backend == "uv" else ("nox",)), us=us)
        variables = {"PIP_KEYRING_PROVIDER": "subprocess", "UV_KEYRING_PROVIDER": "subprocess"}
        return stage.module(client, "nox", "--default-venv-backend", backend, cwd=project, **variables)

    stage.proves("/six", nox)


@row("hatch", "`hatch run`: the dependencies of an environment, also with uv", RUN, *ASKS, needs=PIP_SET + UV_SET)
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_hatch_environment(stage: Stage, installer: str) -> None:
    """hatch installs what an environment needs."""
    environment = [
        "[tool.hatch.envs.default]",
        'dependencies = ["six"]',
        "skip-install = true",
        f'installer = "{installer}"',
    ]
    project = stage.project("app", *environment)
    variables = {
        "PIP_KEYRING_PROVIDER": "subprocess",
        "UV_KEYRING_PROVIDER": "subprocess",
        "HATCH_ENV_TYPE_VIRTUAL_UV_PATH": machine.uv(),
    }

    def run(us: bool) -> Result:  # noqa: FBT001
        argv = ("hatch", "--data-dir", os.fspath(stage.folder / f"data-{us}"), "run", "python", "-c", "import six")
        return stage.module(stage.client("hatch", us=us), *argv, cwd=project, **variables)

    stage.proves("/six", run)
