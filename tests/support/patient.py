"""Somebody for the doctor to look at: a person's home, an environment with us, a tool, and what goes wrong with them."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import environments, machine, trees

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from .environments import Text

CANARY = "canary-password-of-the-provider"
AZURE = "https://pkgs.dev.azure.com/org/_packaging/feed/pypi/simple/"
USERNAME = "VssSessionToken"


class Finding(NamedTuple):
    """What the doctor said: its exit status, its text, and its JSON document."""

    status: int
    text: str
    document: dict[str, Any]

    @property
    def problems(self) -> list[str]:
        """The names of the causes that keep it from working."""
        return [cause["name"] for cause in self.document["causes"] if cause["problem"]]

    @property
    def notes(self) -> list[str]:
        """The names of the others."""
        return [cause["name"] for cause in self.document["causes"] if not cause["problem"]]

    @property
    def cause(self) -> dict[str, Any]:
        """The only cause that is a problem."""
        (cause,) = (cause for cause in self.document["causes"] if cause["problem"])
        return dict(cause)


@dataclass
class Patient:
    """A person with an environment, at work in *folder*. The person's tool has the provider ``stub-tokens``."""

    environment: environments.Environment
    home: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def tool(self) -> environments.Environment:
        """The environment of the person's global keyring, where they have one."""
        data = self.home / "AppData" / "Roaming" if machine.WINDOWS else self.home / ".local" / "share"
        return environments.Environment(data / "uv" / "tools" / "keyring")

    @property
    def install(self) -> str:
        """The command that installs the tool as it is, by its receipt."""
        receipt = (self.tool.root / "uv-receipt.toml").read_text(encoding="utf-8")
        (python,) = re.findall(r"^python = .(.*).$", receipt, re.MULTILINE)
        wheels = re.findall(r" path = .([^\"']*\.whl)", receipt)
        return f"uv tool install keyring {''.join(f'--with {wheel} ' for wheel in wheels)}--python {python}"

    def with_tool(self, tool: environments.Tool) -> Patient:
        """Give the person a copy of a tool, to be changed at will, that has a token for Azure's host."""
        # links instead of copies of the packages: nobody edits them
        shutil.copytree(tool.environment.root, self.tool.root, symlinks=True, copy_function=os.link)
        receipt = self.tool.root / "uv-receipt.toml"
        text = receipt.read_text(encoding="utf-8")
        receipt.unlink()
        # a cure that installs it again removes the executables that it names
        receipt.write_text(text.replace(os.fspath(tool.home), os.fspath(self.home)), encoding="utf-8")
        return self.with_tokens({"pkgs.dev.azure.com": CANARY})

    def with_uv(self, uv: str | None = None) -> Patient:
        """Give the person a uv on PATH, behind all else: the one of this environment, or another."""
        folder = self.home / f"uv-{len(list(self.home.glob('uv-*')))}"
        folder.mkdir()
        trees.link(folder / ("uv.exe" if machine.WINDOWS else "uv"), uv or machine.uv())
        self.variables["PATH"] = os.pathsep.join([os.environ["PATH"], os.fspath(folder)])
        return self

    def with_tokens(self, tokens: Mapping[str, str]) -> Patient:
        """Give the provider the tokens of some hosts."""
        file = self.home / "tokens.json"
        file.write_text(json.dumps(tokens), encoding="utf-8")
        self.variables["STUB_TOKENS_FILE"] = os.fspath(file)
        return self

    def with_configuration(self, text: str) -> Path:
        """Write the person's keyringrc.cfg."""
        file = self.home / ".config" / "python_keyring" / "keyringrc.cfg"
        if machine.WINDOWS:
            file = Path(os.environ["LOCALAPPDATA"]) / "Python Keyring" / "keyringrc.cfg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def env(self, **variables: str) -> dict[str, str]:
        """The variables in the person's terminal, the environment being active; *variables* has the last word."""
        return {**self.environment.activated({**os.environ, **self.variables}), **variables}

    def run(self, *args: str, program: Sequence[Text] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        """``keyring-fallback ARGS``, or another program; what it prints never holds the password."""
        argv: list[Text] = [*(program or [self.environment.script("keyring-fallback")]), *args]
        result = environments.run(argv, env=self.env(**variables), cwd=self.folder)
        assert CANARY not in result.stdout + result.stderr
        assert "Traceback" not in result.stdout + result.stderr, result.stderr
        return result

    def ask_for_data(self, *args: str, **variables: str) -> Finding:
        """``keyring-fallback doctor --json ARGS`` only."""
        result = self.run("doctor", "--json", *args, **variables)
        return Finding(result.returncode, "", json.loads(result.stdout))

    def see_the_doctor(self, *args: str, **variables: str) -> Finding:
        """``keyring-fallback doctor --verbose ARGS``, and the same as JSON: they agree on what is wrong."""
        data = self.home / "doctor.json"
        # who looks twice takes twice as long
        text = self.run(
            *args, program=[self.environment.python, Path(__file__).with_name("both.py"), data], **variables
        )
        document = json.loads(data.read_text(encoding="utf-8"))
        assert text.returncode == (0 if document["works"] else 1), text.stdout + text.stderr
        verdicts = ("It works.\n", "It does not work.\n", "Nothing was looked up; try: keyring-fallback doctor URL\n")
        said = [one for one in verdicts if one in text.stdout]
        assert (1, document["works"]) == (len(said), said == ["It works.\n"])
        for cause in document["causes"]:
            command = "".join(c if c.isprintable() else "?" for c in cause["command"])
            prompt = "PS>" if machine.WINDOWS else "$"
            assert not command or f"\n     {prompt} {command}\n" in text.stdout
            assert cause["edit"].split() == [] or cause["edit"].split()[0] in text.stdout
            assert cause["text"].split()[-1] in text.stdout
            assert not cause["problem"] or cause["command"] or cause["edit"], "a problem without a cure"
        return Finding(text.returncode, text.stdout, document)
