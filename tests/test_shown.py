"""What the doctor shows of URLs, paths and settings: no token, wherever it stands, and all that is none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyring_fallback.doctor.shown import HIDDEN, without_secrets
from support.patient import AZURE, USERNAME, Patient

if TYPE_CHECKING:
    pass

CLOUDSMITH = "https://dl.cloudsmith.io/CANARY/org/repo/python/simple/"
#: A user part as people write it; "@" and "/" are to be written as "%40" and "%2F", and are often not.
ODD = [
    "https://CANARY@pkgs.dev.azure.com/x",
    "https://CANARY:@pkgs.dev.azure.com/x",
    "https://u:CANARY@h/x",
    "https://u:CAN/CANARY@h/x",
    "https://u:CAN#CANARY@h/x",
    "https://u:CAN?CANARY@h/x",
    "https://u:CAN@CANARY@h/x",
    "https://u:123/CANARY@h/x",
    "https://u:123?CANARY@h/x",
    "https://h:80@CANARY/x",
    "https://u%3ACANARY@h/x",
    "https://u:CANARY@[h/x",
    "u:CANARY@h/x",
    "CANARY@pkgs.dev.azure.com/x",
    "//CANARY@h.example/a",
    "https:/u:CANARY@h/x",
    "https:\\\\u:CANARY@h\\x",
    "https:\\u:CANARY@h\\x",
    "git+https://u:CANARY@h/x",
    "file://u:CANARY@h/x",
    "n=https://u:CANARY@h/x,https://CANARY@i/x",
    "https://h/https://CANARY@i/x",
    "https://h/https:/u:CANARY@i/x",
    "https://h/p;u:CANARY@x",
    "https://h/a@b:CANARY@x",
    "https://h/%2F%2Fu%3ACANARY%40h/x",
    "https://h/x?sig=CANARY",
    "https://h/x#CANARY",
    "file:///a/b?sig=CANARY",
    CLOUDSMITH,
    "https://conda.example/t/CANARY/channel",
    "https://packagecloud.io/priv/CANARY/u/r",
    "https://api.repoforge.io/CANARY/",
    "https://dl.corp.example/basic/CANARY/python/simple/",
    "https://h/simple;token=CANARY/x/",
    "https://h/x;a=b;token%3DCANARY",
    "https://h/0123456789abcdef0123CANARY/x",
]


@pytest.mark.parametrize("url", ODD)
def test_no_token_shows(url: str) -> None:
    """A token in a URL is not shown, alone, in a sentence, in quotes, or in data."""
    for text in (url, f"A file of uv's: {url} cannot be read.", f"x = {url!r}", f"$ uv add --index={url} a"):
        assert "CANARY" not in without_secrets(text, [USERNAME])
    assert "CANARY" not in json.dumps(without_secrets({"a": [url, {"b": url}], "c": None, "d": 1, "e": True}))


@pytest.mark.parametrize(
    "text",
    [
        AZURE,
        AZURE.replace("://", f"://{USERNAME}@"),
        "https://pkgs.dev.azure.com/org/_packaging/feed@Local/pypi/simple/",
        "https://pkgs.dev.azure.com/org/6e5f2c1a-1111-2222-3333-444455556666/_packaging/f/pypi/simple/",
        "https://dl.cloudsmith.io/basic/org/repo/python/simple/",
        "http://127.0.0.1:8080/simple/",
        "http://[::1]:8080/simple/",
        "/home/me@corp.example/.config/uv/uv.toml: option 'tool' in [fallback]",
        r"C:\Users\me@corp\AppData\x: it cannot be read",
        "uv tool install keyring --with 'a @ https://h/a-1.whl' --with keyring@25.2.1",
        "TypeError: get() missing 1 argument: 'x' (exit status 3)",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    """URLs, paths and words without a secret stay as they are, the registry's own user name too."""
    assert text == without_secrets(text, [USERNAME])


_TOKEN = st.text("CANARYxyz0189-._~!$&'()*+,;=", min_size=1, max_size=30).map(lambda text: f"CANARY{text}")
_BEFORE = st.sampled_from(["", "u:", "u:p", "u:1", "u:a/", "u:1/", "u:a#", "u:a?", "u:1?b/", "a@b:", "u%3A"])
_AROUND = st.sampled_from(["{}", "'{}'", '"{}"', "({})", "see {}, please", "a={}", "{}.", "[{}]", "https://h/{}"])


