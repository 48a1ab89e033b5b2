"""Finding the tools, on trees of files for every platform: which, in which order, and why others are turned down."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import config
from keyring_fallback.discovery import search
from keyring_fallback.discovery.tool import Findings, Kind, Reason, State, Survey
from support import trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyring_fallback.here import Here

PLATFORMS = ["linux", "darwin", "win32"]
posix = pytest.mark.skipif(os.name == "nt", reason="links and scripts of POSIX systems")

#: Places below the home folder where an environment is a tool, by platform.
ENVIRONMENTS = {
    "linux": {
        ".local/share/uv/tools/keyring": "uv tool",
        ".local/pipx/venvs/keyring": "pipx",
        ".local/share/pipx/venvs/keyring": "pipx",
        ".pixi/envs/keyring": "pixi global",
        ".rye/tools/keyring": "rye",
        ".local/share/mise/installs/pipx-keyring/25.7.0/keyring": "mise",
        ".local/share/mise/installs/pipx-keyring/25.7.0/venvs/keyring": "mise",
    },
    "darwin": {
        "Library/Application Support/uv/tools/keyring": "uv tool",
        ".local/share/uv/tools/keyring": "uv tool",
        ".local/pipx/venvs/keyring": "pipx",
        "Library/Application Support/pipx/venvs/keyring": "pipx",
    },
    "win32": {
        "AppData/Roaming/uv/data/tools/keyring": "uv tool",
        "AppData/Roaming/uv/tools/keyring": "uv tool",
        "scoop/persist/uv/tools/versions/keyring": "uv tool",
        ".local/pipx/venvs/keyring": "pipx",
        "pipx/venvs/keyring": "pipx",
        "AppData/Local/pipx/pipx/venvs/keyring": "pipx",
        "AppData/Local/Packages/PythonSoftwareFoundation.Python.3.12_q/LocalCache/Local/pipx/pipx/venvs/keyring": "pipx",
    },
}


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A program in a project's environment on Linux."""
    return trees.make_here(tmp_path)


#: Where this machine may have a keyring of its own.
SYSTEM = tuple(os.path.normpath(path) for path in ("/usr/local/", "/opt/", "/home/linuxbrew/"))


def find(here: Here, chosen: Sequence[str] = ()) -> Findings:
    """Find the tools, without those of this machine."""
    findings = search.find(here, chosen)
    tools = tuple(one for one in findings.tools if not one.path.startswith(SYSTEM))
    refusals = tuple(one for one in findings.refusals if not one.path.startswith(SYSTEM))
    return findings._replace(tools=tools, refusals=refusals)


def found(findings: Findings) -> list[str]:
    """The roots, or else the paths, of the tools."""
    return [tool.root or tool.path for tool in findings.tools]


def reasons(findings: Findings) -> dict[str, str]:
    """Why candidates were turned down, by the last two parts of their paths."""
    return {"/".join(refusal.path.split(os.sep)[-2:]): refusal.reason for refusal in findings.refusals}


def with_path(here: Here, *folders: Path | str, **variables: str) -> Here:
    """The same program with another PATH."""
    return here._replace(environ={**here.environ, "PATH": os.pathsep.join(map(str, folders)), **variables})


def plain(folder: Path, name: str = "python3") -> Path:
    """Make a plain interpreter with a ``keyring`` script of it beside it; return the folder that they are in."""
    trees.put(folder / "bin" / name, executable=True)
    trees.put(folder / "bin/keyring", f"#!{folder}/bin/{name}\n", executable=True)
    return folder / "bin"


