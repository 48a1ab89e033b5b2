"""The settings: from the environment, then keyringrc.cfg, then defaults; what makes no sense is one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.util import platform_

from keyring_fallback import config, here, survey

HOME = os.fspath(Path("/home/ann").absolute())


def settings(tmp_path: Path, text: str = "", **variables: str) -> config.Settings:
    """The settings of a person with this keyringrc.cfg and these variables."""
    folder = tmp_path / "python_keyring"
    folder.mkdir(exist_ok=True)
    (folder / "keyringrc.cfg").write_text(text, encoding="utf-8")
    return config.read({"XDG_CONFIG_HOME": os.fspath(tmp_path), **variables}, HOME, "linux")


def test_file_is_where_keyring_reads_it() -> None:
    """keyringrc.cfg is where this platform's keyring looks for it."""
    expected = os.path.join(os.fspath(platform_.config_root()), "keyringrc.cfg")
    assert expected == here.config_file(os.environ, here.home_of(os.environ, sys.platform), sys.platform)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ["~", ".config", "python_keyring"]),
        ("darwin", {}, ["~", ".config", "python_keyring"]),
        ("linux", {"XDG_CONFIG_HOME": ""}, ["~", ".config", "python_keyring"]),
        ("linux", {"XDG_CONFIG_HOME": "/c"}, ["/c", "python_keyring"]),
        ("win32", {"LOCALAPPDATA": "/L", "PROGRAMDATA": "/P"}, ["/L", "Python Keyring"]),
        ("win32", {"PROGRAMDATA": "/P"}, ["/P", "Python Keyring"]),
    ],
)
def test_file_of_each_platform(platform: str, variables: dict[str, str], expected: list[str]) -> None:
    """keyring's own rules hold on each platform."""
    expected = [HOME if part == "~" else part for part in expected]
    assert os.path.join(*expected, "keyringrc.cfg") == here.config_file(variables, HOME, platform)


@pytest.mark.parametrize(
    ("platform", "variables"),
    [("linux", {"XDG_CONFIG_HOME": one}) for one in ("~/c", ".config", ".")] + [("win32", {"LOCALAPPDATA": "L"})],
)
def test_relative_file(platform: str, variables: dict[str, str]) -> None:
    """A folder that is not absolute is none: whoever wrote the working directory's files would name the program."""
    assert "" == here.config_file(variables, HOME, platform)
    assert "" == here.config_file({}, "", "linux")


@pytest.mark.skipif(os.name == "nt", reason="FIFOs and devices of POSIX systems")
@pytest.mark.parametrize("what", ["a named pipe", "a device", "a gigabyte", "many tools"])
def test_file_that_is_none(tmp_path: Path, what: str) -> None:
    """What is no file, or no file that a person writes, is one line, at once, and the defaults hold."""
    found = settings(tmp_path)
    Path(found.file).unlink()
    if what == "a named pipe":
        os.mkfifo(found.file)
    elif what == "a device":
        Path(found.file).symlink_to("/dev/zero")
    else:
        Path(found.file).write_text("[fallback]\ntool = /a\n" + "  /a/b\n" * 100_000)
        if what == "a gigabyte":
            os.truncate(found.file, 1 << 30)
    began = time.monotonic()
    again = config.read({"XDG_CONFIG_HOME": os.fspath(tmp_path)}, HOME, "linux")
    assert time.monotonic() - began < 1
    assert (1, config.Settings()[:4]) == (len(again.problems), again[:4])


def test_file_of_a_project(tmp_path: Path) -> None:
    """What a repository says in keyringrc.cfg is not the user's word, but keyring obeys it; the line says why."""
    settings(tmp_path, "[backend]\ndefault-keyring = a.B\n[fallback]\ntool = /t\n")
    environ = {"XDG_CONFIG_HOME": os.fspath(tmp_path)}
    found = config.read(environ, HOME, "linux", "it lies in the project")
    (problem,) = map(str, found.problems)
    assert (config.Settings()[:4], "a.B") == (found[:4], found.selected)
    assert problem.endswith("not read for [fallback], since it lies in the project; used instead: the defaults")


def test_no_file_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Windows has neither variable, what lies in the working directory are not the user's settings."""
    (tmp_path / "Python Keyring").mkdir()
    (tmp_path / "Python Keyring/keyringrc.cfg").write_text("[fallback]\ntimeout = 1\n")
    monkeypatch.chdir(tmp_path)
    found = config.read({}, HOME, "win32")
    assert ("", 120.0, ()) == (found.file, found.timeout, found.problems)


