"""Which provider serves which hosts, what is said where it is nowhere, and the commands that mend that."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyring_fallback import hints
from keyring_fallback.discovery import places
from keyring_fallback.discovery.tool import SETTING, Content, Findings, Kind, Origin, Provider, Reason, Refusal, Tool
from keyring_fallback.doctor import cures, shell
from support import environments, machine, providers, trees

AZURE = "https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"


@pytest.mark.parametrize(
    ("service", "distribution", "username"),
    [
        (AZURE, "artifacts-keyring", "VssSessionToken"),
        ("https://org.pkgs.visualstudio.com/_packaging/feed/pypi/simple/", "artifacts-keyring", "VssSessionToken"),
        ("pkgs.dev.azure.com", "artifacts-keyring", "VssSessionToken"),
        ("PKGS.dev.azure.com:443", "artifacts-keyring", "VssSessionToken"),
        ("https://me:secret@pkgs.dev.azure.com./x", "artifacts-keyring", "VssSessionToken"),
        ("https://europe-python.pkg.dev/p/r/simple/", "keyrings.google-artifactregistry-auth", "oauth2accesstoken"),
        (
            "https://dom-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/r/simple/",
            "keyrings.codeartifact",
            "aws",
        ),
        ("https://dl.cloudsmith.io/basic/org/repo/python/simple/", "cloudsmith-keyring", "token"),
        ("https://libraries.cgr.dev/python/simple/", "keyrings.chainguard-libraries", "_token"),
        ("https://api.pyx.dev/simple/", "pyx-keyring", "__token__"),
    ],
)
def test_known_host(service: str, distribution: str, username: str) -> None:
    """Each registry is known by its host or what lies below it, with its provider and that one's user name."""
    registry = hints.registry_of(service)
    assert registry is not None
    assert (distribution, username) == (registry.distribution, registry.username)
    assert hints.serves(registry, hints.normalised(distribution))


@pytest.mark.parametrize(
    "service",
    [
        "https://evil-pkgs.dev.azure.com/",
        "https://pkgs.dev.azure.com.example/",
        "https://example/pkgs.dev.azure.com/",
        "https://pkgs.dev.azure.com@example/",
        "https://pkg.dev/",
        "https://bucket.s3.amazonaws.com/",
        "https://d.codeartifact.eu-west-1.amazonaws.com/",
        "https://example.cloudsmith.io/",
        "https://[::1/",
        "poetry-repository-feed",
        "",
        None,
        7,
    ],
)
def test_unknown_host(service: object) -> None:
    """Other hosts are not known, however they resemble a known one; nor is what is no host at all."""
    assert hints.registry_of(service) is None


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        ("https://h.example/a@b", "https://h.example/a@b"),
        ("https://me@h.example:8/a", "https://h.example:8/a"),
        ("https://me:canary@h.example/a", "https://h.example/a"),
        ("https://me:ca/na@ry@h.example/a", "https://h.example/a"),
        ("https://canary@h.example?token=canary#canary", "https://h.example"),
        ("https://me:ca/na@ry@h.example:8/a", "https://h.example:8/a"),
        ("https://me@h.example/a@b/c", "https://h.example/a@b/c"),
        ("https://me:canary@h.example/a@b/c", "https://h.example/a@b/c"),
        ("https://h.example:443/a@b/c", "https://h.example:443/a@b/c"),
        ("https://[::1]:443/a@b/c", "https://[::1]:443/a@b/c"),
        ("//canary@h.example/a@b", "//h.example/a@b"),
        ("https://h.example?to=me@canary", "https://h.example"),
        ("https://h.example/?next=https://me:canary@other", "https://h.example/"),
        ("me:canary@h.example", "h.example"),
        ("/me:canary@h.example", "h.example"),
        ("https:/me:canary@h.example/a", "h.example/a"),
        ("https:///me:canary@h.example/a", "https://h.example/a"),
        ("http://https://me:canary@h.example/", "http://h.example/"),
        ("poetry-repository-x\n\x1b[31m", "poetry-repository-x??[31m"),
        ("x" * 200, "x" * 157 + "..."),
    ],
)
def test_shown_without_secrets(service: str, shown: str) -> None:
    """What is shown of a service is one line without user names, passwords and queries."""
    assert shown == hints.shown(service)


