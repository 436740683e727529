"""Tells who else can reach a file or folder, by its owner and its mode, and makes folders that no other user can.

Windows has neither: every check passes there. Its own lists of rights are inherited from the user's profile.
"""

import errno
import os
import stat
import sys
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

if sys.platform != "win32":
    import grp
    import pwd

NO_HOME = "this user has no home folder, and HOME names none"
_ROOT = 0
_PRIVATE_FOLDER = 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ACCESS_LIST = "system.posix_acl_access"
# What a state folder holds; one that holds more is also somebody's home, or a folder of the system.
_STATE_FOLDERS = frozenset({"locks", "sign-ins"})


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


def exposure(file: Path) -> str:
    """Return why a secret in a file may be known to others or be replaced by them, empty if it may not."""
    if current_user() is not None and file.stat().st_mode & stat.S_IROTH:
        return "everybody can read it"
    return foreign_access(file)


def take_private_folder(folder: Path) -> None:
    """Make a folder of the state folder for us alone, or take the one that is there and close it to others.

    Every level that is made has mode 0700, whatever the umask. PermissionError for a link, for another user's folder, and
    where others can exchange it; FileNotFoundError if it is below the home folder of a user who has none.
    """
    if needs_home(folder):
        raise FileNotFoundError(errno.ENOENT, NO_HOME, str(folder))
    levels = takewhile(lambda level: not os.path.lexists(level), (folder, *folder.parents))
    for level in reversed(list(levels)):
        level.mkdir(_PRIVATE_FOLDER, exist_ok=True)
    user = current_user()
    if user is not None:
        _close_state_folder(folder.parent, user)
        _close(folder, user)


def needs_home(folder: Path) -> bool:
    """Return whether a path is still below a home folder that is not known."""
    return folder.parts[:1] == ("~",)


def can_create(folder: Path) -> bool:
    """Return whether a folder is there to be written, or can be made."""
    return folder.is_absolute() and os.access(nearest_existing(folder), os.W_OK | os.X_OK)


def nearest_existing(path: Path) -> Path:
    """Return an absolute path itself if it exists and can be reached, else the nearest folder above that can be."""
    return next((level for level in (path, *path.parents) if os.access(level, os.F_OK)), Path(path.anchor))


def open_private(path: str, flags: int) -> int:
    """Open a file that only its owner can read or write, and follow no link: an opener for ``open``."""
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), stat.S_IRUSR | stat.S_IWUSR)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
    return descriptor


def _close_state_folder(folder: Path, user: int) -> None:
    """Close the folder above to others; one with more in it than state must only be safe from them."""
    if folder.is_symlink() and folder.lstat().st_uid not in {user, _ROOT}:
        raise _refusal(folder, "it is a link of another user")
    mode = folder.stat().st_mode
    if folder.stat().st_uid == user and _STATE_FOLDERS.issuperset(entry.name for entry in folder.iterdir()):
        _close(folder.resolve(), user)
    # Where the sticky bit is set, nobody can exchange what belongs to others.
    elif reason := foreign_owner(folder) or ("" if mode & stat.S_ISVTX else foreign_writers(folder)):
        raise _refusal(folder, reason)


def _close(folder: Path, user: int) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        # For a link systems give one or the other.
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise _refusal(folder, "it is a link, or no folder") from None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != user:
            raise _refusal(folder, f"it belongs to {_user_name(status.st_uid)}")
        if status.st_mode & _OTHERS:
            os.fchmod(descriptor, _PRIVATE_FOLDER)
    finally:
        os.close(descriptor)


def _refusal(folder: Path, reason: str) -> PermissionError:
    return PermissionError(errno.EPERM, reason, str(folder))


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
