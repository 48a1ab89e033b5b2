"""Without a URL the doctor asks for every index that uv, pip and poetry are told of, and works only by answers."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from support import environments, machine, providers
from support.feed import Feed
from support.patient import AZURE, CANARY, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOGLE = "https://europe-python.pkg.dev/p/r/simple/"
NOTHING = "Nothing was looked up; try: keyring-fallback doctor URL\n"
ALWAYS = '[[index]]\nurl = "URL"\nauthenticate = "always"\n'
PLAIN = ALWAYS.partition("authenticate")[0]
SUBPROCESS = 'keyring-provider = "subprocess"\n'
posix = pytest.mark.skipif(machine.WINDOWS, reason="the commands are POSIX'")


@pytest.fixture
def patient(patient: Patient, shared_environments: environments.Environments, python: Path, wheel: Path) -> Patient:
    """A person with all that it takes, and pip."""
    patient.environment = shared_environments.get(python, "keyring", "pip", wheel)
    return patient


@pytest.fixture(scope="module")
def feed(demo_store: Path) -> Iterator[Feed]:
    """A private feed on loopback."""
    with Feed(demo_store.parent, password=CANARY) as running:
        yield running


def test_nothing_to_look_up(patient: Patient) -> None:
    """Where no client is told of an index, or of public ones only, nothing was looked up, and that is not green."""
    for variables in ({}, {"UV_INDEX_URL": "https://pypi.org/simple", "PIP_INDEX_URL": "https://test.pypi.org/simple"}):
        finding = patient.with_uv().see_the_doctor(**variables)
        assert (1, ["nothing-asked"], []) == (finding.status, finding.problems, finding.document["lookups"])
        assert finding.text.startswith(NOTHING)
        assert machine.WINDOWS or "keyring-fallback doctor URL" == finding.cause["command"]
    # nor where clients are told to ask none
    (patient.folder / "uv.toml").write_text(f"no-index = true\nindex-url = '{AZURE}'\n")
    assert ["nothing-asked"] == patient.ask_for_data(PIP_INDEX_URL=AZURE, PIP_NO_INDEX="1").problems


def test_each_index_is_asked_for(patient: Patient) -> None:
    """A line each, with who is told of it; one without an answer is not green, and is named with its provider."""
    (patient.with_uv().folder / "uv.toml").write_text(SUBPROCESS + ALWAYS.replace("URL", AZURE))
    finding = patient.see_the_doctor()
    assert (0, [AZURE]) == (finding.status, [one["service"] for one in finding.document["lookups"]])
    assert f"ok lookup: {AZURE} (uv" in " ".join(finding.text.split())
    variables = {"PIP_EXTRA_INDEX_URL": f"{GOOGLE} {AZURE.replace('://', '://me@')}"}
    finding = patient.see_the_doctor(**variables)
    assert (1, ["no-provider"]) == (finding.status, finding.problems)
    assert "keyrings.google-artifactregistry-auth" in finding.cause["command"]
    lookups = [(one["service"], one["outcome"]) for one in finding.document["lookups"]]
    assert [(AZURE, "answer"), (GOOGLE, "nothing"), (GOOGLE, "nothing"), (AZURE, "answer")] == lookups
    text = " ".join(finding.text.split())
    assert f"no lookup: {GOOGLE} (pip): no answer" in text
    assert 2 == text.count(f"ok lookup: {AZURE}")
    assert finding.text.startswith("It does not work.\n")


@pytest.mark.parametrize("slash", ["", "/"])
def test_asked_for_as_the_client_is_told(patient: Patient, tmp_path: Path, slash: str) -> None:
    """With or without the slash at its end, as the client's index has it, whichever is typed."""
    url = "https://registry.example/simple" + slash
    source = (
        "from keyring.backend import KeyringBackend\n"
        "class Exact(KeyringBackend):\n priority = 9.9\n"
        f" def get_password(self, s, u): return 'stored' if s == {url!r} else None\n"
        " set_password = delete_password = get_password\n"
    )
    providers.unpack(providers.make_provider(tmp_path / "w", "exact-store", source), tmp_path / "site")
    variables = {"UV_KEYRING_PROVIDER": "subprocess", "PYTHONPATH": os.fspath(tmp_path / "site")}
    patient.with_uv()
    for typed in (url.rstrip("/"), url.rstrip("/") + "/"):
        for index in (url.rstrip("/"), url.rstrip("/") + "/"):
            told = {"UV_DEFAULT_INDEX": index.replace("://", "://me@")}
            finding = patient.ask_for_data(typed, **variables, **told)
            assert (index == url) == (finding.status == 0), (typed, index)