_TEXT = st.text("aB7-._~!$&'()*+,;=:%", max_size=20)  # RFC 3986, what a user part may be made of
_HOSTS = st.sampled_from(["pkgs.dev.azure.com", "h", "h:443", "h:", "127.0.0.1:8", "[::1]", "[2001:db8::1]:8080"])
_PATHS = st.lists(st.sampled_from("aB@:/") | _TEXT, max_size=5).map("/".join)


@given(st.sampled_from(["https://", "http://", "svn+ssh://", "//"]), _TEXT, _HOSTS, _PATHS)
def test_no_user_part_is_ever_shown(start: str, user: str, host: str, path: str) -> None:
    """A well-formed URL is shown as it is without its user part, whatever its path holds."""
    expected = f"{start}{host}/{path}"
    assert expected == hints.shown(expected)
    assert expected == hints.shown(f"{start}{user}@{host}/{path}")


receipts = pytest.mark.skipif(sys.version_info < (3, 11), reason="the standard library reads no TOML")


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="the standard library reads TOML")
def test_no_parser_for_a_receipt(tmp_path: Path) -> None:
    """Where the standard library cannot read a receipt, no command says what the tool has."""
    tool = _tool(tmp_path / "keyring", receipt=f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS}")
    assert "" == shell.typed(cures.add_provider("NEW", tool, "linux"), "linux")
    assert "" == shell.typed(cures.reinstall(tool, "linux"), "linux")


def _tool(root: Path, origin: Origin = places.UV, receipt: str = "") -> Tool:
    """A tool in a folder, with a receipt as uv writes it."""
    root.mkdir(parents=True)
    if receipt:
        (root / "uv-receipt.toml").write_text(receipt)
    return Tool(origin, str(root), str(root), str(root / "bin" / "python"))


ENTRYPOINTS = 'entrypoints = [\n    { name = "keyring", install-path = "/b/keyring", from = "keyring" },\n]\n'
TWO = '[\n    { name = "keyring" },\n    { name = "a" },\n]'


@pytest.mark.parametrize(
    ("requirements", "has"),
    [
        ('[{ name = "keyring" }]', ""),
        (TWO + '\npython = "/my python"', " --with a --python '/my python'"),
        (TWO, " --with a"),
        ('[\n    { name = "keyring" },\n    { name = "NEW" },\n]', ""),
        (
            (
                '[\n    { name = "keyring", extras = ["completion", "b"], specifier = ">=25" },\n'
                '    { name = "a", marker = \'sys_platform == "x"\' },\n    { name = "b", directory = "/my b" },\n'
                '    { name = "c", url = "https://h/c.whl" },\n    { name = "d", path = \'C:\\d\' },\n]'
            ),
            "'[completion,b]>=25' --with 'a ; sys_platform == \"x\"' --with '/my b' --with 'c @ https://h/c.whl' --with 'C:\\d'",
        ),
    ],
)
@receipts
@pytest.mark.parametrize("options", ["", '\n[tool.options]\nkeyring-provider = "subprocess"\n'], ids=["", "options"])
def test_uv_tool_keeps_what_it_has(tmp_path: Path, requirements: str, has: str, options: str) -> None:
    """``uv tool install`` makes a tool anew: the command names what its receipt names, too."""
    receipt = f"[tool]\nrequirements = {requirements}\n{ENTRYPOINTS}{options}"
    tool = _tool(tmp_path / "keyring", receipt=receipt)
    names = f"'keyring{has[1:]}" if has.startswith("'") else f"keyring{has}"
    assert f"uv tool install {names} --with NEW" == shell.typed(cures.add_provider("NEW", tool, "linux"), "linux")
    again = f"uv tool install --force {names}"
    assert (again + " --with NEW" if "NEW" in requirements else again) == shell.typed(
        cures.reinstall(tool, "linux"), "linux"
    )


