"""Mutation testing of what talks to tools: breaks the code in one place at a time and sees whether the tests notice.

    python tests/mutation.py [--sample N] [--workers N] [MODULE ...]

Left out is what runs on Windows only, modules and blocks: its tests take a minute each, under Wine.

The mutants are those of mutmut. It cannot run them itself: the helper runs under other interpreters, from a copy of the package in an
environment that the tests have built. So this writes each mutant into every copy, and runs the tests that are about the module: first
those that noticed the last mutants, then the quickest. What they do not notice is shown to mypy: the tests' command runs it too.

What cannot be noticed is left out, too: a codec's name in other letters.
"""

from __future__ import annotations

import argparse
import ast
import codecs
import difflib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "src" / "keyring_fallback"
#: The tests that are about the helper.
_HELPER = ["test_helper.py", "test_conformance.py", "test_backends.py", "test_hostile_tool.py", "test_speed_shape.py"]
#: Those that are about what it says.
_BRIDGE = [
    *("test_bridge.py", "test_conformance.py", "test_hostile_tool.py", "test_hostile_surroundings.py"),
    *("test_speed_shape.py", "test_waiting.py"),
]
#: Those that are about what is found, by files.
_DISCOVERY = ["test_discovery.py", "test_trust.py", "test_attacks.py", "test_untrusted.py", "test_wsl.py"]
#: The tests that are about a module, and which of them are about others.
SELECTED: dict[str, tuple[list[str], str]] = {
    "helper/helper": (_HELPER, "not test_interpreter and not test_executable"),
    "helper/backends": ([*_HELPER, "test_trace.py"], "not test_interpreter and not test_executable"),
    "helper/deferred": (["test_deferred.py"], ""),
    "helper/shared": ([*_HELPER, "test_threads.py"], ""),
    "helper/start": (_HELPER, "not test_interpreter and not test_executable"),
    "helper/carried": (["test_lend_far.py", "test_wsl.py"], ""),
    "helper/far": (["test_lend.py", "test_lend_far.py"], ""),
    "helper/probe": (["test_doctor.py"], ""),
    "helper/recorder": (["test_watch.py"], ""),
    "delegation/bridge": (_BRIDGE, "not test_executable"),
    "delegation/call": (_BRIDGE, "not test_executable"),
    "delegation/commands": (["test_commands.py"], ""),
    "delegation/command_line": (["test_command_line.py"], ""),
    "delegation/lent": (["test_lend.py", "test_lend_far.py"], ""),
    "delegation/environ": (
        ["test_isolation.py", "test_attacks.py", "test_backends.py", "test_hostile_surroundings.py"],
        "",
    ),
    "delegation/pipes": ([*_BRIDGE, "test_descriptors.py"], ""),
    "delegation/process": ([*_BRIDGE, "test_command_line.py"], ""),
    "delegation/scripts": (["test_scripts.py"], ""),
    "delegation/tools": (
        [
            *("test_backends.py", "test_threads.py", "test_hostile_surroundings.py"),
            *("test_attacks.py", "test_lend.py", "test_commands.py", "test_wsl.py"),
        ],
        "",
    ),
    "delegation/trace": (["test_trace.py", "test_backends.py", "test_watch.py"], ""),
    "delegation/waiting": (["test_waiting.py", "test_isolation.py"], ""),
    "discovery/acl": (_DISCOVERY, ""),
    "discovery/trust": (_DISCOVERY, ""),
    "discovery/search": (_DISCOVERY, ""),
    "discovery/places": ([*_DISCOVERY, "test_places.py", "test_lend.py"], ""),
    "discovery/environment": ([*_DISCOVERY, "test_environment.py"], ""),
    "discovery/executable": ([*_DISCOVERY, "test_executable.py"], ""),
    "discovery/layout": ([*_DISCOVERY, "test_environment.py", "test_executable.py"], ""),
    "discovery/lent": (["test_lend.py", "test_lend_far.py"], ""),
    "discovery/tool": ([*_DISCOVERY, "test_environment.py", "test_executable.py"], ""),
    "discovery/wsl": (_DISCOVERY, ""),
    "backend": (
        [
            "test_conformance.py",
            "test_backends.py",
            "test_messages.py",
            "test_hints.py",
            "test_harmless.py",
            "test_hostile_surroundings.py",
        ],
        "not own_tests",
    ),
    "survey": (["test_backends.py", "test_discovery.py", "test_harmless.py"], ""),
    "config": (["test_config.py", "test_commands.py", "test_attacks.py"], ""),
}
#: What begins a block that runs on Windows only.
WINDOWS = ('sys.platform == "win32"', 'os.name == "nt"')
#: Seconds that a test may take as the module is; those that take longer are left out.
LONGEST = 1.0
#: Seconds after which a test fails that has come to no end.
PATIENCE = 10
#: Seconds that the tests of a mutant get, times what they take as the module is: then it counts as noticed.
SLOWER = 5
#: What noticed a mutant that no test did.
BY_TYPES = "(mypy)"


