"""What an environment holds is read from its files as its interpreter would find it; what files do not tell is unknown."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyring_fallback import survey
from keyring_fallback.discovery import environment, layout, trust
from keyring_fallback.discovery.tool import Content, Provider
from support import environments, machine, trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyring_fallback.here import Here
    from support.environments import Environments, Text

SITE = "lib/python3.12/site-packages"
ONE = Provider("one", "1.0", "one:Backend")


def read(root: Path, platform: str = "linux") -> Content:
    """What an environment holds."""
    interpreter = environment.interpreter(os.fspath(root), platform)
    there = survey.here()._replace(platform=platform)
    site = layout.site(os.fspath(root), interpreter, there)
    return layout.content(site, environment.Budget(), trust.Trust(there))


@pytest.mark.parametrize(
    ("folder", "platform"),
    [
        ("lib/python3.12/site-packages", "linux"),
        ("lib/python3.13t/site-packages", "darwin"),
        ("lib/pypy3.10/site-packages", "linux"),
        ("Lib/site-packages", "win32"),
        ("lib/python3.12/site-packages", "win32"),
    ],
    ids=["CPython", "free-threaded", "PyPy", "Windows", "MSYS2"],
)
def test_site_folders(tmp_path: Path, folder: str, platform: str) -> None:
    """site-packages is found by listing, whatever the interpreter."""
    trees.add_provider(tmp_path / folder, "one")
    assert [os.path.join(tmp_path, *folder.split("/"))] == layout.site_folders(os.fspath(tmp_path), platform)
    assert (ONE,) == read(tmp_path, platform).providers


def test_distributions(tmp_path: Path) -> None:
    """Names are normalised, keyring's and our own entry points do not count, nor what an uninstalling pip left."""
    trees.make_environment(tmp_path, "One")
    site = tmp_path / SITE
    text = "[console_scripts]\nx = y:z\n[keyring.backends]\n# a = b\nNofuss Keyring = a.b : C.d [extra]\n; x\n[other]\nq = r\n"
    trees.put(site / "keyrings.google_artifactregistry_auth-1.1.2.dist-info/entry_points.txt", text)
    trees.put(site / "old_style-2.0-py3.12.egg-info/entry_points.txt", "[keyring.backends]\nold = old\n")
    trees.put(site / "~eft-1.0.dist-info/entry_points.txt", "[keyring.backends]\nleft = left\n")
    trees.put(
        site / "keyring_fallback-1.0.dist-info/entry_points.txt", "[keyring.backends]\nx = keyring_fallback.backend\n"
    )
    trees.put(site / "distutils-1.0.egg-info", "Metadata-Version: 1.0")
    trees.put(site / "without-1.0.dist-info/METADATA")
    content = read(tmp_path)
    expected = {
        Provider("one", "1.0", "One:Backend"),
        Provider("keyrings-google-artifactregistry-auth", "1.1.2", "a.b : C.d [extra]"),
        Provider("old-style", "2.0", "old"),
    }
    assert expected == set(content.providers)
    assert {"One", "a.b", "old"} == {provider.module for provider in content.providers}
    assert ("25.7.0", True, None) == (content.keyring, content.complete, content.unreadable)


def test_optional_parts(tmp_path: Path) -> None:
    """The modules that keyring's own backends need are seen."""
    trees.make_environment(tmp_path)
    for name in ("dbus", "gi", "other"):
        (tmp_path / SITE / name).mkdir()
    assert {"dbus", "gi"} == read(tmp_path).optional


@pytest.mark.parametrize("system", ["true", "True", "TRUE"])
def test_shared_packages(tmp_path: Path, system: str) -> None:
    """An environment that sees the base interpreter's packages may hold more than its own."""
    trees.make_environment(tmp_path, "one", settings=f"home = /usr/bin\nInclude-System-Site-Packages={system}\n")
    content = read(tmp_path)
    assert ((ONE,), False, True) == (content.providers, content.complete, content.shares)


