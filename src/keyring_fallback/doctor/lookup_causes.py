"""Names why a lookup had no answer: what went wrong, who answered for somebody else, or that nobody can answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import cures, hints
from .cause import Cause
from .examination import Examination
from .probing import Asked


def failures(examination: Examination) -> Iterator[Cause]:
    """Yield what went wrong in the lookup, or answered for somebody else."""
    lookup = examination.lookup
    service = hints.shown(examination.service)
    if lookup is None:
        return
    if lookup.outcome == "unfinished":
        asked = lookup.asked[0]
        command = f"PYTHON_KEYRING_BACKEND=keyring_fallback.GlobalKeyring keyring-fallback doctor {service}"
        yield Cause(
            "no-end",
            f"{asked.who} was asked and gave no answer in time.",
            command=command if asked.kind == "backend" else "",
            edit="it may wait for you: ask again on a terminal" if asked.kind == "tool" else "",
        )
    for one in examination.me.lookups[1:]:
        if one.outcome == "answer" and one.username:
            url = re.sub(r"^(\w+://)", rf"\g<1>{one.username}@", service)
            yield Cause(
                "other-username",
                f"There is an answer for the user name {one.username}, but not for {examination.username}.",
                edit=f"use the user name {one.username}" + (f", in a URL: {url}" if "://" in url else ""),
            )
            return
    failed = [asked for one in examination.me.lookups for asked in one.asked if asked.outcome == "failed"]
    for asked in {one.who: one for one in failed}.values():
        yield from _failure(asked, examination)
    if lookup.outcome == "failed" and not failed:
        yield Cause("provider-failed", f"keyring failed: {lookup.error}.", edit="do what it says")


def _failure(asked: Asked, examination: Examination) -> Iterator[Cause]:
    if asked.who.startswith("keyring.backends.fail."):
        return  # keyring's way to say that it has no backend
    tool = None
    for tool, probe in examination.probed():
        if asked.who == (tool.root or tool.path):
            if probe.error:
                return  # it is broken, and that is said
            break
    else:
        tool = None
    errors = [error.partition("; run 'keyring-fallback doctor'")[0].rstrip(".") for error in asked.errors]
    text = "".join(f"{error}. " for error in errors) if tool else f"{asked.who} failed: {'. '.join(errors)}."
    here = examination.survey.here
    service = hints.shown(examination.service)
    yield Cause(
        "provider-failed",
        text.strip(),
        command=cures.ask_alone(tool, service, examination.username, here.platform) if tool else "",
        edit="do what it says; the command asks it alone, and shows no password" if tool else "do what it says",
    )


def nothing(examination: Examination) -> Iterator[Cause]:
    """Yield why nobody answered, where nothing went wrong."""
    service, here = examination.service, examination.survey.here
    tool = examination.findings.tools[0] if examination.findings.tools else None
    registry = hints.registry_of(service)
    asked = examination.lookup.asked if examination.lookup else ()
    if not hints.is_url(service):
        url = f"https://{hints.host_of(service)}/..." if registry else "https://HOST/..."
        yield Cause(
            "not-a-url",
            f"{hints.shown(service)!r} is not a URL, and providers answer for URLs only.",
            command=f"keyring-fallback doctor {url}",
            edit="have the client ask with the whole URL of the index: some ask with the name of a repository",
        )
    elif registry and not any(hints.serves(registry, name) for name in _held(examination)):
        yield Cause(
            "no-provider",
            f"No keyring here has a provider for {registry.name} ({hints.host_of(service)}).",
            command=cures.add_provider(registry.distribution, tool, here.platform),
        )
    else:
        yield Cause(
            "no-answer",
            f"Who was asked ({', '.join(one.who for one in asked) or 'nobody'}) has no answer for this service.",
            command=cures.add_provider("PROVIDER", tool, here.platform),
            edit="check the URL and the user name; for a provider that serves this host, run the command",
        )


def _held(examination: Examination) -> list[str]:
    providers = [provider["distribution"] for provider in examination.me.providers]
    providers += [provider["distribution"] for probe in examination.tools for provider in probe.providers]
    providers += [one.distribution for tool in examination.findings.tools for one in tool.content.providers]
    return [hints.normalised(name) for name in providers]