def test_variable_that_another_thread_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is removed while the others are read is as if it had never been there."""
    decode = os.environ.decodevalue

    def removing(value: str) -> str:
        with contextlib.suppress(KeyError):
            del os.environ["KEYRING_FALLBACK_LAST"]
        return decode(value)

    monkeypatch.setattr(os.environ, "decodevalue", removing)
    monkeypatch.setitem(os.environ, "KEYRING_FALLBACK_LAST", "x")
    found = survey.here().environ
    assert (True, False) == ("PATH" in found, "KEYRING_FALLBACK_LAST" in found)


def test_defaults(tmp_path: Path) -> None:
    """Without any setting: on, searching, everything, two minutes."""
    found = settings(tmp_path)
    assert (True, (), ("*",), 120.0, "", ()) == (*found[:5], found.problems)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is no problem."""
    assert () == config.read({}, os.fspath(tmp_path), "linux").problems


def test_all_options_from_the_file(tmp_path: Path) -> None:
    """All four options of [fallback], one tool a line, ``~`` being the home folder."""
    text = "[backend]\ndefault-keyring = a.B\n[fallback]\nenabled = no\ntool = ~/t\n  /u v/t\nservices = a b,c\ntimeout = 1.5\n"
    found = settings(tmp_path, text)
    assert (False, (HOME + "/t", "/u v/t"), ("a", "b", "c"), 1.5, "a.B", ()) == (*found[:5], found.problems)
    assert {found.file} == set(found.sources.values())


def test_variables_win(tmp_path: Path) -> None:
    """Each option also as a variable, which wins; an empty one is none."""
    found = settings(
        tmp_path,
        "[fallback]\nenabled = no\ntool = /t\nservices = a\ntimeout = 1\n[backend]\ndefault-keyring = a.B\n",
        KEYRING_PROPERTY_FALLBACK_ENABLED="ON",
        KEYRING_PROPERTY_FALLBACK_TOOL="/u",
        KEYRING_PROPERTY_FALLBACK_SERVICES="b",
        KEYRING_PROPERTY_FALLBACK_TIMEOUT="",
        PYTHON_KEYRING_BACKEND="c.D",
    )
    assert (True, ("/u",), ("b",), 1.0, "c.D", ()) == (*found[:5], found.problems)
    assert "KEYRING_PROPERTY_FALLBACK_TOOL" == found.sources["tool"]
    assert "PYTHON_KEYRING_BACKEND" == found.sources["selected"]


@pytest.mark.parametrize(
    ("option", "value", "used"),
    [
        ("enabled", "maybe", "true"),
        ("tool", "relative/tool", "the search"),
        ("tool", "keyring", "the search"),
        ("tool", "/a\0b", "the search"),
        ("services", " , ", "*"),
        ("timeout", "soon", "120"),
        ("timeout", "0", "120"),
        ("timeout", "-1", "120"),
        ("timeout", "inf", "120"),
        ("timeout", "nan", "120"),
        ("timeout", "60 ; a minute", "120"),
    ],
)
def test_value_that_makes_no_sense(tmp_path: Path, option: str, value: str, used: str) -> None:
    """It is one line that names where it stands, the option and what is used instead, which is the default."""
    found = settings(tmp_path, f"[fallback]\n{option} = {value}\n")
    (problem,) = map(str, found.problems)
    assert problem.startswith(f"{found.file}: option '{option}' in [fallback]: ")
    assert problem.endswith(f"; used instead: {used}")
    assert 1 == len(problem.splitlines())
    assert getattr(config.Settings(), option) == getattr(found, option)


def test_too_many_tools(tmp_path: Path) -> None:
    """The line says how many paths there are, and how many there may be."""
    (problem,) = map(str, settings(tmp_path, KEYRING_PROPERTY_FALLBACK_TOOL="\n".join(["/a"] * 21)).problems)
    assert "21 paths are given; there must be one, and at most 20" in problem


def test_variable_that_makes_no_sense_names_itself(tmp_path: Path) -> None:
    """The line for a variable names the variable."""
    (problem,) = map(str, settings(tmp_path, KEYRING_PROPERTY_FALLBACK_TIMEOUT="x").problems)
    assert problem.startswith("KEYRING_PROPERTY_FALLBACK_TIMEOUT: 'x' is not a number of seconds")


def test_unknown_option(tmp_path: Path) -> None:
    """A misspelt option is one line with the options that there are; [DEFAULT] belongs to everybody."""
    (problem,) = map(str, settings(tmp_path, "[DEFAULT]\nprofile_name = x\n[fallback]\ntimout = 3\n").problems)
    assert "'timout' in [fallback] is not known; the options are enabled, tool, services, timeout" in problem


