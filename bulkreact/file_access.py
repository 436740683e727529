"""Tells who else can change a file or folder, by its owner and its mode.

Windows has neither: every check passes there. Its own lists of rights are inherited from the user's profile.
"""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import grp
    import pwd

_ROOT = 0
_ACCESS_LIST = "system.posix_acl_access"


def current_user() -> int | None:
    """Return the user that this process acts for, None on a system whose files have no owners."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def foreign_access(file: Path | int) -> str:
    """Return why a file or folder is not ours alone to change, empty if it is; root can change everything anyway.

    A number is an open file's descriptor. OSError if there is no such file.
    """
    return foreign_owner(file) or foreign_writers(file)


def foreign_owner(file: Path | int) -> str:
    """Return that a file or folder belongs to another user, empty if it is ours or root's."""
    user, owner = current_user(), os.stat(file).st_uid  # noqa: PTH116 - also of descriptors
    return f"it belongs to {_user_name(owner)}" if user is not None and owner not in {user, _ROOT} else ""


def foreign_writers(file: Path | int) -> str:
    """Return that others than its owner can write to a file or folder, empty if they cannot."""
    status = os.stat(file)  # noqa: PTH116 - also of descriptors
    if current_user() is None:
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "everybody can write to it"
    is_private = _is_private_group(status) and not _has_access_list(file)
    return "its group can write to it" if status.st_mode & stat.S_IWGRP and not is_private else ""


def _user_name(user: int) -> str:
    if sys.platform != "win32":
        with suppress(KeyError):
            return f"{pwd.getpwuid(user).pw_name} (user {user})"
    return f"user {user}"


def _is_private_group(status: os.stat_result) -> bool:
    """Return whether the group has its owner as the only member, as systems have it whose umask is 002."""
    if sys.platform == "win32" or status.st_uid == _ROOT:
        return False
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    if group.gr_gid != owner.pw_gid or group.gr_name != owner.pw_name or set(group.gr_mem) - {owner.pw_name}:
        return False
    return all(user.pw_uid == owner.pw_uid for user in pwd.getpwall() if user.pw_gid == group.gr_gid)


def _has_access_list(file: Path | int) -> bool:
    """Return whether more users are named than the mode shows; then the group's bits are the most any of them has."""
    if sys.platform == "linux":
        with suppress(OSError):
            return bool(os.getxattr(file, _ACCESS_LIST))
    return False
