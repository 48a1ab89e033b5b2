"""What others, or a repository, do to have their code run in place of the user's keyring: each is turned down."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import config, survey
from keyring_fallback.delegation import tools
from keyring_fallback.delegation.call import Call
from keyring_fallback.delegation.environ import child_environ
from keyring_fallback.discovery import search
from keyring_fallback.discovery.places import PATH
from keyring_fallback.discovery.tool import Findings, Kind, Tool
from keyring_fallback.errors import ToolError
from support import environments, trees

if TYPE_CHECKING:
    from keyring_fallback.here import Here
    from support.environments import Environments

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners, modes and links of POSIX systems")
as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")

MALLORY = 54321
UV = ".local/share/uv/tools/keyring"
SITE = f"home/{UV}/lib/python3.12/site-packages"
LIBRARY = "base/lib/python3.12"


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A program in a project's environment on Linux."""
    return trees.make_here(tmp_path)


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A global tool with all that may decide what it runs: a base, links, .pth files, an editable provider."""
    for name in ("os.py", "queue.py", "json/__init__.py", "lib-dynload/_ssl.so", "encodings/utf_8.py"):
        trees.put(tmp_path / LIBRARY / name)
    for name in ("logging/__init__.py", "__pycache__/queue.pyc", "json/__pycache__/scanner.pyc", "email/utils.py"):
        trees.put(tmp_path / LIBRARY / name)
    for name in ("libpython3.12.so.1.0", "python312.zip"):
        trees.put(tmp_path / "base/lib" / name)
    trees.put(tmp_path / "base/bin/python3.12", executable=True)
    (tmp_path / "current").symlink_to("base")
    root = tmp_path / "home" / UV
    trees.make_environment(root, "one", "two", settings=f"home = {tmp_path}/current/bin")
    (root / "bin/python").unlink()
    (root / "bin/python").symlink_to("../../../python")
    (tmp_path / "home/.local/share/uv/python").symlink_to(tmp_path / "current/bin/python3.12")
    site = tmp_path / SITE
    for name in ("keyring/backends/__pycache__/x.pyc", "keyring/__init__.py", "__pycache__/one.pyc", "one.py"):
        trees.put(site / name)
    for name in ("sitecustomize.py", "jaraco/classes/__init__.py", "_cffi.so"):
        trees.put(site / name)
    trees.put(
        site / "easy-install.pth", f"{tmp_path}/linked\n{tmp_path}/eggs/x.egg\n./inside\n{tmp_path}/later/not/yet\n"
    )
    trees.put(tmp_path / "linked/sub/module.py")
    trees.put(tmp_path / "linked/two.py")
    trees.put(tmp_path / "eggs/x.egg")
    (site / "inside").mkdir()
    (tmp_path / "later").mkdir()
    direct = f'{{"url": "file://{tmp_path}/source", "dir_info": {{"editable": true}}}}'
    trees.put(site / "two-1.0.dist-info/direct_url.json", direct)
    trees.put(tmp_path / "source/src/two/__init__.py")
    trees.put(site / "__editable__.two-1.0.pth", "import __editable___two_finder; __editable___two_finder.install()\n")
    trees.put(site / "__editable___two_finder.py", f"MAPPING: dict[str, str] = {{'two': '{tmp_path}/code/two'}}\n")
    trees.put(tmp_path / "code/two/part.py")
    return root


DECIDES = [
    *(f"home/{UV}{one}" for one in ("", "/bin", "/pyvenv.cfg", "/lib", "/lib/python3.12")),
    *("home", "home/.local", "home/.local/share/uv/tools"),
    *("base", "base/bin", "base/bin/python3.12", "base/lib", "base/lib/libpython3.12.so.1.0", "base/lib/python312.zip"),
    *(f"{LIBRARY}{one}" for one in ("", "/os.py", "/queue.py", "/json", "/json/__init__.py", "/lib-dynload/_ssl.so")),
    *(f"{LIBRARY}/encodings", SITE, f"{SITE}/keyring", f"{SITE}/keyring/__init__.py", f"{SITE}/keyring/backends"),
    *(f"{SITE}/keyring/backends/__pycache__", f"{SITE}/keyring/backends/__pycache__/x.pyc", f"{SITE}/__pycache__"),
    *(f"{SITE}/one.py", f"{SITE}/sitecustomize.py", f"{SITE}/jaraco", f"{SITE}/_cffi.so", f"{SITE}/easy-install.pth"),
    *(f"{SITE}/one-1.0.dist-info", f"{SITE}/inside", "linked", "linked/two.py", "eggs", "eggs/x.egg", "later"),
    *("source", "source/src", "source/src/two", "source/src/two/__init__.py", "code", "code/two/part.py"),
    *(f"{LIBRARY}{one}" for one in ("/encodings/utf_8.py", "/logging/__init__.py", "/email/utils.py", "/__pycache__")),
    *(f"{LIBRARY}{one}" for one in ("/__pycache__/queue.pyc", "/json/__pycache__", "/json/__pycache__/scanner.pyc")),
    *(f"{SITE}{one}" for one in ("/__pycache__/one.pyc", "/jaraco/classes/__init__.py", "/__editable___two_finder.py")),
]


def refusals(here: Here) -> list[tuple[Kind, str]]:
    """Why the tool at uv's place is not used, or nothing if it is used."""
    findings = search.find(here)
    assert any(UV in path for path in (*(one.path for one in findings.tools), *(one.path for one in findings.refusals)))
    return [(one.kind, one.decides) for one in findings.refusals if UV in one.path]