@dataclass
class Order:
    """In which order the tests run.

    Attributes:
        seconds: How long each test takes as the module is.
        recent: The tests that noticed a mutant, the last one first.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    recent: list[str] = field(default_factory=list)

    def noticed(self, name: str) -> None:
        """Have a test run first."""
        self.recent[:] = [name, *(one for one in self.recent if one != name)]


class Watcher:
    """A plugin of pytest: orders the tests, and writes down how long each took and which one failed first."""

    def __init__(self, notes: Path) -> None:
        """Read the order from a file, and write to it."""
        self._notes = notes
        self._order = Order(**json.loads(notes.read_text(encoding="utf-8")))
        self._failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order the tests, and leave out those that take long."""
        items[:] = [item for item in items if self._order.seconds.get(item.nodeid, 0.0) <= LONGEST]
        recent = {name: place for place, name in enumerate(self._order.recent)}
        items.sort(key=lambda item: (recent.get(item.nodeid, len(recent)), self._order.seconds.get(item.nodeid, 0.0)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the time, and the failure."""
        if report.when == "call":
            self._order.seconds[report.nodeid] = report.duration
        if report.failed:
            self._failed = self._failed or report.nodeid

    def pytest_sessionfinish(self) -> None:
        """Write down what was seen."""
        self._notes.write_text(json.dumps({"seconds": self._order.seconds, "failed": self._failed}), encoding="utf-8")


def mutants(modules: Iterable[str]) -> list[tuple[str, Callable[[], str]]]:
    """Of each way to break one of the modules in one place: the module, and what returns its broken source."""
    from libcst import If, Module
    from mutmut.mutation.file_mutation import create_mutations

    code = Module([]).code_for_node

    def within(node: Any) -> Iterator[Any]:
        yield node
        for child in node.children:
            yield from within(child)

    def broken(tree: Any, one: Any) -> Callable[[], str]:
        return lambda: tree.deep_replace(one.original_node, one.mutated_node).code  # slow: for those that are tried

    found = []
    for module in modules:
        tree, mutations, *_ = create_mutations(f"{module}.py", (PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        windows = (one.body for one in within(tree) if isinstance(one, If) and code(one.test) in WINDOWS)
        elsewhere = {id(node) for body in windows for node in within(body)}
        found += [
            (module, broken(tree, one))
            for one in mutations
            if id(one.original_node) not in elsewhere
            and not _is_the_codec(code(one.original_node), code(one.mutated_node))
        ]
    return found


def _is_the_codec(*literals: str) -> bool:
    """Tell whether these are string literals that name one codec."""
    try:
        return len({codecs.lookup(ast.literal_eval(one)).name for one in literals}) == 1
    except (LookupError, SyntaxError, TypeError, ValueError):
        return False


class Worker:
    """A folder with a copy of the package, and with environments that the tests build once."""

    def __init__(self, folder: Path) -> None:
        """Copy the package, and bring the copies of an earlier run up to date."""
        self._folder = folder
        copy = folder / "src" / "keyring_fallback"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        self.look_for_copies()
        for path in PACKAGE.rglob("*.py"):
            self.write(os.fspath(path.relative_to(PACKAGE).with_suffix("")), path.read_text(encoding="utf-8"))

    def look_for_copies(self) -> None:
        """Find the copies of the package in what the tests have built by now."""
        folders = (self._folder / "src", self._folder / "shared")
        self._copies = [one.parent for folder in folders for one in folder.rglob("keyring_fallback/__init__.py")]

    def write(self, module: str, source: str) -> None:
        """Put a source into all copies of the package, and take what was compiled from the last one away."""
        for copy in self._copies:
            target = copy / f"{module}.py"
            target.parent.mkdir(exist_ok=True)
            # not in place: installers link files
            target.with_suffix(".new").write_text(source, encoding="utf-8")
            target.with_suffix(".new").replace(target)
            for compiled in (target.parent / "__pycache__").glob(f"{target.stem}.*"):
                compiled.unlink()

    def run(
        self, names: Iterable[str], which: str, order: Order, limit: float, patience: float = PATIENCE, reruns: int = 0
    ) -> dict[str, object] | None:
        """Run tests of some files, each for so many seconds at the most; return what `Watcher` wrote down.

        None: they took longer than the limit.
        """
        variables = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": os.pathsep.join([os.fspath(self._folder / "src"), os.fspath(TESTS)]),
            "KEYRING_FALLBACK_SHARED": os.fspath(self._folder / "shared"),
        }
        notes = self._folder / "notes.json"
        notes.write_text(json.dumps({"seconds": order.seconds, "recent": order.recent}), encoding="utf-8")
        files = [os.fspath(TESTS / name) for name in names]
        options = [
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            f"--timeout={patience}",
            f"--reruns={reruns}",
            f"--basetemp={self._folder / 'tmp'}",
        ]
        arguments = json.dumps([*options, "-k", which, *files])
        program = f"import mutation; raise SystemExit(mutation.watched({arguments}, {os.fspath(notes)!r}))"
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=TESTS.parent,
                env=variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                status = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                status = None
            self._end_all(process)
            if status is None:
                return None
            found: dict[str, object] = json.loads(notes.read_text(encoding="utf-8"))
            if status and not found.get("failed"):
                found["failed"] = "(pytest itself)"
            return found

    def has_type_errors(self) -> bool:
        """Tell whether mypy complains of the copy."""
        command = [sys.executable, "-m", "mypy", "--config-file", os.fspath(TESTS.parent / "pyproject.toml")]
        command += ["--cache-dir", os.fspath(self._folder / "mypy"), os.fspath(self._folder / "src")]
        variables = {**os.environ, "MYPYPATH": os.fspath(self._folder / "src")}
        done = subprocess.run(command, cwd=self._folder, env=variables, stdout=subprocess.DEVNULL, check=False)
        return done.returncode != 0

    def _end_all(self, process: subprocess.Popen[bytes]) -> None:
        """End what a mutant leaves behind: all that runs from this folder."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass
        process.wait()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if os.fsencode(f"{self._folder}{os.sep}") in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


def watched(arguments: list[str], notes: str) -> int:
    """Run pytest with a `Watcher`."""
    import pytest

    return int(pytest.main(arguments, plugins=[Watcher(Path(notes))]))


def prepare(modules: Iterable[str], workers: list[Worker], order: Order) -> None:
    """Run all tests once as the modules are: for how long they take, and since each worker builds its environments.

    Raises:
        SystemExit: They fail.
    """
    names = sorted({name for module in modules for name in SELECTED[module][0]})

    def check(worker: Worker) -> None:
        if worker.has_type_errors():
            raise SystemExit("mypy complains of the modules as they are")
        notes = worker.run(names, "", Order(), limit=7200, patience=600, reruns=1)
        if notes is None or notes["failed"]:
            raise SystemExit(f"the tests fail as the modules are: {notes and notes['failed']}")
        order.seconds.update(notes["seconds"])  # type: ignore[call-overload]
        worker.look_for_copies()

    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(check, workers))


def run(module: str, sources: list[str], workers: list[Worker], order: Order) -> Iterator[tuple[str, str]]:
    """Try each source; yield it with what noticed it, "" where it survived."""
    code = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    names, which = SELECTED[module]
    seconds = sum(one for test, one in order.seconds.items() if test.split("/")[-1].split("::")[0] in names)
    free: SimpleQueue[Worker] = SimpleQueue()

    def attempt(source: str) -> tuple[str, str]:
        worker = free.get()
        try:
            worker.write(module, source)
            notes = worker.run(names, which, order, 20 + SLOWER * seconds)
            name = "(the time limit)" if notes is None else str(notes["failed"])
            if not name and worker.has_type_errors():
                name = BY_TYPES
        finally:
            free.put(worker)
        if name in order.seconds:
            order.noticed(name)
        return source, name

    with ThreadPoolExecutor(len(workers)) as pool:
        for worker in workers:
            free.put(worker)
        yield from pool.map(attempt, sources)
    for worker in workers:
        worker.write(module, code)


def summed_up(names: list[str]) -> str:
    """Return how many mutants were noticed, by what noticed each."""
    return f"{sum(map(bool, names))} of {len(names)} killed, {names.count(BY_TYPES)} of them by mypy alone"


def main() -> int:
    """Run what the arguments say; the exit status is 1 where not more than 80 % are killed: some break what runs elsewhere only."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=list(SELECTED), metavar="MODULE", help="; ".join(SELECTED))
    parser.add_argument("--sample", type=int, default=0, help="only so many mutants of all, drawn by chance")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for the environments, which the next run finds there")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = mutants(options.modules)
    print(f"{len(chosen)} mutants of {len(options.modules)} modules", flush=True)
    if options.sample:
        random.Random(options.seed).shuffle(chosen)  # noqa: S311 - no secret
        chosen = chosen[: options.sample]
    outcomes: list[str] = []
    order = Order()
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(Path(options.keep or folder, str(number))) for number in range(options.workers)]
        prepare(options.modules, workers, order)
        for module in options.modules:
            code = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
            sources = [source() for one, source in chosen if one == module]
            names = []
            for source, name in run(module, sources, workers, order):
                names.append(name)
                print(f"{module}: {name or 'survived:'}", flush=True)
                if not name:
                    lines = difflib.unified_diff(code.splitlines(), source.splitlines(), lineterm="", n=1)
                    print(*list(lines)[2:], sep="\n  ", flush=True)
            print(f"{module}: {summed_up(names)}", flush=True)
            outcomes += names
    share = sum(map(bool, outcomes)) / len(outcomes)
    print(f"{summed_up(outcomes)}: {share:.1%}")
    return int(share <= 0.8)


if __name__ == "__main__":
    sys.exit(main())