def test_what_uv_fails_at_is_not_green(patient: Patient) -> None:
    """The keyring answers, and uv does not ask it, whatever host the index is at."""
    url = "https://gitlab.example/api/simple/"
    (patient.with_tokens({"gitlab.example": CANARY}).with_uv().folder / "uv.toml").write_text(
        ALWAYS.replace("URL", url)
    )
    finding = patient.see_the_doctor()
    assert (1, ["uv-asks-no-keyring"]) == (finding.status, finding.problems)
    assert (0, []) == (patient.see_the_doctor(UV_KEYRING_PROVIDER="subprocess").status, finding.notes)


def test_what_may_be_public(patient: Patient) -> None:
    """An index of an unknown host, without a user name, needs no answer; but green is only what was answered."""
    url = "https://download.example/whl/"
    finding = patient.see_the_doctor(PIP_EXTRA_INDEX_URL=url)
    assert (1, ["nothing-asked"]) == (finding.status, finding.problems)
    assert url in finding.cause["text"]
    finding = patient.see_the_doctor(PIP_EXTRA_INDEX_URL=f"{url} {AZURE}")
    assert (0, []) == (finding.status, finding.document["causes"])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML")
@pytest.mark.parametrize("where", ["", "m"])
def test_an_index_of_a_workspaces_member(patient: Patient, feed: Feed, python: Path, where: str) -> None:
    """What a member names for sources of its own is an index of uv's: asked for, and mended in the member's file."""
    project = f"[project]\nname = 'NAME'\nversion = '1'\nrequires-python = '>={'.'.join(sys.version.split('.')[:2])}'\n"
    root, member = patient.folder / "pyproject.toml", patient.folder / "m" / "pyproject.toml"
    root.write_text(project.replace("NAME", "r") + f"[tool.uv]\n{SUBPROCESS}[tool.uv.workspace]\nmembers = ['m']\n")
    member.parent.mkdir()
    rest = "dependencies = ['demo-store']\n[tool.uv.sources]\ndemo-store = {index = 'corp'}\n"
    indexes = "[[tool.uv.index]]\nname = 'corp'\nurl = 'URL'\nexplicit = true\n"
    indexes += "[[tool.uv.index]]\nname = 'unused'\nurl = 'https://unused.example/'\nexplicit = true\n"
    patient.with_tokens({"127.0.0.1": feed.password}).with_uv()
    patient.folder = patient.folder / where
    argv = [machine.uv(), "lock", "--no-cache", "--python", str(python)]
    for url, answered in ((feed.direct_url, False), (feed.with_username("me", feed.direct_url), True)):
        member.write_text(project.replace("NAME", "m") + rest + indexes.replace("URL", url))
        locked = environments.run(argv, env=patient.env(), cwd=patient.folder)
        assert answered == (locked.returncode == 0), locked.stderr
        finding = patient.see_the_doctor()
        assert ([] if answered else ["uv-no-username"]) == finding.problems
        assert {feed.direct_url} == {one["service"] for one in finding.document["lookups"]}
    member.write_text(project.replace("NAME", "m") + rest + indexes.replace("URL", feed.direct_url))
    cure = patient.see_the_doctor().cause["cure"]
    assert (str(member), "tool.uv.index", "authenticate") == (cure["file"], cure["table"], cure["option"])
    # where uv asks no keyring at all, that is said in no file that uv does not read it in
    root.write_text(root.read_text().replace(SUBPROCESS, ""))
    unasked = next(one for one in patient.see_the_doctor().document["causes"] if one["name"] == "uv-asks-no-keyring")
    assert str(member) != unasked["cure"]["file"]