@receipts
@pytest.mark.parametrize(
    "receipt",
    [
        f'[tool]\nrequirements = {TWO[:-2]},\n    {{ name = "b", editable = "/b" }},\n]\n{ENTRYPOINTS}',
        f'[tool]\nrequirements = {TWO[:-2]},\n    {{ name = "b", git = "https://h/b.git?rev=1" }},\n]\n{ENTRYPOINTS}',
        f'[tool]\nrequirements = [{{ name = "keyring", url = "https://h/k.zip", subdirectory = "k" }}]\n{ENTRYPOINTS}',
        f'[tool]\nrequirements = {TWO}\nconstraints = [{{ name = "c", specifier = "<2" }}]\n{ENTRYPOINTS}',
        f'[tool]\nrequirements = {TWO}\noverrides = [{{ name = "c", specifier = "<2" }}]\n{ENTRYPOINTS}',
        f"[tool]\nrequirements = {TWO.replace('keyring', 'twine')}\n{ENTRYPOINTS}",
        '[tool]\nrequirements = ["keyring", "a"]\n',
    ],
    ids=["editable", "git", "subdirectory", "constraints", "overrides", "another tool", "uv 0.2"],
)
def test_uv_tool_keeps_what_no_command_says(tmp_path: Path, receipt: str) -> None:
    """Where the receipt says more than names and versions, nothing takes what it names from somewhere else."""
    tool = _tool(tmp_path / "keyring", receipt=receipt)
    assert f"uv pip install --directory {tool.root} --python {tool.root} NEW" == shell.typed(
        cures.add_provider("NEW", tool, "linux"), "linux"
    )
    assert "" == shell.typed(cures.reinstall(tool, "linux"), "linux")


@receipts
def test_options_in_a_receipt_are_said_again(tmp_path: Path) -> None:
    """What a tool was installed by, as uv's advice for Docker has it: the same words of the command, and a flag."""
    options = (
        'keyring-provider = "subprocess"\nlink-mode = "copy"\ncompile-bytecode = true\nno-index = false\n'
        'exclude-newer = "2026-01-02T00:00:00Z"\nfind-links = ["file:///a", "file:///b"]\n'
    )
    tool = _tool(
        tmp_path / "keyring", receipt=f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS}\n[tool.options]\n{options}"
    )
    command = shell.typed(cures.add_provider("NEW", tool, "linux"), "linux")
    said = "--link-mode copy --compile-bytecode --exclude-newer 2026-01-02T00:00:00Z"
    assert (
        f"uv tool install keyring --with a {said} --find-links file:///a --find-links file:///b --with NEW" == command
    )


CORP = "https://corp.example/simple/"
PLAIN = 'format = "simple", authenticate = "auto"'
FROM = {
    "explicit": (f'index = [{{ url = "{CORP}", explicit = true, default = false, {PLAIN} }}]', None),
    "always": (f'index = [{{ url = "{CORP}", authenticate = "always" }}]', None),
    "plain": (f'index = [{{ url = "{CORP}", explicit = false, {PLAIN} }}]', f"--index {CORP}"),
    "named": (f'index = [{{ name = "corp", url = "{CORP}" }}]', f"--index corp={CORP}"),
    "default": (f'index = [{{ url = "{CORP}", default = true }}]', f"--default-index {CORP}"),
    "a table": ('config-settings = { a = "b" }', None),
    "another": ('build-isolation = "shared"', None),
    "a span": ('exclude-newer = "2026-01-02T00:00:00Z"\nexclude-newer-span = "P7D"', "--exclude-newer P7D"),
    "older": (f'index-url = "{CORP}"\nextra-index-url = ["{CORP}x"]', f"--index-url {CORP} --extra-index-url {CORP}x"),
}


@receipts
@pytest.mark.parametrize(("options", "said"), FROM.values(), ids=FROM.keys())
def test_uv_tool_keeps_where_it_is_from(tmp_path: Path, options: str, said: str | None) -> None:
    """An index that only the receipt names: no command of ours takes what the tool has from another one."""
    tool = _tool(
        tmp_path / "keyring", receipt=f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS}\n[tool.options]\n{options}\n"
    )
    beside = f"uv pip install --directory {tool.root} --python {tool.root} NEW"
    for urls in (["https://other.example/simple/"], ()):
        expected = f"uv tool install keyring --with a {said} --with NEW" if said else beside
        assert expected == shell.typed(cures.add_provider("NEW", tool, "linux", urls), "linux")
        assert bool(cures.reinstall(tool, "linux", urls)) is bool(said)
    if options.startswith("index ="):  # the user's own settings say it again
        again = shell.typed(cures.add_provider("NEW", tool, "linux", [CORP.rstrip("/")]), "linux")
        assert "uv tool install keyring --with a --with NEW" == again


@receipts
def test_uv_tool_keeps_its_other_commands(tmp_path: Path) -> None:
    """``--with-executables-from NAME``: what the tool puts on PATH besides stays there."""
    more = '    { name = "a", install-path = "/b/a", from = "a" },\n]\n'
    tool = _tool(tmp_path / "keyring", receipt=f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS[:-2]}{more}")
    expected = "uv tool install keyring --with-executables-from a --with NEW"
    assert expected == shell.typed(cures.add_provider("NEW", tool, "linux"), "linux")