@pytest.mark.parametrize(
    "content",
    [
        b"no section = 1\n",
        b"[fallback]\ntimeout\n",
        b"[a]\n[a]\n",
        b"\xff\xfe",
        b"[fallback]\nx=1\nx=2\n",
        b"[fallback]\nenabled = false\n" + b"#\n" * 1_000_000,
    ],
    ids=["no section", "no value", "twice", "not UTF-8", "option twice", "huge"],
)
def test_unreadable_file(tmp_path: Path, content: bytes) -> None:
    """A file that keyring cannot read either is one line, and the defaults hold."""
    found = settings(tmp_path)
    Path(found.file).write_bytes(content)
    again = config.read({"XDG_CONFIG_HOME": os.fspath(tmp_path)}, HOME, "linux")
    (problem,) = map(str, again.problems)
    assert problem.startswith(found.file)
    assert config.Settings()[:4] == again[:4]


@pytest.mark.parametrize("name", ["fallbak", "Fallback", "Fallback.Commands", "fallback.command", "fallback-commands"])
def test_a_mistyped_section(tmp_path: Path, name: str) -> None:
    """[fallbak] in keyringrc.cfg is told, and other sections are nobody's business."""
    text = f"[{name}]\nenabled = false\n[codeartifact]\nprofile_name = x\n[commands]\na = b\n"
    (problem,) = settings(tmp_path, text).problems
    assert (config.Fault.SECTION_UNKNOWN, f"the section [{name}] is not known") == (
        problem.fault,
        str(problem).partition(": ")[2].partition(";")[0],
    )


@pytest.mark.parametrize("host", ["a.test:443", "*.a.test:443/pypi", "2001:db8::1", "a.test:x"])
@pytest.mark.parametrize("sign", [" = ", "=", " =", ": "])
def test_a_colon_in_the_host_of_a_row(tmp_path: Path, host: str, sign: str) -> None:
    """Where keyring's files end a name at a colon it is told: no other host has the row, and no rest of an address is run."""
    found = settings(tmp_path, f"[fallback.commands]\n{host}{sign}cloud token\n")
    assert () == found.commands
    (problem,) = map(str, found.problems)
    assert "without a port" in problem


@pytest.mark.parametrize(
    "words",
    [
        "cloud token",
        "cloud --url=https://a.test:1/",
        "env X=1 cloud",
        "/opt/a=b/cloud",
        "'a=b' token",
        r"C:\\x\\cloud.exe a: b",
    ],
)
@pytest.mark.parametrize("sign", [" = ", "=", ": "])
def test_colons_elsewhere_in_a_row(tmp_path: Path, words: str, sign: str) -> None:
    """The words of a command may hold colons and equals signs, and a colon may stand for the sign between."""
    found = settings(tmp_path, f"[fallback.commands]\na.test{sign}{words}\n")
    assert (("a.test",), ()) == (tuple(one.pattern for one in found.commands), found.problems)


@pytest.mark.parametrize(
    ("services", "service", "expected"),
    [
        ("*", "anything", True),
        ("a.test", "https://a.test/simple/", True),
        ("a.test", "https://b.test/a.test", False),
        ("*.test b.example", "https://a.test:1/", True),
        ("https://a.test/one/*", "https://a.test/one/two", True),
        ("https://a.test/one/*", "https://a.test/two", False),
        ("my-*", "my-service", True),
        ("my-*", "no service of my-", False),
        ("my-*", None, False),
    ],
)
def test_what_is_delegated(tmp_path: Path, services: str, service: object, *, expected: bool) -> None:
    """A pattern is one for a host, for a URL or for a name."""
    assert expected == settings(tmp_path, f"[fallback]\nservices = {services}").delegates(service)


def test_words_of_a_command(tmp_path: Path) -> None:
    """Quotes keep words together, and a backslash is one of a path on Windows only."""
    file = settings(tmp_path, "[fallback.commands]\na.test = C:\\a\\b.exe 'c d' \"e f\" #g\n").file
    shutil.copytree(os.path.dirname(file), tmp_path / "Python Keyring")
    folders = dict.fromkeys(("XDG_CONFIG_HOME", "LOCALAPPDATA"), os.fspath(tmp_path))
    found = [config.read(folders, HOME, platform).commands for platform in ("linux", "win32")]
    words = [[*row.words] for rows in found for row in rows]
    assert [["C:ab.exe", "c d", "e f", "#g"], ["C:\\a\\b.exe", "c d", "e f", "#g"]] == words