@pytest.mark.usefixtures("tool")
def test_closed_to_others(here: Here) -> None:
    """The tool of the next tests is used as long as others have no hand in it."""
    assert [] == refusals(here)


@pytest.mark.usefixtures("tool")
def test_bytecode_that_nobody_runs(tmp_path: Path, here: Here) -> None:
    """What ``-O`` would run is not looked at: nobody's variable has a tool run with it, isolated or not."""
    trees.put(tmp_path / LIBRARY / "__pycache__/queue.cpython-312.opt-1.pyc").chmod(0o666)
    assert [] == refusals(here)
    assert {} == given(here, shim(tmp_path), PYTHONOPTIMIZE="1")


@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize("what", DECIDES)
def test_open_to_all(tmp_path: Path, here: Here, what: str) -> None:
    """Whatever of all that a tool executes or imports everybody can write to, it is turned down."""
    path = tmp_path / what
    path.chmod(path.stat().st_mode | 0o002)
    assert [(Kind.OPEN, os.fspath(path))] == refusals(here)


def _access_list(*entries: tuple[int, int, int]) -> bytes:
    """An access control list as Linux keeps it (linux/posix_acl_xattr.h): kind, rights and id of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)


@pytest.mark.usefixtures("tool")
@pytest.mark.skipif(sys.platform != "linux", reason="the lists are Linux'")
@pytest.mark.parametrize("what", [f"{SITE}/keyring/__init__.py", f"{SITE}/one.py", SITE, "base"])
@pytest.mark.parametrize(
    ("mask", "rights", "who"),
    [(7, 7, MALLORY), (5, 7, MALLORY), (7, 5, MALLORY), (7, 7, os.getuid() if os.name == "posix" else 0)],
)
def test_open_to_one(tmp_path: Path, here: Here, what: str, mask: int, rights: int, who: int) -> None:
    """An access control list that lets another user write opens it, too: the mode shows that as the group's right."""
    nobody = 0xFFFFFFFF
    data = _access_list((1, 7, nobody), (2, rights, who), (4, 5, nobody), (0x10, mask, nobody), (0x20, 5, nobody))
    path = tmp_path / what
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError:
        pytest.skip("this file system has no access control lists")
    opens = mask == rights == 7 and who == MALLORY
    assert ([(Kind.SHARED, os.fspath(path))] if opens else []) == refusals(here)


@as_root
@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize("what", [*DECIDES, "current", "home/.local/share/uv/python", f"home/{UV}/bin/python"])
def test_of_another_user(tmp_path: Path, here: Here, what: str) -> None:
    """Whatever of it is another user's, a link on the way included, it is turned down."""
    path = tmp_path / what
    os.chown(path, MALLORY, -1, follow_symlinks=False)
    assert [(Kind.OWNED, os.fspath(path))] == refusals(here)


