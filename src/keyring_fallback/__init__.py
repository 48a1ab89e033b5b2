"""keyring-fallback: the environment's keyring answers as if the global tool's providers were installed in it."""

__version__ = "0.1.0"