posix = pytest.mark.skipif(machine.WINDOWS, reason="links and scripts of POSIX systems")

NAMESPACE = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'], "
    "*('mpl_toolkits',));importlib = has_mfs and __import__('importlib.util')\n"
)
PRECEDENCE = "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled\n"
PTH = [
    ("extra.pth", "{other}\n", True, True),
    ("extra.pth", "# comment\n\n../../../other\n", True, True),
    ("extra.pth", "/no/such/folder\n\0\n", True, False),
    ("homebrew-x.pth", "import site; site.addsitedir('{other}')\n", True, True),
    ("_uv_ephemeral_overlay.pth", 'import site; site.addsitedir("{other}")', True, True),
    ("escaped.pth", "import site; site.addsitedir('C:\\\\x')\n", False, False),
    ("more.pth", "import site; site.addsitedir('{other}'); import more\n", False, False),
    ("brew.pth", "import os, site; site.addsitedir(os.environ['X'])\n", False, False),
    ("both.pth", "import os\n{other}\n", False, True),
    ("distutils-precedence.pth", PRECEDENCE, True, False),
    ("distutils-precedence.pth", "import other\n", False, False),
    ("renamed.pth", PRECEDENCE, True, False),
    ("_virtualenv.pth", "import _virtualenv\n", True, False),
    ("a1_coverage.pth", "import sys; exec('import coverage\\ncoverage.process_startup(slug=\"pth\")')\n", True, False),
    ("matplotlib-3.8.0-py3.12-nspkg.pth", NAMESPACE, True, False),
    ("__editable__.one-1.0.pth", "import __editable___one_finder; __editable___one_finder.install()\n", True, False),
    ("_x_editable.pth", "import _x_editable\n", True, False),
    ("pywin32.pth", "win32\nwin32\\lib\nimport pywin32_bootstrap\n", True, False),
    ("sneaky.pth", "import _virtualenv, sys; sys.path.append('x')\n", False, False),
    ("long.pth", "#" * 20000 + "\n{other}\n", False, False),
    ("garbage.pth", "\udcff\0\n", True, False),
    ("pipx_shared.pth", "{other}", True, True),
    ("important.pth", "important\n", True, False),
]


@pytest.mark.parametrize(("name", "text", "complete", "found"), PTH, ids=[f"{row[0]} {row[1][:12]!r}" for row in PTH])
def test_pth_files(tmp_path: Path, name: str, text: str, *, complete: bool, found: bool) -> None:
    """Plain lines of .pth files are followed, code is not run: then something may be missing."""
    trees.make_environment(tmp_path / "k")
    trees.add_provider(tmp_path / "k/other", "one")
    trees.put(tmp_path / "k" / SITE / name, text.format(other=(tmp_path / "k/other").as_posix()))
    content = read(tmp_path / "k")
    assert (complete, (ONE,) if found else ()) == (content.complete, content.providers)


def here(folder: Path, platform: str = "linux", **environ: str) -> Here:
    """A user whose home folder is ``home``."""
    return trees.make_here(folder, platform, environ)


def relative(folder: Path, paths: tuple[str, ...]) -> list[str]:
    """The paths, as seen from a folder."""
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]


@posix
@pytest.mark.parametrize("name", ["python3.12", "python3", "python", "python2"])
def test_the_interpreter_of_the_base(tmp_path: Path, name: str) -> None:
    """It is the one of the environment's version in its ``home``, or what has the name of any."""
    program = trees.put(tmp_path / "base/bin" / name, executable=True)
    trees.make_environment(tmp_path / "env", settings=f"home = {program.parent}\n")
    site = layout.site(os.fspath(tmp_path / "env"), os.fspath(tmp_path / "env/bin/python"), here(tmp_path))
    assert (name != "python2") == (os.fspath(program) in site.base)