@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize(("what", "used"), [(".", True), ("home", True), (SITE, False), (f"{SITE}/keyring", False)])
def test_sticky_folders(tmp_path: Path, here: Here, what: str, *, used: bool) -> None:
    """Others can put nothing in the place of what is in a sticky folder above; beside modules they can put their own."""
    (tmp_path / what).chmod(0o1777)
    assert used == (not refusals(here))


@as_root
@pytest.mark.usefixtures("tool")
@pytest.mark.parametrize(
    ("platform", "group", "mode", "used"),
    [
        ("darwin", 20, 0o775, False),
        ("darwin", 20, 0o755, True),
        ("darwin", 80, 0o775, True),
        ("linux", 20, 0o775, True),
    ],
)
@pytest.mark.parametrize("what", [SITE, f"{SITE}/one.py", "base", LIBRARY])
def test_group_of_all_users_on_macos(
    tmp_path: Path, here: Here, what: str, platform: str, group: int, mode: int, *, used: bool
) -> None:
    """On macOS each user is in the group staff: what that may write to is open to all."""
    os.chown(tmp_path / what, -1, group)
    (tmp_path / what).chmod(mode)
    assert used == (not refusals(here._replace(platform=platform)))


def test_links_through_a_folder_of_others(tmp_path: Path, here: Here) -> None:
    """A chain of links is as good as the worst folder that holds one of them."""
    trees.make_environment(tmp_path / "real", "one")
    for place, target in ((tmp_path / "hop/keyring", tmp_path / "real"), (tmp_path / "home" / UV, "../hop/keyring")):
        place.parent.mkdir(parents=True)
        place.symlink_to(os.path.join(tmp_path, "hop", target))
    assert [] == refusals(here)
    (tmp_path / "hop").chmod(0o777)
    assert [(Kind.OPEN, os.fspath(tmp_path / "hop"))] == refusals(here)


@pytest.mark.parametrize("changed", ["bin/python", "lib/python3.12/site-packages", "."])
def test_changed_between_survey_and_start(tmp_path: Path, here: Here, changed: str) -> None:
    """What was closed when it was found and is open when it is started is not started."""
    root = tmp_path / "home" / UV
    trees.make_environment(root, "one")
    ran = tmp_path / "ran"
    trees.put(root / "bin/python", f'#!/bin/sh\necho "$@" >> {ran}\n', executable=True)
    now = survey.make(here)
    (found,) = (one for one in now.findings.tools if one.root == os.fspath(root))
    call = Call("get_password", "https://one.example/", "u")
    with pytest.raises(ToolError):
        tools.ask(now, found, call, everything=True)
    assert "-I" == ran.read_text().split()[0], "as long as it is closed it is started, without variables and user site"
    ran.unlink()
    (root / changed).chmod(0o777)
    with pytest.raises(ToolError, match="is not asked, since everybody can write to"):
        tools.ask(now, found, call, everything=True)
    assert not ran.exists()


PROJECTS: dict[str, tuple[str, str, str]] = {
    # what marks it, the working directory, where it brings a keyring
    "Mercurial": ("app/.hg", "app/src/package", "app/tools"),
    "Jujutsu": ("app/.jj", "app", "app/tools"),
    "a worktree's file": ("app/.git", "app/src", "app/tools"),
    "three deep": ("mono/.git mono/a/pyproject.toml mono/a/b/setup.py", "mono/a/b/c", "mono/tools"),
    "a submodule": ("outer/.git outer/lib/inner/.git", "outer/lib/inner", "outer/bin"),
    "an archive": ("zip/requirements-dev.txt", "zip/src", "zip/tools"),
    "of uv": ("x/uv.lock", "x/y/z", "x/tools"),
    "marks behind many names": ("big/.git", "big/sub", "big/tools"),
}


@pytest.mark.parametrize(("marks", "cwd", "tools"), PROJECTS.values(), ids=PROJECTS)
def test_keyring_of_a_project(tmp_path: Path, here: Here, marks: str, cwd: str, tools: str) -> None:
    """Wherever in a project, from wherever in it: its outermost folder counts."""
    home = tmp_path / "home"
    for mark in marks.split():
        trees.put(home / mark)
    (home / cwd).mkdir(parents=True, exist_ok=True)
    for number in range(1500 if cwd == "big/sub" else 0):
        (home / f"big/a{number}").touch()
    trees.put(home / tools / "keyring", "#!/bin/sh\n", executable=True)
    around = here._replace(cwd=os.fspath(home / cwd), environ={"PATH": os.fspath(home / tools)})
    found = search.find(around)
    assert [] == [one for one in found.tools if one.origin is PATH]
    assert [Kind.IN_PROJECT if cwd not in tools else Kind.IN_WORKING_DIRECTORY] == [
        one.kind for one in found.refusals if one.origin is PATH
    ]
    elsewhere = search.find(around._replace(cwd="/"))
    assert [os.fspath(home / tools / "keyring")] == [one.path for one in elsewhere.tools if one.origin is PATH]


@pytest.mark.parametrize("kind", ["venv", "conda"])
def test_project_of_an_environment(tmp_path: Path, here: Here, kind: str) -> None:
    """From anywhere, what lies in the project of this environment is not run, a conda environment's neither."""
    project = tmp_path / "home/app"
    trees.put(project / "environment.yml")
    trees.put(project / "tools/keyring", "#!/bin/sh\n", executable=True)
    (project / "env/conda-meta").mkdir(parents=True)
    around = here._replace(
        prefix=os.fspath(project / "env"), virtual=kind == "venv", cwd="/", environ={"PATH": f"{project}/tools"}
    )
    assert [Kind.IN_PROJECT_OF_ENVIRONMENT] == [one.kind for one in search.find(around).refusals if one.origin is PATH]


@pytest.mark.parametrize(
    ("name", "beside", "used"),
    [("x", True, True), ("x", False, False), *((name, True, False) for name in (".venv", "venv", ".env", "env"))],
)
def test_folder_that_holds_this_environment(tmp_path: Path, here: Here, name: str, *, beside: bool, used: bool) -> None:
    """What holds this environment is its project, but for a folder of environments, as virtualenvwrapper's."""
    holder = tmp_path / "home/held"
    trees.make_environment(holder / name)
    trees.put(holder / "tools/keyring", "#!/bin/sh\n", executable=True)
    trees.put(holder / ("other/pyvenv.cfg" if beside else "other/file"))
    around = here._replace(prefix=os.fspath(holder / name), cwd="/", environ={"PATH": f"{holder}/tools"})
    assert used == any(one.origin is PATH for one in search.find(around).tools)


@pytest.mark.parametrize("mark", ["uv-receipt.toml", "pipx_metadata.json", "conda-meta"])
def test_folder_that_holds_a_tool(tmp_path: Path, here: Here, mark: str) -> None:
    """What holds an environment that uv, pipx or conda has made is no project for that alone."""
    holder = tmp_path / "home/held"
    trees.make_environment(holder / "x")
    (holder / "x" / mark).mkdir()
    trees.put(holder / "tools/keyring", "#!/bin/sh\n", executable=True)
    around = here._replace(prefix=os.fspath(holder / "x"), cwd="/", environ={"PATH": f"{holder}/tools"})
    assert [PATH] == [one.origin for one in search.find(around).tools]


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "HOME"])
def test_configuration_of_a_project(here: Here, variable: str) -> None:
    """A keyringrc.cfg that a variable leads to in a project names no tool, and one line says so."""
    folder = Path(here.cwd) / "h"
    file = trees.put(folder / ".config/python_keyring/keyringrc.cfg", "[fallback]\ntool = /bin/sh\n")
    changed = {"home": os.fspath(folder)} if variable == "HOME" else {"environ": {variable: f"{folder}/.config"}}
    now = survey.make(here._replace(**changed))
    assert ((), []) == (now.settings.tool, [one for one in now.findings.tools if one.path == "/bin/sh"])
    assert [f"{file}: not read for [fallback], since"] == [line[: len(str(file)) + 32] for line in now.problems()]


def test_our_folder_is_not_where_modules_are_imported_from(python: Path, tmp_path: Path) -> None:
    """Under a plain interpreter, which runs without -I, our own modules shadow nothing."""
    start = shutil.copy(Path(survey.__file__).parent / "helper/start.py", tmp_path)
    trees.put(tmp_path / "seen.py", "import sys\ndef main(): print(*sys.path, sep='\\n')\n")
    said = environments.run([python, start, "", "seen"], check=True).stdout.splitlines()
    assert said
    assert os.fspath(tmp_path) not in said


