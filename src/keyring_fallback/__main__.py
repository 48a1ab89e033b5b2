"""``python -m keyring_fallback``: the same as ``keyring-fallback``."""

import sys

from .cli import main

sys.exit(main())
