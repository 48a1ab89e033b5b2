"""What Windows has in the place of process groups, for both sides: standard library only, Python 3.8."""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes

assert sys.platform == "win32"  # noqa: S101 - for the type checker, which knows no other way

#: OpenProcess: to end it, and to ask for its times and its program (Microsoft, "Process Security and Access Rights").
_TERMINATE_AND_QUERY = 0x0001 | 0x1000
#: A program with windows of its own (Microsoft, "PE Format": IMAGE_SUBSYSTEM_WINDOWS_GUI), and where a file says so.
_HAS_WINDOWS, _HEADER_AT, _SUBSYSTEM_AT = 2, 0x3C, 0x5C
_MAX_ROUNDS, _LONGEST_PATH = 10, 32768


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W (tlhelp32.h)."""

    _fields_ = [
        *((name, wintypes.DWORD) for name in ("size", "usage", "pid")),
        ("heap", ctypes.c_size_t),
        *((name, wintypes.DWORD) for name in ("module", "threads", "parent")),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("file", wintypes.WCHAR * 260),
    ]


def end_descendants(pid: int) -> None:
    """End what a process has started, and what that has, but no program with windows of its own: a browser for a login.

    The launchers in virtual environments let what their Python starts outlive them (CPython 3.11, PC/launcher.c).
    """
    kernel = ctypes.WinDLL("kernel32")
    kernel.OpenProcess.restype = kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    root = wintypes.HANDLE(kernel.OpenProcess(_TERMINATE_AND_QUERY, 0, pid))
    handles, born, spared = [root], {pid: _born(kernel, root)}, set()
    for _ in range(_MAX_ROUNDS):  # while they end, they may start others
        known = len(handles)
        for child, parent in _listing(kernel):
            if parent not in born or child in born or child in spared:
                continue
            # held until the end: its number is nobody else's till then
            handle = wintypes.HANDLE(kernel.OpenProcess(_TERMINATE_AND_QUERY, 0, child))
            handles.append(handle)
            begin = _born(kernel, handle)
            if begin < born[parent] or _has_windows(kernel, handle):
                spared.add(child)  # older than who had its parent's number before
            else:
                born[child] = begin
                kernel.TerminateProcess(handle, 1)
        if len(handles) == known:
            break
    for handle in handles:
        kernel.CloseHandle(handle)


def _listing(kernel: ctypes.WinDLL) -> list[tuple[int, int]]:
    """Return (process, parent) of all processes."""
    found = []
    snapshot = wintypes.HANDLE(kernel.CreateToolhelp32Snapshot(2, 0))
    entry = _Entry(size=ctypes.sizeof(_Entry))
    more = kernel.Process32FirstW(snapshot, ctypes.byref(entry))
    while more:
        found.append((entry.pid, entry.parent))
        more = kernel.Process32NextW(snapshot, ctypes.byref(entry))
    kernel.CloseHandle(snapshot)
    return found


def _born(kernel: ctypes.WinDLL, handle: wintypes.HANDLE) -> int:
    """Return when a process began, or 0 if it cannot be asked."""
    times = [ctypes.c_uint64() for _ in range(4)]
    kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
    return times[0].value


def _has_windows(kernel: ctypes.WinDLL, handle: wintypes.HANDLE) -> bool:
    size = wintypes.DWORD(_LONGEST_PATH)
    path = ctypes.create_unicode_buffer(_LONGEST_PATH)
    kernel.QueryFullProcessImageNameW(handle, 0, path, ctypes.byref(size))
    try:
        with open(path.value, "rb") as file:
            file.seek(_HEADER_AT)
            file.seek(int.from_bytes(file.read(4), "little") + _SUBSYSTEM_AT)
            return int.from_bytes(file.read(2), "little") == _HAS_WINDOWS
    except OSError:
        return False