def test_malformed_reply_is_no_local(tmp_path: Path, here: Here) -> None:
    """A reply that is none may hold a password all the same: no local of ours shows it in a traceback."""
    root = tmp_path / "home" / UV
    trees.make_environment(root, "one")
    text = """#!/bin/sh\nread -r l; n=${l#*'"nonce": "'}; echo "${n%%'"'*}{\\"id\\": 1, CANARY"\ncat >/dev/null\n"""
    trees.put(root / "bin/python", text, executable=True)
    now = survey.make(here)
    (found,) = (one for one in now.findings.tools if one.root == os.fspath(root))
    with pytest.raises(ToolError) as raised:
        tools.ask(now, found, Call("get_password", "https://one.example/", "u"), everything=True)
    frames = [one.frame for one in raised.traceback if "keyring_fallback" in os.fspath(one.path)]
    assert "read" in [one.code.name for one in frames]
    assert [] == [one.code.name for one in frames if "CANARY" in repr(one.f_locals)]


def shim(tmp_path: Path) -> Tool:
    """A program whose interpreter cannot be told."""
    return Tool(PATH, os.fspath(tmp_path / "home/shims/keyring"), "", "")


def given(here: Here, tool: Tool, **variables: str) -> dict[str, str]:
    """What is started gets of some variables."""
    around = here._replace(environ=variables)
    environ = child_environ(survey.Survey(config.Settings(), around, Findings(), survey.State.DELEGATING), tool)
    return {name: value for name, value in environ.items() if name in variables}


VERSIONS = (
    *(
        "MISE_PYTHON_VERSION",
        "MISE_CONFIG_DIR",
        "MISE_CONFIG_FILE",
        "__MISE_DIFF",
        "RTX_PYTHON_VERSION",
        "PYENV_VERSION",
    ),
    *("PYENV_DIR", "ASDF_PYTHON_VERSION", "ASDF_DEFAULT_TOOL_VERSIONS_FILENAME", "PROTO_PYTHON_VERSION"),
)


def test_variables_that_choose_a_version(tmp_path: Path, here: Here) -> None:
    """Version managers learn where their things are if that is no project's, and no version."""
    names = ("MISE_DATA_DIR", "ASDF_DIR", "ASDF_DATA_DIR", "PYENV_ROOT", "PROTO_HOME", "XDG_DATA_HOME", "HOME")
    homes = dict.fromkeys(names, f"{tmp_path}/home/x")
    assert homes == given(here, shim(tmp_path), **homes, **dict.fromkeys(VERSIONS, "3.12"))
    assert {} == given(here, shim(tmp_path), **dict.fromkeys(homes, f"{here.cwd}/x"))
    assert {"PWD": here.home} == given(here, shim(tmp_path), PWD=here.cwd)
    cloud = {"AZURE_CONFIG_DIR": f"{here.cwd}/azure", "AWS_PROFILE": "x", "SSH_AUTH_SOCK": "/run/x"}
    assert cloud == given(here, shim(tmp_path), **cloud)


def test_programs_of_a_project_come_last(tmp_path: Path, here: Here) -> None:
    """What a tool looks for by name, or ``env`` in its first line, is not the project's as long as there is another."""
    bin_ = tmp_path / "home/bin"
    bin_.mkdir()
    value = f"{here.cwd}/tools:.::{bin_}:rel:/usr/bin"
    assert {"PATH": f"{bin_}:/usr/bin:{here.cwd}/tools:.::rel"} == given(here, shim(tmp_path), PATH=value)


def test_programs_of_this_environment_come_last(tmp_path: Path, here: Here) -> None:
    """What is in the environment's folder of programs is not a tool's, wherever the interpreter itself may be."""
    scripts = tmp_path / "home/venv/bin"
    scripts.mkdir(parents=True)
    around = here._replace(prefix=os.fspath(scripts.parent), executable="/elsewhere/python3", virtual=True)
    assert {"PATH": f"/usr/bin:{scripts}"} == given(around, shim(tmp_path), PATH=f"{scripts}:/usr/bin")


@pytest.mark.parametrize("whose", ["open", pytest.param("owned", marks=as_root)])
def test_programs_of_others_come_last(tmp_path: Path, here: Here, whose: str) -> None:
    """Nor is it what another user, or everybody, can put there."""
    bin_, others = tmp_path / "home/bin", tmp_path / "others"
    bin_.mkdir()
    others.mkdir()
    if whose == "open":
        others.chmod(0o777)
    else:
        os.chown(others, MALLORY, -1)
    assert {"PATH": f"{bin_}:{others}"} == given(here, shim(tmp_path), PATH=f"{others}:{bin_}")


