"""Providers notice nothing of the modules that the helper defers, however they import, use or patch them."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback.helper.deferred import DEFERRED, Deferred
from support import environments, helper, interpreters, providers
from support.environments import Environment, Environments

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A provider that does what the service says, each from the same start, and answers with what came of it.
PROVIDER = """\
import os
from keyring.backend import KeyringBackend

def done(service):
    names = {"__name__": "doer", "show": []}
    exec(service, names)
    return repr(names["show"])

class Doer(KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        if not hasattr(os, "fork"):
            return done(service)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, done(service).encode())
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as answer:
            answer = answer.read().decode()
        os.waitpid(child, 0)
        return answer

    def set_password(self, *arguments):
        raise NotImplementedError
"""

#: Asks the provider as keyring would, without the helper.
PLAIN = """\
import json, sys, keyring.backend, doer

json.dump({name: doer.Doer().get_password(service, "") for name, service in json.load(sys.stdin).items()}, sys.stdout)
"""

STYLES = {
    "import a.b": "import urllib.request; show.append(urllib.request.Request('https://h/').host)",
    "import a.b as c": "import urllib.request as it; show.append(it.Request('https://h/').host)",
    "from a import b": "from urllib import request; show.append(request.Request('https://h/').host)",
    "from a.b import c": "from urllib.request import Request, urlopen; show.append([Request('https://h/').host, urlopen.__name__])",
    "import by name": "import importlib; show.append(importlib.import_module('inspect').signature.__name__)",
    "__import__": "show.append(__import__('urllib.request').request.Request('https://h/').host)",
    "from a import *": "from inspect import *; from tarfile import *; show += [signature.__name__, isclass(TarFile)]",
    "inside a function": "def f():\n  from inspect import signature\n  return str(signature(lambda a, *, b: 0))\nshow.append(f())",
    "twice": "import inspect as one, inspect as two; from inspect import signature; show += [one.signature is two.signature is signature]",
    "a missing name": "try:\n  from inspect import nothing_like_it\nexcept ImportError as error:\n  show.append(type(error).__name__)",
    "a missing attribute": "import inspect\ntry:\n  inspect.nothing\nexcept AttributeError as error:\n  show.append(str(error))",
    "a missing module": "try:\n  import inspect.nothing\nexcept ImportError as error:\n  show.append(str(error))",
    "a submodule first": "from more_itertools.more import chunked; import more_itertools; show.append(more_itertools.chunked is chunked)",
    "another submodule first": "import more_itertools.recipes as r; import more_itertools; show.append(more_itertools.take is r.take)",
    "metadata": (
        "from importlib import metadata; import importlib.metadata; from importlib.metadata import version, Distribution\n"
        "show += [metadata.version('keyring'), version is importlib.metadata.version, Distribution.from_name('doer').version]"
    ),
    "entry points": (
        "from importlib.metadata import distribution\n"
        "show += sorted(e.value for e in distribution('doer').entry_points)"
    ),
    "is it there": (
        "from importlib.util import find_spec\n"
        "show += [bool(find_spec(n)) for n in ('urllib.request', 'inspect', 'more_itertools', 'tarfile', 'pathlib', 'nope')]\n"
        "import pkgutil; show.append(any(m.name == 'more' for m in pkgutil.iter_modules(__import__('more_itertools').__path__)))"
    ),
    "what is in it": (
        "import inspect, tempfile; show += ['signature' in dir(inspect), 'signature' in vars(inspect), "
        "'mkdtemp' in tempfile.__dict__, inspect.ismodule(tempfile), tempfile.__name__, hasattr(tempfile, 'nothing')]"
    ),
    "where it is from": (
        "import inspect, importlib.metadata as m\n"
        "show += [[getattr(one, n) if n == '__package__' else type(getattr(one, n)).__name__ for one in (inspect, m)] "
        "for n in ('__package__', '__file__', '__loader__', '__spec__')]"
    ),
    "whose is it": "import inspect, json; show += [inspect.getmodule(json.dumps).__name__, inspect.getmodule(inspect.signature).__name__]",
    "a base class": "import urllib.request as r\nclass H(r.HTTPHandler): pass\nshow += [issubclass(H, r.BaseHandler), isinstance(H(), r.HTTPHandler)]",
    "an except clause": (
        "import subprocess, sys\ntry:\n  subprocess.run([sys.executable, '-c', 'raise SystemExit(3)'], check=True)\n"
        "except subprocess.CalledProcessError as error:\n  show.append(error.returncode)"
    ),
    "a program": "import subprocess, sys; show.append(subprocess.check_output([sys.executable, '-c', 'print(7)']))",
    "files": (
        "import tempfile, pathlib, tarfile, io\nwith tempfile.TemporaryDirectory() as f:\n"
        "  p = pathlib.Path(f, 'x.tar')\n  with tarfile.open(p, 'w') as t: t.addfile(tarfile.TarInfo('n'), io.BytesIO())\n"
        "  show += [tarfile.open(p).getnames(), isinstance(p, pathlib.PurePath)]"
    ),
    "pickle": "import pickle, pathlib, inspect; show += [str(pickle.loads(pickle.dumps(pathlib.PurePosixPath('x')))), pickle.loads(pickle.dumps(inspect.signature)) is inspect.signature]",
    "configuration": "import configparser; c = configparser.ConfigParser(); c.read_string('[a]\\nb=1'); show.append(c['a']['b'])",
    "an annotation": "import pathlib, typing\ndef f(p: pathlib.Path): pass\nshow.append(typing.get_type_hints(f)['p'].__name__)",
    "functions taken early": (
        "from shutil import rmtree; from importlib.metadata import version; import inspect, os, tempfile\n"
        "show += [version('keyring'), rmtree.__name__, str(inspect.signature(version)), rmtree.avoids_symlink_attacks]\n"
        "f = tempfile.mkdtemp(); rmtree(f); show.append(os.path.exists(f))"
    ),
    "functions taken early, kept in a class": (
        "import shutil, os, functools\n"
        "class C:\n  remove = staticmethod(shutil.rmtree)\n  def f(self, path, remove=shutil.rmtree): remove(path)\n"
        "  method = shutil.rmtree\n"
        "partial = functools.partial(shutil.rmtree, ignore_errors=True)\n"
        "wrapped = functools.wraps(shutil.rmtree)(lambda path: shutil.rmtree(path))\n"
        "import tempfile\n"
        "for use in (C.remove, C().f, partial, wrapped, C.method):\n"
        "  f = tempfile.mkdtemp(); use(f); show.append(os.path.exists(f))\n"
        "C.remove(f, ignore_errors=True)\n"
        "show += [wrapped.__name__, type(C().method).__name__]"
    ),
    "a function that is not there": (
        "try:\n  from importlib.metadata import version\n  version('nothing-like-it')\n"
        "except ModuleNotFoundError as error:\n  show.append(type(error).__name__)"
    ),
    "is a function there": "import tarfile, shutil; show += [hasattr(tarfile, 'data_filter'), hasattr(shutil, 'rmtree'), hasattr(shutil, 'x')]",
    "requests": (
        "import requests; r = requests.models.Response()\n"
        "r._content = 'Les \u00e9l\u00e8ves \u00e9taient tr\u00e8s fatigu\u00e9s apr\u00e8s la f\u00eate'.encode('utf-8')\n"
        "show += [r.apparent_encoding, r.text, requests.certs.where()[-4:], requests.Request('GET', 'https://h/').prepare().url]"
    ),
    "a version": "import charset_normalizer as c; show.append(c.__version__); from charset_normalizer import __version__; show.append(__version__)",
    "a version, then all": (
        "import charset_normalizer as c; v = c.__version__; show += [c.from_bytes(b'abc').best().encoding, c.__version__ == v]\n"
        "c.__version__ = 'patched'; from charset_normalizer import __version__; show += [__version__, c.version.__version__ == v]"
    ),
    "a package of several": (
        "try:\n  import backports.nothing\nexcept ImportError as error:\n  show.append(str(error)[:30])\n"
        "try:\n  from backports import tarfile\n  import backports\n"
        "  show += [backports.tarfile.TarFile.__name__, hasattr(backports, 'x'), tarfile.data_filter.__name__]\n"
        "except ImportError as error:\n  show.append(type(error).__name__)"
    ),
    "aliases": "import requests, sys; show.append(sys.modules['requests.packages.chardet'].__name__)",
    "names of hosts": (
        "import requests, idna, sys; from requests.packages.idna.core import encode; show += [idna.encode('\u00e4.example'), "
        "encode('\u00e4.example'), requests.Request('GET', 'https://\u00e4.example/').prepare().url]"
    ),
    "addresses": "import ipaddress, mimetypes; show += [str(ipaddress.ip_address('::1')), mimetypes.guess_type('x.html')]",
    "sources": "import linecache, textwrap, tokenize, locale; show += [textwrap.dedent(' x'), tokenize.NAME, linecache.getlines('nothing'), locale.LC_ALL]",
    "tracebacks": "import traceback\ntry:\n  1/0\nexcept ZeroDivisionError:\n  show.append(traceback.format_exc().splitlines()[-1])",
    "archives": (
        "import zipfile, io, shutil\nb = io.BytesIO()\nwith zipfile.ZipFile(b, 'w') as z: z.writestr('n', 'x')\n"
        "show += [zipfile.ZipFile(b).namelist(), bool(shutil.which('sh')), [f for f, _ in shutil.get_archive_formats()]]"
    ),
}

PATCHES = {
    "assignment is seen everywhere": (
        "import inspect as one\none.signature = 1\nimport inspect as two\nfrom inspect import signature\nimport sys\n"
        "show += [one.signature, two.signature, signature, sys.modules['inspect'].signature]"
    ),
    "assignment of something new": "import tempfile; tempfile.ours = 1; import importlib; show.append(importlib.import_module('tempfile').ours)",
    "a patch of a module that another one uses": (
        "import inspect\nfrom unittest import mock\n"
        "with mock.patch('tempfile.mkdtemp', lambda *a, **k: 'ours'):\n"
        "  import tempfile; show.append(tempfile.mkdtemp())\n"
        "show.append(tempfile.mkdtemp.__name__)"
    ),
    "a patch of an attribute through the object": (
        "import urllib.request\nfrom unittest import mock\n"
        "with mock.patch.object(urllib.request, 'urlopen', 5): show.append(urllib.request.urlopen)\n"
        "show.append(urllib.request.urlopen.__name__)"
    ),
    "a patch of a function that was taken early": (
        "import os, shutil, tempfile\nfrom shutil import rmtree\nfrom unittest import mock\n"
        "with mock.patch('shutil.rmtree', lambda path: 'patched'):\n"
        "  show += [shutil.rmtree('x'), rmtree.__name__]\n"
        "with mock.patch.object(shutil, 'rmtree', lambda path: 'patched again'): show.append(shutil.rmtree('x'))\n"
        "for use in (rmtree, shutil.rmtree):\n  f = tempfile.mkdtemp(); use(f); show.append(os.path.exists(f))"
    ),
    "a patch by an object that was taken early": (
        "import shutil, os, tempfile\nearly = shutil.rmtree\nshutil.rmtree = 1\nshow.append(shutil.rmtree)\nshutil.rmtree = early\n"
        "f = tempfile.mkdtemp(); shutil.rmtree(f); show.append(os.path.exists(f))"
    ),
    "deletion": (
        "import tempfile\nkept = tempfile.mkdtemp\ndel tempfile.mkdtemp\nimport tempfile as again\n"
        "show += [hasattr(again, 'mkdtemp'), hasattr(tempfile, 'mkdtemp')]"
    ),
    "a module put in its place": "import sys, types; sys.modules['inspect'] = types.SimpleNamespace(x=1); import inspect; show.append(inspect.x)",
    "a module imported anew": (
        "import sys, tempfile as one; one.x = 1; del sys.modules['tempfile']; import tempfile as two; show += [hasattr(two, 'x'), one.x]"
    ),
}

THREADS = {
    "all at once": (
        "import threading\nbarrier = threading.Barrier(16)\n"
        "def use():\n  import urllib.request as it, inspect, pathlib\n  barrier.wait()\n"
        "  show.append((id(it.urlopen), id(inspect.signature), id(pathlib.Path)))\n"
        "threads = [threading.Thread(target=use) for _ in range(16)]\n"
        "[t.start() for t in threads]; [t.join(30) for t in threads]\nshow[:] = [len(show), len(set(show))]"
    ),
}


#: One thread imports a module that uses a deferred one; another one uses that, which imports the module.
CROSSED = """\
import importlib.abc, importlib.machinery, inspect, sys, threading, time

imports_module, imports_deferred = threading.Event(), threading.Event()

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name in ("other", "inspect") else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        if module.__name__ == "other":
            imports_module.set()
            imports_deferred.wait(10)
            inspect.anything
        else:
            imports_deferred.set()
            imports_module.wait(10)
            import other

def use(what):
    try:
        what()
    except (AttributeError, ImportError, RuntimeError):
        pass  # of two that wait for each other, Python gives one a module that is not ready, or PyPy an error

sys.meta_path.insert(0, Finder())
threads = [threading.Thread(target=use, args=(what,), daemon=True)
           for what in (lambda: __import__("other"), lambda: inspect.anything)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(20)
show += [type(inspect).__name__, *(thread.is_alive() for thread in threads)]
"""


@pytest.fixture(params=["current", "3.8", "3.13", "pypy3"], scope="module")
def tool(request: pytest.FixtureRequest, shared_environments: Environments) -> Environment:
    """A tool with the provider, on each kind of interpreter that differs in what keyring imports."""
    python = interpreters.current() if request.param == "current" else interpreters.find(request.param)
    if request.param != "current" and python == interpreters.current():
        pytest.skip("this is the current one")
    if python is None:
        pytest.skip(f"this machine has no Python {request.param}")

    def build(folder: Path) -> None:
        wheel = providers.make_provider(folder / "wheels", "doer", PROVIDER)
        environments.create(
            folder / "tool", python, "keyring", "requests", "chardet<6", wheel, compile_bytecode=True, share_files=True
        )

    return Environment(shared_environments.once("deferred", build, python) / "tool")


@pytest.fixture(scope="module")
def plain(tool: Environment, shared_environments: Environments) -> dict[str, str]:
    """What the provider answers without us."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork: the answers without us cost a start each")
    services = json.dumps({what: textwrap.dedent(text) for what, text in {**STYLES, **PATCHES, **THREADS}.items()})

    def build(folder: Path) -> None:
        folder.mkdir()
        (folder / "answers").write_text(tool.run(["-I", "-c", PLAIN], stdin=services, check=True).stdout)

    answers: dict[str, str]
    answers = json.loads((shared_environments.once("plain", build, tool.root, __file__) / "answers").read_text())
    return answers


