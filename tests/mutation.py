"""Mutation testing of what talks to tools: breaks the code in one place at a time and sees whether the tests notice.

    python tests/mutation.py [--sample N] [--workers N] [MODULE ...]

The mutants are those of mutmut. It cannot run them itself: the helper runs under other interpreters, from a copy of the package in an
environment that the tests have built. So this writes each mutant into every copy, and runs the tests that are about the module.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "src" / "keyring_fallback"
#: The tests that are about a module, as pytest's arguments: the quickest first.
SELECTED = {
    "_helper": ["test_conformance.py", "test_hostile_tool.py", "test_backends.py", "test_deferred.py"],
    "bridge": [
        "test_conformance.py",
        "test_properties.py",
        "test_messages.py",
        "test_hostile_tool.py",
        "test_backends.py",
    ],
    "backend": ["test_conformance.py", "test_backends.py", "test_messages.py", "test_harmless.py"],
}
#: Of these, what other modules are about.
LEFT_OUT = {
    "_helper": "not interpreter and not executable and not arguments",
    "bridge": "not executable and not provider and not credential and not command_line and not files and not settings",
    "backend": "not own_tests",
}
#: Seconds after which the tests of a mutant count as hanging, and so as noticing it.
TIMEOUT = 400


def mutants(module: str) -> list[str]:
    """All sources of a module that are broken in one place."""
    from mutmut.mutation.file_mutation import create_mutations

    code = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    tree, found, *_ = create_mutations(f"{module}.py", code)
    sources = (tree.deep_replace(one.original_node, one.mutated_node).code for one in found)
    return [source for source in dict.fromkeys(sources) if source != code]


class Worker:
    """A folder with a copy of the package, and with environments that the tests build once."""

    def __init__(self, folder: Path) -> None:
        """Copy the package."""
        self._folder = folder
        shutil.copytree(PACKAGE, folder / "src" / "keyring_fallback", ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, module: str, source: str) -> None:
        """Put a source into all copies of the package, and take what was compiled from the last one away."""
        for copy in self._folder.rglob("keyring_fallback"):
            if (copy / f"{module}.py").is_file():
                # not in place: installers link files
                (copy / f"{module}.new").write_text(source, encoding="utf-8")
                (copy / f"{module}.new").replace(copy / f"{module}.py")
                for compiled in (copy / "__pycache__").glob(f"{module}.*"):
                    compiled.unlink()

    def survives(self, module: str) -> bool:
        """Whether all tests about the module pass."""
        variables = {
            **os.environ,
            "PYTHONPATH": os.fspath(self._folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KEYRING_FALLBACK_SHARED": os.fspath(self._folder / "shared"),
        }
        files = filter(Path.exists, (TESTS / name for name in SELECTED[module]))
        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={self._folder / 'tmp'}"]
        command = [sys.executable, "-m", "pytest", *options, "-k", LEFT_OUT[module], *files]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, cwd=TESTS.parent, env=variables, stdout=output, stderr=output)
            try:
                return process.wait(timeout=TIMEOUT) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return False


def run(module: str, sources: list[str], workers: list[Worker]) -> Iterator[tuple[str, bool]]:
    """Try each source; yield it with whether it survived."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def attempt(source: str) -> tuple[str, bool]:
        worker = free.get()
        try:
            worker.write(module, source)
            return source, worker.survives(module)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        yield from pool.map(attempt, sources)


def main() -> int:
    """Run what the arguments say; the exit status is 1 where not more than 85 % are killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=list(SELECTED), metavar="MODULE", help="; ".join(SELECTED))
    parser.add_argument("--sample", type=int, default=0, help="only so many mutants of each module, drawn by chance")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tried = killed = 0
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(Path(folder, str(number))) for number in range(options.workers)]
        for module in options.modules:
            code = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
            if not all(survived for _, survived in run(module, [code] * len(workers), workers)):
                print(f"the tests of {module} fail as it is")
                return 2
            sources = mutants(module)
            if options.sample:
                random.Random(options.seed).shuffle(sources)  # noqa: S311 - no secret
                sources = sources[: options.sample]
            survivors = 0
            for number, (source, survived) in enumerate(run(module, sources, workers), 1):
                survivors += survived
                print(f"{module}: {number - survivors} of {number} killed ({len(sources)} in all)", flush=True)
                if survived:
                    lines = difflib.unified_diff(code.splitlines(), source.splitlines(), lineterm="", n=1)
                    print("survived:", *list(lines)[2:], sep="\n  ", flush=True)
            for worker in workers:
                worker.write(module, code)
            tried, killed = tried + len(sources), killed + len(sources) - survivors
    print(f"{killed} of {tried} killed: {100 * killed / tried:.1f} %")
    return int(killed <= 0.85 * tried)


if __name__ == "__main__":
    sys.exit(main())
