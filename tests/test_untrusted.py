"""What is not the user's own global keyring is never run, and what is broken is never in the way."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import environments, machine, trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Environment, Environments

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="modes, links and scripts of POSIX systems")

STRANGER = 54321

#: Says whether we are viable, makes a lookup, and says what was turned down and why.
PROGRAM = """\
import json, logging, keyring
from keyring_fallback import FallbackKeyring, GlobalKeyring, survey
logging.disable()
viable = [backend.priority for backend in (FallbackKeyring, GlobalKeyring) if backend.viable]
try:
    answer = keyring.get_password("https://feed.example/simple/", "u")
except keyring.errors.NoKeyringError:
    answer = None
now = survey.current()
print(json.dumps({"viable": viable, "answer": answer,
    "refusals": [[one.path, one.reason] for one in now.findings.refusals], "home": now.here.home}))
"""


class Scene:
    """A person's terminal in a project with an environment that has us."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.cwd = folder / "home/project/package"
        self.cwd.mkdir(parents=True)
        trees.put(self.cwd.parent / "pyproject.toml")
        self.mark = folder / "mark"

    def plant(self, place: Path, *, interpreter: bool = False) -> Path:
        """Put a ``keyring`` into a folder that answers, and leaves a mark if it is ever run."""
        text = f'#!/bin/sh\necho run >> {shlex.quote(os.fspath(self.mark))}\necho \'{{"password": "planted"}}\'\n'
        if interpreter:  # a script of a Python that lies beside it
            trees.put(place / "python3", text, executable=True)
            text = f"#!{place}/python3\n"
        return trees.put(place / "keyring", text, executable=True)

    def look(self, path: str, **variables: str) -> dict[str, Any]:
        """What a program in the working directory gets with a PATH."""
        env = {**os.environ, "PATH": path, **variables}
        result = self.environment.run(["-c", PROGRAM], env=env, cwd=self.cwd, check=True)
        assert result.stderr == ""
        return dict(json.loads(result.stdout))

    def reason(self, place: Path | str, **seen: Any) -> str:
        """Why what is at a place was turned down."""
        return str(dict(seen["refusals"]).get(os.fspath(place), ""))

    @property
    def was_run(self) -> bool:
        """Whether what was planted has been run."""
        return self.mark.exists()


@pytest.fixture
def scene(shared_environments: Environments, python: Path, wheel: Path, tmp_path: Path) -> Scene:
    """The stage of these tests."""
    return Scene(shared_environments.get(python, "keyring", wheel), tmp_path)


def give_away(path: Path) -> None:
    """Make a file another user's."""
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, STRANGER, STRANGER)


def test_what_is_planted_would_be_run(scene: Scene) -> None:
    """In a folder of the user's on PATH it answers: the other tests are not idle."""
    scene.plant(scene.folder / "bin")
    seen = scene.look(os.fspath(scene.folder / "bin"))
    assert ([10.5, 8], "planted") == (seen["viable"], seen["answer"])
    assert scene.was_run


ENTRIES: dict[str, tuple[str, Callable[[Scene], str], str]] = {
    "empty": (".", lambda _: "", "what PATH says is not an absolute path"),
    "empty at the end": (".", lambda _: "/nowhere:", "what PATH says is not an absolute path"),
    "the working directory": (".", lambda _: ".", "what PATH says is not an absolute path"),
    "relative": ("bin", lambda _: "bin", "what PATH says is not an absolute path"),
    "relative, up": ("../bin", lambda _: "../bin", "what PATH says is not an absolute path"),
    "tilde": ("~/bin", lambda _: "~/bin", "what PATH says is not an absolute path"),
    "below it": ("bin", lambda scene: f"{scene.cwd}/bin", "it lies in the working directory"),
    "it": (".", lambda scene: f"{scene.cwd}", "it lies in the working directory"),
    "below the project": ("../bin", lambda scene: f"{scene.cwd.parent}/bin", "it lies in the project"),
    "up and down": (
        "bin",
        lambda scene: f"{scene.cwd}/bin/../../{scene.cwd.name}/bin",
        "it lies in the working directory",
    ),
}


@pytest.mark.parametrize("interpreter", [False, True], ids=["script", "interpreter"])
@pytest.mark.parametrize(("place", "entry", "reason"), ENTRIES.values(), ids=ENTRIES)
def test_entries_of_path(
    scene: Scene, place: str, entry: Callable[[Scene], str], reason: str, *, interpreter: bool
) -> None:
    """Nothing is run from an entry of PATH that is empty, relative, or in the working directory or its project."""
    scene.plant(scene.cwd / place, interpreter=interpreter)
    path = entry(scene)
    seen = scene.look(path)
    assert not scene.was_run
    assert ([], None) == (seen["viable"], seen["answer"])
    assert [reason] == [why for where, why in seen["refusals"] if where.endswith("keyring")]


def test_links_into_the_project(scene: Scene) -> None:
    """Nor through a link that stands elsewhere, to the file or to its folder."""
    planted = scene.plant(scene.cwd / "bin")
    (scene.folder / "one").mkdir()
    (scene.folder / "one/keyring").symlink_to(planted)
    (scene.folder / "two").symlink_to(planted.parent)
    seen = scene.look(f"{scene.folder / 'one'}:{scene.folder / 'two'}")
    assert not scene.was_run
    assert ["it lies in the working directory"] * 2 == [why for _, why in seen["refusals"]]


def test_interpreter_in_the_project(scene: Scene) -> None:
    """Nor where a script elsewhere names an interpreter in the project, or one that the system would look for here."""
    scene.plant(scene.cwd / "bin", interpreter=True)
    for text in (f"#!{scene.cwd}/bin/python3", "#!bin/python3", "#!/bin/sh\n'''exec' bin/python3 \"$0\" \"$@\"\n' '''"):
        script = trees.put(scene.folder / "bin/keyring", f"{text}\n", executable=True)
        seen = scene.look(os.fspath(script.parent))
        assert not scene.was_run
        assert scene.reason(script, **seen) in {
            "it lies in the working directory",
            "its interpreter bin/python3 is not an absolute path",
        }


@pytest.mark.parametrize(
    "variable", ["UV_TOOL_DIR", "XDG_DATA_HOME", "PIPX_HOME", "UV_TOOL_BIN_DIR", "PIPX_BIN_DIR", "CONDA_EXE"]
)
def test_variables_of_a_project(scene: Scene, variable: str) -> None:
    """Nor from where a project's .env file makes uv's, pipx's or conda's variables point."""
    for place in ("keyring", "uv/tools/keyring", "venvs/keyring", "."):
        root = scene.cwd / "t" / place
        trees.make_environment(root)
        scene.plant(root / "bin", interpreter=True)
        (root / "bin/python").unlink()
        (root / "bin/python").symlink_to("python3")
    scene.plant(scene.cwd / "b")
    folder = "b" if "BIN" in variable else "t"
    for value in (f"{scene.cwd}/{folder}", folder, f"./{folder}"):
        seen = scene.look("/nowhere", **{variable: f"{value}/bin/conda" if variable == "CONDA_EXE" else value})
        assert not scene.was_run
        assert ([], None) == (seen["viable"], seen["answer"])


@pytest.mark.parametrize("what", ["keyring", ".", ".."])
@pytest.mark.parametrize("interpreter", [False, True], ids=["script", "interpreter"])
def test_writable_by_the_world(scene: Scene, what: str, *, interpreter: bool) -> None:
    """Nothing is run that everybody can write to, or that is in or below a folder that is not closed to the world."""
    planted = scene.plant(scene.folder / "opt/bin", interpreter=interpreter)
    os.chmod(planted.parent / what, 0o777)  # noqa: S103
    seen = scene.look(os.fspath(planted.parent))
    assert not scene.was_run
    assert scene.reason(planted, **seen).startswith("everybody can write to ")


@pytest.mark.parametrize("what", ["keyring", "python3", "."])
def test_of_another_user(scene: Scene, what: str) -> None:
    """Nothing is run that belongs to another user than this one and root."""
    planted = scene.plant(scene.folder / "opt/bin", interpreter=True)
    give_away(planted.parent / what)
    seen = scene.look(os.fspath(planted.parent))
    assert not scene.was_run
    assert scene.reason(planted, **seen).endswith(" belongs to another user")


def test_tool_of_another_user(scene: Scene) -> None:
    """That holds for the known places too: root does not run what lies in the home folder of somebody else."""
    root = scene.folder / "home/.local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    give_away(root / "bin/python")
    seen = scene.look("/nowhere")
    assert [] == seen["viable"]
    assert scene.reason(root, **seen).endswith("bin/python belongs to another user")