@pytest.mark.parametrize(
    ("platform", "place"), [(platform, place) for platform in PLATFORMS for place in ENVIRONMENTS[platform]]
)
def test_every_place(tmp_path: Path, platform: str, place: str) -> None:
    """An environment at each place is found as the tool that it is, with what it adds."""
    here = trees.make_here(tmp_path, platform)
    root = tmp_path / "home" / place
    trees.make_environment(root, "one", platform=platform)
    findings = find(here)
    (tool,) = findings.tools
    interpreter = root / ("Scripts/python.exe" if platform == "win32" else "bin/python")
    expected = (ENVIRONMENTS[platform][place], os.fspath(root), os.fspath(interpreter))
    assert expected == (tool.source, tool.root, tool.interpreter)
    assert (["one:Backend"], True, True, True) == ([p.value for p in tool.adds], tool.known, tool.useful, tool.isolated)
    assert ((), False) == (findings.refusals, findings.at_home)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_order_of_the_places(tmp_path: Path, platform: str) -> None:
    """Equally equipped tools are asked in the order of the places."""
    here = trees.make_here(tmp_path, platform)
    places = list(ENVIRONMENTS[platform])
    for place in reversed(places):
        trees.make_environment(tmp_path / "home" / place, "one", platform=platform)
    assert [os.path.join(tmp_path, "home", *place.split("/")) for place in places] == found(find(here))


def test_variables(tmp_path: Path, here: Here) -> None:
    """What a variable names comes before the defaults; it must be absolute."""
    for name in ("tools", "home/.local/share/uv/tools"):
        trees.make_environment(tmp_path / name / "keyring")
    assert os.fspath(tmp_path / "tools/keyring") == found(find(with_path(here, UV_TOOL_DIR=f"{tmp_path}/tools")))[0]


