"""Where an interpreter finds modules, by CPython's rules and by the names of files alone."""

from __future__ import annotations

import os

from ..here import Here
from ..records import Record
from . import environment, trust, wsl
from .tool import Content

_LIBRARIES = ("lib", "lib64")
#: Where macOS' stubs in /usr/bin look for what they run (xcode-select(1)); if it is nowhere, they open a dialog.
XCODE = (
    "/var/db/xcode_select_link",
    "/Library/Developer/CommandLineTools",
    "/Applications/Xcode.app/Contents/Developer",
)


class Site(Record):
    """Where an interpreter finds modules."""

    folders: tuple[str, ...]  #: The site-packages folders that exist, in its order.
    #: What else it runs, as far as known: ``home`` in pyvenv.cfg, its interpreter (both may be links), the library.
    base: tuple[str, ...]
    shares: bool  #: Whether the base interpreter's packages and the user's are seen too.
    known: bool  #: Whether the folders are all.


def read(root: str, interpreter: str, here: Here) -> Content:
    """Return what an interpreter finds, by files; arguments as for `site`. Never raises."""
    return content(site(root, interpreter, here), environment.Budget())


def content(found: Site, budget: environment.Budget, judge: trust.Trust | None = None) -> Content:
    """Return what is in the folders of `site`; the arguments are those of `environment.read`. Never raises."""
    read = environment.read(found.folders, budget, judge)
    return read._replace(complete=read.complete and found.known, shares=found.shares)


def site(root: str, interpreter: str, here: Here) -> Site:
    """Return where an interpreter finds modules: its environment's, and if it sees them the user's and the base's.

    CPython 3.14, Modules/getpath.py and Lib/site.py, with what Debian (getsitepackages), Fedora (/usr/local) and
    Apple (/Library/Python) have changed. Only names are looked at. A plain interpreter's root is "". Never raises.
    """
    settings, own = (environment.settings_of(root), site_folders(root, here.platform)) if root else ({}, [])
    shares = not root or settings.get("include-system-site-packages", "").lower() == "true"
    home, program = wsl.seen(settings.get("home", "")), behind_stub(interpreter, here.platform)
    versions = [os.path.basename(os.path.dirname(folder)) for folder in own]
    if home:
        names = ["python.exe"] if here.platform == "win32" else [*versions, "python3", "python"]
        program = next(filter(os.path.isfile, (os.path.join(home, name) for name in names)), "")
    library = _library(os.path.realpath(program), here.platform) if os.path.isfile(program) else ""
    if here.platform != "win32" and versions and os.path.basename(library) not in versions:
        library = ""  # the base has become another version
    if shares and library:
        program_folder = os.path.dirname(os.path.realpath(program))
        own += _user_folders(program_folder, library, here) + _base_folders(program_folder, library, here.platform)
    base = tuple(filter(None, (home, program, library)))
    return Site(tuple(dict.fromkeys(own)), base, shares, not shares or bool(library))


def behind_stub(interpreter: str, platform: str) -> str:
    """Return what runs where an interpreter is started: itself, or what macOS' stub runs, or "" if that is missing."""
    if platform != "darwin" or os.path.dirname(interpreter) != "/usr/bin":
        return interpreter
    return next(filter(os.path.isfile, (folder + interpreter for folder in XCODE)), "")


def site_folders(root: str, platform: str) -> list[str]:
    """Return the site-packages folders (CPython's and PyPy's site.py), or the folder that hides them."""
    folder = os.path.join(root, "Lib", "site-packages")
    if platform == "win32" and os.path.isdir(folder):
        return [folder]
    library = os.path.join(root, "lib")
    try:
        names = sorted(os.listdir(library))
    except OSError:
        return [library]
    folders = (os.path.join(library, name, "site-packages") for name in names if name.startswith(("python", "pypy")))
    return list(filter(os.path.isdir, folders))


def _library(program: str, platform: str) -> str:
    """Return the standard library of an interpreter, or "" if its name and its place do not tell."""
    folder, name = os.path.split(program)
    paths = [os.path.join(os.path.dirname(folder), library, name) for library in _LIBRARIES]
    paths = [os.path.join(folder, "Lib")] if platform == "win32" else paths
    return next(filter(environment.is_library, paths), "")


def _base_folders(folder: str, library: str, platform: str) -> list[str]:
    """Return the site-packages folders of a plain interpreter that is in a folder."""
    name, prefix = os.path.basename(library), os.path.dirname(folder)
    if platform == "win32":
        return list(filter(os.path.isdir, [os.path.join(library, "site-packages")]))
    debian = os.path.join(prefix, "lib", "python3", "dist-packages")
    folders = [os.path.join(prefix, lib, name, "site-packages") for lib in _LIBRARIES]
    folders += [os.path.join(prefix, "local", "lib", name, "dist-packages"), debian]
    folders.append(os.path.join(library, "dist-packages"))
    if prefix == "/usr" and not os.path.isdir(debian):
        folders += [f"/usr/local/{lib}/{name}/site-packages" for lib in _LIBRARIES]
    if platform == "darwin":
        folders.append(f"/Library/Python/{name[len('python') :]}/site-packages")
    return list(filter(os.path.isdir, folders))


def _user_folders(folder: str, library: str, here: Here) -> list[str]:
    """Return the user's site-packages folders for an interpreter that is in a folder."""
    if here.environ.get("PYTHONNOUSERSITE"):
        return []
    name = os.path.basename(library)
    base = here.environ.get("PYTHONUSERBASE", "")
    if here.platform == "win32":
        base = base or os.path.join(here.environ.get("APPDATA") or here.home, "Python")
        # sys.winver, for programs of 32 bits with more behind it
        tags = [dll[6:-4] for dll in _listed(folder) if dll.lower().startswith("python3")]
        names = [one for one in _listed(base) if one.startswith(tuple(f"Python{tag}" for tag in tags if len(tag) > 1))]
        folders = [os.path.join(base, one, "site-packages") for one in names]
    elif here.platform == "darwin" and ".framework" in folder:
        base = base or os.path.join(here.home, "Library", "Python", name[len("python") :])
        folders = [os.path.join(base, "lib", "python", "site-packages")]
    else:
        folders = [os.path.join(base or os.path.join(here.home, ".local"), "lib", name, "site-packages")]
    return [folder for folder in folders if os.path.isabs(folder) and os.path.isdir(folder)]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []
