"""Programs that import the keyring of their own environment: poetry, pdm, pipenv, twine, hatch."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from support import environments
from support.client_table import row
from support.clients import USERNAME

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Result, Stage
    from support.environments import Keywords

IMPORT = "imported"
ASKS = ("get_credential(URL, USERNAME)", "get_credential(URL, None)")
# The newest releases of what pdm needs do not fit the newest pdm: its extra `locked` says what does.
PDM = "pdm[keyring,locked]"
PDM_SETTINGS = {"PDM_CHECK_UPDATE": "false", "PDM_IGNORE_ACTIVE_VENV": "1"}
SECRET = "s3cret-of-a-test"  # noqa: S105 - it opens nothing


@row(
    "twine",
    "`twine upload`, also with `--username`",
    IMPORT,
    "get_credential(PUBLISH-URL, None)",
    "get_password(PUBLISH-URL, USERNAME)",
)
@pytest.mark.parametrize("options", [(), ("--username", USERNAME)], ids=["no username", "username"])
def test_twine_upload(stage: Stage, options: tuple[str, ...]) -> None:
    """twine asks for a username too where it has none."""
    argv = (
        "upload",
        "--non-interactive",
        "--disable-progress-bar",
        "--repository-url",
        stage.feed.upload_url,
        *options,
    )
    wheel = next(stage.project("app").glob("dist/*.whl"))
    stage.proves(stage.feed.upload_prefix, lambda us: stage.module(stage.client("twine", us=us), "twine", *argv, wheel))


# First whether there is a keyring that works; then by the source's name, and only then by its URL.
POETRY_ASKS = (
    'get_password("python-poetry-check", "python-poetry")',
    'get_password("poetry-repository-NAME", "__poetry_source_empty_username__")',
    'get_password("poetry-repository-NAME", "__token__")',
)
POETRY_SOURCE = ('dependencies = ["six"]', "[[tool.poetry.source]]", 'name = "feed"', 'priority = "primary"')


def poetry(stage: Stage, *argv: str, us: bool, cwd: Path, **extra: str) -> Result:
    """``poetry ARGV`` in the active environment that has it."""
    return stage.module(stage.client("poetry", us=us), "poetry", "--no-interaction", *argv, cwd=cwd, **extra)


@row("poetry", "`poetry lock`", IMPORT, *POETRY_ASKS[:2], "get_credential(URL, None)")
def test_poetry_lock(stage: Stage) -> None:
    """poetry asks by the source's name, then by its URL."""
    project = stage.project("app", *POETRY_SOURCE, f'url = "{stage.index}"')
    stage.proves("/six", lambda us: poetry(stage, "lock", "--no-cache", us=us, cwd=project))


@row(
    "poetry",
    "`poetry publish`",
    IMPORT,
    *POETRY_ASKS,
    "get_credential(PUBLISH-URL, None)",
    note="`--dry-run` sends nothing",
)
def test_poetry_publish(stage: Stage) -> None:
    """poetry asks by the repository's URL."""
    project = stage.project("app")
    upload = {"POETRY_REPOSITORIES_FEED_URL": stage.feed.upload_url}
    stage.proves(
        stage.feed.upload_prefix,
        lambda us: poetry(stage, "publish", "--repository", "feed", us=us, cwd=project, **upload),
    )
    dry = poetry(stage, "publish", "--dry-run", "--repository", "feed", us=False, cwd=project, **upload)
    assert 0 == dry.returncode, dry.stderr


