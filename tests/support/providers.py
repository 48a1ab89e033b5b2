"""Makes small keyring providers: as a wheel, to be installed for real, or written into an environment directly."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .environments import Environment

_SOURCES = Path(__file__).parent / "provider_sources"


def make_provider(
    folder: Path,
    name: str,
    source: str,
    entry_point: str | None = None,
    *,
    version: str = "1.0",
    requires: Sequence[str] = ("keyring",),
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write the wheel of a distribution *name* with one module of that name that holds *source*.

    *entry_point* is the value in the group ``keyring.backends`` (the module if it is None, no entry point if it is
    empty); *files* are more files by their path in site-packages, a ``.pth`` for example.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{_module(name)}-{version}-py3-none-any.whl"
    contents = _contents(name, source, entry_point, version, requires, files or {})
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    return wheel


def put_provider(
    environment: Environment,
    name: str,
    source: str,
    entry_point: str | None = None,
    *,
    version: str = "1.0",
    files: Mapping[str, str] | None = None,
) -> None:
    """Write what :func:`make_provider` packs straight into the environment: a few milliseconds, no installer."""
    for path, text in _contents(name, source, entry_point, version, (), files or {}).items():
        target = environment.site_packages / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def demo_store(folder: Path) -> Path:
    """The wheel of ``demo-store``: a writable store in the JSON file that DEMO_STORE_FILE names."""
    return make_provider(folder, "demo-store", source("demo_store"))


def stub_tokens(folder: Path) -> Path:
    """The wheel of ``stub-tokens``: tokens for the hosts in the JSON file that STUB_TOKENS_FILE names."""
    return make_provider(folder, "stub-tokens", source("stub_tokens"))


def source(module: str) -> str:
    """The text of the provider *module* in the folder ``provider_sources``."""
    return (_SOURCES / f"{module}.py").read_text(encoding="utf-8")


def _module(name: str) -> str:
    """The name of the module, and of the files, of the distribution *name*."""
    return name.replace("-", "_")


def _contents(
    name: str,
    source_text: str,
    entry_point: str | None,
    version: str,
    requires: Sequence[str],
    files: Mapping[str, str],
) -> dict[str, str]:
    """All files of the distribution, by their path in site-packages."""
    module = _module(name)
    info = f"{module}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    contents = {
        f"{module}.py": source_text,
        **files,
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_point != "":
        contents[f"{info}/entry_points.txt"] = f"[keyring.backends]\n{module} = {entry_point or module}\n"
    record = "".join(f"{path},sha256={_hash(text)},{len(text.encode())}\n" for path, text in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    return contents


def _hash(text: str) -> str:
    """The digest of the text as RECORD wants it."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def unpack(wheel: Path, folder: Path) -> None:
    """Put what is in a wheel into a folder, which then only has to be on ``sys.path``."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
