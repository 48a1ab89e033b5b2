"""Builds real Python environments and real globally installed keyring tools with the real uv and pipx."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from filelock import FileLock

from . import interpreters, machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Text = Union[str, "os.PathLike[str]"]

Keywords = dict[str, Any]
"""Variables for a function that takes them as keywords, beside others that have types of their own."""

TIMEOUT = 180.0
"""Seconds after which a program that a test started counts as hanging."""


STORES = {"darwin": "macOS", "win32": "Windows"}
"""keyring's names (25.7.0, entry points) for the stores that a throw-away home does not hide: they are the system's."""

LEFT_OUT = (STORES[sys.platform],) if sys.platform in STORES else ("macOS", "SecretService")
"""Those that no keyring has that is built here. The system's own: a test would write to what its user really has.

On Linux what takes half of keyring's start to find that it is of no use: that of macOS runs compilers to look for
Apple's libraries (25.7.0, backends/macOS/api.py), that of the Secret Service loads cryptography, and there is no D-Bus
in a throw-away home. What the real installers make in the tests, by their own commands, has both.
"""

UNUSED = Path(__file__).with_name("unused.txt")
"""What only the backend of the Secret Service needs: with it an environment takes twice as long to install and compile."""

QUICK = "jaraco.context<5"
"""Of what keyring 25.7.0 imports at every start, in the environments that tests share: releases from 5 on import
urllib.request, and the start takes 1.4 times as long. What real installers and clients make has the newest."""


class FailedError(AssertionError):
    """A program that had to succeed did not; the message holds what it printed."""


class NoInterpreterError(LookupError):
    """This machine has no interpreter of that name."""


def run(
    argv: Sequence[Text],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Text | None = None,
    stdin: str | None = None,
    check: bool = False,
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with no terminal; its stdin is empty unless *stdin* is given, *env* is the whole one."""
    result = subprocess.run(
        [os.fspath(word) for word in argv],
        env=dict(os.environ if env is None else env),
        cwd=cwd,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=timeout,
        check=False,
    )
    if check and result.returncode:
        words = " ".join(os.fspath(word) for word in argv)
        message = f"{words}\nended with status {result.returncode}\n{result.stdout}\n{result.stderr}"
        raise FailedError(message)
    return result


