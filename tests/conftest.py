"""Fixtures: a throw-away home for every test, and real wheels, interpreters, environments and tools, made once."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from support import environments, interpreters, machine, providers, uv7003
from support.patient import Patient
from support.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parent.parent
#: What ctypes runs fifteen times at each start of keyring, whose macOS backend looks for libraries (CPython 3.11,
#: ctypes/util.py): a quarter of the time of all tests. A machine without them is as good.
COMPILERS = ("gcc", "cc", "ld", "objdump")


def pytest_configure() -> None:
    """Have the signals that a shell's background jobs and ``nohup`` ignore: tests send them to what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests under Wine: they wait for each other, and at the end nobody else would be at work."""
    items.sort(key=lambda item: item.path.name != "test_windows.py")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder that all pytest-xdist workers of this session share."""
    if given := machine.ENVIRON.get("KEYRING_FALLBACK_SHARED"):  # kept from run to run (mutation.py), or Windows' place
        Path(given).mkdir(parents=True, exist_ok=True)
        return Path(given)
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A throw-away home folder: ``os.environ`` points to it and to nothing of the real user's, in every test."""
    folder = tmp_path / "home"
    folder.mkdir()
    clean = machine.running(folder, shared_folder / "path", without=COMPILERS)
    for name in list(os.environ):
        # pytest's own variables and those that measure coverage are about this process.
        if name not in clean and not name.startswith(("PYTEST_", "COV_", "COVERAGE_")):
            monkeypatch.delenv(name)
    for name, value in clean.items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture(scope="session")
def shared_environments(shared_folder: Path) -> environments.Environments:
    """Environments and tools that are built once per session, for reading only."""
    return environments.Environments(shared_folder / "environments")


@pytest.fixture(scope="session")
def wheel(shared_environments: environments.Environments) -> Path:
    """The project's wheel: KEYRING_FALLBACK_WHEEL, or the one that tox installed, or one built now."""
    given = machine.ENVIRON.get("KEYRING_FALLBACK_WHEEL") or machine.ENVIRON.get("TOX_PACKAGE")
    if given:
        return Path(given)
    folder = shared_environments.once("wheel", lambda path: environments.build_wheel(REPOSITORY, path))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def interpreter() -> Callable[[str], Path]:
    """Find an interpreter by its name; the test is skipped where this machine has none."""

    def find(name: str) -> Path:
        if (found := interpreters.find(name)) is None:
            pytest.skip(f"this machine has no Python {name}")
        return found

    return find


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that the tests themselves run on, without their environment."""
    return interpreters.current()


@pytest.fixture(scope="session")
def demo_store(shared_environments: environments.Environments) -> Path:
    """The wheel of a small writable provider, see ``support/provider_sources/demo_store.py``."""
    return next(shared_environments.once("demo-store", providers.demo_store).glob("*.whl"))


@pytest.fixture(scope="session")
def stub_tokens(shared_environments: environments.Environments) -> Path:
    """The wheel of a provider that mints tokens, see ``support/provider_sources/stub_tokens.py``."""
    return next(shared_environments.once("stub-tokens", providers.stub_tokens).glob("*.whl"))


@pytest.fixture(scope="session")
def scripted_tool(shared_environments: environments.Environments, python: Path) -> environments.Environment:
    """A tool with the provider ``scripted-there``."""

    def build(folder: Path) -> None:
        providers.make_provider(folder, "scripted-there", providers.source("scripted_there"))

    wheel = next(shared_environments.once("scripted-there", build).glob("*.whl"))
    return shared_environments.get(python, "keyring", wheel)


@pytest.fixture(scope="session")
def bare_tool(shared_environments: environments.Environments, python: Path) -> environments.Environment:
    """A tool that has nothing but keyring."""
    return shared_environments.get(python, "keyring")


@pytest.fixture
def stage(
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    scripted_tool: environments.Environment,
    tmp_path: Path,
) -> Stage:
    """An environment with us, and a tool named by a setting."""
    folder = tmp_path / "stage"
    folder.mkdir()
    environment = shared_environments.get(python, "keyring", wheel)
    return Stage(environment, folder, {"KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(scripted_tool.root)})


@pytest.fixture(scope="session")
def azure() -> tuple[Path, str]:
    """An interpreter that Azure's own provider has a wheel for, and the provider's requirement there."""
    if (choice := uv7003.provider()) is None:
        pytest.skip("artifacts-keyring has no wheel for any Python of this machine")
    return choice


@pytest.fixture(scope="session")
def feed_wheels(shared_environments: environments.Environments, wheel: Path) -> Path:
    """What the feed of uv#7003 serves: our wheel, and what is installed beside it."""
    return shared_environments.once("feed", lambda path: uv7003.wheels(path, wheel), wheel)


@pytest.fixture
def tool_with_a_store(
    shared_environments: environments.Environments,
    python: Path,
    demo_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second environment that the setting names, with a store in a file of the test's own."""
    monkeypatch.setenv(
        "KEYRING_PROPERTY_FALLBACK_TOOL", str(shared_environments.get(python, "keyring", demo_store).root)
    )
    monkeypatch.setenv("DEMO_STORE_FILE", str(tmp_path / "store.json"))


@pytest.fixture
def asker(stage: Stage, tmp_path: Path) -> Stage:
    """Somebody with the stage's environment and no tool, for a lender to answer."""
    folder = tmp_path / "asker"
    folder.mkdir()
    return Stage(stage.environment, folder, {})


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as logins get it, for a lender's socket; its path is short enough for one."""
    with machine.temporary_folder("lend") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(folder))
        yield folder


@pytest.fixture
def ill(
    shared_environments: environments.Environments, python: Path, wheel: Path, home: Path, tmp_path: Path
) -> Patient:
    """Somebody for the doctor to look at, without any global keyring; above the working directory is no home."""
    folder = tmp_path / "projects" / "work"
    folder.mkdir(parents=True)
    return Patient(shared_environments.get(python, "keyring", wheel), home, folder)


@pytest.fixture
def patient(ill: Patient, shared_environments: environments.Environments, python: Path, stub_tokens: Path) -> Patient:
    """Somebody with all that it takes."""
    return ill.with_tool(shared_environments.uv_tool(python, stub_tokens))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the table of robustness: per group, how many cases were tried on this machine and how many survived."""
    document = REPOSITORY / "docs" / "robustness.md"
    rows = re.findall(r"^\| ([^|]+) \| `(test_\w+\.py)` \|", document.read_text(encoding="utf-8"), re.MULTILINE)
    lines = []
    for group, name in rows:
        kinds = [
            [one for one in terminalreporter.stats.get(kind, []) if Path(one.nodeid.partition("::")[0]).name == name]
            for kind in ("passed", "failed", "error", "skipped")
        ]
        passed, failed, errors, skipped = map(len, kinds)
        if passed + failed + errors:
            tried = f"{passed + failed + errors} tried, {passed} survived"
            lines.append(f"{tried}{f', {skipped} skipped here' if skipped else ''}: {group}")
    if lines:
        terminalreporter.section("robustness")
        for line in lines:
            terminalreporter.write_line(line)