def test_what_keeps_uv_from_asking_is_first_for_any_host(
    patient: Patient, shared_environments: environments.Environments, python: Path
) -> None:
    """An index of one's own host wants a password for what installs us, too: uv is told to ask for it first."""
    other = shared_environments.get(python, "keyring")
    url = AZURE.replace("pkgs.dev.azure.com", "registry.example")
    (patient.folder / "uv.toml").write_text(f"[[index]]\nurl = '{url}'\nauthenticate = 'always'\n")
    path = os.pathsep.join([str(other.scripts), patient.with_uv().variables["PATH"]])
    for asked in ([], [url]):
        problems = patient.ask_for_data(*asked, PATH=path, VIRTUAL_ENV=str(other.root)).problems
        assert ["uv-asks-no-keyring", "missing-there"] == [one for one in problems if one != "no-answer"], asked


def test_a_user_name_is_for_its_host(patient: Patient, feed: Feed) -> None:
    """Of two hosts, or ports, one index' user name is none for the other."""
    other = feed.proxy.rpartition(":")[0] + ":81/simple/"
    (patient.with_uv().folder / "uv.toml").write_text(
        f"{SUBPROCESS}[[index]]\nurl = '{other}'\n[[index]]\nurl = '{feed.proxy.replace('://', '://me@')}/simple/'\n"
    )
    assert "uv-no-username" in patient.ask_for_data(other).problems


def test_a_password_elsewhere_is_a_note(patient: Patient) -> None:
    """An index that a client has a password for from elsewhere is not asked for: its place is named."""
    finding = patient.see_the_doctor(PIP_INDEX_URL=AZURE.replace("://", "://me:secret@"))
    assert (1, ["nothing-asked"], ["password-elsewhere"]) == (finding.status, finding.problems, finding.notes)
    assert "secret" not in finding.text
    assert [] == finding.document["lookups"]


def test_a_hang_is_of_one_index(patient: Patient) -> None:
    """One index whose provider never answers: it is named, and nothing is made of the others."""
    (patient.folder / "pip.conf").write_text(f"[global]\nindex-url = {AZURE}\nextra-index-url = {GOOGLE}\n")
    finding = patient.see_the_doctor(
        PIP_CONFIG_FILE=str(patient.folder / "pip.conf"),
        STUB_TOKENS_FILE="/nowhere",
        KEYRING_PROPERTY_FALLBACK_TIMEOUT="5",
    )
    assert 1 == finding.status
    assert "keyring-broken" not in finding.problems


def test_tokens_of_all_indexes_are_hidden(patient: Patient) -> None:
    """Each index may have a user name that is a token: none is shown, as text or as data, whichever is asked for."""
    names = ("canary-token-one", "canary-token-two")
    urls = [AZURE.replace("://", f"://{names[0]}@"), GOOGLE.replace("://", f"://{names[1]}@")]
    variables = {"PIP_INDEX_URL": urls[0], "UV_INDEX_URL": urls[1], "UV_KEYRING_PROVIDER": "subprocess"}
    for arguments in ([], [AZURE], [GOOGLE]):
        finding = patient.with_uv().see_the_doctor(*arguments, **variables)
        assert not any(name in finding.text + str(finding.document) for name in names)


def test_sources_of_poetry(patient: Patient, shared_environments: environments.Environments, python: Path) -> None:
    """The sources that poetry tells of are asked for, with and without a slash at the end, as poetry does."""
    poetry = shared_environments.get(python, "poetry", "keyring")
    (patient.folder / "pyproject.toml").write_text(
        "[project]\nname = 'a'\nversion = '1'\n"
        f"[tool.poetry]\nsource = [{{name = 'feed', url = '{AZURE}'}},\n"
        f"  {{name = 'other', url = 'https://me:secret@h.example/'}}]\n"
    )
    path = os.pathsep.join([os.environ["PATH"], os.fspath(poetry.scripts)])
    (patient.folder.parent / ".git").mkdir()  # the nearest pyproject.toml counts, whatever lies above it
    patient.folder /= "src"
    patient.folder.mkdir()
    finding = patient.see_the_doctor(PATH=path)
    told = next(one for one in finding.document["told"] if one["client"] == "poetry")
    if told["silence"] and "no answer within" in told["silence"]:
        pytest.skip("this machine is too slow for poetry")
    both, other = [AZURE.rstrip("/"), AZURE], "https://h.example"
    assert [*both, other, f"{other}/"] == [one["url"] for one in told["indexes"]]
    assert both == [one["service"] for one in finding.document["lookups"]]
    assert ["client-lacks-us"] == finding.problems, "the person asks through poetry"
    assert f"poetry asks the keyring of its own environment, {poetry.root}" in finding.cause["text"]


