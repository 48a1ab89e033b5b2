"""Makes an interpreter on Linux say that it is on macOS: it lies in the site-packages of each environment of a test.

What has to see the real platform is imported first: it chooses its parts when it is loaded.
"""

import asyncio
import contextlib
import ctypes.util
import mmap
import multiprocessing
import platform
import selectors
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import types
import urllib.request
import uuid
import webbrowser

with contextlib.suppress(ImportError):
    import ssl

scproxy = types.ModuleType("_scproxy")  # urllib asks it for proxies on macOS
scproxy._get_proxy_settings = dict
scproxy._get_proxies = dict
sys.modules["_scproxy"] = scproxy
sysconfig.get_config_vars()  # from a file that is named after the platform
sys.platform = "darwin"