@posix
def test_debian(tmp_path: Path) -> None:
    """Debian's Python has its packages in three folders, and sees the user's; keyring without a provider is all."""
    trees.debian(tmp_path / "usr")
    user = tmp_path / "home/.local/lib/python3.12/site-packages"
    user.mkdir(parents=True)
    site = layout.site("", os.fspath(tmp_path / "usr/bin/python3"), here(tmp_path))
    packages = ["usr/local/lib/python3.12/dist-packages", "usr/lib/python3/dist-packages"]
    assert ["home/.local/lib/python3.12/site-packages", *packages] == relative(tmp_path, site.folders)
    assert ["usr/bin/python3", "usr/lib/python3.12"] == relative(tmp_path, site.base)
    content = layout.read("", os.fspath(tmp_path / "usr/bin/python3"), here(tmp_path))
    assert ("23.9.3", (), True, True) == (content.keyring, content.providers, content.complete, content.shares)
    trees.add_provider(user, "one")
    assert (ONE,) == layout.read("", os.fspath(tmp_path / "usr/bin/python3"), here(tmp_path)).providers
    unseen = here(tmp_path, PYTHONNOUSERSITE="1")
    assert () == layout.read("", os.fspath(tmp_path / "usr/bin/python3"), unseen).providers


@posix
@pytest.mark.parametrize("platform", trees.POSIX)
def test_homebrew(tmp_path: Path, platform: str) -> None:
    """Homebrew's keyring sees the packages of Homebrew's Python, which stand in the prefix, and the user's."""
    keyring = trees.homebrew(tmp_path / "brew", platform)
    root = os.path.dirname(os.path.dirname(os.path.realpath(keyring)))
    python = os.path.join(root, "bin/python")
    content = layout.read(root, python, here(tmp_path, platform))
    assert ("25.7.0", (), True, True) == (content.keyring, content.providers, content.complete, content.shares)
    assert os.fspath(tmp_path / "brew/opt/x/libexec/lib/python3.13/site-packages") in content.folders
    trees.add_provider(tmp_path / "brew/lib/python3.13/site-packages", "one")
    assert (ONE,) == layout.read(root, python, here(tmp_path, platform)).providers
    user = (
        "Library/Python/3.13/lib/python/site-packages"
        if platform == "darwin"
        else ".local/lib/python3.13/site-packages"
    )
    trees.add_provider(tmp_path / "home" / user, "two")
    assert ["one", "two"] == sorted(
        one.distribution for one in layout.read(root, python, here(tmp_path, platform)).providers
    )


@pytest.mark.parametrize("landmark", ["os.py", "os.pyc"])
def test_windows(tmp_path: Path, landmark: str) -> None:
    """A plain Python on Windows has its packages below it, and the user's by its version, which its DLL tells."""
    python = trees.put(tmp_path / "Python312/python.exe")
    trees.put(tmp_path / "Python312/Lib" / landmark)
    for name in ("python3.dll", "python312.dll"):
        trees.put(tmp_path / "Python312" / name)
    trees.add_provider(tmp_path / "Python312/Lib/site-packages", "one")
    for version in ("312", "312-32", "311"):
        trees.add_provider(tmp_path / f"Roaming/Python/Python{version}/site-packages", f"user{version}")
    content = layout.read("", os.fspath(python), here(tmp_path, "win32", APPDATA=os.fspath(tmp_path / "Roaming")))
    assert {"one", "user312", "user312-32"} == {one.distribution for one in content.providers}
    assert content.complete


def test_base_on_windows(tmp_path: Path) -> None:
    """An environment that sees the packages of its base on Windows: pyvenv.cfg names its folder, with python.exe in it."""
    base, root = tmp_path / "Python312", tmp_path / "env"
    for name in ("python.exe", "python312.dll", "Lib/os.py"):
        trees.put(base / name)
    trees.add_provider(base / "Lib/site-packages", "one")
    trees.put(root / "pyvenv.cfg", f"home = {base}\ninclude-system-site-packages = true\n")
    (root / "Lib/site-packages").mkdir(parents=True)
    python = trees.put(root / "Scripts/python.exe")
    content = layout.read(os.fspath(root), os.fspath(python), here(tmp_path, "win32"))
    assert (["one"], True) == ([one.distribution for one in content.providers], content.complete)