@pytest.fixture(scope="module")
def helped(tool: Environment) -> Iterator[helper.Helper]:
    """A helper that runs; until its end nothing is said on stderr."""
    with helper.Helper(tool, entry_points=["doer"]) as running:
        yield running
        status, _, said = running.end()
        assert (0, "") == (status, said)


def _ask(tool: Environment, service: str) -> str:
    """Ask the provider through a helper; return its answer."""
    answer: str = helper.ask(tool, "doer", service)
    return answer


@pytest.mark.parametrize("what", [*STYLES, *PATCHES, *THREADS])
def test_answer_is_the_same_as_without_the_helper(helped: helper.Helper, plain: dict[str, str], what: str) -> None:
    """A provider that imports, uses or patches deferred modules gives the answer that it gives without us."""
    assert plain[what] not in ("", "[]")
    reply = helped.ask("get_password", textwrap.dedent({**STYLES, **PATCHES, **THREADS}[what]))
    assert ([], [], plain[what]) == (reply["failures"], reply["unloaded"], reply["answer"])


@pytest.mark.parametrize("name", ["tempfile", "json"])
def test_what_the_import_system_looks_at_loads_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """importlib.util.find_spec() and inspect see the module that will be loaded, and leave it as it is."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    monkeypatch.setattr(Deferred, "_real", lambda _: pytest.fail("it is loaded"))
    module = Deferred(spec, ())
    seen = (module.__name__, module.__spec__, module.__loader__, module.__package__, module.__file__)
    assert (name, spec, spec.loader, spec.parent, spec.origin) == seen
    if spec.submodule_search_locations is not None:
        assert spec.submodule_search_locations == module.__path__


#: A deferred module that cannot be loaded at first.
FAILING = """\
import importlib.abc, importlib.machinery, inspect, sys

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    fails = True

    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "inspect" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        if self.fails:
            self.fails = False
            raise OSError
        module.value = 1

