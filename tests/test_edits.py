"""Files are changed in one option, keep everything else byte for byte, and are left alone where that cannot be done."""

from __future__ import annotations

import os
import stat
import struct
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.doctor import edits
from keyring_fallback.doctor.shell import Edit
from support import machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python has no parser for TOML")

TOLD = ("keyring-provider", '"subprocess"')
ALWAYS = ("authenticate", '"always"')
URL = "https://a.test/simple/"

#: What is in a file, the table, the element, option and value, and what is in it afterwards.
CASES = {
    "no file": ("", "", "", *TOLD, 'keyring-provider = "subprocess"\n'),
    "no table": ('[project]\nname = "p"\n', "tool.uv", "", *TOLD, '[project]\nname = "p"\n\n[tool.uv]\nkeyring-provider = "subprocess"\n'),
    "no line end": ('[project]\nname = "p"', "tool.uv", "", *TOLD, '[project]\nname = "p"\n\n[tool.uv]\nkeyring-provider = "subprocess"\n'),
    "a table below it": (
        "[tool.uv.sources]\na = {path = 'x'}\n", "tool.uv", "", *TOLD,
        "[tool.uv.sources]\na = {path = 'x'}\n\n[tool.uv]\nkeyring-provider = \"subprocess\"\n",
    ),
    "another value, with a comment": (
        '# mine\n[tool.uv] # here\nkeyring-provider = "disabled" # why\nx = 1\n', "tool.uv", "", *TOLD,
        '# mine\n[tool.uv] # here\nkeyring-provider = "subprocess" # why\nx = 1\n',
    ),
    "a comment with marks in it": (
        "[tool.uv]\nkeyring-provider = 'disabled'  # it's #7, \"why\"\n", "tool.uv", "", *TOLD,
        "[tool.uv]\nkeyring-provider = \"subprocess\"  # it's #7, \"why\"\n",
    ),
    "a mark in a value": (
        '[tool.uv]\nkeyring-provider = "a # b"# c\n', "tool.uv", "", *TOLD,
        '[tool.uv]\nkeyring-provider = "subprocess"# c\n',
    ),
    "in a text": (
        'text = """\n[tool.uv]\nkeyring-provider = "disabled"\n"""\n[tool.uv]\nx = 1\n', "tool.uv", "", *TOLD,
        'text = """\n[tool.uv]\nkeyring-provider = "disabled"\n"""\n[tool.uv]\nkeyring-provider = "subprocess"\nx = 1\n',
    ),
    "at the top": (
        "# all\n\n# mine\n[pip]\nx = 1\n", "", "", *TOLD,
        'keyring-provider = "subprocess"\n\n# all\n\n# mine\n[pip]\nx = 1\n',
    ),
    "below others at the top": ("a = 1\n\n# of pip\n[pip]\nx = 1\n", "", "", *TOLD, 'a = 1\nkeyring-provider = "subprocess"\n\n# of pip\n[pip]\nx = 1\n'),
    "CRLF": ("[tool.uv]\r\nx = 1\r\n", "tool.uv", "", *TOLD, '[tool.uv]\r\nkeyring-provider = "subprocess"\r\nx = 1\r\n'),
    "a BOM": ("\ufeff[pip]\nx = 1\n", "pip", "", *TOLD, '\ufeff[pip]\nkeyring-provider = "subprocess"\nx = 1\n'),
    "a BOM and nothing else": ("\ufeff", "", "", *TOLD, '\ufeffkeyring-provider = "subprocess"\n'),
    "an array of tables in odd order": (
        f'[[index]]\nname = "b"\nurl = "https://b.test/"\n\n[pip]\nx = 1\n[[index]]\ndefault = true\nurl = "{URL}"\n', "index", URL, *ALWAYS,
        f'[[index]]\nname = "b"\nurl = "https://b.test/"\n\n[pip]\nx = 1\n[[index]]\nauthenticate = "always"\ndefault = true\nurl = "{URL}"\n',
    ),
    "an inline table": (
        f'index = [{{ url = "https://b.test/" }}, {{ url = "{URL}" }}] # both\n', "index", URL, *ALWAYS,
        f'index = [{{ url = "https://b.test/" }}, {{ url = "{URL}", authenticate = "always" }}] # both\n',
    ),
    "a value of many lines": (
        "a = [\n  1,\n  2,\n]\nb = 1\n", "", "", "a", "3", "a = 3\nb = 1\n",
    ),
    "removed": ('[tool.uv]\nkeyring-provider = "disabled"\nx = 1\n', "tool.uv", "", "keyring-provider", None, "[tool.uv]\nx = 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_change(tmp_path: Path, case: tuple[str, str, str, str, str, str]) -> None:
    """Only the lines that must change do, and a copy of the file stays beside it."""
    before, table, element, option, value, after = case
    file = tmp_path / "uv.toml"
    if before:
        file.write_bytes(before.encode())
    edits.Change(Edit(os.fspath(file), table, option, value, element)).make()
    assert after.encode() == file.read_bytes()
    assert [before.encode()] * bool(before) == [one.read_bytes() for one in tmp_path.glob("*" + edits.COPY)]
    edits.Change(Edit(os.fspath(file), table, option, value, element)).make()
    assert [before.encode()] * bool(before) == [one.read_bytes() for one in tmp_path.glob("*" + edits.COPY)], "once"


def test_an_empty_section_goes(tmp_path: Path) -> None:
    """keyring complains of a [backend] with nothing in it: what was its only option takes the heading along."""
    file = tmp_path / "keyringrc.cfg"
    for before, after in (
        ("[backend]\ndefault-keyring = x.Y\n", ""),
        (
            "# mine\n[backend]\n# why\ndefault-keyring: x.Y\n[fallback]\ntimeout = 9\n",
            "# mine\n# why\n[fallback]\ntimeout = 9\n",
        ),
    ):
        file.write_text(before)
        edits.Change(Edit(os.fspath(file), "backend", "default-keyring", None)).make()
        assert after == file.read_text()


def test_what_keyring_wants_in_a_section_is_not_removed(tmp_path: Path) -> None:
    """[backend] with keyring-path, and no default-keyring any more, has keyring complain for ever: what to write is said."""
    file = tmp_path / "keyringrc.cfg"
    file.write_text("[backend]\ndefault-keyring = x.Y\nkeyring-path = /a\n")
    with pytest.raises(edits.CannotEditError, match="keyring wants a default-keyring there"):
        edits.Change(Edit(os.fspath(file), "backend", "default-keyring", None))


def test_two_changes_of_one_file(tmp_path: Path) -> None:
    """The copy beside it is what the person had, and not what the first of two changes has made of it."""
    file = tmp_path / "uv.toml"
    file.write_text("# mine\n")
    edits.Change(Edit(os.fspath(file), "", *TOLD)).make()
    edits.Change(Edit(os.fspath(file), "pip", *TOLD)).make()
    assert ("# mine\n", 2) == (file.with_name(file.name + edits.COPY).read_text(), file.read_text().count("subprocess"))


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root, to give a file away")
def test_a_file_stays_its_owners() -> None:
    """Root in a container changes a file of the person's outside: it is theirs as before, and so is its copy.

    Another user may not, and its owner may, who need not be in its group.
    """
    with machine.temporary_folder("edits") as folder:
        folder.chmod(0o777)
        file = folder / "uv.toml"
        for user, group, may, then in ((0, 0, True, 2345), (3456, 2345, False, 2345), (1234, 3456, True, 3456)):
            file.write_text("# mine\n")
            os.chown(file, 1234, 2345)
            file.chmod(0o664)
            change = edits.Change(Edit(os.fspath(file), "", *TOLD))
            edits._copied.clear()  # noqa: SLF001 - of the process
            if not (pid := os.fork()):
                try:
                    os.setgroups([])
                    os.setgid(group)
                    os.setuid(user)
                    change.make()
                except edits.CannotEditError:
                    os._exit(1)
                os._exit(0)
            assert may is (os.waitpid(pid, 0)[1] == 0)
            for one in folder.iterdir():
                status = one.stat()
                assert (1234, then, 0o664) == (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
            assert may is ("subprocess" in file.read_text()) is bool(list(folder.glob(f"*{edits.COPY}")))
            file.with_name(file.name + edits.COPY).unlink(missing_ok=True)


def test_ini(tmp_path: Path) -> None:
    """keyringrc.cfg is changed by its own rules: options have no regard to case, and values go on on further lines."""
    file = tmp_path / "keyringrc.cfg"
    file.write_text("[backend]\nDefault-Keyring: x.y\n\n[fallback]\ntool = /a\n  /b\n# end\n")
    edits.Change(Edit(os.fspath(file), "fallback", "enabled", "true")).make()
    edits.Change(Edit(os.fspath(file), "fallback", "tool", "/c")).make()
    assert "[backend]\nDefault-Keyring: x.y\n\n[fallback]\nenabled = true\ntool = /c\n# end\n" == file.read_text()


REFUSED = {
    "no TOML": (b"[tool.uv\n", "is not understood as it is"),
    "UTF-16": ("[pip]\n".encode("utf-16"), "save it as UTF-8"),
    "large": (b"#" * (2 << 20), "is larger than"),
    "no such element": (b'[[index]]\nurl = "https://b.test/"\n', "has no table"),
    "something else under that name": (b"index = 1\n", "has no table"),
    "a dotted key": (f'[[index]]\nurl = "{URL}"\n"auth\\u0065nticate" = "never"\n'.encode(), "in a way that a program should not change"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused(tmp_path: Path, case: tuple[bytes, str]) -> None:
    """What cannot be changed safely is left as it is, with the reason."""
    content, reason = case
    file = tmp_path / "uv.toml"
    file.write_bytes(content)
    with pytest.raises(edits.CannotEditError, match=reason):
        edits.Change(Edit(os.fspath(file), "index", *ALWAYS, URL))
    assert [content] == [one.read_bytes() for one in tmp_path.glob("*uv*")]


@pytest.mark.skipif(sys.platform != "linux", reason="the attribute is Linux's")
def test_an_access_control_list(tmp_path: Path) -> None:
    """What a new file would lose, and give to its group, is left alone."""
    file = tmp_path / "uv.toml"
    file.write_text("")
    entries = ((1, 6, 0xFFFFFFFF), (2, 6, 1), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in entries)
    try:
        os.setxattr(file, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access control lists")
    with pytest.raises(edits.CannotEditError, match="access control list"):
        edits.Change(Edit(os.fspath(file), "", *TOLD)).make()


@pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX'")
def test_a_link_in_the_place_of_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the folder may put a link to any file in the new one's place: that file keeps its owner and its mode."""
    file, victim = tmp_path / "pyproject.toml", tmp_path / "victim"
    file.write_text("[tool.uv]\n")
    file.chmod(0o664)
    victim.write_text("secret")
    victim.chmod(0o600)
    making = tempfile.mkstemp

    def swapped(prefix: str, dir: str) -> tuple[int, str]:  # noqa: A002 - the library's name
        descriptor, name = making(prefix=prefix, dir=dir)
        os.unlink(name)
        os.symlink(victim, name)
        return descriptor, name

    monkeypatch.setattr(tempfile, "mkstemp", swapped)
    edits.Change(Edit(os.fspath(file), "tool.uv", *TOLD)).make()
    assert ("secret", 0o600) == (victim.read_text(), stat.S_IMODE(victim.stat().st_mode))


@pytest.mark.skipif(os.name != "posix", reason="modes, links and FIFOs are POSIX'")
def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """A read-only file and a FIFO are left alone, a link stays one, the mode stays, and what changes meanwhile wins."""
    file, link, fifo = tmp_path / "real.toml", tmp_path / "uv.toml", tmp_path / "fifo.toml"
    file.write_text("")
    link.symlink_to(file)
    file.chmod(0o400)
    with pytest.raises(edits.CannotEditError, match="read-only"):
        edits.Change(Edit(os.fspath(link), "", *TOLD)).make()
    file.chmod(0o600)
    change = edits.Change(Edit(os.fspath(link), "", *TOLD))
    file.write_text("# somebody else\n")
    with pytest.raises(edits.MeanwhileError, match="changed meanwhile"):
        change.make()
    edits.Change(Edit(os.fspath(link), "", *TOLD)).make()
    assert (True, 0o600) == (link.is_symlink(), stat.S_IMODE(file.stat().st_mode))
    assert file.read_text() in (
        '# somebody else\nkeyring-provider = "subprocess"\n',
        'keyring-provider = "subprocess"\n\n# somebody else\n',
        'keyring-provider = "subprocess"\n# somebody else\n',
    )
    os.mkfifo(fifo)
    with pytest.raises(edits.CannotEditError, match="no regular file"):
        edits.Change(Edit(os.fspath(fifo), "", *TOLD))
