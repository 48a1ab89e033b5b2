"""pip: it imports the keyring that is installed beside it, or runs the first ``keyring`` on PATH that is not its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

import pytest

from support import environments, machine
from support.client_table import row
from support.clients import USERNAME

if TYPE_CHECKING:
    from pathlib import Path

    from support.clients import Result, Stage
    from support.environments import Environment, Keywords, Text

IMPORT, RUN = "imported", "run"
ASKS = ("get_credential(URL, USERNAME)", "get_credential(URL, None)")
with_and_without_username = pytest.mark.parametrize(
    "username", [True, False], ids=["username in the URL", "no username"]
)

# What pip installs from has to be known exactly where a test is about what pip imports at which moment.
NEWEST_THAT_BLOCKS = ("pip==26.3", "keyring==25.7.0", "importlib-metadata==10.2.0")


def download(
    stage: Stage,
    pip: Environment,
    provider: str,
    *,
    username: bool,
    active: Environment | None = None,
    options: tuple[str, ...] = (),
) -> Result:
    """``pip download six`` by an environment's pip."""
    index = stage.index_with_username if username else stage.index
    argv: list[Text] = [
        pip.python,
        "-m",
        "pip",
        "download",
        "--keyring-provider",
        provider,
        "--no-deps",
        "--no-cache-dir",
        *options,
    ]
    return stage.run([*argv, "--index-url", index, "--dest", stage.folder / "downloads", "six"], active=active or pip)


@row("pip", "`--keyring-provider import`", IMPORT, *ASKS)
@with_and_without_username
def test_import(stage: Stage, *, username: bool) -> None:
    """pip imports the keyring of its own environment."""
    stage.proves("/six", lambda us: download(stage, stage.client("pip", us=us), "import", username=username))


@row("pip", "`--keyring-provider auto` (the default)", IMPORT, *ASKS)
@with_and_without_username
def test_auto(stage: Stage, *, username: bool) -> None:
    """pip that may choose imports keyring, and stays with it even where that has no answer."""
    stage.proves("/six", lambda us: download(stage, stage.client("pip", us=us), "auto", username=username))


@row("pip", "`--keyring-provider auto --no-input`", "not asked", cannot="say `import`")
def test_auto_without_input(stage: Stage) -> None:
    """pip that must not ask the user does not ask a keyring either, unless it was told which way."""
    pip = stage.client("pip", us=True)
    stage.works("/six", download(stage, pip, "import", username=True, options=("--no-input",)))
    stage.forget()
    refused = download(stage, pip, "auto", username=True, options=("--no-input",))
    assert refused.returncode != 0, "it asks now: change the table"


@row(
    "pip",
    "`--keyring-provider subprocess`, pip of the active environment",
    RUN,
    *ASKS,
    always="pip passes the `keyring` beside it over",
)
@with_and_without_username
def test_subprocess_of_the_active_environment(stage: Stage, *, username: bool) -> None:
    """pip does not run the keyring beside it, but the next one on PATH."""
    for us in (False, True):
        stage.feed.requests.clear()
        stage.works("/six", download(stage, stage.client("pip", us=us), "subprocess", username=username))


@row(
    "pip",
    "`--keyring-provider subprocess`, pip of another environment than the active one",
    RUN,
    *ASKS,
    note="pip before 26.2 asks only with a username in the URL",
)
@with_and_without_username
def test_subprocess_of_another_environment(stage: Stage, *, username: bool) -> None:
    """pip of another environment runs the active environment's keyring: it is the first on PATH."""
    other = environments.Environment(
        stage.shared.once(
            "pip", lambda root: environments.create(root, stage.python, "pip", share_files=True), stage.python
        )
    )
    stage.proves("/six", lambda us: download(stage, other, "subprocess", username=username, active=stage.client(us=us)))


@row("pip", "`pip install PROJECT`: its build requirements", IMPORT, ASKS[0], needs=("PIP_KEYRING_PROVIDER=import",))
def test_build_requirements(stage: Stage) -> None:
    """pip gets what a project's build needs, which it installs into an environment of its own."""
    project = stage.project("app")
    target = os.fspath(stage.folder / "target")

    def install(us: bool) -> Result:  # noqa: FBT001
        pip = stage.client("pip", us=us)
        return stage.module(pip, "pip", "install", "--target", target, project, PIP_KEYRING_PROVIDER="import")

    stage.proves("/flit", install)


def test_import_before_the_block(stage: Stage, interpreter: Callable[[str], Path], stub_tokens: Path) -> None:
    """pip 26.3 blocks imports once it installs; a part that keyring's importlib_metadata loads late is there by then."""
    python = interpreter("3.11")  # the only one for which such an importlib-metadata is released, and needed by keyring
    argv = ["install", "--keyring-provider", "import", "--no-deps", "--force-reinstall", "--no-cache-dir", "six"]
    local, ours = (
        environments.create(stage.folder / folder, python, *NEWEST_THAT_BLOCKS, "six", provider, share_files=True)
        for folder, provider in (("local", stub_tokens), ("ours", stage.wheel))
    )
    control = stage.module(local, "pip", *argv)
    assert "Blocked import of 'importlib_metadata." in control.stderr, "the bug is not there: this test tests nothing"
    assert control.returncode != 0
    stage.feed.requests.clear()
    stage.works("/six", stage.module(ours, "pip", *argv))


@pytest.mark.parametrize("kind", ["interpreter", "command", "failing"])
def test_lookups_after_the_block(stage: Stage, kind: str) -> None:
    """Even a process's first lookup imports nothing any more, however a tool is asked, if keyring was there before."""
    program = (
        "import os, sys, pip._internal.commands.install as install, keyring\n"
        "keyring.get_keyring()\n"
        "with install._prevent_further_imports(until_process_exit=True):\n"
        "    for number in '12':\n"
        "        os.environ['NUMBER'] = number  # so that the tools are looked for again\n"
        "        for username in ('somebody', None):\n"
        "            found = keyring.get_credential(sys.argv[1], username)\n"
        "            print(found and found.username)\n"
        "        print(keyring.get_password('https://pkgs.dev.azure.com/nowhere/', 'nobody'))  # for want of a provider\n"
    )
    variables: Keywords = {}
    if kind != "interpreter":
        if machine.WINDOWS:
            pytest.skip("a command without an interpreter is a shell script here, and Windows has no shell")
        command = stage.folder / "keyring"
        asks = f'exec "{stage.tool.environment.script("keyring")}" "$@"' if kind == "command" else "exit 3"
        command.write_text(f"#!/bin/sh\n{asks}\n", encoding="utf-8")
        command.chmod(0o755)
        variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(command)
    pip = stage.client("pip==26.3", us=True)
    result = stage.run([pip.python, "-c", program, stage.index], active=pip, **variables)
    assert "Blocked import" not in result.stderr
    expected = ["None"] * 3 if kind == "failing" else ["somebody", USERNAME, "None"]
    assert expected * 2 == result.stdout.split(), result.stderr