@row(
    "poetry",
    "`poetry config http-basic.NAME`, where the tool has a store",
    IMPORT,
    POETRY_ASKS[0],
    'set_password("poetry-repository-NAME", "somebody")',
    note="without us poetry writes the password into `auth.toml`, readable",
)
def test_poetry_config_stores(stage_with_store: Stage) -> None:
    """A password that poetry stores goes into the global tool's store, and is found there; none stays in a file."""
    stage = stage_with_store
    store = stage.folder / "store.json"
    variables = {"DEMO_STORE_FILE": os.fspath(store)}
    files = {}
    for us in (False, True):
        folder = stage.folder / f"config-{us}"
        config = ("config", "http-basic.feed", "somebody", SECRET)
        result = poetry(stage, *config, us=us, cwd=stage.folder, POETRY_CONFIG_DIR=os.fspath(folder), **variables)
        assert 0 == result.returncode, result.stderr
        assert us == store.exists()
        files[us] = (folder / "auth.toml").read_text(encoding="utf-8")
    assert {False: True, True: False} == {us: SECRET in text for us, text in files.items()}
    assert {"poetry-repository-feed": {"somebody": SECRET}} == json.loads(store.read_text(encoding="utf-8"))


@row(
    "poetry",
    "`poetry config http-basic.NAME`, where the tool only mints tokens",
    IMPORT,
    POETRY_ASKS[0],
    'set_password("poetry-repository-NAME", "somebody")',
    cannot="nothing there stores passwords, and poetry gives up; with `POETRY_KEYRING_ENABLED=false` it writes `auth.toml`",
)
def test_poetry_config_cannot_store(stage: Stage) -> None:
    """poetry takes a keyring that answers for one that stores; it says so in one line, and can be told otherwise."""
    config = ("config", "http-basic.feed", "somebody", SECRET)
    refused = poetry(stage, *config, us=True, cwd=stage.folder)
    assert refused.returncode != 0
    assert "Unable to store the password for poetry-repository-feed in the key ring" in refused.stderr
    assert SECRET not in refused.stdout + refused.stderr
    stored = poetry(stage, *config, us=True, cwd=stage.folder, POETRY_KEYRING_ENABLED="false")
    assert 0 == stored.returncode, stored.stderr


@row("pdm", "`pdm lock`, `pdm add`", IMPORT, "get_credential(URL-WITH-USERNAME, USERNAME)", ASKS[1])
@pytest.mark.parametrize("username", [True, False], ids=["username in the URL", "no username"])
def test_pdm_lock(stage: Stage, *, username: bool) -> None:
    """pdm imports the keyring of its own environment."""
    index = stage.index_with_username if username else stage.index
    source = ["[[tool.pdm.source]]", 'name = "pypi"', f'url = "{index}"']
    project = stage.project("app", 'dependencies = ["six"]', *source)
    variables = {**PDM_SETTINGS, "PDM_CACHE_DIR": os.fspath(stage.folder / "pdm-cache")}
    stage.proves("/six", lambda us: stage.module(stage.client(PDM, us=us), "pdm", "lock", cwd=project, **variables))


@row(
    "pdm",
    "`pdm publish`, also with `--username`",
    IMPORT,
    "get_credential(PUBLISH-URL, None)",
    "get_credential(PUBLISH-URL, USERNAME)",
    'get_credential("pdm-repository-__unknown__", None)',
    'get_credential("pdm-repository-__unknown__", USERNAME)',
    'get_password("pdm-repository-__unknown__", "__token__")',
    'get_password("pdm-repository-__unknown__", USERNAME)',
)
@pytest.mark.parametrize("options", [(), ("--username", USERNAME)], ids=["no username", "username"])
def test_pdm_publish(stage: Stage, options: tuple[str, ...]) -> None:
    """pdm asks with the username it was given, or for one."""
    project = stage.project("app")
    argv = ("publish", "--no-build", "--repository", stage.feed.upload_url, *options)
    stage.proves(
        stage.feed.upload_prefix,
        lambda us: stage.module(stage.client(PDM, us=us), "pdm", *argv, cwd=project, **PDM_SETTINGS),
    )