@receipts
@pytest.mark.parametrize("name", ["twine", "keyring-pass"])
def test_keyring_beside_another_tool(tmp_path: Path, name: str) -> None:
    """``uv tool install NAME --with-executables-from keyring``: that environment gets the provider, and stays."""
    requirements = f'[\n    {{ name = "{name}" }},\n    {{ name = "keyring" }},\n]'
    tool = _tool(tmp_path / name, places.USERS_PROGRAMS, f"[tool]\nrequirements = {requirements}\n{ENTRYPOINTS}")
    assert f"uv pip install --directory {tool.root} --python {tool.root} NEW" == shell.typed(
        cures.add_provider("NEW", tool, "linux"), "linux"
    )
    assert "" == shell.typed(cures.reinstall(tool, "linux"), "linux")


@receipts
def test_commands_for_other_tools(tmp_path: Path) -> None:
    """Each kind of tool gets a command of its own manager; what nobody manages leads to a new uv tool."""
    new = "uv tool install keyring --with NEW"
    forced = "uv tool install --force keyring --with NEW"
    assert new == shell.typed(cures.provide("NEW", Findings(), trees.make_here(tmp_path)), "linux")
    debian = Tool(places.PATH, "/usr/bin/keyring", "", "/usr/bin/python3")
    assert "" == shell.typed(cures.add_provider("NEW", debian, "linux"), "linux")
    assert forced == shell.typed(cures.provide("NEW", Findings((debian,)), trees.make_here(tmp_path)), "linux")
    pixi = _tool(tmp_path / "pixi" / "keyring", places.PIXI)
    assert "pixi global add --environment keyring NEW" == shell.typed(cures.add_provider("NEW", pixi, "linux"), "linux")
    mise = _tool(tmp_path / "mise" / "keyring", places.MISE, f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS}")
    assert forced == shell.typed(cures.provide("NEW", Findings((mise,)), trees.make_here(tmp_path)), "linux")
    assert "mise install --force pipx:keyring" == shell.typed(cures.reinstall(mise, "linux"), "linux")
    pipx = _tool(tmp_path / "venvs" / "keyring_2", places.USERS_PROGRAMS)
    (tmp_path / "venvs" / "keyring_2" / "pipx_metadata.json").touch()
    assert "pipx inject keyring_2 NEW" == shell.typed(cures.add_provider("NEW", pipx, "linux"), "linux")
    assert "pipx reinstall keyring_2" == shell.typed(cures.reinstall(pipx, "linux"), "linux")
    for origin in (places.PIPX_GLOBAL, places.SYSTEMS_PROGRAMS):
        everybodys = pipx._replace(origin=origin)
        assert "pipx inject --global keyring_2 NEW" == shell.typed(
            cures.add_provider("NEW", everybodys, "linux"), "linux"
        )
    assert "brew reinstall keyring" == shell.typed(
        cures.reinstall(Refusal(places.HOMEBREW, str(tmp_path), Reason(Kind.NOT_EXECUTABLE)), "linux"), "linux"
    )
    assert "" == shell.typed(cures.reinstall(Refusal(places.PATH, "/nowhere", Reason(Kind.NO_FILE)), "linux"), "linux")
    old = Content(providers=(Provider("old-one", "1", "old_one"),))
    unread = Tool(places.UV, "/nowhere/keyring", "/nowhere/keyring", "", old)
    assert "uv tool install keyring --with old-one --with NEW" == shell.typed(
        cures.add_provider("NEW", unread, "linux"), "linux"
    )


def test_commands_for_tools_that_the_user_has_named(tmp_path: Path) -> None:
    """A named tool gets the provider itself, since no other is looked at; where pip may not, there is no command."""
    root = _tool(tmp_path / "mine", SETTING)
    assert f"uv pip install --directory {root.path} --python {root.path} NEW" == shell.typed(
        cures.add_provider("NEW", root, "linux"), "linux"
    )
    python = tmp_path / "my python" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    chosen = Tool(SETTING, str(python), "", str(python))
    assert f"'{python}' -m pip install --user NEW" == shell.typed(cures.add_provider("NEW", chosen, "linux"), "linux")
    (tmp_path / "my python" / "lib" / "python3.13").mkdir(parents=True)
    (tmp_path / "my python" / "lib" / "python3.13" / "EXTERNALLY-MANAGED").touch()
    assert "" == shell.typed(cures.add_provider("NEW", chosen, "linux"), "linux")
    assert cures.provide("NEW", Findings((Tool(SETTING, "/opt/shim", "", ""),)), trees.make_here(tmp_path)) is None