sys.meta_path.insert(0, Finder())
for _ in range(2):
    try:
        show.append(inspect.value)
    except OSError:
        show.append(sys.modules["inspect"] is inspect)
"""


def test_a_module_that_cannot_be_loaded_at_first(tool: Environment) -> None:
    """A deferred module that could not be loaded, for want of a descriptor for example, is loaded when it is used again."""
    assert "[True, 1]" == _ask(tool, FAILING)


def test_two_imports_that_wait_for_each_other_both_end(tool: Environment) -> None:
    """What Python's import system resolves in threads, a deferred module does not turn into a hang."""
    assert "['Deferred', False, False]" == _ask(tool, CROSSED)


def test_a_lookup_that_needs_none_of_them_loads_none(tool: Environment) -> None:
    """By the time that the provider is asked, what takes long to load is deferred and not used by keyring either."""
    names = ["importlib.metadata", "inspect", "more_itertools", "pathlib", "tempfile", "textwrap", "urllib.request"]
    service = "show += [n for n in {!r} if type(sys.modules[n]).__name__ != 'Deferred']"
    assert "[]" == _ask(tool, "import sys;" + service.format(names))


def test_a_package_in_several_folders(shared_environments: Environments, python: Path) -> None:
    """A package that adds the folders of other distributions to its own when it is loaded has all of them."""

    def build(folder: Path) -> None:
        wheel = providers.make_provider(folder / "wheels", "doer", PROVIDER)
        made = environments.create(folder / "tool", python, "keyring", "backports.tarfile", wheel)
        other = folder / "other" / "backports"
        other.mkdir(parents=True)
        (other / "__init__.py").write_text("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n")
        (other / "other.py").write_text("value = 1\n")
        (made.site_packages / "other.pth").write_text(os.fspath(folder / "other") + "\n")

    tool = Environment(shared_environments.once("deferred-several", build, python) / "tool")
    service = "import backports.other; from backports import tarfile; show += [backports.other.value, tarfile.__name__]"
    assert "[1, 'backports.tarfile']" == _ask(tool, service)