@dataclass(frozen=True)
class Environment:
    """A Python environment on disk."""

    root: Path

    @property
    def scripts(self) -> Path:
        """The folder of its executables."""
        return self.root / ("Scripts" if machine.WINDOWS else "bin")

    def script(self, name: str) -> Path:
        """The executable called *name* in it."""
        return self.scripts / (f"{name}.exe" if machine.WINDOWS else name)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.script("python")

    @property
    def site_packages(self) -> Path:
        """The folder of its packages."""
        if machine.WINDOWS:
            return self.root / "Lib" / "site-packages"
        return next(iter((self.root / "lib").glob("*/site-packages")))

    def activated(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """*env* as its ``activate`` script would change it."""
        changed = dict(os.environ if env is None else env)
        changed["VIRTUAL_ENV"] = os.fspath(self.root)
        changed["PATH"] = os.pathsep.join([os.fspath(self.scripts), changed.get("PATH", "")])
        return changed

    def run(
        self,
        argv: Sequence[Text],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Text | None = None,
        stdin: str | None = None,
        check: bool = False,
        timeout: float = TIMEOUT,
    ) -> subprocess.CompletedProcess[str]:
        """Run its interpreter with the arguments *argv*; the parameters are those of :func:`run`."""
        return run([self.python, *argv], env=env, cwd=cwd, stdin=stdin, check=check, timeout=timeout)

    def keyring(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Text | None = None,
        stdin: str | None = None,
        check: bool = False,
        timeout: float = TIMEOUT,
    ) -> subprocess.CompletedProcess[str]:
        """Run its ``keyring`` executable."""
        return run([self.script("keyring"), *args], env=env, cwd=cwd, stdin=stdin, check=check, timeout=timeout)

    def install(self, *requirements: Text, compile_bytecode: bool = False, share_files: bool = False) -> None:
        """Install names, version ranges or wheels into it; *share_files* only where nobody ever edits a file."""
        argv: list[Text] = [machine.uv(), "pip", "install", "--quiet", "--no-build", "--overrides", UNUSED]
        argv += ["--python", self.python]
        argv += ["--compile-bytecode"] if compile_bytecode else []
        # A hard link leads into uv's cache: a test that edited such a file would break every later environment.
        argv += [] if share_files else ["--link-mode", "copy"]
        run([*argv, *requirements], env=machine.building(), check=True)
        self.leave_stores_out()

    def leave_stores_out(self) -> None:
        """Take :data:`LEFT_OUT` from the backends of its keyring, where it has one."""
        for file in self.site_packages.glob("keyring-*.dist-info/entry_points.txt"):
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            changed = file.with_suffix(".new")
            changed.write_text("".join(line for line in lines if line.split(" =")[0] not in LEFT_OUT), encoding="utf-8")
            changed.replace(file)  # never changed in place: uv may have linked it into its cache
        # or it would be a store that a tool has and an environment lacks
        if (self.site_packages / "secretstorage").is_dir():
            self.uninstall("secretstorage")

    def uninstall(self, *names: str) -> None:
        """Remove distributions from it."""
        run([machine.uv(), "pip", "uninstall", "--quiet", "--python", self.python, *names], env=machine.building())


class Tool(NamedTuple):
    """A globally installed keyring tool, and the home folder of the person who installed it."""

    home: Path
    environment: Environment

    @property
    def executables(self) -> Path:
        """The folder where uv and pipx put the ``keyring`` that a person has on PATH."""
        return self.home / ".local" / "bin"


def create(
    root: Path,
    python: Text,
    *requirements: Text,
    compile_bytecode: bool = False,
    share_files: bool = False,
    system_site_packages: bool = False,
) -> Environment:
    """Make an environment at *root* for the interpreter *python* (a name or a path) with the packages in it."""
    argv: list[Text] = [machine.uv(), "venv", "--quiet", "--no-project", "--python", interpreter(python)]
    argv += ["--system-site-packages"] if system_site_packages else []
    run([*argv, root], env=machine.building(), check=True)
    environment = Environment(root)
    _measure(environment)
    if "KEYRING_FALLBACK_MAC" in machine.ENVIRON:  # see tests/mac.py
        shutil.copy(Path(machine.ENVIRON["KEYRING_FALLBACK_MAC"], "sitecustomize.py"), environment.site_packages)
    if requirements:
        environment.install(*requirements, compile_bytecode=compile_bytecode, share_files=share_files)
    return environment


def _measure(environment: Environment) -> None:
    """Have coverage measured in what runs in the environment, the helper included, where this run measures it."""
    if "COVERAGE_PROCESS_START" in machine.ENVIRON:
        environment.install("coverage", share_files=True)
        # the name is one of those that discovery knows not to add any folder
        (environment.site_packages / "a1_coverage.pth").write_text("import coverage; coverage.process_startup()\n")


def interpreter(python: Text) -> Path:
    """The interpreter that *python*, a name or a path, means."""
    if Path(python).is_absolute():
        return Path(python)
    if (found := interpreters.find(os.fspath(python))) is None:
        message = f"this machine has no Python {python}"
        raise NoInterpreterError(message)
    return found


def uv_tool(home: Path, python: Text, *with_packages: Text, keyring: str = "keyring") -> Tool:
    """``uv tool install keyring --with ...`` by a person whose home folder is *home*."""
    env = machine.building(**machine.home_variables(home))
    argv: list[Text] = [machine.uv(), "tool", "install", "--quiet", "--force", "--no-build", "--link-mode", "copy"]
    argv += ["--python", interpreter(python), keyring]
    for package in with_packages:
        argv += ["--with", package]
    run(argv, env=env, check=True)
    tools = run([machine.uv(), "tool", "dir"], env=env, check=True).stdout.strip()
    tool = Tool(home, Environment(Path(tools) / "keyring"))
    tool.environment.leave_stores_out()
    receipt = tool.environment.root / "uv-receipt.toml"
    receipt.write_text(receipt.read_text().partition("\n[tool.options]")[0])  # those that only tests need
    _measure(tool.environment)
    return tool


def pipx_tool(pipx: Environment, home: Path, python: Text, *injected: Text, keyring: str = "keyring") -> Tool:
    """``pipx install keyring``, then ``pipx inject keyring ...`` by a person whose home folder is *home*."""
    env = machine.building(**machine.home_variables(home))
    argv: list[Text] = [pipx.script("pipx"), "install", "--quiet", "--python", interpreter(python), keyring]
    run(argv, env=env, check=True)
    if injected:
        run([pipx.script("pipx"), "inject", "keyring", *injected], env=env, check=True)
    argv = [pipx.script("pipx"), "environment", "--value", "PIPX_LOCAL_VENVS"]
    venvs = run(argv, env=env, check=True).stdout.strip()
    tool = Tool(home, Environment(Path(venvs) / "keyring"))
    tool.environment.leave_stores_out()
    return tool


class Environments:
    """Builds each kind of environment once for all processes that share *folder*; what it hands out is for reading.

    A test that changes an environment (installs, edits, removes) makes its own with :func:`create` or :func:`uv_tool`.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the environments below *folder*."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, python: Text, *requirements: Text) -> Environment:
        """An environment for *python* with the packages in it, compiled, so times measured in it mean something."""
        quick = [QUICK] if "keyring" in requirements else []

        def build(root: Path) -> None:
            create(root, python, *requirements, *quick, compile_bytecode=True, share_files=True)

        return Environment(self.once("environment", build, interpreter(python), *requirements))

    def uv_tool(self, python: Text, *with_packages: Text, keyring: str = "keyring") -> Tool:
        """The tool that ``uv tool install`` makes, in a home folder where nothing else is."""

        def build(home: Path) -> None:
            tool = uv_tool(home, python, *with_packages, keyring=keyring).environment
            if keyring == "keyring":
                tool.install(QUICK)
                # everybody can write to this one, and uv leaves none where it made the tool
                (tool.root / ".lock").unlink(missing_ok=True)
            _compile(tool)
            home.with_suffix(".root").write_text(os.fspath(tool.root), encoding="utf-8")

        home = self.once("uv-tool", build, interpreter(python), keyring, *with_packages)
        return Tool(home, Environment(Path(home.with_suffix(".root").read_text(encoding="utf-8"))))

    def pipx(self) -> Environment:
        """An environment with pipx, to be given to :func:`pipx_tool`."""
        return self.get(interpreters.current(), "pipx")

    def once(self, kind: str, build: Callable[[Path], object], *key: Text) -> Path:
        """The folder that *build* filled, in this process or in another; *key* tells one such folder from another."""
        name = f"{kind}-{_digest(key)}"
        path = self._folder / name
        done = self._folder / f"{name}.done"
        with FileLock(self._folder / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(path, ignore_errors=True)
                build(path)
                done.touch()
        return path


def _compile(environment: Environment) -> None:
    """Compile the packages of the environment."""
    environment.run(["-m", "compileall", "-q", "-j", "2", environment.site_packages], env=machine.building())


def _digest(key: Sequence[Text]) -> str:
    """A short name for what *key* says; a file counts with its date, so that a rebuilt wheel is another one."""
    text = ""
    for word in key:
        path = Path(word)
        stamp = path.stat().st_mtime_ns if path.is_file() else ""
        text += f"{word}\0{stamp}\0"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def build_wheel(repository: Path, folder: Path) -> Path:
    """Build the project's wheel from *repository* into *folder* with ``uv build``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        argv: list[Text] = [machine.uv(), "build", "--quiet", "--wheel", "--out-dir", fresh, repository]
        run(argv, env=machine.building(), check=True)
        (wheel,) = Path(fresh).glob("*.whl")
        return wheel.replace(folder / wheel.name)