@posix
def test_what_poetry_alone_is_told_of_is_asked_in_its_own_environment(
    patient: Patient,
    shared_environments: environments.Environments,
    python: Path,
    wheel: Path,
    demo_store: Path,
    tmp_path: Path,
) -> None:
    """There its keyring is: what the environment in use has, or lacks, is no matter of poetry's sources."""
    poetry = environments.create(tmp_path / "poetry", python, "poetry", "keyring", wheel, share_files=True)
    (patient.folder / "pyproject.toml").write_text(
        f"[project]\nname = 'a'\nversion = '1'\n[[tool.poetry.source]]\nname = 'feed'\nurl = '{AZURE}'\n"
    )
    path = os.pathsep.join([os.environ["PATH"], os.fspath(poetry.scripts)])
    patient.environment = shared_environments.get(
        python, "keyring", "pip", wheel, demo_store
    )  # has what poetry's lacks
    store = {"DEMO_STORE_FILE": str(tmp_path / "store.json")}
    (tmp_path / "store.json").write_text(json.dumps({AZURE: {"me": CANARY}}))
    finding = patient.ask_for_data(PATH=path, **store)
    assert (0, []) == (finding.status, finding.problems)
    patient.with_tokens({})
    for also, answered in (({}, False), ({"PIP_INDEX_URL": AZURE}, True)):  # what pip asks for, too, is asked here
        lookups = patient.ask_for_data(PATH=path, **also, **store).document["lookups"]
        assert answered == ("answer" in [one["outcome"] for one in lookups])


POETRY_ROWS = {
    "variable": ({"POETRY_HTTP_BASIC_A_FEED_PASSWORD": "old"}, "", "", "password-elsewhere"),
    "auth.toml": ({}, '[http-basic.a-feed]\nusername = "me"\npassword = "old"\n', "", "password-elsewhere"),
    "of another source": ({}, '[http-basic.a]\nusername = "me"\npassword = "old"\n', "", ""),
    "user name": ({}, '[http-basic.a-feed]\nusername = "me"\n', "", ""),
    "user name in the URL": ({}, "", "", "poetry-username"),
    "no keyring": ({"POETRY_KEYRING_ENABLED": "false"}, "", "", "poetry-disabled"),
    "no keyring by file": ({}, "", "[keyring]\nenabled = false\n", "poetry-disabled"),
}


@posix
@pytest.mark.parametrize("row", POETRY_ROWS)
def test_what_poetry_prefers_to_keyring(
    patient: Patient, shared_environments: environments.Environments, python: Path, row: str
) -> None:
    """A password that poetry has from elsewhere, the user name that it asks for, and whether it asks at all."""
    variables, stored, local, cause = POETRY_ROWS[row]
    poetry = shared_environments.get(python, "poetry", "keyring")
    url = AZURE.replace("://", "://me@") if row == "user name in the URL" else AZURE
    (patient.folder / "pyproject.toml").write_text(
        f"[project]\nname = 'a'\nversion = '1'\n[[tool.poetry.source]]\nname = 'a-feed'\nurl = '{url}'\n"
    )
    (patient.folder / "config").mkdir()
    (patient.folder / "config" / "auth.toml").write_text(stored)
    (patient.folder / "poetry.toml").write_text(local)
    variables["POETRY_CONFIG_DIR"] = os.fspath(patient.folder / "config")
    path = os.pathsep.join([os.environ["PATH"], os.fspath(poetry.scripts)])
    finding = patient.ask_for_data(AZURE, PATH=path, **variables)
    assert {cause, "client-lacks-us"} - {""} == {*finding.problems}
    names = "a-feed" in stored or "user name" in row
    if cause == "poetry-username":
        (edit,) = (one["edit"] for one in finding.document["causes"] if one["name"] == cause)
        project = patient.folder / "pyproject.toml"
        assert f"set 'url = \"{AZURE}\"' for {AZURE} in [[tool.poetry.source]] of {project}" == edit.partition(";")[0]
        beside = {**variables, "PIP_INDEX_URL": AZURE}  # what answers for another client does not make it green
        assert cause in patient.ask_for_data(PATH=path, **beside).problems
        project.write_text(project.read_text().replace(url, AZURE))
        assert ["client-lacks-us"] == patient.ask_for_data(AZURE, PATH=path, **variables).problems
    method = "get_password" if names else "get_credential"  # with a user name, or without
    assert method == finding.document["lookups"][0]["method"]
    variables.pop("POETRY_KEYRING_ENABLED", "")
    if cause == "poetry-disabled":
        (patient.folder / "poetry.toml").write_text(local.replace("false", "true"))
        assert ["client-lacks-us"] == patient.ask_for_data(AZURE, PATH=path, **variables).problems


@posix
def test_a_long_url(patient: Patient) -> None:
    """What is too long to be shown whole, as a URL of CodeArtifact's may be, is asked for whole."""
    url = f"https://feeds.example/{'a' * 200}/simple/"
    patient.with_configuration("[fallback.commands]\nfeeds.example = /bin/echo {service}\n")
    for arguments in ([], [url]):
        lookup = patient.ask_for_data(*arguments, PIP_INDEX_URL=url).document["lookups"][0]
        assert ("answer", len(url)) == (lookup["outcome"], lookup["length"])


PIP_ROWS = {
    "user": ({"PIP_INDEX_URL": "USER"}, True),
    "no user": ({"PIP_INDEX_URL": "URL"}, True),
    "file": ({"PIP_CONFIG_FILE": "index-url = URL"}, True),
    "extra": ({"PIP_CONFIG_FILE": "no-index = false\nextra-index-url = USER", "PIP_INDEX_URL": "EMPTY"}, True),
    "import": ({"PIP_INDEX_URL": "USER", "PIP_KEYRING_PROVIDER": "import"}, True),
    "subprocess": ({"PIP_INDEX_URL": "USER", "PIP_KEYRING_PROVIDER": "subprocess"}, False),
    "disabled": ({"PIP_INDEX_URL": "USER", "PIP_KEYRING_PROVIDER": "disabled"}, False),
    "no input": ({"PIP_INDEX_URL": "USER", "PIP_NO_INPUT": "1"}, False),
    "no input, import": ({"PIP_INDEX_URL": "USER", "PIP_NO_INPUT": "1", "PIP_KEYRING_PROVIDER": "import"}, True),
    "netrc": ({"PIP_INDEX_URL": "URL", "NETRC": "old"}, True),
    "password": ({"PIP_INDEX_URL": "PASSWORD"}, False),
}
UV_ROWS = {
    "user": (SUBPROCESS + "index-url = 'USER'\n", True),
    "always": (SUBPROCESS + ALWAYS + "default = true\n", True),
    "no user": (SUBPROCESS + "index-url = 'URL'\n", False),
    "user of another index": (SUBPROCESS + PLAIN + "default = true\n[[index]]\nurl = 'MINE'\n", True),
    "not told": ("index-url = 'USER'\n", False),
    "password": (SUBPROCESS + "index-url = 'PASSWORD'\n", False),
    "password of another index": (SUBPROCESS + ALWAYS + "default = true\n[[index]]\nurl = 'OTHER'\n", False),
    "netrc": (SUBPROCESS + "index-url = 'USER'\n", False),
    "netrc, default": (SUBPROCESS + "index-url = 'USER'\n", False),
    "netrc, one line": (SUBPROCESS + "index-url = 'USER'\n", False),
    "netrc, another user": (SUBPROCESS + "index-url = 'USER'\n", True),
    "netrc, broken": (SUBPROCESS + "index-url = 'USER'\n", True),
    "store": (SUBPROCESS + "index-url = 'USER'\n", False),
    "store, another user": (SUBPROCESS + "index-url = 'USER'\n", True),
    "store, another path": (SUBPROCESS + "index-url = 'USER'\n", True),
}
#: Of the rows that have a .netrc, what it says.
NETRC = {
    "netrc": "machine 127.0.0.1\nlogin me\npassword old\n",
    "netrc, default": "default login me password old\n",
    "netrc, one line": "machine a login b password c machine 127.0.0.1 login me password old\n",
    "netrc, another user": "machine 127.0.0.1 login you password old\n",
    "netrc, broken": "this is none\nmachine 127.0.0.1\nlogin me\npassword old\n",
}
#: Of those that have a store of uv's, below which path it has something, and for whom.
STORES = {"store": ("", "me"), "store, another user": ("", "you"), "store, another path": ("other/", "me")}


