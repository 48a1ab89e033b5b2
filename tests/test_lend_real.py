"""Lent for real: OpenSSH, a container, another user, the clouds' own providers here, and uv and pip over there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import environments, feed, hostile, machine, uv7003
from support.clouds import AMAZON, GOOGLE, Clouds
from support.environments import Environment, Keywords, Text
from support.lending import Lender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environments

pytestmark = pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs to be root")

STRANGER, ANOTHER = 61003, 61004
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass
class Box:
    """Another machine: a user with another uid and home, and an environment with keyring and us; and how to get there."""

    folder: Path
    command: list[str] = field(default_factory=list)

    @property
    def environment(self) -> Environment:
        """The environment over there."""
        return Environment(self.folder / "home" / "venv")

    def become(self, uid: int = STRANGER) -> list[str]:
        """What runs a program as a user over there, who has nothing but a home and a PATH."""
        path = f"PATH={self.environment.scripts}:/usr/bin:/bin"
        user = ["/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        return [*user, "/usr/bin/env", "-i", f"HOME={self.folder / 'home'}", path, "UV_PYTHON_DOWNLOADS=never"]

    def run(self, *argv: Text, uid: int = STRANGER, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program over there."""
        words = [f"{name}={value}" for name, value in variables.items()]
        return environments.run([*self.become(uid), *words, *argv], cwd="/")


@pytest.fixture(scope="module")
def box(wheel: Path) -> Iterator[Box]:
    """The other machine's user."""
    if not SYSTEM_PYTHON.exists() or not Path("/usr/bin/setpriv").exists():
        pytest.skip("this machine has no Python that others can run, or no setpriv")
    with machine.temporary_folder("box") as folder:
        folder.chmod(0o755)
        found = Box(folder)
        found.environment.root.parent.mkdir()
        argv: list[Text] = [
            machine.uv(),
            "venv",
            "--quiet",
            "--seed",
            "--python",
            SYSTEM_PYTHON,
            found.environment.root,
        ]
        environments.run(argv, env=machine.building(), check=True)
        found.environment.install("keyring", wheel)
        shutil.copy(machine.uv(), found.environment.scripts / "uv")
        environments.run(["chown", "-R", f"{STRANGER}:{STRANGER}", folder / "home"], check=True)
        yield found


@pytest.fixture(scope="module")
def ssh(box: Box) -> Iterator[Box]:
    """The same behind an sshd on loopback, with keys of its own."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("this machine has no OpenSSH")
    folder = box.folder / "ssh"
    folder.mkdir(mode=0o700)
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        environments.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PidFile": "none",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    argv = [sshd, "-D", "-e", "-f", "/dev/null", "-p", str(port), "-o", "ListenAddress=127.0.0.1", *words]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        client = ["ssh", "-p", str(port), "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes", "-F", "/dev/null"]
        client += [
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            f"UserKnownHostsFile={folder / 'known'}",
            "-q",
            "root@127.0.0.1",
        ]
        yield Box(box.folder, [*client, *box.become()])
        server.terminate()


@pytest.fixture
def container(box: Box) -> Iterator[Box]:
    """The same in a container: other processes, another root."""
    if shutil.which("bwrap") is None or shutil.which("nsenter") is None:
        pytest.skip("this machine has no bwrap, or no nsenter")
    argv = ["bwrap", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    argv += ["--bind", str(box.folder), str(box.folder), "/bin/sh", "-c", "echo up; exec /bin/sleep 600"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert "up\n" == up.stdout.readline()
        (inner,) = Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()
        yield Box(box.folder, ["nsenter", "--target", inner, "--mount", "--pid", "--root", *box.become()])
        environments.run(["kill", "-9", inner])
        up.kill()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the feeds serve."""
    folder = tmp_path_factory.mktemp("packages")
    feed.download(folder, "six")
    return folder


def lender_of(
    box: Box, shared_environments: Environments, python: Path, wheel: Path, *hosts: str, tool: Environment, **more: str
) -> Lender:
    """A lender with a tool, for a box."""
    here = shared_environments.get(python, "keyring", wheel)
    env = {**os.environ, "KEYRING_PROPERTY_FALLBACK_TOOL": os.fspath(tool.root), **more}
    return Lender(here, *hosts, command=box.command, env=env)


REGISTRIES = ["Azure", "Google", "Amazon"]