@pytest.mark.parametrize("origin", [places.USERS_PROGRAMS, places.PIP_USER])
def test_no_new_tool_takes_the_place_of_pips(tmp_path: Path, origin: Origin) -> None:
    """``pip install --user keyring PROVIDER`` is where uv puts its own keyring: then its provider would be lost."""
    provider = Provider("private-provider", "1.0", "private:Provider")
    here = trees.make_here(tmp_path)
    for content, taken in ((Content("25.7.0", (provider,)), True), (Content("25.7.0"), False)):
        tool = Tool(origin, "/home/me/.local/bin/keyring", "", "/usr/bin/python3", content)
        assert (cures.provide("NEW", Findings((tool,)), here) is None) is taken


def test_no_other_projects_settings_or_files(tmp_path: Path) -> None:
    """What installs into an environment outside of the project that one works on reads nothing that is in that."""
    here = trees.make_here(tmp_path, environ={"PATH": os.path.dirname(machine.uv())})
    (Path(here.cwd) / "uv.toml").touch()
    root = tmp_path / "home" / "envs" / "other"
    root.mkdir(parents=True)
    assert f"uv pip install --directory {root} --python {root}" == " ".join(cures.uv_install(str(root), here))
    assert f"uv pip install --python {here.prefix}" == " ".join(cures.uv_install(here.prefix, here))
    (tmp_path / "home" / ".tool-versions").touch()  # above both
    assert "--directory" in cures.uv_install(str(root), here)
    assert "--directory" not in cures.uv_install(str(root), here._replace(cwd=os.fspath(tmp_path)))
    command, _ = cures.install(here.prefix, "x", None, here._replace(environ={"PATH": "/nowhere"}))
    assert command is not None
    assert ("-I", "-m", "pip") == command.words[1:4], "the project may have a pip.py"


@receipts
def test_no_new_tool_takes_the_place_of_uvs_own(tmp_path: Path) -> None:
    """Where uv has a tool, whole or broken, a command keeps what it has, also where another keyring is asked first."""
    debian = Tool(places.PATH, "/usr/bin/keyring", "", "/usr/bin/python3")
    tool = _tool(tmp_path / "keyring", receipt=f"[tool]\nrequirements = {TWO}\n{ENTRYPOINTS}")
    assert "uv tool install keyring --with a --with NEW" == shell.typed(
        cures.provide("NEW", Findings((debian, tool)), trees.make_here(tmp_path)), "linux"
    )
    broken = Findings((debian,), (Refusal(places.UV, tool.path, Reason(Kind.NOT_EXECUTABLE)),))
    assert "" == shell.typed(cures.provide("NEW", broken, trees.make_here(tmp_path)), "linux"), (
        "nobody knows what it has"
    )
    assert "" == shell.typed(cures.reinstall(broken.refusals[0], "linux"), "linux")


def test_windows_commands_are_powershell() -> None:
    """On Windows the commands are for PowerShell."""
    assert r"C:\a\keyring.exe" == shell.quoted(r"C:\a\keyring.exe", "win32")
    assert r"'C:\it''s mine'" == shell.quoted(r"C:\it's mine", "win32")
    first = shell.Variable("PATH", r"C:\a", before=True)
    assert r"$env:PATH = 'C:\a' + ';' + $env:PATH" == shell.typed(first, "win32"), "a bare path is a command"
    variables = [shell.Variable("X", value) for value in ("a b", None)]
    assert ["$env:X = 'a b'", "Remove-Item Env:X"] == [shell.typed(one, "win32") for one in variables]
    command = shell.Command(("run", "it"), (shell.Variable("X", "1"),))
    assert "$env:X = '1'; run it" == shell.typed(command, "win32"), "VAR=value command is POSIX's"


