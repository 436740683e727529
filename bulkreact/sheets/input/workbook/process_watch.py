"""Ends a process that takes too long, or too much memory where the system itself sets no limit."""

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from bulkreact.sheets.input.read_limits import ReadLimits

_INTERVAL = 0.2
_QUERY_INFORMATION = 0x1000

MeasureMemory = Callable[[int], int]


class ProcessWatch:
    """Watches a process while its reply is awaited; ``reason`` says why it was ended, empty if it was not."""

    def __init__(
        self, process: subprocess.Popen[bytes], limits: ReadLimits, measure: MeasureMemory | None = None
    ) -> None:
        self.reason = ""
        self._process = process
        self._limits = limits
        self._measure = measure or measure_for(sys.platform)

    def __enter__(self) -> Self:
        """Start to watch."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watching a reader", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End to watch."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + self._limits.seconds
        while not self._over.wait(min(_INTERVAL, max(deadline - time.monotonic(), 0))):
            if time.monotonic() >= deadline:
                return self._end("seconds", "{} seconds to read")
            # A process that has just ended has no memory to be measured.
            with suppress(OSError, ValueError, subprocess.SubprocessError):
                if self._measure and self._measure(self._process.pid) > self._limits.memory:
                    return self._end("memory", "{} bytes of memory to read")
        return None

    def _end(self, limit: str, what: str) -> None:
        self.reason = str(self._limits.error(limit, what)).replace("has more than", "takes more than", 1)
        self._process.kill()


def measure_for(platform: str) -> MeasureMemory | None:
    """Return how to measure the memory of a process, None where the system limits it."""
    return {"win32": measure_on_windows, "darwin": measure_with_ps}.get(platform)


def measure_with_ps(pid: int) -> int:
    """Return the memory of a process in bytes, as ps says it."""
    command = ["/bin/ps", "-o", "rss=", "-p", str(pid)]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=5).stdout) << 10  # noqa: S603 - constants


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of Windows."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        *((name, ctypes.c_size_t) for name in ("peak_working_set", "working_set")),
        *((f"pool_{number}", ctypes.c_size_t) for number in range(4)),
        *((name, ctypes.c_size_t) for name in ("pagefile", "peak_pagefile")),
    )


def measure_on_windows(pid: int) -> int:
    """Return the memory that a process has committed, in bytes."""
    counters = _MemoryCounters()
    counters.cb = ctypes.sizeof(counters)
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(_QUERY_INFORMATION, 0, pid))
        kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb)
        kernel.CloseHandle(handle)
    return int(counters.pagefile)