def test_plain_interpreter_that_tells_nothing(tmp_path: Path) -> None:
    """Where neither name nor place of an interpreter tells its library, it may see anything."""
    python = trees.put(tmp_path / "bin/python3", executable=True)
    content = layout.read("", os.fspath(python), here(tmp_path))
    assert (False, True) == (content.complete, content.shares)


def test_base_of_another_version(tmp_path: Path) -> None:
    """An environment whose base has become another version may see anything."""
    trees.python(tmp_path / "usr", "3.13")
    trees.link(tmp_path / "usr/bin/python3", "python3.13")
    settings = f"home = {tmp_path}/usr/bin\ninclude-system-site-packages = true\n"
    trees.make_environment(tmp_path / "k", settings=settings)
    assert not read(tmp_path / "k").complete
    trees.python(tmp_path / "usr", "3.12")
    assert read(tmp_path / "k").complete


@pytest.mark.usefixtures("home")
@pytest.mark.skipif(machine.WINDOWS, reason="the interpreters of POSIX systems")
@pytest.mark.parametrize("shared", [False, True, None], ids=["environment", "with system packages", "plain"])
@pytest.mark.parametrize("name", ["python", "/usr/bin/python3", "3.9", "3.13", "pypy3"])
def test_folders_as_the_interpreter_says(
    tmp_path: Path, python: Path, interpreter: Callable[[str], Path], name: str, *, shared: bool | None
) -> None:
    """A real interpreter finds packages in the folders that files tell, in that order."""
    program = python if name == "python" else Path(name) if name[0] == "/" else interpreter(name)
    if not program.exists():
        pytest.skip(f"this machine has no {name}")
    program = Path(os.path.realpath(program)) if name == "python" else program
    if shared is None and program.parent == Path("/usr/bin") and "KEYRING_FALLBACK_MAC" in machine.ENVIRON:
        pytest.skip(f"this machine's {program} is Debian's, and no Mac's")
    code = "import site, sys; print(site.getusersitepackages()); print(*sys.path, sep='\\n')"
    user = environments.run([program, "-c", code], check=True).stdout.splitlines()[0]
    Path(user).mkdir(parents=True)
    root = ""
    if shared is not None:
        root = os.fspath(environments.create(tmp_path / "k", program, system_site_packages=shared).root)
    used = os.path.join(root, "bin", "python") if root else os.fspath(program)
    said = environments.run([used, "-c", code], check=True).stdout.splitlines()[1:]
    site = layout.site(root, used, survey.here())
    seen = [os.path.realpath(folder) for folder in said if folder.endswith("-packages")]
    found = list(dict.fromkeys(map(os.path.realpath, site.folders)))
    if "pypy" in os.path.realpath(program):  # has rules of its own: one folder too many does no harm
        assert not site.known or set(seen) <= set(found)
    else:
        assert (True, list(dict.fromkeys(seen))) == (site.known, found)
    assert os.path.realpath(user) in seen or shared is False


@pytest.mark.skipif(machine.WINDOWS, reason="modes, which Windows has not")
def test_what_decides(tmp_path: Path) -> None:
    """Of keyring's and the providers' packages, and of what lies beside them, all is asked about that is not closed."""
    trees.make_environment(tmp_path, "one")
    site = tmp_path / SITE
    for name in ("keyring/__init__.py", "keyring/backends/kwallet.py", "one.py", "other/__init__.py", "x.pth"):
        trees.put(site / name).chmod(0o666)
    (site / "keyring").chmod(0o777)
    trees.put(site / "keyring/closed.py").chmod(0o644)
    content = read(tmp_path)
    expected = {"keyring", "keyring/__init__.py", "keyring/backends/kwallet.py", "one.py", "x.pth"}
    assert expected == set(relative(site, content.files))
    assert content.cut is None
    trees.put(site / "y.pth", "#" * 20000)
    assert os.fspath(site / "y.pth") == read(tmp_path).cut


