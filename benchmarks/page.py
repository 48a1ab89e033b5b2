"""Words what was measured as a page in Markdown."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from typing import TYPE_CHECKING

from inside import LATER
from support import environments, machine

if TYPE_CHECKING:
    from rounds import Results
    from scene import Scene
    from support.environments import Environment, Text

#: Limits of this project's own, for the reader to compare with.
COLD = {"trivial": 1.35, "artifacts-keyring": 1.1, "Google's": 1.05, "Amazon's": 1.05}
LENT = {"trivial": 1.05, "Google's": 0.5, "Amazon's": 0.5}

INTRODUCTION = """\
# Speed

What a delegated lookup costs, beside the tool's own `keyring get` and beside the packages that do something similar.
This page was written by `tox -e bench -- --output benchmarks/RESULTS.md`; run `tox -e bench` for a page of your own.

Two environments and the tools are built by real uv for one interpreter, compiled, and asked in turns, each round in
another order; one round before does not count. The figures are medians. Every contestant must give the right answer
each time. What counts is the ratio: seconds are those of the machine.
"""

PROGRAMS = """\
## `keyring get` as a whole

A new process each time, as uv runs it: from its start to its end. The limits that this project has set itself are
{limits} times the tool's own, and where a lender on this machine keeps its helper warm ("lent") {lent}.
The ratios are those of each round, paired: their median, and between which two values the middle half of them lies.
"""

INSIDE = """\
## Inside one process

What each program pays that imports keyring (median of the differences to an environment without us, round by round;
limits: 1 ms with no tool, 5 ms with one), and what a lookup costs when there are several (limit for the later ones:
5 ms on top of the provider's own time).
"""

MEMORY = """\
## Memory

The most that the process had at once (VmHWM). Limit: within 10 % of the tool's own.
"""

NOTES = """\
## Notes

- *Not found* is a URL that the provider does not serve; the helper is started and asked. *Bare host* is what uv and pip
  ask next: artifacts-keyring is known to answer URLs only, so nothing is started.
- *keyring alone* is the floor: the same environment without us. Most of what it takes is keyring's own start, of
  which the search for macOS libraries alone runs several processes on Linux.
- keyring-subprocess runs its own executable, from a tool that has it. keyring-pybridge is selected by `keyring -b`,
  since PYTHON_KEYRING_BACKEND would make the keyring in the tool look for it too and fail; and it gets a copy of the
  tool's interpreter, since it takes two environments of one base interpreter for one.
"""


def written(stage: Scene, programs: Results, insides: Results, memory: Results) -> str:
    """The whole page."""
    limits, lent = (", ".join(f"{limit:g} ({name})" for name, limit in table.items()) for table in (COLD, LENT))
    parts = [
        INTRODUCTION,
        *_circumstances(stage, programs, insides),
        PROGRAMS.format(limits=limits, lent=lent),
        *(program_table(programs, group, names) for group, names in programs.groups().items()),
        INSIDE,
        _inside_table(insides),
    ]
    if memory.rounds:
        parts += [MEMORY, _memory_table(memory)]
    return "\n".join([*parts, NOTES])


def chart(programs: Results) -> str:
    """A bar chart in SVG: whole processes, peers, tool and us."""
    import io

    import matplotlib.pyplot as plt  # for this alone, and not for the short form

    groups = programs.groups()
    figure, axes = plt.subplots(1, len(groups), figsize=(3.2 * len(groups), 3), layout="constrained")
    for axis, (group, names) in zip(axes, groups.items()):
        found = [name for name in names if "not found" not in name and "bare host" not in name]
        values = [programs.median(group, name, "seconds") * 1000 for name in found]
        labels = [name.removesuffix(", found").replace("keyring-fallback", "us") for name in found]
        colours = ["#5b8ab8" if label.startswith("us") else "#b0bcc8" for label in labels]
        axis.barh(labels[::-1], values[::-1], color=colours[::-1])
        axis.set_title(f"{group}, ms" if group != "trivial" else "a trivial provider, ms", fontsize=9)
        axis.tick_params(labelsize=8)
    text = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "keyring-fallback"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _circumstances(stage: Scene, programs: Results, insides: Results) -> list[str]:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs"
    version = environments.run([stage.python, "--version"], check=True).stdout.strip()
    found = {**_versions(stage.subprocess), **_versions(stage.pybridge), **_versions(stage.ours)}
    if stage.azure is not None:
        found.update(_versions(stage.azure.environment))
    names = ("keyring-fallback", "keyring", "artifacts-keyring", "keyring-subprocess", "keyring-pybridge")
    uv = environments.run([machine.uv(), "--version"], check=True).stdout.split()[1]
    packages = ", ".join(f"{name} {found[name]}" for name in names if name in found)
    return [
        f"- {dt.date.today().isoformat()}, {programs.count()} rounds ({insides.count()} inside one process)",  # noqa: DTZ011
        f"- {system}",
        f"- {version}, uv {uv}, {packages}",
        "",
    ]


def _versions(environment: Environment) -> dict[str, str]:
    argv: list[Text] = [machine.uv(), "pip", "list", "--format", "json", "--python", environment.python]
    listing = environments.run(argv, env=machine.building(), check=True).stdout
    return {one["name"]: one["version"] for one in json.loads(listing)}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def program_table(results: Results, group: str, names: list[str]) -> str:
    """The table of one group: times in milliseconds, and ratios to its first contestant."""
    rows = []
    for name in names:
        low, middle, high = results.ratios(group, name, names[0], "seconds")
        seconds = (results.median(group, name, "seconds"), results.least(group, name, "seconds"))
        rows.append([name, *map(_milliseconds, seconds), f"{middle:.2f}", f"{low:.2f} to {high:.2f}"])
    provider = "a trivial provider" if group == "trivial" else group
    return _table([f"with {provider}", "ms", "fastest", "ratio", "half of them"], rows)


def _inside_table(results: Results) -> str:
    def more(name: str, figure: str) -> str:
        return f"{results.difference('inside', name, 'alone', figure) * 1000:+.2f}"

    def lookup(name: str, figure: str) -> str:
        return f"{results.median('inside', name, figure) * 1000:.2f}"

    alone = {figure: _milliseconds(results.median("inside", "alone", figure)) for figure in ("import", "both")}
    rows = [
        ["`import keyring.backend`, keyring alone", alone["import"]],
        ["`import keyring.backend` and `get_all_keyring()`, keyring alone", alone["both"]],
        ["the same with us, no tool", more("no tool", "both")],
        ["the same with us, a tool", more("a tool", "both")],
        ["the same with us, 500 keyrings of others on PATH", more("a full PATH", "both")],
        ["first lookup in the tool's own environment", lookup("lookups here", "first")],
        ["later lookups there: the provider's own time", lookup("lookups here", "later")],
        ["first lookup through us", lookup("lookups", "first")],
        [f"later lookups through us (median of {LATER})", lookup("lookups", "later")],
    ]
    return _table(["in one process", "ms"], rows)


def _memory_table(results: Results) -> str:
    rows = []
    for group, names in results.groups().items():
        base = results.median(group, names[0], "bytes")
        for name in names:
            size = results.median(group, name, "bytes")
            rows.append([f"{name}, {group}", f"{size / 2**20:.1f}", f"{size / base:.2f}"])
    return _table(["peak memory", "MiB", "ratio"], rows)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
