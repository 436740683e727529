"""Runs commands of the program in a process that shows it another system: without what only this one has.

Libraries keep the system they run on. What is not shown: that Windows neither renames nor removes open files.
"""

import importlib
import io
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

MODULES = {"win32": ("fcntl", "grp", "pwd", "resource", "termios"), "darwin": ()}
NAMES = {
    "win32": frozenset(
        (
            *(
                "O_DIRECTORY",
                "O_NOFOLLOW",
                "O_NONBLOCK",
                "fchmod",
                "fchown",
                "fork",
                "getegid",
                "geteuid",
                "getgid",
                "getuid",
            ),
            *("getxattr", "kill", "killpg", "mkfifo", "setsid", "statvfs", "sync", "uname"),
        )
    ),
    "darwin": frozenset({"getxattr", "setxattr", "listxattr", "sched_getaffinity", "memfd_create"}),
}
_RELATIVE = ("access", "link", "mkdir", "open", "rename", "rmdir", "stat", "unlink", "utime")


class OtherOs(ModuleType):
    """The module ``os`` of another system."""

    def __init__(self, platform: str) -> None:
        super().__init__("os")
        self._missing = NAMES[platform]
        if platform == "win32":
            vars(self).update({name: _without_descriptors(getattr(os, name)) for name in _RELATIVE})
            vars(self).update(name="nt", rename=_rename, supports_dir_fd=set(), supports_fd=set(), O_BINARY=0)

    def __getattr__(self, name: str) -> object:
        if name in self._missing:
            raise AttributeError(name)
        return getattr(os, name)


class OtherSys(ModuleType):
    """The module ``sys`` of another system; whatever else is set or asked for is that of this one."""

    def __init__(self, platform: str) -> None:
        super().__init__("sys")
        vars(self)["platform"] = platform

    def __getattr__(self, name: str) -> object:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(sys, name, value)


def _without_descriptors(function: Callable[..., object]) -> Callable[..., object]:
    def called(path: object, *more: object, **named: object) -> object:
        if any(value is not None for name, value in named.items() if name.endswith("dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")
        if function is os.link and not named.get("follow_symlinks", True):
            raise NotImplementedError("link: follow_symlinks unavailable on this platform")
        return function(path, *more, **named)

    return called


def _rename(source: str, target: str, **folders: int | None) -> None:
    if any(folder is not None for folder in folders.values()):
        raise NotImplementedError("src_dir_fd and dst_dir_fd unavailable on this platform")
    if os.path.lexists(target):
        raise FileExistsError(target)
    Path(source).rename(target)


def _import_all() -> list[ModuleType]:
    package = importlib.import_module("bulkreact")
    names = [found.name for found in pkgutil.walk_packages(package.__path__, "bulkreact.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def show(platform: str) -> None:
    """Import the program anew, as on another system."""
    # Libraries first: they must find this one.
    _import_all()
    for name in [name for name in sys.modules if name.partition(".")[0] == "bulkreact"]:
        del sys.modules[name]
    # None is the sign for a module that cannot be imported; it stays for what is imported later.
    patch.dict(sys.modules, dict.fromkeys(MODULES[platform])).start()
    with patch.dict(sys.modules, {"os": OtherOs(platform), "sys": OtherSys(platform)}):
        imported = {module.__name__: module for module in _import_all()}
    sys.modules.update(imported)


def run_command(arguments: list[str]) -> dict[str, object]:
    """Run a command; return its exit code, what it wrote, and the error that it did not expect."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    sys.argv = ["bulkreact", *arguments]
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            importlib.import_module("bulkreact.cli").main()
        except SystemExit as error:
            code = error.code
        except BaseException:  # noqa: BLE001 - it is what the test is about
            code = traceback.format_exc()
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return {"arguments": arguments, "code": code, "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    show(sys.argv[1])
    commands: list[list[str]] = json.loads(sys.argv[2])
    print(json.dumps([run_command(arguments) for arguments in commands]))  # noqa: T201 - to the test
