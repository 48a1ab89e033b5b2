"""Runs ``keyring-fallback doctor`` as text and as JSON on what is found once: ``both.py FILE [SERVICE [USERNAME]]``."""

import contextlib
import functools
import sys

del sys.path[0]  # this folder

from keyring_fallback import cli  # noqa: E402
from keyring_fallback.doctor import examination  # noqa: E402

examination.examine = functools.lru_cache(maxsize=1)(examination.examine)
with open(sys.argv[1], "w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
    status = cli.main(["doctor", "--json", *sys.argv[2:]])
assert status == cli.main(["doctor", "--verbose", *sys.argv[2:]])
sys.exit(status)