@pytest.mark.parametrize("what", ["names", "distributions", "large files", "files of a package"])
def test_budget(tmp_path: Path, what: str) -> None:
    """However much there is, what is looked at is bounded; then something may be missing, and that is said."""
    trees.make_environment(tmp_path, "one")
    site = tmp_path / SITE
    for number in range(3000 if what != "large files" else 200):
        if what == "distributions":
            (site / f"d{number}-1.dist-info").mkdir()
        elif what == "large files":
            text = "[keyring.backends]\n" + "".join(f"e{one} = m{number}_{one}:X\n" for one in range(500))
            trees.put(site / f"d{number}-1.dist-info/entry_points.txt", text)
    if what in ("names", "files of a package"):
        folder = site if what == "names" else site / "one"
        folder.mkdir(exist_ok=True)
        for number in range(21000):
            (folder / f"{number}").touch()
    began = time.process_time()
    content = read(tmp_path)
    where = {"names": site, "files of a package": site / "one"}.get(what)
    assert (False, True) == (content.complete, content.cut is not None)
    assert where is None or os.fspath(where) == content.cut
    assert time.process_time() - began < 0.3, "seconds, on a loaded machine too"


def test_pth_files_are_followed_once(tmp_path: Path) -> None:
    """.pth files in folders that others have added are not processed, as site.py does not."""
    trees.make_environment(tmp_path / "k")
    trees.put(tmp_path / "k" / SITE / "a.pth", f"{tmp_path}/second\n{tmp_path}/second\n")
    trees.put(tmp_path / "second/b.pth", f"{tmp_path}/third\n")
    trees.add_provider(tmp_path / "third", "one")
    assert () == read(tmp_path / "k").providers


def test_thousand_folders(tmp_path: Path) -> None:
    """No more than a hundred folders are looked at; then something may be missing."""
    trees.make_environment(tmp_path / "k")
    for number in range(150):
        (tmp_path / f"{number}").mkdir()
    trees.put(tmp_path / "k" / SITE / "a.pth", "".join(f"{tmp_path}/{number}\n" for number in range(150)))
    assert not read(tmp_path / "k").complete


@pytest.mark.parametrize("shape", ["folder", "zip", "linked folder", "linked zip"])
def test_eggs(tmp_path: Path, shape: str) -> None:
    """What ``setup.py install`` left, and each archive in a .pth file, may bring something: never nothing."""
    trees.make_environment(tmp_path)
    egg = tmp_path / ("elsewhere" if "linked" in shape else SITE) / "one-1.0-py3.12.egg"
    trees.put(egg if "zip" in shape else egg / "EGG-INFO/entry_points.txt", "[keyring.backends]\none = one:Backend\n")
    if "linked" in shape:
        trees.put(tmp_path / SITE / "easy-install.pth", f"import sys; sys.__plen = len(sys.path)\n{egg}\n")
    assert not read(tmp_path).complete


def test_egg_info(tmp_path: Path) -> None:
    """An ``.egg-info`` is read if it is a folder; a file has no entry points, and hides nothing."""
    trees.make_environment(tmp_path)
    trees.put(tmp_path / SITE / "one-1.0-py3.12.egg-info/entry_points.txt", "[keyring.backends]\none = one:Backend\n")
    trees.put(tmp_path / SITE / "two-1.0-py3.12.egg-info", "Metadata-Version: 1.0\n")
    assert ((ONE,), True) == (read(tmp_path).providers, read(tmp_path).complete)


def test_develop_installs(tmp_path: Path) -> None:
    """``setup.py develop`` leaves an egg-link: something may be missing."""
    trees.make_environment(tmp_path)
    trees.put(tmp_path / SITE / "one.egg-link", "/src/one\n.")
    assert not read(tmp_path).complete