NUMBERS = "is not a number of seconds between 0 and 86400; used instead: 120"
#: What a keyringrc.cfg may hold, and what is said of it, behind the file's name.
SAID = {
    "[fallback]\ncolour = red": ": option 'colour' in [fallback] is not known; the options are enabled, tool, services, timeout",
    "[fallback]\ntimeout = soon": f": option 'timeout' in [fallback]: 'soon' {NUMBERS}",
    "[fallback]\nenabled = ja": ": option 'enabled' in [fallback]: 'ja' is neither true nor false; used instead: true",
    "[fallback]\ntool = a/b": ": option 'tool' in [fallback]: 'a/b' is not an absolute path; used instead: the search",
    **{
        f"[fallback]\ntool = {one}": ": option 'tool' in [fallback]: what is set is not an absolute path; used instead: the search"
        for one in ("me:secret@host", "https://host/secret")
    },
    "[fallback]\ntool =": ": option 'tool' in [fallback]: 0 paths are given; there must be one, and at most 20; used instead: the search",
    "[fallback]\nservices =": ": option 'services' in [fallback]: no pattern is given; used instead: *",
    "[fallbak]": ": the section [fallbak] is not known; [fallback] or [fallback.commands] is meant perhaps",
    "[fallback.commands]\na.test =": ": [fallback.commands], 'a.test': there is no command; this row is not used",
    **{
        f"[fallback.commands]\n[::1]{rest}": ": a pattern cannot begin with [::1], which is a heading to keyring: all below it is not used"
        for rest in ("=b", " = b", ":443 = b")
    },
    "[fallback.commands]\nhttps://a.test = b": ": [fallback.commands], 'https': it is a URL, and a host is wanted; this row is not used",
    "[fallback.commands]\na.test:443 = b": ": [fallback.commands], 'a.test': a host is wanted, without a port, and by its name: "
    "an IPv6 address cannot stand here; this row is not used",
    "[fallback]\ntimeout = a\x01b": f": option 'timeout' in [fallback]: 'a?b' {NUMBERS}",
    "[fallback]\ntimeout = perhaps": f": option 'timeout' in [fallback]: what is set {NUMBERS}",
    "\ufeff[fallback]": ": cannot be read (it is no UTF-8, or has a byte order mark, as from PowerShell: save it as UTF-8 without "
    "BOM); used instead: the defaults",
    "x": ": cannot be read (File contains no section headers.); used instead: the defaults",
    "#" * 65_537: ": larger than 65536 bytes; used instead: the defaults",
}


@pytest.mark.parametrize("text", SAID, ids=[*map(str, range(len(SAID)))])
def test_what_is_said(tmp_path: Path, text: str) -> None:
    """A line says what is wrong, where, and what is used instead."""
    found = settings(tmp_path, text)
    assert [f"{found.file}{SAID[text]}"] == [str(problem) for problem in found.problems]


def test_as_large_as_a_file_may_be(tmp_path: Path) -> None:
    """65,536 bytes are read."""
    assert 1.0 == settings(tmp_path, "[fallback]\ntimeout = 1\n".ljust(65_536, "#")).timeout


def test_file_that_is_a_folder(tmp_path: Path) -> None:
    """A folder of that name is one line."""
    (tmp_path / "python_keyring" / "keyringrc.cfg").mkdir(parents=True)
    assert 1 == len(config.read({"XDG_CONFIG_HOME": os.fspath(tmp_path)}, HOME, "linux").problems)


@given(
    st.sampled_from(["ENABLED", "TOOL", "SERVICES", "TIMEOUT"]),
    st.text(),
    st.text(alphabet=st.characters(codec="utf-8")),
)
def test_any_text(tmp_path_factory: pytest.TempPathFactory, option: str, value: str, file: str) -> None:
    """Whatever stands in a variable or in the file, settings come out and each problem is one line."""
    folder = tmp_path_factory.getbasetemp() / "any" / "python_keyring"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "keyringrc.cfg").write_bytes(b"[fallback]\n" + file.encode())
    variables = {"XDG_CONFIG_HOME": os.fspath(folder.parent), f"KEYRING_PROPERTY_FALLBACK_{option}": value}
    found = config.read(variables, HOME, "linux")
    assert 0 < found.timeout <= 86400
    assert all(os.path.isabs(tool) for tool in found.tool)
    assert all(1 == len(str(problem).splitlines()) for problem in found.problems)