@pytest.mark.parametrize("chosen", ["folder", "variable", "PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"])
def test_version_manager_in_a_repository(
    shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path, chosen: str
) -> None:
    """A shim that runs what the folder, a variable or PATH names runs nothing of a repository's, and is told no password."""
    environment = shared_environments.get(python, "keyring", wheel)
    home, repository = tmp_path / "home", tmp_path / "home/repository"
    stolen = tmp_path / "stolen"
    evil = trees.put(repository / "py/evil", f'#!/bin/sh\necho "$@" >> {stolen}\ncat >> {stolen}\n', executable=True)
    for file in (".git", ".tool-versions", "cfg/mise/config", "h/.config/mise/config", "data/mise/config"):
        trees.put(repository / file, os.fspath(evil))
    looks = [
        'program=$(cat "$PWD/.tool-versions" 2>/dev/null)',
        "program=${program:-$MISE_PROGRAM}",
        'for folder in "$XDG_CONFIG_HOME" "$HOME/.config" "$XDG_DATA_HOME"; do',
        '  program=${program:-$(cat "$folder/mise/config" 2>/dev/null)}',
        "done",
        'exec "${program:-good}" "$@"',
    ]
    trees.put(home / "shims/keyring", "\n".join(["#!/bin/sh", *looks]), executable=True)
    trees.put(home / "bin/good", '#!/bin/sh\ncat >/dev/null\necho \'{"password": "p4ss"}\'\n', executable=True)
    shutil.copy(evil, repository / "py/good")
    env = {**os.environ, "HOME": os.fspath(home), "PATH": f"{home}/shims:{home}/bin:/usr/bin:/bin"}
    attacks = {
        "variable": {"MISE_PROGRAM": os.fspath(evil)},
        "PATH": {"PATH": f"{repository}/py:{env['PATH']}"},
        "XDG_CONFIG_HOME": {"XDG_CONFIG_HOME": f"{repository}/cfg"},
        "XDG_DATA_HOME": {"XDG_DATA_HOME": f"{repository}/data"},
        "HOME": {"HOME": f"{repository}/h"},
    }
    env.update(attacks.get(chosen, {}))
    code = "import keyring; keyring.set_password('s', 'u', 'p4ss'); print(keyring.get_password('https://one.example/', 'u'))"
    result = environments.run([environment.python, "-c", code], env=env, cwd=repository)
    assert not stolen.exists()
    assert (["p4ss"], 0) == (result.stdout.split(), result.returncode), result.stderr


@as_root
@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
def test_as_other_users(shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path) -> None:
    """A real user's lookup runs no code that another real user has put where all can write."""
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("setpriv is not installed")
    environment = shared_environments.get(python, "keyring", wheel)
    pwned, victim = tmp_path / "pwned", 61001
    bin_ = tmp_path / "opt/bin"
    trees.put(bin_ / "keyring", '#!/bin/sh\necho \'{"password": "good"}\'\n', executable=True)
    bin_.chmod(0o777)
    for folder in [tmp_path, *list(tmp_path.parents)[:-1]]:
        if not folder.stat().st_mode & 0o001 and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)

    def run(uid: int, *argv: str) -> str:
        changed = [setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv]
        env = {"PATH": f"{bin_}:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
        return environments.run(changed, env=env, cwd=Path("/")).stdout

    if not run(victim, os.fspath(environment.python), "-c", "print(1)"):
        pytest.skip("another user cannot start the Python of these tests")
    run(
        61002,
        "/bin/sh",
        "-c",
        f"mv {bin_}/keyring {bin_}/k; printf '#!/bin/sh\\nid -u > {pwned}\\n' > {bin_}/keyring; chmod 755 {bin_}/keyring",
    )
    assert "printf" not in (bin_ / "keyring").read_text()
    code = "import keyring; print(keyring.get_keyring().name); print(keyring.get_password('https://one.example/', 'u'))"
    run(victim, os.fspath(environment.python), "-c", code)
    assert not pwned.exists()