def test_nothing_to_read(tmp_path: Path) -> None:
    """Where site-packages cannot be listed that is said; an environment without one holds nothing."""
    trees.put(tmp_path / "pyvenv.cfg")
    said = machine.message(errno.ENOENT, 3)
    assert f"{tmp_path / 'lib'} cannot be read ({said})" == str(read(tmp_path).unreadable)
    (tmp_path / "lib").mkdir()
    assert (None, True) == (read(tmp_path).unreadable, read(tmp_path).complete)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_unreadable_folders(tmp_path: Path) -> None:
    """What may not be read is told, or makes the result incomplete."""
    trees.make_environment(tmp_path, "one")
    file = tmp_path / SITE / "one-1.0.dist-info" / "entry_points.txt"
    file.chmod(0)
    assert ((), False) == (read(tmp_path).providers, read(tmp_path).complete)
    (tmp_path / SITE).chmod(0)
    try:
        assert "cannot be read (Permission denied)" in str(read(tmp_path).unreadable)
    finally:
        (tmp_path / SITE).chmod(0o755)


def test_strange_files(tmp_path: Path) -> None:
    """Folders, FIFOs, loops and huge files in the place of files end in a result, at once."""
    trees.make_environment(tmp_path, "one")
    site = tmp_path / SITE
    (site / "folder.pth").mkdir()
    trees.link(site / "loop.pth", "loop.pth")
    (site / "a-1.dist-info/entry_points.txt").mkdir(parents=True)
    if hasattr(os, "mkfifo"):
        os.mkfifo(site / "fifo.pth")
        (site / "b-1.dist-info").mkdir()
        os.mkfifo(site / "b-1.dist-info/entry_points.txt")
    content = read(tmp_path)
    assert (["one"], False) == ([provider.distribution for provider in content.providers], content.complete)


def test_huge_entry_points(tmp_path: Path) -> None:
    """Of a file as large as a disk the beginning counts, and something may be missing."""
    trees.make_environment(tmp_path)
    huge = trees.put(tmp_path / SITE / "one-1.0.dist-info/entry_points.txt", "[keyring.backends]\none = one:Backend\n")
    os.truncate(huge, trees.HUGE)
    content = read(tmp_path)
    assert ((ONE,), False) == (content.providers, content.complete)


def test_pyvenv_cfg(tmp_path: Path) -> None:
    """Keys are read without regard to case and blanks; what is no file has none."""
    trees.put(tmp_path / "pyvenv.cfg", "Home = C:\\Py = thon \n\nuv=0.13.9\ngarbage\n\udcff = x\n")
    found = environment.settings_of(os.fspath(tmp_path))
    assert ("C:\\Py = thon", "0.13.9") == (found["home"], found["uv"])
    (tmp_path / "folder/pyvenv.cfg").mkdir(parents=True)
    assert {} == environment.settings_of(os.fspath(tmp_path / "folder"))
    assert not environment.is_environment(os.fspath(tmp_path / "folder"))
    assert not environment.is_environment("\0")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(pth=st.binary(), entry_points=st.binary(), config=st.binary())
def test_garbage(tmp_path: Path, pth: bytes, entry_points: bytes, config: bytes) -> None:
    """Whatever stands in the files of an environment, reading it does not raise."""
    trees.make_environment(tmp_path)
    trees.put(tmp_path / SITE / "x.pth", pth)
    trees.put(tmp_path / SITE / "x-1.dist-info/entry_points.txt", b"[keyring.backends]\n" + entry_points)
    trees.put(tmp_path / "pyvenv.cfg", config)
    assert "25.7.0" == read(tmp_path).keyring