@given(st.sampled_from(["https://", "http://", "git+ssh://", "https:\\\\"]), _BEFORE, _TOKEN, _AROUND)
def test_no_user_part_shows(scheme: str, before: str, token: str, around: str) -> None:
    """Whatever the user part holds, and whatever stands around the URL."""
    assert "CANARY" not in without_secrets(around.format(f"{scheme}{before}{token}@host.example/simple/"))


@given(st.text("a1:/\\@?#%[];=' .\n", max_size=60))
def test_any_text(text: str) -> None:
    """It never raises, and what was shown once is shown so again."""
    assert without_secrets(text) == without_secrets(without_secrets(text))


#: What stands in a text where ``artifacts`` is a user name that may be a token, and what is shown of it.
SECRET_WORDS = {
    "no artifacts.": "no ***.",
    "user=artifacts, 'artifacts': artifacts@h": "user=***, '***': ***@h",
    "https://h.example/artifacts/simple/ failed": "https://h.example/***/simple/ failed",
    "https://artifacts.example/simple/": "https://artifacts.example/simple/",
    "https://pkgs.dev.azure.com/artifacts/_packaging/": "https://pkgs.dev.azure.com/artifacts/_packaging/",
    "keyrings.artifacts 1.0.2, artifacts-keyring 1.0.0": "keyrings.artifacts 1.0.2, artifacts-keyring 1.0.0",
    r"/home/artifacts/x, C:\Users\artifacts\x, ~/artifacts": r"/home/artifacts/x, C:\Users\artifacts\x, ~/artifacts",
}


@pytest.mark.parametrize(("text", "said"), SECRET_WORDS.items(), ids=range(len(SECRET_WORDS)))
def test_a_word_that_is_secret(text: str, said: str) -> None:
    """It is struck out where it stands alone, and is no part of a distribution's name, a host's or a file's path."""
    assert (said, text) == (without_secrets(text, [], ["artifacts"]), without_secrets(text, [], ["art"]))


def test_a_command_stays_whole(patient: Patient) -> None:
    """Whatever word of a command is the user name of an index, too: it can be run, and no user name shows in it."""
    for name in ("artifacts-keyring", "keyring", "install", "canary-token"):
        url = AZURE.replace("://", f"://{name}@")
        finding = patient.with_uv().see_the_doctor(
            AZURE, UV_INDEX_URL=url, PIP_INDEX_URL=url, STUB_TOKENS_FILE="/nowhere"
        )
        commands = [one["command"] for one in finding.document["causes"]]
        assert f"keyring get {AZURE} --mode creds > " in "".join(commands).replace("\\", "/")
        assert [] == [one for one in commands if HIDDEN in one]
        assert name != "canary-token" or name not in finding.text + json.dumps(finding.document)


TOKENS = [
    ([], {"UV_INDEX_URL": "https://CANARYPAT@pkgs.dev.azure.com/org/_packaging/f/pypi/simple/"}),
    ([], {"UV_INDEX_URL": "https://CANARYPAT:@pkgs.dev.azure.com/org/"}),
    ([], {"UV_INDEX_URL": CLOUDSMITH}),
    ([CLOUDSMITH], {}),
    (["https://CANARYPAT@pkgs.dev.azure.com/org/"], {}),
    (["https://CANARYPAT@registry.example/org/"], {"STUB_TOKENS_FILE": "/nowhere"}),
    (["https://u:CANARYS@[registry.example/boom"], {}),
    ([], {"UV_INDEX": "n=https://u:CANARYN@h/x https://u:CANARYO@h"}),
    ([AZURE, "u"], {"KEYRING_PROPERTY_FALLBACK_SERVICES": "https://u:CANARYT@h/"}),
    ([], {"KEYRING_PROPERTY_FALLBACK_TIMEOUT": "CANARYU"}),
    ([], {"KEYRING_PROPERTY_FALLBACK_TOOL": "https://CANARYTOOL@h/x"}),
    ([], {"KEYRING_PROPERTY_FALLBACK_TOOL": "https://u:CANARYI@h/"}),
    ([], {"PIP_INDEX_URL": "https://u:CANARYV@h/", "UV_KEYRING_PROVIDER": "https://u:CANARYW@h"}),
]


@pytest.mark.parametrize(("arguments", "variables"), TOKENS, ids=range(len(TOKENS)))
def test_the_doctor_shows_no_token(patient: Patient, arguments: list[str], variables: dict[str, str]) -> None:
    """In the arguments, in the settings of uv and pip, in ours: neither in the text nor in the JSON document."""
    finding = patient.see_the_doctor(*arguments, **variables)
    said = finding.text + json.dumps(finding.document)
    assert [] == re.findall("CANARY[A-Z]*", said)