def test_tool_in_an_open_folder_that_was_named(scene: Scene) -> None:
    """What the user has named is run also where everybody can write to it, as on CI machines, and one line says so."""
    planted = scene.plant(scene.folder / "bin")
    planted.parent.chmod(0o777)
    variables = {"KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(planted)}
    seen = scene.look("/nowhere", **variables)
    assert ([10.5, 8], "planted") == (seen["viable"], seen["answer"])
    program = PROGRAM.replace("logging.disable()", "")
    env = {**os.environ, "PATH": "/nowhere", **variables}
    (line,) = scene.environment.run(["-c", program], env=env, cwd=scene.cwd, check=True).stderr.splitlines()
    why = f"everybody can write to {planted.parent}; close that to others if you can"
    assert f"keyring-fallback: KEYRING_PROPERTY_FALLBACK_TOOL: the tool {planted} is used, although {why}" == line


def test_tool_of_another_user_that_was_named(scene: Scene) -> None:
    """What belongs to another user is not run, also if the user has named it; keyring goes on without it."""
    planted = scene.plant(scene.folder / "bin")
    give_away(planted)
    seen = scene.look("/nowhere", KEYRING_PROPERTY_FALLBACK_TOOL=os.fspath(planted))
    assert not scene.was_run
    assert [] == seen["viable"]


def bad_homes(home: Path) -> dict[str, str]:
    """Fill a home folder with what a disk may hold by accident; return the places with the reasons expected."""
    pipx = home / ".local/pipx/venvs/keyring"  # on every system
    (home / ".local/share/uv/tools/keyring/pyvenv.cfg").mkdir(parents=True)
    trees.make_environment(pipx)
    garbage = os.urandom(9000)
    trees.put(pipx / "pyvenv.cfg", garbage)
    trees.put(pipx / "uv-receipt.toml", garbage)
    trees.put(pipx / "pipx_metadata.json", "[" * 9000)
    trees.put(pipx / "lib/python3.12/site-packages/garbage.pth", garbage)
    trees.put(pipx / "lib/python3.12/site-packages/garbage-1.dist-info/entry_points.txt", garbage)
    (pipx / "bin/python").unlink()
    (pipx / "bin/python").symlink_to("python")
    (home / ".rye/tools").mkdir(parents=True)
    (home / ".rye/tools/keyring").symlink_to("../tools/keyring")
    (home / ".local/bin").mkdir()
    os.mkfifo(home / ".local/bin/keyring")
    trees.put(home / ".pixi/bin/keyring", "#!/dangling/python\n")
    return {
        ".local/share/uv/tools/keyring": "it is not an environment: it has no file pyvenv.cfg",
        ".local/pipx/venvs/keyring": f"its interpreter {pipx}/bin/python is missing",
        ".rye/tools/keyring": "it is not an environment: it has no file pyvenv.cfg",
        ".local/bin/keyring": "it is not a file",
        ".pixi/bin/keyring": "its interpreter /dangling/python is missing",
    }


def test_broken_tools(scene: Scene, home: Path) -> None:
    """Folders, loops, FIFOs, garbage and dangling links in the places of tools: a reason each, and keyring works."""
    expected = bad_homes(home)
    folder = scene.folder / "path"
    (folder / "a").mkdir(parents=True)
    (folder / "a/keyring").symlink_to("/no/such")
    (folder / "b/keyring").mkdir(parents=True)
    trees.put(folder / "c/keyring", os.urandom(9000))
    (folder / "loop").symlink_to("loop")
    seen = scene.look(":".join(f"{folder}/{name}" for name in ("a", "b", "c", "loop", "a/keyring", "c/keyring")))
    assert [] == seen["viable"]
    assert expected == {place: scene.reason(home / place, **seen) for place in expected}
    assert [
        "it is a link to nothing",
        "it is not a file",
        "it cannot be executed",
        "it cannot be looked at (Too many levels of symbolic links)",
    ] == [scene.reason(folder / name / "keyring", **seen) for name in ("a", "b", "c", "loop")]


@pytest.mark.parametrize("home", ["unset", "empty", "relative", "a file", "gone"])
def test_home_is_not_what_it_should_be(scene: Scene, home: str) -> None:
    """Whatever HOME says, keyring works: without it the user database says where the home folder is."""
    planted = scene.plant(scene.folder / "bin")
    value = {"empty": "", "relative": "home", "a file": os.fspath(planted), "gone": "/no/such/home"}.get(home, "")
    env = {**os.environ, "PATH": os.fspath(planted.parent), "HOME": value}
    if home == "unset":
        del env["HOME"]
    result = scene.environment.run(["-c", PROGRAM], env=env, cwd=scene.cwd, check=True)
    seen = json.loads(result.stdout)
    assert ([10.5, 8], "planted") == (seen["viable"], seen["answer"])
    if home in {"unset", "empty"}:
        assert machine.homes()[-1] == Path(seen["home"])


def test_working_directory_is_gone(scene: Scene) -> None:
    """In a working directory that has been removed keyring works, and relative entries of PATH are nothing."""
    planted = scene.plant(scene.folder / "bin")
    gone = scene.folder / "gone"
    gone.mkdir()
    # keyring itself cannot be imported in such a place (backports in Python 3.11 and older)
    code = f"import os, keyring; os.chdir({os.fspath(gone)!r}); os.rmdir({os.fspath(gone)!r})\n{PROGRAM}"
    env = {**os.environ, "PATH": f".::{planted.parent}"}
    seen = json.loads(scene.environment.run(["-c", code], env=env, check=True).stdout)
    assert ([10.5, 8], "planted") == (seen["viable"], seen["answer"])


def test_huge_files(scene: Scene, home: Path) -> None:
    """Of files as large as disks, in the place of anything that is read, only the beginnings are read."""
    root = home / ".local/share/uv/tools/keyring"
    trees.make_environment(root, "one")
    site = root / "lib/python3.12/site-packages"
    files = [root / "pyvenv.cfg", site / "one-1.0.dist-info/entry_points.txt", trees.put(site / "huge.pth", "#")]
    files += [trees.put(home / ".local/bin/keyring", "#!/bin/sh\n", executable=True)]
    files += [
        trees.put(home / f".pixi/bin/{name}", executable=True)
        for name in ("keyring", "trampoline_configuration/keyring.json")
    ]
    for file in files:
        os.truncate(file, 1 << 36)
    code = (
        "import os, sys\nread, done = os.read, []\n"
        "def counted(*a):\n    data = read(*a)\n    done.append(len(data))\n    return data\n"
        "from keyring_fallback import survey\nos.read = counted\nnow = survey.current()\n"
        "print(len(now.findings.tools), len(done), sum(done), max(done))"
    )
    env = {**os.environ, "PATH": "/nowhere"}
    result = scene.environment.run(["-c", code], env=env, cwd=scene.cwd, check=True, timeout=60)
    tools, count, total, largest = map(int, result.stdout.split())
    assert 2 == tools, "the one with the .pth file that was not read to its end is refused"
    assert largest <= 16384
    assert total <= 16384 * count <= 16384 * 8


def test_a_tool_that_is_opened_to_all_after_it_was_found(scene: Scene) -> None:
    """It is not run any more: the error says why, and what to do."""
    place = scene.plant(scene.folder / "bin")
    code = (
        "import os, sys\nfrom keyring.errors import KeyringError\nfrom keyring_fallback import GlobalKeyring\n"
        "assert GlobalKeyring.viable\nos.chmod(sys.argv[1], 0o777)\n"
        "try:\n    print(GlobalKeyring().get_password('https://feed.example/simple/', 'u'))\n"
        "except KeyringError as error:\n    print(error)"
    )
    env = {**os.environ, "PATH": os.fspath(place.parent)}
    result = scene.environment.run(["-c", code, place.parent], env=env, cwd=scene.cwd, check=True)
    told = f"the global keyring {place} is not asked, since everybody can write to {place.parent}"
    assert [told, "run 'keyring-fallback doctor' to see what is wrong with it"] == result.stdout.strip().split("; ")
    assert not scene.was_run


def test_as_an_ordinary_user(scene: Scene, home: Path) -> None:
    """Folders that may not be looked into are reasons, seen by a user who is not root."""
    closed = scene.folder / "closed"
    trees.put(closed / "keyring")
    trees.put(home / ".local/share/uv/tools/keyring/pyvenv.cfg")
    folders = [closed, home / ".local/share/uv/tools"]
    for folder in folders:
        folder.chmod(0)
    argv = [os.fspath(scene.environment.python), "-c", PROGRAM]
    if os.getuid() == 0:  # without the right to read everything
        if (setpriv := shutil.which("setpriv")) is None:
            pytest.skip("setpriv is not installed, which makes root an ordinary user")
        argv = [setpriv, "--bounding-set", "-dac_override,-dac_read_search", *argv]
    try:
        result = environments.run(argv, env={**os.environ, "PATH": os.fspath(closed)}, cwd=scene.cwd, check=True)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    seen = json.loads(result.stdout)
    assert [] == seen["viable"]
    for place in (closed / "keyring", home / ".local/share/uv/tools/keyring"):
        assert "it cannot be looked at (Permission denied)" == scene.reason(place, **seen)