@pytest.mark.parametrize("requirement", ["keyring", "keyring==23.9.3"])
def test_as_the_interpreter_says(
    shared_environments: Environments, python: Path, demo_store: Path, stub_tokens: Path, requirement: str
) -> None:
    """In a real environment the same providers and versions are found as importlib.metadata finds over there."""
    tool = shared_environments.get(python, requirement, demo_store, stub_tokens, "keyrings.alt")
    code = (
        "import json\nfrom importlib.metadata import distributions\n"
        "print(json.dumps([[d.metadata['Name'].lower().replace('.', '-'), d.version, e.value]\n"
        " for d in distributions() for e in d.entry_points if e.group == 'keyring.backends']))"
    )
    said = {Provider(*row) for row in json.loads(tool.run(["-I", "-c", code], check=True).stdout)}
    content = read(tool.root, "win32" if os.name == "nt" else "linux")
    assert {one for one in said if one.distribution != "keyring"} == set(content.providers)
    assert {"demo-store", "stub-tokens", "keyrings-alt"} == {one.distribution for one in content.providers}
    assert content.complete
    assert content.keyring == requirement.partition("==")[2] or "==" not in requirement


def test_editable_installs(python: Path, tmp_path: Path) -> None:
    """A provider that is installed editable is found like any other."""
    trees.put(tmp_path / "source/pyproject.toml", EDITABLE)
    trees.put(tmp_path / "source/src/one/__init__.py", "class Backend: pass\n")
    tool = environments.create(tmp_path / "k", python)
    argv: list[Text] = [
        machine.uv(),
        "pip",
        "install",
        "--quiet",
        "--python",
        tool.python,
        "--editable",
        tmp_path / "source",
    ]
    environments.run(argv, env=machine.building(), check=True)
    content = read(tool.root, "win32" if os.name == "nt" else "linux")
    assert ((ONE,), True) == (content.providers, content.complete)
    assert {"source", "source/src"} <= set(relative(tmp_path, content.folders))


EDITABLE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "one"
version = "1.0"
[project.entry-points."keyring.backends"]
one = "one:Backend"
"""


def test_what_is_seen_here(tmp_path: Path) -> None:
    """For this environment the folders of sys.path are read as they are, without .pth files; others do no harm."""
    trees.add_provider(tmp_path / "a", "one")
    trees.put(tmp_path / "a/x.pth", f"{tmp_path}/b\nimport x\n")
    trees.add_provider(tmp_path / "b", "two")
    zipped = trees.put(tmp_path / "python312.zip")
    content = environment.read_path([os.fspath(tmp_path / "a"), os.fspath(zipped), "/no/such", ""])
    assert ((ONE,), True) == (content.providers, content.complete)


def test_a_folder_that_leads_to_itself(tmp_path: Path) -> None:
    """A .pth file whose code adds its own folder is read once: that is all, and nothing is missing."""
    trees.make_environment(tmp_path, "one")
    trees.put(tmp_path / SITE / "again.pth", f"import site; site.addsitedir('{tmp_path.as_posix()}/{SITE}')\n")
    content = read(tmp_path)
    assert (True, None, (ONE,)) == (content.complete, content.cut, content.providers)
    assert 1 == len(content.folders)


def test_long_entry_points_decide_nothing(tmp_path: Path) -> None:
    """Of an entry_points.txt that is not read to its end something may be missing; the tool is not refused for it."""
    trees.make_environment(tmp_path, "one")
    long = "[console_scripts]\n" + "x = y:z\n" * 3000
    trees.put(tmp_path / SITE / "long-1.0.dist-info/entry_points.txt", long)
    content = read(tmp_path)
    assert (False, None, (ONE,)) == (content.complete, content.cut, content.providers)


def test_an_editable_source_is_an_absolute_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A direct_url.json without a path names nothing: not the working directory's ``src``."""
    trees.make_environment(tmp_path, "one")
    trees.put(
        tmp_path / SITE / "one-1.0.dist-info/direct_url.json", '{"url": "file://", "dir_info": {"editable": true}}'
    )
    trees.add_provider(tmp_path / "work" / "src", "two")
    monkeypatch.chdir(tmp_path / "work")
    assert [os.fspath(tmp_path / SITE)] == list(read(tmp_path).folders)