@pytest.mark.parametrize("quote", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_each_quote_of_powershell_is_doubled(quote: str) -> None:
    """PowerShell ends a text in single quotes at any of five characters (its tokenizer, IsSingleQuote)."""
    assert f"'a{quote}{quote}; b'" == shell.quoted(f"a{quote}; b", "win32")
    expected = f"$env:X = '{quote}{quote}'; it"
    assert expected == shell.typed(shell.Command(("it",), (shell.Variable("X", quote),)), "win32")


@pytest.mark.skipif(machine.WINDOWS, reason="needs a POSIX shell")
def test_posix_words_are_what_they_were() -> None:
    """A POSIX shell reads each word as it was; a marker's quotes stay readable."""
    marked = "keyring-fallback; python_version >= '3.9'"
    assert f'"{marked}"' == shell.quoted(marked, "linux")
    assert "'keyring-fallback; python_version >= ''3.9'''" == shell.quoted(marked, "win32")
    words = [
        marked,
        "",
        "'",
        '"',
        "a'$HOME",
        "a'`id`",
        "a'\\\\",
        "a'!!",
        "it's\nmine\n",
        "a'\"b",
        "plain",
        "a b",
        "a'*",
    ]
    line = " ".join(shell.quoted(word, "linux") for word in ["printf", r"%s\0", *words])
    assert words == environments.run(["/bin/sh", "-c", line], check=True).stdout.split("\0")[:-1]


def test_what_mends_is_data() -> None:
    """A command, a variable and an edit, each as JSON and in words."""
    first = shell.Variable("PATH", "/a b", before=True)
    command = shell.Command(("uv", "add", "x y"), (shell.Variable("UV_FROZEN", "0"), first))
    assert "UV_FROZEN=0 PATH='/a b':$PATH uv add 'x y'" == shell.typed(command, "linux")
    variables = [
        {"name": "UV_FROZEN", "value": "0", "before": False},
        {"name": "PATH", "value": "/a b", "before": True},
    ]
    data = {"kind": "command", "words": ("uv", "add", "x y"), "variables": variables, "mends": True, "quiet": False}
    assert data == shell.as_data(command)
    assert "and put it into your shell's start-up file" == shell.lasting(first, "linux")
    edit = shell.Edit("/f/uv.toml", "index", "authenticate", '"always"', AZURE)
    assert f"set 'authenticate = \"always\"' for {AZURE} in [[index]] of /f/uv.toml" == shell.described(edit)
    edit = shell.Edit("/f/uv.toml", "", "keyring-provider", '"subprocess"')
    assert "set 'keyring-provider = \"subprocess\"' at the top of /f/uv.toml" == shell.described(edit)
    edit = shell.Edit("/f/keyringrc.cfg", "backend", "default-keyring", None)
    assert "remove 'default-keyring' from [backend] in /f/keyringrc.cfg" == shell.described(edit)
    assert {"kind": "edit", **edit._asdict()} == shell.as_data(edit)


def test_a_quoted_program_is_called_in_powershell() -> None:
    """PowerShell takes a quoted first word for a text and shows it: such a command is called."""
    python = r"C:\my python\python.exe"
    tool = Tool(SETTING, python, "", python)
    assert f"& '{python}' -m pip install --user NEW" == shell.typed(cures.add_provider("NEW", tool, "win32"), "win32")
    assert f"& '{python}' -m keyring get s u > $null" == shell.typed(cures.ask_alone(tool, "s", "u", "win32"), "win32")
    assert "python -m x" == shell.typed(shell.Command(("python", "-m", "x")), "win32")
    old = Tool(places.UV, python, r"C:\keyring", "", Content(providers=(Provider("it's", "1", "x"),)))
    assert "uv tool install keyring --with 'it''s' --with NEW" == shell.typed(
        cures.add_provider("NEW", old, "win32"), "win32"
    )


def test_a_tool_is_asked_alone_by_its_own_keyring(tmp_path: Path) -> None:
    """Beside the interpreter, in Scripts below it as conda has it on Windows, or by the interpreter itself."""
    python = tmp_path / "python.exe"
    tool = Tool(places.CONDA, str(tmp_path), str(tmp_path), str(python))
    assert f"{python} -m keyring get s u > /dev/null" == shell.typed(cures.ask_alone(tool, "s", "u", "linux"), "linux")
    (tmp_path / "Scripts").mkdir()
    (tmp_path / "Scripts" / "keyring").touch()
    assert f"{tmp_path}/Scripts/keyring get s u > /dev/null" == shell.typed(
        cures.ask_alone(tool, "s", "u", "linux"), "linux"
    )
    (tmp_path / "keyring").touch()
    assert f"{tmp_path}/keyring get s u > /dev/null" == shell.typed(cures.ask_alone(tool, "s", "u", "linux"), "linux")


@receipts
def test_the_command_for_a_uv_tool_works(
    home: Path, tmp_path: Path, python: Path, stub_tokens: Path, demo_store: Path
) -> None:
    """What the hint says to run adds the provider to the real tool, and the one that it had is still there."""
    tool = environments.uv_tool(home, python, stub_tokens)
    root = str(tool.environment.root)
    command = shell.typed(cures.add_provider(str(demo_store), Tool(places.UV, root, root, ""), "linux"), "linux")
    assert command.startswith("uv tool install keyring --with ")
    words = [machine.uv(), *command.split()[1:]]
    environments.run(words, env=machine.building(**machine.home_variables(home)), cwd=tmp_path, check=True)
    names = [path.name for path in tool.environment.site_packages.glob("*.dist-info")]
    assert ["demo_store-1.0.dist-info", "stub_tokens-1.0.dist-info"] == sorted(
        name for name in names if name.startswith(("demo_store", "stub_tokens"))
    )


@receipts
def test_uvs_keyring_provider_is_in_its_receipt(home: Path, tmp_path: Path, python: Path, stub_tokens: Path) -> None:
    """Who has set ``keyring-provider`` has it in the receipt, too, and the command still keeps what the tool has."""
    tool = environments.uv_tool(home, python, stub_tokens)
    env = machine.building(**machine.home_variables(home), UV_KEYRING_PROVIDER="subprocess")
    receipt = tool.environment.root / "uv-receipt.toml"
    kept = receipt.read_text().partition("[tool.options]")[0]
    environments.run([machine.uv(), "tool", "install", "--reinstall", "keyring"], env=env, cwd=tmp_path, check=True)
    options = receipt.read_text().partition("[tool.options]\n")[2].splitlines(keepends=True)
    # the others are those of this machine
    provider = "".join(line for line in options if line.startswith("keyring-provider"))
    assert provider
    receipt.write_text(f"{kept}\n[tool.options]\n{provider}")
    root = str(tool.environment.root)
    command = shell.typed(cures.add_provider("NEW", Tool(places.UV, root, root, ""), sys.platform), "linux")
    assert command.startswith("uv tool install keyring --with ")
    assert str(stub_tokens) in command


def test_a_tool_gets_a_provider_whatever_project_one_works_on(tmp_path: Path, python: Path) -> None:
    """The project's own index, whose credentials are what is missing, is not asked for the provider."""
    tool = environments.create(tmp_path / "keyring", python, "keyring")
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.toml").write_text('[[index]]\nurl = "http://127.0.0.1:1/simple/"\n')
    named = Tool(SETTING, str(tool.root), str(tool.root), str(tool.python))
    command = shell.typed(cures.add_provider("six", named, "linux"), "linux")
    words = [machine.uv(), *command.split()[1:]]
    environments.run(words, env=machine.building(UV_HTTP_RETRIES="0"), cwd=project, check=True)
    assert (tool.site_packages / "six.py").exists()


@receipts
@pytest.mark.skipif(machine.WINDOWS, reason="the environment's layout")
@pytest.mark.parametrize("what", ["dependency", "interpreter"])
def test_the_command_for_a_broken_uv_tool_works(
    home: Path, tmp_path: Path, python: Path, stub_tokens: Path, what: str
) -> None:
    """What is said to install a broken tool again does, whether it lacks a dependency or its interpreter."""
    tool = environments.uv_tool(home, python, stub_tokens)
    if what == "dependency":
        shutil.rmtree(tool.environment.site_packages / "jaraco")
    else:
        tool.environment.python.unlink()
    root = str(tool.environment.root)
    command = shell.typed(cures.reinstall(Tool(places.UV, root, root, ""), "linux"), "linux")
    words = [machine.uv(), *command.split()[1:]]
    environments.run(words, env=machine.building(**machine.home_variables(home)), cwd=tmp_path, check=True)
    assert "stub_tokens" in tool.environment.keyring("--list-backends", check=True).stdout


@pytest.fixture(scope="module")
def pair(
    shared_environments: environments.Environments, python: Path, wheel: Path, stub_tokens: Path
) -> tuple[environments.Environment, environments.Tool]:
    """An environment with us, and a tool with a provider that is not known for any of the hosts."""
    return shared_environments.get(python, "keyring", wheel), shared_environments.uv_tool(python, stub_tokens)


def _ask(
    pair: tuple[environments.Environment, environments.Tool], tmp_path: Path, *services: str, **env: str
) -> list[str]:
    """The lines on stderr of a program that asks for some services."""
    environment, tool = pair
    file = tmp_path / "tokens.json"
    file.write_text("{}")
    env = {**os.environ, **machine.home_variables(tool.home), "STUB_TOKENS_FILE": str(file), **env}
    program = "import sys, json, keyring\nfor s in json.load(sys.stdin): assert keyring.get_credential(s, None) is None"
    return environment.run(["-c", program], env=env, stdin=json.dumps(services), check=True).stderr.splitlines()


@pytest.mark.parametrize("selected", ["", "keyring_fallback.GlobalKeyring"], ids=["in the chain", "selected"])
def test_one_line_for_each_known_host(
    pair: tuple[environments.Environment, environments.Tool], tmp_path: Path, selected: str
) -> None:
    """A lookup for a known host that ends in nothing for want of a provider: one line a host, that names the doctor."""
    env = {"PYTHON_KEYRING_BACKEND": selected} if selected else {}
    cloudsmith = "https://dl.cloudsmith.io/basic/o/r/python/simple/"
    services = (AZURE, AZURE, "pkgs.dev.azure.com", "https://example.com/", "a-name", cloudsmith)
    expected = [
        f"keyring-fallback: no keyring here has a provider for {name}: {provider} is missing; "
        "'keyring-fallback doctor URL' says what mends it"
        for name, provider in (
            ("Azure Artifacts (pkgs.dev.azure.com)", "artifacts-keyring"),
            ("Cloudsmith (dl.cloudsmith.io)", "cloudsmith-keyring"),
        )
    ]
    assert expected == _ask(pair, tmp_path, *services, **env)


CODEARTIFACT = "https://corp-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/r/simple/"


@pytest.mark.parametrize(
    ("distribution", "version", "service", "expected"),
    [
        ("keyrings-codeartifact", "2.1.2", CODEARTIFACT, True),
        ("keyrings-codeartifact", "2.1.2", AZURE, False),
        ("keyrings-codeartifact", "2.1.2", "my-app", False),
        ("keyrings-codeartifact", "9.0", "my-app", False),
        ("keyrings-codeartifact", "2.1.2", "example.com", False),
        ("keyrings-codeartifact", "9.0", "example.com", True),
        ("keyrings-codeartifact", "2.1.2", "https://mirror.example.com/", True),
        ("cloudsmith-keyring", "0.2.6", "my-app", False),
        ("cloudsmith-keyring", "0.2.6", "dl.cloudsmith.io", True),
        ("cloudsmith-keyring", "0.2.6", AZURE, False),
        ("artifacts-keyring-nofuss", "1.3.3", AZURE, True),
        ("artifacts-keyring", "1.0.0", AZURE, True),
        ("artifacts-keyring", "1.0.0", "pkgs.dev.azure.com", False),
        ("artifacts-keyring", "9.0", "pkgs.dev.azure.com", True),
        ("somebodys-provider", "1.0", "my-app", True),
        ("somebodys-provider", "1.0", AZURE, True),
    ],
)
def test_who_may_answer(distribution: str, version: str, service: str, expected: bool) -> None:  # noqa: FBT001
    """A known provider is asked for its own hosts, and for what may be one; an unknown one for everything."""
    assert expected == hints.may_answer(distribution, version, service)


def test_nothing_where_a_provider_is_there(
    pair: tuple[environments.Environment, environments.Tool], tmp_path: Path
) -> None:
    """A provider for the host is there, here or in the tool, and has no answer: that is its own affair."""
    providers.unpack(providers.make_provider(tmp_path / "w", "artifacts-keyring", "x = 1"), tmp_path / "site")
    assert [] == _ask(pair, tmp_path, AZURE, PYTHONPATH=str(tmp_path / "site"))


def test_nothing_where_it_is_not_wanted(
    pair: tuple[environments.Environment, environments.Tool], tmp_path: Path
) -> None:
    """Nothing is said where the user excluded the service or switched us off."""
    assert [] == _ask(pair, tmp_path, AZURE, KEYRING_PROPERTY_FALLBACK_SERVICES="example.com")
    assert [] == _ask(pair, tmp_path, AZURE, KEYRING_PROPERTY_FALLBACK_ENABLED="no")
