"""The hook that tells who is asked: what a listener sees, and that the doctor's probe sees what ``keyring get`` does."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.delegation import trace
from test_backends import reader

if TYPE_CHECKING:
    from support.stage import Stage

SECRET = "canary-password"  # noqa: S105 - a made-up one
#: What is here and there: nobody has an answer, somebody has one, somebody fails.
PLOTS = {
    "an answer there": ("raise OSError('no canary-password')", f"return '{SECRET}'", "return 'too late'"),
    "an answer here": ("return None", "raise OSError('broken')", f"return '{SECRET}'"),
    "nobody": ("return None", "return None", "return None"),
    "a failure here": ("raise errors.KeyringLocked('unlock me')", "return None", "return None"),
    "a failure there": ("return None", "raise OSError('log in')", "return None"),
}
SELECTED = [
    "keyring_fallback.GlobalKeyring",
    "keyring_fallback.FallbackKeyring",
    "keyring.backends.chainer.ChainerBackend",
    "scripted_here.Store",
]


@pytest.mark.parametrize(
    ("plot", "selected"), [*((plot, "") for plot in PLOTS), *(("an answer here", one) for one in SELECTED)]
)
def test_the_probe_sees_what_keyring_does(stage: Stage, plot: str, selected: str) -> None:
    """For ``keyring get`` and the doctor: the same are asked in the same order, and the same comes of it."""
    first, there, store = PLOTS[plot]
    stage.here(reader("Provider", 9.9, first) + reader("Store", 5, store)).there(reader("There", 9, there))
    if selected:
        stage.variables["PYTHON_KEYRING_BACKEND"] = selected
    got = stage.environment.keyring("get", "https://host/", "user", env=stage.env())
    asked = [line for line in stage.notes() if "get_password" in line]
    os.remove(stage.folder / "notes")
    command = ["-m", "keyring_fallback", "doctor", "--json", "https://host/", "user"]
    result = stage.environment.run(command, env=stage.env(), cwd=stage.folder)
    assert SECRET not in result.stdout + result.stderr
    document = json.loads(result.stdout)
    # then it goes on as uv and pip do: it asks for the host, and for any user name
    assert asked == [line for line in stage.notes() if "get_password 'https://host/'" in line]

    lookup = document["lookups"][0]
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    names = {"scripted_here.Provider": "Provider", "scripted_here.Store": "Store", tool: "There"}
    assert [line.split()[0] for line in asked] == [names[one["who"]] for one in lookup["asked"]]
    failed = bool(re.search(r"^[\w.]*Error\b|^[\w.]*KeyringLocked", got.stderr, re.MULTILINE))
    outcome = "answer" if got.returncode == 0 else "failed" if failed else "nothing"
    assert (outcome, len(got.stdout.strip())) == (lookup["outcome"], lookup["length"])


LISTENING = """\
import json, keyring
from keyring_fallback.delegation import trace
heard = []
trace.listeners.append(lambda question: heard.append([question.kind.value, question.who, question.outcome.value]))
trace.listeners.append(lambda question: 1 / 0)
whole = []
trace.listeners.append(lambda question: question.outer or whole.append(question.as_data()))
keyring.get_credential("https://host/", None)
print(json.dumps([heard, whole[-1]]))
"""


@pytest.mark.parametrize(
    ("answer", "failures", "outcome"), [("x", 1, "answer"), (None, 1, "failed"), (None, 0, "nothing")]
)
def test_what_comes_of_a_reply(answer: str | None, failures: int, outcome: str) -> None:
    """An answer counts, whoever has failed before it; without one, a failure does."""
    question = trace.Question(trace.Kind.TOOL, "tool", "get_password", "https://host/", "user")
    question.replied(answer, "backend", [OSError("log in")] * failures)
    assert outcome == question.outcome.value


def test_what_a_listener_hears(stage: Stage) -> None:
    """A listener hears each question twice, asked and done with; the data of the whole holds no secret."""
    stage.here(reader("Broken", 9.9, f"raise OSError('no {SECRET}')"))
    stage.there(reader("There", 9, f"return credentials.SimpleCredential('me', '{SECRET}')"))
    output = stage.environment.run(["-c", LISTENING], env=stage.env(), check=True).stdout
    heard, whole = json.loads(output)
    tool = stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"]
    assert [
        ["keyring", "keyring", "unfinished"],
        ["backend", "scripted_here.Broken", "unfinished"],
        ["backend", "scripted_here.Broken", "failed"],
        ["tool", tool, "unfinished"],
        ["tool", tool, "answer"],
        ["keyring", "keyring", "answer"],
    ] == heard
    assert ("answer", "me", len(SECRET)) == (whole["outcome"], whole["username"], whole["length"])
    assert ["OSError: no ***"] == whole["asked"][0]["errors"]
    assert ["", "scripted_there.There"] == [one["answered_by"] for one in whole["asked"]]
    assert SECRET not in output


def test_how_long_it_takes() -> None:
    """What is told is the time between question and answer, in milliseconds."""
    with trace.Question(trace.Kind.TOOL, "tool", "get_password", "service", "user") as question:
        time.sleep(0.02)
    assert 20 <= question.as_data()["milliseconds"] < 20_000


@pytest.mark.parametrize(("password", "told"), [("abc", "no ***"), ("ab", "no ab")])
def test_what_is_struck_out(monkeypatch: pytest.MonkeyPatch, password: str, told: str) -> None:
    """A password is struck out of messages from three characters on: a shorter one is a part of too many words."""
    monkeypatch.setattr(trace, "listeners", [lambda _: None])
    with trace.Question(trace.Kind.TOOL, "tool", "get_password", "service", "user") as question:
        question.replied(password, "There", [OSError(f"no {password}")])
    assert [told] == question.as_data()["errors"]