def test_relative_variables(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable names relative to the working directory is not used, and that is said."""
    trees.make_environment(tmp_path / "tools/keyring")
    monkeypatch.chdir(tmp_path)
    findings = find(with_path(here, UV_TOOL_DIR="tools"))
    assert ([], {"tools/keyring": "what UV_TOOL_DIR says is not an absolute path"}) == (
        found(findings),
        reasons(findings),
    )


def test_home_on_another_machine(here: Here) -> None:
    """Below a home folder on another machine nothing is used, and that is said as it is, without a variable's name."""
    findings = find(here._replace(platform="win32", home="\\\\server\\ann", environ={}))
    assert [] == found(findings)
    assert {("uv tool", "it lies in a network folder"), ("pipx", "it lies in a network folder")} < {
        (refusal.source, refusal.reason) for refusal in findings.refusals
    }
    assert ["it lies in a network folder"] == list(dict.fromkeys(reasons(findings).values()))


@pytest.mark.parametrize("variable", ["UV_TOOL_DIR", "XDG_DATA_HOME", "PIPX_HOME"])
def test_variables_into_the_project(here: Here, variable: str) -> None:
    """A project's .env file may set variables: what they name in the project is not used."""
    below = {"UV_TOOL_DIR": "t/keyring", "XDG_DATA_HOME": "t/uv/tools/keyring", "PIPX_HOME": "t/venvs/keyring"}[
        variable
    ]
    trees.make_environment(Path(here.cwd) / below)
    findings = find(here._replace(environ={variable: os.path.join(here.cwd, "t")}))
    assert [] == found(findings)
    assert ["it lies in the working directory"] == list(reasons(findings).values())


def test_fixed_place_in_the_working_directory(tmp_path: Path, here: Here) -> None:
    """A fixed place counts wherever the program runs, also where a variable names it and that is turned down."""
    data = tmp_path / "home/.local/share"
    trees.make_environment(data / "uv/tools/keyring")
    findings = find(here._replace(cwd=os.fspath(data), environ={"XDG_DATA_HOME": os.fspath(data)}))
    assert [os.fspath(data / "uv/tools/keyring")] == found(findings)
    assert ["it lies in the working directory"] == list(reasons(findings).values())


@posix
def test_equipped_before_bare_before_unknown(tmp_path: Path, here: Here) -> None:
    """A tool that surely adds something comes first, then one that surely does not, then those that may."""
    home = tmp_path / "home"
    trees.make_environment(home / ".local/share/uv/tools/keyring", settings="include-system-site-packages = true")
    trees.make_environment(home / ".local/pipx/venvs/keyring", "one")
    trees.make_environment(home / ".rye/tools/keyring")
    trees.make_environment(home / ".pixi/envs/keyring", "two", settings="include-system-site-packages = true")
    shim = trees.put(home / ".local/bin/keyring", "#!/bin/sh\nexec pyenv exec keyring\n", executable=True)
    findings = find(with_path(here, plain(tmp_path / "usr")))
    places = [".local/pipx/venvs/keyring", ".pixi/envs/keyring", ".rye/tools/keyring", ".local/share/uv/tools/keyring"]
    expected = [*(home / place for place in places), shim, tmp_path / "usr/bin/keyring"]
    assert [os.fspath(path) for path in expected] == found(findings)
    assert [True, True, False, True, True, True] == [tool.useful for tool in findings.tools]
    assert [True, False, True, False, False, False] == [tool.known for tool in findings.tools]
    assert [True, False, True, False, False, False] == [tool.isolated for tool in findings.tools]


def test_nothing_to_add(tmp_path: Path, here: Here) -> None:
    """A tool whose providers are all here too adds nothing, nor does one with keyring alone."""
    trees.make_environment(tmp_path / "home/.local/share/uv/tools/keyring", "one")
    assert [True] == [tool.useful for tool in find(here).tools]
    trees.add_provider(Path(here.sys_path[0]), "one", "2.0")
    assert [False] == [tool.useful for tool in find(here).tools]


@pytest.mark.parametrize(
    ("module", "backend"),
    [("dbus", "kwallet"), ("gi", "libsecret"), ("secretstorage", "SecretService")],
)
def test_optional_parts(tmp_path: Path, here: Here, module: str, backend: str) -> None:
    """A module that makes one of keyring's own backends work over there only is something to add, on Linux."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root)
    (root / "lib/python3.12/site-packages" / module).mkdir()
    (tool,) = find(here).tools
    assert ((f"keyring.backends.{backend}",), True, True) == (tool.own, tool.known, tool.useful)
    (Path(here.sys_path[0]) / module).mkdir()
    assert [False] == [tool.useful for tool in find(here).tools]
    shutil.rmtree(Path(here.sys_path[0]) / module)
    assert [False] == [tool.useful for tool in find(here._replace(platform="darwin")).tools]


@posix
def test_same_tool_once(tmp_path: Path, here: Here) -> None:
    """A tool that is found at several places, by links or by its interpreter, is one tool."""
    home = tmp_path / "home"
    script = trees.make_environment(home / ".local/share/uv/tools/keyring")
    (home / ".local/bin").mkdir()
    (home / ".local/bin/keyring").symlink_to(script)
    trees.put(tmp_path / "copied/keyring", f"#!{script.parent}/python\n", executable=True)
    bin_folder = plain(tmp_path / "usr")
    (tmp_path / "bin").symlink_to(bin_folder)
    trees.put(tmp_path / "other/keyring", f"#!{bin_folder}/python3\n", executable=True)
    folders = (script.parent, tmp_path / "copied", bin_folder, tmp_path / "bin", tmp_path / "other")
    findings = find(with_path(here, *folders))
    assert [os.fspath(script.parent.parent), os.fspath(bin_folder / "keyring")] == found(findings)
    assert () == findings.refusals


@posix
def test_two_environments_of_one_python(tmp_path: Path, here: Here) -> None:
    """Two environments of one base Python are not the same, although their interpreters are one file."""
    base = trees.put(tmp_path / "base/bin/python3.12", executable=True)
    roots = [Path(here.prefix), *(tmp_path / "home" / place for place in (".rye/tools/keyring", ".pixi/envs/keyring"))]
    for root in roots:
        trees.make_environment(root)
        (root / "bin/python").unlink()
        (root / "bin/python").symlink_to(base)
    findings = find(with_path(here, roots[0] / "bin"))
    assert {os.fspath(root) for root in roots[1:]} == set(found(findings))
    assert {"bin/keyring": "it lies in the working directory"} == reasons(findings)


@posix
def test_this_environment_through_links(tmp_path: Path, here: Here) -> None:
    """This environment is known through links, and by what is on sys.path where sys.prefix is an overlay's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/keyring").symlink_to(tmp_path / "alias/bin/keyring")
    (tmp_path / "alias").symlink_to(here.prefix)
    outside = with_path(here, tmp_path / "bin")._replace(cwd="/", home=here.cwd)
    shutil.move(Path(here.cwd) / "pyproject.toml", tmp_path / "away")
    assert {"bin/keyring": "it is this environment itself"} == reasons(find(outside))
    assert {"bin/keyring": "it is this environment itself"} == reasons(
        find(outside._replace(prefix=os.fspath(tmp_path / "alias")))
    )
    trees.make_environment(tmp_path / "overlay", keyring="")
    overlay = outside._replace(prefix=os.fspath(tmp_path / "overlay"))
    assert {"bin/keyring": "it is this environment itself"} == reasons(find(overlay))
    assert [here.prefix] == found(find(overlay._replace(sys_path=())))


@posix
def test_at_home(tmp_path: Path) -> None:
    """An environment that is itself the tool is at home; one that somebody has put on PATH is not."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root)
    site = os.fspath(root / "lib/python3.12/site-packages")
    here = trees.make_here(tmp_path, prefix=os.fspath(root), sys_path=(site,))
    findings = find(here)
    assert (True, [], "it is this environment itself") == (
        findings.at_home,
        found(findings),
        findings.refusals[0].reason,
    )
    elsewhere = find(with_path(here, root / "bin")._replace(home=os.fspath(tmp_path / "nobody")))
    assert (False, []) == (elsewhere.at_home, found(elsewhere))
    chosen = find(here._replace(home=os.fspath(tmp_path / "nobody")), [os.fspath(root)])
    assert (True, []) == (chosen.at_home, found(chosen))


@posix
def test_tool_with_another_name_is_at_home(tmp_path: Path) -> None:
    """``uv tool install twine --with-executables-from keyring``: twine's environment is the global keyring."""
    script = trees.make_environment(tmp_path / "home/.local/share/uv/tools/twine")
    trees.put(tmp_path / "home/.local/bin/x")
    (tmp_path / "home/.local/bin/keyring").symlink_to(script)
    assert [os.fspath(script.parent.parent)] == found(find(trees.make_here(tmp_path)))
    assert find(trees.make_here(tmp_path, prefix=os.fspath(script.parent.parent))).at_home


@posix
def test_plain_interpreter_that_is_this_one(tmp_path: Path) -> None:
    """A plain Python is at home where there is no better tool, and an environment like any other where there is one."""
    bin_folder = plain(tmp_path / "usr")
    (bin_folder / "python3.12").symlink_to("python3")
    here = trees.make_here(
        tmp_path, prefix=os.fspath(tmp_path / "usr"), virtual=False, executable=os.fspath(bin_folder / "python3.12")
    )
    findings = find(with_path(here, bin_folder))
    assert (True, []) == (findings.at_home, found(findings))
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    findings = find(with_path(here, bin_folder))
    assert (False, [os.fspath(root)]) == (findings.at_home, found(findings))


@posix
@pytest.mark.parametrize("folder", [".pyenv/versions/3.12.1", ".asdf/installs/python/3.12.1", ".pyenv/versions/named"])
def test_shims_that_lead_back(tmp_path: Path, here: Here, folder: str) -> None:
    """A shim of pyenv or asdf is this environment where that is one of theirs; elsewhere it is a tool."""
    root = tmp_path / "home" / folder
    bin_folder = plain(root)
    shims = tmp_path / "home" / folder.partition("/")[0] / "shims"
    trees.put(shims / "keyring", '#!/usr/bin/env bash\nexec pyenv exec keyring "$@"\n', executable=True)
    theirs = here._replace(
        prefix=os.fspath(root), virtual="named" in folder, executable=os.fspath(bin_folder / "python3"), sys_path=()
    )
    for folders in (shims,), (shims, bin_folder), (bin_folder, shims):
        findings = find(with_path(theirs, *folders))
        assert ([], "it is this environment itself, behind a shim") == (
            found(findings),
            reasons(findings)["shims/keyring"],
        )
    assert [os.fspath(shims / "keyring")] == found(find(with_path(here, shims)))
    assert [os.fspath(shims / "keyring")] == found(find(theirs, [os.fspath(shims / "keyring")]))
    elsewhere = trees.put(tmp_path / "home/shims/keyring", "#!/bin/sh\nexec other keyring\n", executable=True)
    assert [os.fspath(elsewhere)] == found(find(with_path(theirs, elsewhere.parent)))


@posix
def test_base_python_that_lends_its_packages(tmp_path: Path, here: Here) -> None:
    """Where this environment sees its base's packages, the base's keyring is this one; else it is a tool."""
    bin_folder = plain(tmp_path / "usr")
    shared = os.fspath(tmp_path / "usr/lib/python3/dist-packages")
    (tmp_path / "usr/lib/python3/dist-packages").mkdir(parents=True)
    assert [os.fspath(bin_folder / "keyring")] == found(find(with_path(here, bin_folder)))
    shares = with_path(here, bin_folder)._replace(sys_path=(*here.sys_path, shared))
    assert ([], {"bin/keyring": "it is this environment itself"}) == (
        found(find(shares)),
        reasons(find(shares)),
    )


@pytest.mark.parametrize("place", ["venv", "deep/venv"])
def test_python_beside_an_environment_of_windows(tmp_path: Path, place: str) -> None:
    """A Python that is installed beside this environment, in the folder that both are in, is another one."""
    base = tmp_path / "Python312"
    python = trees.put(base / "python.exe", executable=True)
    script = trees.put(base / "Scripts/keyring.exe", trees.launcher("distlib", os.fspath(python)), executable=True)
    root = tmp_path / place
    trees.make_environment(root, platform="win32")
    site = os.fspath(root / "Lib/site-packages")
    here = trees.make_here(tmp_path, "win32", prefix=os.fspath(root), sys_path=(site,), cwd="/")
    assert [os.fspath(script)] == found(find(with_path(here, script.parent)))
    shared = here._replace(sys_path=(site, os.fspath(base / "Lib/site-packages")))
    assert {"Scripts/keyring.exe": "it is this environment itself"} == reasons(find(with_path(shared, script.parent)))


@posix
def test_activated_environments_on_path(tmp_path: Path, here: Here) -> None:
    """An activated environment is no global tool, but one that is linked onto PATH is, and conda's base."""
    script = trees.make_environment(tmp_path / "another", "one")
    environ = {"VIRTUAL_ENV": os.fspath(tmp_path / "another")}
    findings = find(with_path(here, script.parent, **environ))
    assert {"bin/keyring": "it is an activated environment, not a global tool"} == reasons(findings)
    assert 1 == len(find(with_path(here, script.parent)).tools)

    (tmp_path / "conda/conda-meta").mkdir(parents=True)
    trees.put(tmp_path / "conda/bin/conda")
    script = trees.make_environment(tmp_path / "conda", "one")
    (tmp_path / "conda/pyvenv.cfg").unlink()
    environ = {"CONDA_PREFIX": os.fspath(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "project"}
    assert [] == found(find(with_path(here, script.parent, **environ)))
    environ["CONDA_DEFAULT_ENV"] = "base"
    assert ["PATH"] == [tool.source for tool in find(with_path(here, script.parent, **environ)).tools]
    environ["CONDA_EXE"] = os.fspath(tmp_path / "conda/bin/conda")
    assert ["conda base"] == [tool.source for tool in find(with_path(here, script.parent, **environ)).tools]


@posix
def test_environments_in_a_cache(tmp_path: Path, here: Here) -> None:
    """What ``uvx`` and ``uv run --with`` put onto PATH does not last, and is no tool."""
    trees.put(tmp_path / "cache/CACHEDIR.TAG")
    script = trees.make_environment(tmp_path / "cache/archive-v0/x", "one")
    findings = find(with_path(here, script.parent))
    assert ([], {"bin/keyring": "it lies in a cache"}) == (found(findings), reasons(findings))


@posix
@pytest.mark.parametrize("kind", Kind, ids=str)
def test_each_reason_is_one_sentence(kind: Kind) -> None:
    """It goes on where a line has named the tool, and says which path decides, and what the system says of it."""
    words = str(Reason(kind, "/decides", "/detail"))
    begin = "it|its|everybody|another user|there are|PATH does|what /detail says|/decides"
    assert re.fullmatch(rf"({begin}) [a-z][^{{}}\n]*[a-z)'.]", words), words
    assert "XX" not in str(Reason(kind))


@posix
def test_where_a_tool_is_named_nobody_looks_for_lenders(tmp_path: Path, here: Here) -> None:
    """What the user has named is used and nothing else: a folder where lenders would be is not looked at."""
    folder = tmp_path / "home/.local/state/keyring-fallback"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    root = tmp_path / "named"
    trees.make_environment(root, "one")
    refused = [{one.kind for one in search.find(here, chosen).refusals} for chosen in ((), (os.fspath(root),))]
    assert [True, False] == [Kind.NOT_OF_A_LENDER in kinds for kinds in refused]


def test_a_tool_that_the_user_has_named_says_where(here: Here) -> None:
    """Where a setting names what cannot be used, a line says which setting, which path, and why."""
    settings = config.Settings(tool=("/no/tool",), sources={"tool": "keyringrc.cfg"})
    findings = search.find(here, settings.tool)
    (line,) = Survey(settings, here, findings, State.DELEGATING).problems()
    assert "keyringrc.cfg: the tool /no/tool is not used: it is not a file" == line


def test_broken_tools_are_told(tmp_path: Path, here: Here) -> None:
    """What looks like a tool and is none is in the refusals, with the reason."""
    home = tmp_path / "home"
    (home / ".local/share/uv/tools/keyring/pyvenv.cfg").mkdir(parents=True)
    trees.make_environment(home / ".local/pipx/venvs/keyring", keyring="")
    trees.put(home / ".local/share/pipx/venvs/keyring")
    (home / ".rye/tools").mkdir(parents=True)
    (home / ".rye/tools/keyring").symlink_to("keyring")
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/keyring").symlink_to("/no/such/thing")
    trees.put(home / ".pixi/envs/keyring/pyvenv.cfg")
    trees.put(home / ".pixi/envs/keyring/bin/python", executable=True)
    trees.put(tmp_path / "path/keyring", "#!/bin/sh\n")
    (tmp_path / "folders/keyring").mkdir(parents=True)
    findings = find(with_path(here, tmp_path / "path", tmp_path / "folders", tmp_path / "path/keyring"))
    expected = {
        "uv tool": "it is not an environment: it has no file pyvenv.cfg",
        "pipx": "it is not an environment: it has no file pyvenv.cfg",
        "rye": "it is not an environment: it has no file pyvenv.cfg",
        "user's programs": "it is a link to nothing",
        "pixi global": f"{home}/.pixi/envs/keyring/lib cannot be looked at (No such file or directory)",
    }
    assert {**expected, "PATH": "it is not a file"} == {one.source: one.reason for one in findings.refusals}
    assert "its keyring is missing" in {one.reason for one in findings.refusals if one.source == "pipx"}
    assert "it cannot be executed" == reasons(findings)["path/keyring"]
    assert [] == found(findings)


@posix
def test_endless_chains_of_links(tmp_path: Path, here: Here) -> None:
    """More links than the system follows are a refusal, and no RecursionError, for files and for folders."""
    links = {
        "home/.local/bin/keyring": "it is a link to nothing",
        "path/keyring": "it is a link to nothing",
        "home/.local/share/uv/tools/keyring": "it is not an environment: it has no file pyvenv.cfg",
    }
    for place in links:
        link = tmp_path / place
        link.parent.mkdir(parents=True)
        for number in range(1200):
            (link.parent / f"{number}").symlink_to(f"{number + 1}")
        (link.parent / "1200").symlink_to(tmp_path)
        link.symlink_to("0")
    for chosen, expected in ([], links), ([*links], dict.fromkeys(links, "it is a link to nothing")):
        findings = find(with_path(here, tmp_path / "path"), [os.fspath(tmp_path / place) for place in chosen])
        refused = {os.path.relpath(refusal.path, tmp_path): refusal.reason for refusal in findings.refusals}
        assert ([], expected) == (found(findings), refused)


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_unreadable_folders_are_told(tmp_path: Path, here: Here) -> None:
    """A folder that may not be looked into is a refusal with the reason."""
    trees.put(tmp_path / "closed/keyring")
    (tmp_path / "closed").chmod(0)
    try:
        findings = find(with_path(here, tmp_path / "closed"))
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert {"closed/keyring": "it cannot be looked at (Permission denied)"} == reasons(findings)


@posix
def test_permissions_of_everything_that_decides(tmp_path: Path, here: Here) -> None:
    """Whatever of a tool everybody can write, its packages too, it is not used, unless the user has named it."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    script = trees.make_environment(root, "one")
    for place in ("", "bin", "bin/python", "lib", "lib/python3.12", "lib/python3.12/site-packages", "pyvenv.cfg"):
        mode, reason = (root / place).stat().st_mode, f"everybody can write to {root / place}"
        (root / place).chmod(0o777)
        assert ([], {"tools/keyring": reason}) == (found(find(here)), reasons(find(here)))
        for chosen in root, script:
            findings = find(here, [os.fspath(chosen)])
            assert ([os.fspath(root)], {}) == (found(findings), reasons(findings))
            assert [reason] == [str(tool.doubt) for tool in findings.tools]
        (root / place).chmod(mode)
    assert [os.fspath(root)] == found(find(here))
    assert [None] == [tool.doubt for tool in find(here, [os.fspath(root)]).tools]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_named_tool_of_another_user(tmp_path: Path, here: Here) -> None:
    """What belongs to another user is not used, also if the user has named it."""
    root = tmp_path / "tool"
    trees.make_environment(root, "one")
    os.chown(root / "bin/python", 54321, -1)
    findings = find(here, [os.fspath(root)])
    assert ([], {root.name: f"{root}/bin/python belongs to another user"}) == (
        found(findings),
        {os.path.basename(refusal.path): refusal.reason for refusal in findings.refusals},
    )


@posix
def test_permissions_of_folders_that_are_linked(tmp_path: Path, here: Here) -> None:
    """A folder that a .pth file adds is a place that modules come from: it must not be open to others either."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root)
    trees.add_provider(tmp_path / "linked", "one")
    trees.put(root / "lib/python3.12/site-packages/x.pth", f"{tmp_path}/linked\n")
    assert [os.fspath(root)] == found(find(here))
    (tmp_path / "linked").chmod(0o777)
    assert {"tools/keyring": f"everybody can write to {tmp_path}/linked"} == reasons(find(here))


@posix
@pytest.mark.parametrize("what", ["keyring/__init__.py", "one.py", "sitecustomize.py", "x.pth"])
def test_permissions_of_packages(tmp_path: Path, here: Here, what: str) -> None:
    """keyring's and the providers' files, and what is imported at each start, must be closed to others as well."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    file = trees.put(root / "lib/python3.12/site-packages" / what)
    assert [os.fspath(root)] == found(find(here))
    file.chmod(0o666)
    assert {"tools/keyring": f"everybody can write to {file}"} == reasons(find(here))


@posix
def test_base_that_others_can_change(tmp_path: Path, here: Here) -> None:
    """The standard library of the Python that a copied interpreter belongs to decides what a tool runs."""
    library = tmp_path / "base/lib/python3.12"
    trees.put(tmp_path / "base/bin/python3.12", executable=True)
    trees.put(library / "os.py")
    queue = trees.put(library / "queue.py")
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one", settings=f"home = {tmp_path}/base/bin")
    assert [os.fspath(root)] == found(find(here))
    for path in (queue, library, tmp_path / "base"):
        mode = path.stat().st_mode
        path.chmod(0o777)
        assert {"tools/keyring": f"everybody can write to {path}"} == reasons(find(here))
        path.chmod(mode)


@posix
def test_pth_file_that_is_not_read_to_its_end(tmp_path: Path, here: Here) -> None:
    """What it adds at its end is not known, and so not trusted."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    large = trees.put(root / "lib/python3.12/site-packages/x.pth", "#" * 17000 + "\n/open\n")
    assert {"tools/keyring": f"{large} is too large to be read to its end"} == reasons(find(here))


@posix
def test_home_in_a_project(here: Here) -> None:
    """HOME that a project points into itself leads to nothing of the user's."""
    project = Path(here.cwd)
    trees.put(project / "h/.local/bin/keyring", "#!/bin/sh\n", executable=True)
    findings = find(here._replace(home=os.fspath(project / "h")))
    assert ([], {"bin/keyring": "it lies in the working directory"}) == (found(findings), reasons(findings))


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_owner_whose_code_runs_here_anyhow(tmp_path: Path, here: Here) -> None:
    """A cluster's software account, or who built the image, is trusted where it owns this Python too."""
    root = tmp_path / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    os.chown(root / "bin/python", 2000, -1)
    assert [] == found(find(here))
    assert [os.fspath(root)] == found(find(here._replace(owners=frozenset({2000}))))


@posix
def test_keyrings_without_end_on_path(tmp_path: Path, here: Here) -> None:
    """Whoever fills PATH does not slow programs down: so many are looked at, and no more."""
    folders = [trees.put(tmp_path / f"{one}/keyring", "#!/bin/sh\n", executable=True).parent for one in range(60)]
    findings = find(with_path(here, *folders))
    assert len(findings.tools) < 60
    assert Kind.TOO_MANY is findings.refusals[-1].kind


@posix
def test_chosen_tools(tmp_path: Path, here: Here) -> None:
    """An interpreter, an environment or an executable that the user has named is used, in the given order, alone."""
    trees.make_environment(tmp_path / "home/.local/share/uv/tools/keyring", "one")
    project = Path(here.cwd)
    trees.make_environment(project / "bare")
    script = trees.make_environment(tmp_path / "equipped", "one")
    shim = trees.put(tmp_path / "shim/keyring", "#!/bin/sh\n", executable=True)
    chosen = [shim, project / "bare", script.parent / "python", plain(tmp_path / "usr") / "python3"]
    findings = find(here, [os.fspath(path) for path in chosen])
    expected = [shim, project / "bare", tmp_path / "equipped", tmp_path / "usr/bin/python3"]
    assert [os.fspath(path) for path in expected] == found(findings)
    assert ["", "bin/python", "bin/python", "bin/python3"] == [
        "/".join(tool.interpreter.split("/")[-2:]) for tool in findings.tools
    ]
    assert {"setting"} == {tool.source for tool in findings.tools}


@posix
def test_chosen_nonsense(tmp_path: Path, here: Here) -> None:
    """What the user has named and cannot be used is told, and nothing else is used in its place."""
    trees.make_environment(tmp_path / "home/.local/share/uv/tools/keyring", "one")
    (tmp_path / "folder").mkdir()
    trees.put(tmp_path / "file", "#!/bin/sh\n")
    trees.put(tmp_path / "python3")
    trees.make_environment(tmp_path / "empty", keyring="")
    expected = {
        "folder": "it is neither an environment nor a file",
        "nothing": "it is not a file",
        "python9": "it is not a file",
        "file": "it cannot be executed",
        "python3": "it cannot be executed",
        "empty": "it has no keyring",
    }
    findings = find(here, [os.fspath(tmp_path / name) for name in expected])
    assert expected == {os.path.basename(refusal.path): refusal.reason for refusal in findings.refusals}
    assert [] == found(findings)


@pytest.mark.parametrize("kind", ["uv", "distlib"])
def test_copied_launcher_is_the_same_tool(tmp_path: Path, kind: str) -> None:
    """On Windows the copy of a launcher in ~/.local/bin is known as the tool that it starts, of any name."""
    here = trees.make_here(tmp_path, "win32")
    root = tmp_path / "home/AppData/Roaming/uv/tools/twine"
    trees.make_environment(root, "one", platform="win32")
    data = trees.launcher(kind, os.fspath(root / "Scripts/python.exe"))
    trees.put(tmp_path / "home/.local/bin/keyring.exe", data)
    trees.put(tmp_path / "bin/keyring.exe", data)
    trees.put(tmp_path / "bin/keyring.cmd", "@echo off")
    assert [os.fspath(root)] == found(find(with_path(here, tmp_path / "bin")))
    trees.put(tmp_path / "native/keyring.exe", b"MZ", executable=True)
    findings = find(with_path(here, tmp_path / "native"))
    assert [os.fspath(root), os.fspath(tmp_path / "native/keyring.exe")] == found(findings)


def test_no_home_and_no_path(here: Here) -> None:
    """Without a home folder, a PATH and a working directory there is nothing to find, and no exception."""
    nobody = here._replace(home="", cwd="", environ={"UV_TOOL_DIR": "", "XDG_DATA_HOME": "relative"})
    assert () == find(nobody).tools