def _loaded_without_us(tool: Environment) -> set[str]:
    program = (
        f"import sys, keyring.backend, requests; print(*[name for name in {list(DEFERRED)} if name in sys.modules])"
    )
    return set(tool.run(["-I", "-c", program], check=True).stdout.split())


def test_each_of_them_would_be_loaded_without_us(tool: Environment) -> None:
    """keyring or requests imports each module of the table, or that of an older or newer Python in its place."""
    ancient = "True" == tool.run(["-I", "-c", "import sys; print(sys.version_info < (3, 12))"]).stdout.strip()
    missing = {"tarfile"} if ancient else {"backports", "backports.tarfile", "importlib_metadata"}
    assert set(DEFERRED) - missing == _loaded_without_us(tool)


def test_requests_loads_no_module_that_it_takes_functions_or_versions_from(tool: Environment) -> None:
    """With requests, which most providers use, what others take from modules that are then not used loads none."""
    names = {"backports.tarfile", "chardet", "charset_normalizer", "importlib.metadata", "shutil", "tarfile"}
    service = f"import sys, requests; show += [n for n in {names} if type(sys.modules.get(n)).__name__ == 'Deferred']"
    program = "import sys; print(sys.implementation.name, sys.version_info < (3, 9))"
    if ["cpython", "False"] != tool.run(["-I", "-c", program], check=True).stdout.split():
        names.remove("importlib.metadata")  # PyPy and Python 3.8 use it themselves
    assert _loaded_without_us(tool) & names <= set(ast.literal_eval(_ask(tool, service)))
