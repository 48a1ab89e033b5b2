"""uv, which runs the ``keyring`` that is first on PATH: in an active environment that has keyring, this is that one."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import pytest

from support import environments, machine
from support.client_table import row
from support.clients import USERNAME, Result, Stage

if TYPE_CHECKING:
    from pathlib import Path

SET = ("UV_KEYRING_PROVIDER=subprocess",)
RUN = "run"
# With the username in the URL, and with `authenticate = "always"`.
ASKS = ("get_password(URL, USERNAME)", "get_credential(URL, None)")
both_ways = pytest.mark.parametrize("always", [False, True], ids=["username in the URL", "authenticate = always"])


class Project:
    """A project of uv's, with keyring and perhaps us in its active environment."""

    def __init__(
        self, stage: Stage, python: Path, *, us: bool, always: bool = False, needs: tuple[str, ...] = ()
    ) -> None:
        """Write the project, which needs *needs* and says ``authenticate = "always"`` where *always* does."""
        self.stage = stage
        self.always = always
        self.folder = stage.folder / f"project-{us}"
        self.folder.mkdir()
        here = f"platform_python_implementation == '{platform.python_implementation()}'"
        here += f" and sys_platform == '{environments.run([python, '-c', 'import sys; print(sys.platform)']).stdout.strip()}'"
        version = environments.run([python, "-c", "import platform; print(platform.python_version())"]).stdout.strip()
        lines = ["[project]", 'name = "app"', 'version = "1"', f'requires-python = ">={version}"']
        lines += [f"dependencies = {list(needs)}"]
        # uv resolves for every platform that there is, and the feed has what this one needs.
        lines += ["[tool.uv]", f'environments = ["{here}"]']
        if always:
            lines += ["[[tool.uv.index]]", 'name = "feed"', f'url = "{stage.index}"', "default = true"]
            lines += ['authenticate = "always"']
        (self.folder / "pyproject.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")
        packages: list[environments.Text] = ["keyring", *([stage.wheel] if us else [])]
        self.venv = environments.create(self.folder / ".venv", python, *packages, share_files=True)

    def uv(self, *argv: str, active: bool = True, **extra: str) -> Result:
        """``uv ARGV`` in the project's folder."""
        extra.setdefault("UV_KEYRING_PROVIDER", "subprocess")
        extra.setdefault("UV_NO_CACHE", "1")
        if self.always:
            extra.setdefault("UV_DEFAULT_INDEX", "")
        return self.stage.run([machine.uv(), *argv], active=self.venv if active else None, cwd=self.folder, **extra)


@row("uv", "`uv add`", RUN, *ASKS, needs=SET)
@both_ways
def test_uv_add(stage: Stage, python: Path, *, always: bool) -> None:
    """``uv add`` in the active environment."""
    stage.proves("/six", lambda us: Project(stage, python, us=us, always=always).uv("add", "six"))


@row("uv", "`uv lock`, `uv sync`", RUN, *ASKS, needs=SET)
@both_ways
def test_uv_lock_and_sync(stage: Stage, python: Path, *, always: bool) -> None:
    """``uv lock`` and ``uv sync``, in an environment that has us because the project says so."""
    needs = ("keyring", "keyring-fallback", "six")
    projects = {us: Project(stage, python, us=us, always=always, needs=needs) for us in (False, True)}
    stage.proves("/six", lambda us: projects[us].uv("lock"))
    stage.feed.requests.clear()
    stage.works("/six", projects[True].uv("sync"))
    # sync takes away what the lock file does not have: we are there still, and answer
    stage.feed.requests.clear()
    stage.works("/six", projects[True].uv("sync", "--reinstall-package", "six"))


@row("uv", "`uv pip install`", RUN, *ASKS, needs=SET)
@both_ways
def test_uv_pip_install(stage: Stage, python: Path, *, always: bool) -> None:
    """``uv pip install`` into the active environment."""
    stage.proves("/six", lambda us: Project(stage, python, us=us, always=always).uv("pip", "install", "six"))


@row("uv", "`uv run`, and `uv run uv ...` outside of the environment", RUN, *ASKS, needs=SET)
@both_ways
def test_uv_run(stage: Stage, python: Path, *, always: bool) -> None:
    """``uv run --with``, and uv inside of ``uv run``, which puts the environment's programs first on PATH."""
    projects = {us: Project(stage, python, us=us, always=always) for us in (False, True)}
    stage.proves("/six", lambda us: projects[us].uv("run", "--with", "six", "python", "-c", "import six"))
    stage.feed.requests.clear()
    nested = ("run", "--no-sync", machine.uv(), "pip", "install", "six")
    stage.proves("/six", lambda us: projects[us].uv(*nested, active=False))


@row("uv", "`uvx`, `uv tool install`", RUN, ASKS[0], needs=SET)
def test_uvx(stage: Stage, python: Path) -> None:
    """``uvx`` from the active environment."""
    argv = ("tool", "run", "--python", os.fspath(python), "--from", "kf-app", "kf-app")
    result = stage.proves(
        "/kf-app", lambda us: Project(stage, python, us=us).uv(*argv, UV_TOOL_DIR=os.fspath(stage.folder / "uvx"))
    )
    assert "the application runs" in result.stdout


@row(
    "uv",
    "`uv publish --username`",
    RUN,
    "get_password(PUBLISH-URL, USERNAME)",
    needs=SET,
    note="without a username uv does not ask",
)
def test_uv_publish(stage: Stage, python: Path) -> None:
    """``uv publish`` with a username."""
    argv = ("publish", "--trusted-publishing", "never", "--publish-url", stage.feed.upload_url)
    dist = os.fspath(stage.project("app") / "dist" / "*.whl")
    projects = {us: Project(stage, python, us=us) for us in (False, True)}
    stage.proves(stage.feed.upload_prefix, lambda us: projects[us].uv(*argv, "--username", USERNAME, dist))
    refused = projects[True].uv(*argv, dist)
    assert 0 != refused.returncode, "it asks without a username now: change the note in the table"


@row(
    "uv",
    "no username in the URL, and keyring before 25.2.1 in the environment",
    RUN,
    needs=SET,
    cannot="that `keyring` does not know `--mode creds`; it works with a username in the URL",
)
def test_uv_with_old_keyring(stage: Stage, python: Path) -> None:
    """The environment's keyring has to know the options that uv gives it."""
    for always in (False, True):
        stage.forget()
        project = Project(stage, python, us=always, always=always)
        project.venv.install("keyring==25.0.0", stage.wheel, share_files=True)
        result = project.uv("pip", "install", "six")
        assert always == (result.returncode != 0), result.stderr