@pytest.mark.parametrize("registry", REGISTRIES)
def test_uv_pip_install(
    ssh: Box, shared_environments: Environments, python: Path, wheel: Path, packages: Path, registry: str
) -> None:
    """From each registry, by a user who has nothing but Python, keyring and us: while it is lent, and not afterwards."""
    provider = uv7003.provider()
    if registry == "Azure" and provider is None:
        pytest.skip("Azure's provider has no wheel for a Python of this machine")
    with Clouds() as clouds:
        url, username, password, requirement = {
            "Azure": (feed.AZURE, "VssSessionToken", "azure-token", (provider or ("", ""))[1]),
            "Google": (GOOGLE, "oauth2accesstoken", clouds.google, "keyrings.google-artifactregistry-auth"),
            "Amazon": (AMAZON, "aws", clouds.amazon, "keyrings.codeartifact"),
        }[registry]
        base = provider[0] if registry == "Azure" and provider is not None else python
        tool = shared_environments.get(base, "keyring", requirement)
        with feed.Feed(packages, password=password, url=url) as index:
            proxy: Keywords = index.proxy_environment()
            azure = {**uv7003.provider_variables(index), **proxy}
            more = {**clouds.variables(), **(azure if registry == "Azure" else {})}
            index_url = index.with_username(username)
            argv: list[Text] = ["uv", "pip", "install", "--no-cache", "--reinstall", "--python", ssh.environment.python]
            argv += ["--keyring-provider", "subprocess", "--default-index", index_url, "six"]
            with lender_of(ssh, shared_environments, python, wheel, index.host, tool=tool, **more) as lender:
                result = ssh.run(*argv, **proxy)
                assert 0 == result.returncode, result.stderr
                assert 200 in index.statuses("six")
                assert f"uid {STRANGER}, process" in lender.until("answered")
                assert 0 == lender.end()
                assert [] == lender.left_over()
            result = ssh.run(*argv, **proxy)
            assert 0 != result.returncode
            assert 401 == index.statuses()[-1]


@pytest.mark.parametrize("where", ["ssh", "container"])
def test_pip_over_there(
    request: pytest.FixtureRequest,
    shared_environments: Environments,
    python: Path,
    wheel: Path,
    stub_tokens: Path,
    packages: Path,
    tmp_path: Path,
    where: str,
) -> None:
    """pip asks the keyring of its own environment over there, behind ssh and in a container."""
    there: Box = request.getfixturevalue(where)
    tool = shared_environments.get(python, "keyring", stub_tokens)
    (tmp_path / "tokens.json").write_text('{"pkgs.dev.azure.com": "token"}')
    with feed.Feed(packages, password="token") as index:  # noqa: S106 - a test's
        argv: list[Text] = [
            there.environment.python,
            "-m",
            "pip",
            "install",
            "--no-cache-dir",
            "--force-reinstall",
            "-v",
        ]
        argv += [
            "--index-url",
            index.with_username("VssSessionToken"),
            "six",
            "--trusted-host",
            index.host,
            "--disable-pip-version-check",
        ]
        argv += ["--keyring-provider", "import"]
        more = {"STUB_TOKENS_FILE": os.fspath(tmp_path / "tokens.json")}
        with lender_of(there, shared_environments, python, wheel, index.host, tool=tool, **more) as lender:
            proxy: Keywords = index.proxy_environment()
            assert 0 == there.run(*argv, "--no-input", **proxy).returncode
            assert "answered" in lender.until("answered")


@pytest.mark.skipif(not hostile.HAS_PROC, reason="needs /proc")
@pytest.mark.parametrize("where", ["ssh", "container"])
def test_only_its_user_over_there(
    request: pytest.FixtureRequest,
    shared_environments: Environments,
    python: Path,
    wheel: Path,
    stub_tokens: Path,
    tmp_path: Path,
    where: str,
) -> None:
    """Over there its user is answered and another one is not; the token is in no process's arguments or variables."""
    there: Box = request.getfixturevalue(where)
    tool = shared_environments.get(python, "keyring", stub_tokens)
    token = "canary-" + os.urandom(16).hex()
    file = tmp_path / "tokens.json"
    file.write_text(f'{{"feed.example": "{token}"}}')
    with lender_of(
        there, shared_environments, python, wheel, "feed.example", tool=tool, STUB_TOKENS_FILE=os.fspath(file)
    ) as lender:
        argv: list[Text] = [there.environment.script("keyring"), "get", "https://feed.example/simple/", "u"]
        assert f"{token}\n" == there.run(*argv).stdout
        assert "" == there.run(*argv, uid=ANOTHER).stdout
        assert 1 == len(lender.questions)
        assert "feed.example" in "".join(lender.lines)
        assert token not in "".join(lender.lines)
        assert [] == [
            path
            for pid in filter(str.isdigit, os.listdir("/proc"))
            for path in (Path("/proc", pid, "cmdline"), Path("/proc", pid, "environ"))
            if token.encode() in read(path)
        ]
        folder = lender.socket.parent
        assert 0 == lender.end()
        deadline = time.monotonic() + 20
        while folder.exists():  # in a container it is the same path, and the folder is shared
            assert time.monotonic() < deadline
        assert "" == there.run(*argv).stdout
    assert [] == lender.left_over()


def read(path: Path) -> bytes:
    """What a file of /proc holds, as long as its process lives."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