@row(
    "pdm",
    "`pdm config pypi.NAME.password`, where the tool has a store",
    IMPORT,
    'set_password("pdm-pypi-NAME", "somebody")',
    note="without us pdm writes the password into its `config.toml`, readable",
)
def test_pdm_config_stores(stage_with_store: Stage) -> None:
    """A password that pdm stores goes into the global tool's store."""
    stage = stage_with_store
    store = stage.folder / "store.json"
    texts = {}
    for us in (False, True):
        file = stage.folder / f"pdm-{us}.toml"
        variables: Keywords = {**PDM_SETTINGS, "PDM_CONFIG_FILE": os.fspath(file), "DEMO_STORE_FILE": os.fspath(store)}
        for name, value in (("url", stage.index), ("username", "somebody"), ("password", SECRET)):
            argv = ("config", f"pypi.feed.{name}", value)
            result = stage.module(stage.client(PDM, us=us), "pdm", *argv, **variables)
            assert 0 == result.returncode, result.stderr
        assert us == store.exists()
        texts[us] = file.read_text(encoding="utf-8")
    assert {False: True, True: False} == {us: SECRET in text for us, text in texts.items()}


@row(
    "pipenv",
    "`pipenv lock`, `pipenv sync`",
    "imported or run",
    *ASKS,
    needs=("PIPENV_KEYRING_PROVIDER=import", "...=subprocess"),
)
@pytest.mark.parametrize("provider", ["import", "subprocess"])
def test_pipenv_lock(stage: Stage, provider: str) -> None:
    """pipenv locks with the pip in it, and installs with one in the project's environment."""
    project = stage.folder / "app"
    project.mkdir()
    source = ["[[source]]", 'name = "feed"', f'url = "{stage.index_with_username}"', "verify_ssl = false"]
    (project / "Pipfile").write_text("\n".join([*source, "[packages]", 'six = "*"', ""]), encoding="utf-8")
    environments.create(project / ".venv", stage.python)
    variables = {
        "PIPENV_KEYRING_PROVIDER": provider,
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_NOSPIN": "1",
    }
    run = {
        us: lambda *argv, us=us: stage.module(stage.client("pipenv", us=us), "pipenv", *argv, cwd=project, **variables)
        for us in (False, True)
    }
    stage.proves("/six", lambda us: run[us]("lock"))
    if provider == "subprocess":
        stage.feed.requests.clear()
        stage.works("/six", run[True]("sync"))


@row(
    "hatch",
    "`hatch publish --user`",
    IMPORT,
    "get_password(PUBLISH-URL, USERNAME)",
    note="hatch asks you, not keyring, for a username",
)
def test_hatch_publish(stage: Stage) -> None:
    """hatch asks with the repository's URL."""
    project = stage.project("app")
    argv = ("publish", "--no-prompt", "--repo", stage.feed.upload_url)
    hatch = {
        us: lambda *more, us=us: stage.module(stage.client("hatch", us=us), "hatch", *argv, *more, cwd=project)
        for us in (False, True)
    }
    stage.proves(stage.feed.upload_prefix, lambda us: hatch[us]("--user", USERNAME))
    assert 0 != hatch[True]().returncode, "it asks without a username now: change the note in the table"


@row(
    "hatch",
    "`hatch publish --repo NAME`, hatch before 1.16.3",
    IMPORT,
    'get_password("NAME", USERNAME)',
    cannot="a provider that goes by hosts cannot tell whose name that is ([pypa/hatch#1986])",
)
def test_old_hatch_publish(stage: Stage) -> None:
    """hatch once asked with the repository's name."""
    project = stage.project("app")
    client = stage.client("hatch<1.16.3", us=True)
    variables = {"HATCH_CONFIG": os.fspath(stage.folder / "hatch.toml")}
    (stage.folder / "hatch.toml").write_text(
        f'[publish.index.repos.feed]\nurl = "{stage.feed.upload_url}"\n', encoding="utf-8"
    )
    argv = ("publish", "--no-prompt", "--repo", "feed", "--user", USERNAME)
    assert 0 != stage.module(client, "hatch", *argv, cwd=project, **variables).returncode
    assert 200 not in stage.feed.statuses("/upload")
