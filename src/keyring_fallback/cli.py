"""The command ``keyring-fallback``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Mapping, Sequence

from . import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0, it works; 1, it does not; 130, interrupted. argparse exits with 2.

    `arguments` is the command line without the program's name; None: that of this process.
    """
    # see `doctor.watch`; launchers leave out the end of their names (distlib scripts.py, uv-install-wheel wheel.rs)
    if arguments is None and os.path.basename(sys.argv[0]).lower() in ("keyring", "keyring.exe"):
        from .helper import recorder

        file = os.path.join(os.path.dirname(sys.argv[0]), recorder.RECORDS)
        if os.path.isfile(file):  # a program between may pass on PATH, and not the variable
            os.environ[recorder.WATCH] = file
        return recorder.run(sys.argv[1:])
    for name in ("stdin", "stdout", "stderr"):  # None where it is closed
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = _parser()
    end = words.index("--") if "--" in words else len(words)
    command = words[end + 1 :] if end < len(words) else None
    options = parser.parse_args(words[:end])
    if mistake := _mistake(options, command, parser):
        parser.error(mistake)
    if options.command == "lend":
        return _lend(commands["lend"], options.services, command or ())
    if command:
        from .doctor import watch

        return watch.watch(command)
    if options.command is None or options.command == "help":
        about = commands.get(getattr(options, "about", None) or "", parser)
        about.print_help(sys.stdout if options.command else sys.stderr)  # without a command as uv and git do
        return 0 if options.command else 2
    return _doctor(options)


def _mistake(options: argparse.Namespace, command: Sequence[str] | None, parser: argparse.ArgumentParser) -> str:
    """Return why words do not go together, or ""."""
    if command is not None and (options.command not in ("doctor", "lend") or not command):
        return "there is no command behind --" if not command else "-- goes with 'doctor' and 'lend'"
    if command and options.command == "doctor" and options != parser.parse_args(["doctor"]):
        return "nothing goes between 'doctor' and --"
    both = options.command == "doctor" and options.json and (options.fix or options.dry_run)
    return "--json goes with neither --fix nor --dry-run" if both else ""


def _doctor(options: argparse.Namespace) -> int:
    try:
        from .doctor import causes, document, examination, repair, report

        if options.fix or options.dry_run:
            how = {"yes": options.yes, "dry_run": options.dry_run}
            return repair.repair(options.service, options.username, **how, say=_write)
        facts = examination.examine(options.service, options.username)
        found = causes.find(facts)
        if options.json:
            _write(document.as_json(facts, found))
        else:
            _write(report.as_text(facts, found, colour=_has_colours(), verbose=options.verbose))
    except KeyboardInterrupt:
        return 130
    return int(any(cause.problem for cause in found))


def _lend(parser: argparse.ArgumentParser, hosts: Sequence[str], command: Sequence[str]) -> int:
    from . import hints, survey
    from .lending import lender

    def look() -> survey.Survey | None:
        now = survey.make(survey.here())
        return None if now.state in (survey.State.OFF, survey.State.NESTED) else now

    for host in hosts:
        if not host.strip() or not {*"/:@ "}.isdisjoint(host):
            parser.error(f"{hints.shown(host)!r} is no host, such as {hints.host_of(host) or 'pkgs.dev.azure.com'}")
    return lender.lend(hosts, command, look)


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Return the parser of the command line, and those of the commands by their names."""
    does = "Makes this environment's keyring answer with the providers of the globally installed keyring."
    parser = argparse.ArgumentParser(prog="keyring-fallback", description=does)
    parser.add_argument("-V", "--version", action="version", version=f"keyring-fallback {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    does = "say why lookups are not answered, and what mends that"
    more = "It never shows a password. Exit status: 0, it works; 1, it does not; 2, wrong usage."
    doctor = commands.add_parser("doctor", help=does, description=f"{does.capitalize()}. {more}")
    doctor.add_argument("service", metavar="SERVICE", nargs="?", help="what to look up: the URL of a package index")
    doctor.add_argument("username", metavar="USERNAME", nargs="?", help="the user name to look it up for")
    doctor.add_argument("-v", "--verbose", action="store_true", help="show all that was found")
    doctor.add_argument("--json", action="store_true", help="print a JSON document, for programs")
    doctor.add_argument("--fix", action="store_true", help="do what mends it, after asking for each step")
    doctor.add_argument("-y", "--yes", action="store_true", help="with --fix: ask nobody")
    doctor.add_argument("--dry-run", action="store_true", help="show what --fix would do now, and do nothing")
    lends = "let keyrings elsewhere ask the global keyring of this machine, for some hosts, until Ctrl-C"
    usage = "%(prog)s --services HOST [HOST ...] [-- COMMAND ...]"
    more = "COMMAND runs elsewhere what is appended: ssh BOX, docker exec -i NAME. Without it, this machine's "
    more += "environments are answered without a start. One line a question, never a password."
    lend = commands.add_parser("lend", help=lends, usage=usage, description=f"L{lends[1:]}. {more}")
    lend.add_argument("--services", metavar="HOST", nargs="+", required=True, help="the hosts, by name or pattern")
    about = commands.add_parser("help", help="show this, or the help of a command")
    about.add_argument("about", metavar="COMMAND", nargs="?", choices=commands.choices, help="the command")
    return parser, commands.choices


def _has_colours() -> bool:
    """Tell whether to use colours: on a terminal that has some, and never with NO_COLOR (no-color.org)."""
    term = os.environ.get("TERM")
    if os.environ.get("NO_COLOR") or term == "dumb" or not sys.stdout.isatty():
        return False
    return sys.platform != "win32" or bool(os.environ.get("WT_SESSION") or term)


def _write(text: str) -> None:
    """Print, whatever the encoding of stdout; nobody is told that nobody reads on."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)  # noqa: T201 - a command's output
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more at its end