@posix
@pytest.mark.parametrize("row", [*(f"pip: {one}" for one in PIP_ROWS), *(f"uv: {one}" for one in UV_ROWS)])
def test_doctor_client_and_watch_agree(patient: Patient, feed: Feed, tmp_path: Path, row: str) -> None:
    """Who is asked, for whom, and whether it works: the client itself, the watch, and the doctor without a URL."""
    client, _, name = row.partition(": ")
    url = feed.direct_url
    words = {"URL": url, "USER": feed.with_username("me", url), "PASSWORD": feed.with_username("me:old", url)}
    words["MINE"] = feed.with_username("me", f"{url}other/")
    words["OTHER"] = feed.with_username("you:old", f"{url}other/")
    patient.with_tokens({"127.0.0.1": feed.password}).with_uv()
    variables: dict[str, str] = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if client == "pip":
        rows, asks = PIP_ROWS[name]
        variables.update({key: words.get(value, value) for key, value in rows.items()})
        argv = [str(patient.environment.python), "-m", "pip"]
    else:
        text, asks = UV_ROWS[name]
        for word, address in words.items():
            text = text.replace(f"'{word}'", f"'{address}'").replace(f'"{word}"', f'"{address}"')
        (patient.folder / "uv.toml").write_text(text)
        argv = [machine.uv(), "pip"]
    if "PIP_CONFIG_FILE" in variables:
        file = tmp_path / "pip.conf"
        lines = variables["PIP_CONFIG_FILE"].replace("URL", url).replace("USER", words["USER"])
        file.write_text(f"[global]\n{lines}\n")
        variables["PIP_CONFIG_FILE"] = str(file)
    if variables.get("PIP_INDEX_URL") == "EMPTY":
        (tmp_path / "empty").mkdir()
        variables["PIP_INDEX_URL"] = (tmp_path / "empty").as_uri()
    if name in STORES:
        below, owner = STORES[name]
        login = [machine.uv(), "auth", "login", url + below, "--username", owner, "--password", "old"]
        environments.run(login, env=patient.env(), check=True)
    if name in NETRC:
        (tmp_path / "netrc").write_text(NETRC[name])
        variables["NETRC"] = str(tmp_path / "netrc")
    argv += ["install", "--dry-run", "--no-deps", "--no-cache-dir", "demo-store"]
    argv += ["--target", str(tmp_path / "target")] if client == "pip" else ["--python", str(patient.environment.root)]

    feed.requests.clear()
    ended = environments.run(argv, env=patient.env(**variables), cwd=patient.folder)
    answered = any(one.username == "me" and one.status == 200 for one in feed.requests) or ended.returncode == 0
    watched = patient.run("doctor", "--", *argv, **variables)
    finding = patient.ask_for_data(**variables)
    assert (asks, asks) == (answered, ended.returncode == 0), ended.stderr
    assert asks == (watched.returncode == 0)
    assert asks == (": answered" in watched.stderr), watched.stderr
    assert asks == (finding.status == 0), finding.problems
    asked = asks or name == "subprocess"  # pip passes its own keyring over: it runs the next one, if there is one
    assert asked or f"{client} asked nobody for 127.0.0.1" in watched.stderr, watched.stderr
    if asks:
        whom = {one["username"].replace("***", "me") for one in finding.document["lookups"] if one["username"]}
        assert whom == {one.username for one in feed.requests if one.status == 200}, "for whom"
