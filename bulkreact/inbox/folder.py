"""A folder that others may write to: one descriptor leads to its entries, and no link in it is followed.

Windows has no calls relative to a descriptor. There, paths are used, and what they lead to is compared before and after.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath
from typing import BinaryIO

from bulkreact.atomic_write import sync_open_folder
from bulkreact.errors import InputRefusedError
from bulkreact.wording import printable

_HAS_RELATIVE_CALLS = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
# Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
_READ = os.O_RDONLY | _NOFOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
# In a reparse tag of Windows: the entry stands for another one, as links and junctions do.
_NAME_SURROGATE = 0x2000_0000


def is_link(status: os.stat_result) -> bool:
    """Return whether an entry is a symbolic link or a junction."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)


class Folder:
    """An open folder; without a ``descriptor`` it is reached by its path as long as that leads to the same folder."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor
        self._status = path.stat() if descriptor is None else os.fstat(descriptor)
        self._subfolders: dict[str, Folder] = {}
        self._stack = ExitStack()
        if descriptor is not None:
            self._stack.callback(os.close, descriptor)

    def close(self) -> None:
        """Close the folder and its subfolders."""
        self._stack.close()

    @property
    def is_sticky_of_another(self) -> bool:
        """Return whether another user owns the folder and lets people remove only their own files from it."""
        user = os.geteuid() if hasattr(os, "geteuid") else 0
        return bool(self._status.st_mode & stat.S_ISVTX) and user not in {0, self._status.st_uid}

    def at(self, name: str) -> str:
        """Return an entry's name as calls with the descriptor take it; OSError for one that leads out of the folder."""
        if name in {"", os.pardir} or PurePath(name).name != name:
            raise OSError(errno.EINVAL, "It is no name of an entry")
        reachable = self._reachable()
        return name if isinstance(reachable, int) else str(reachable / name)

    def names(self) -> list[str]:
        """Return the names of the entries."""
        with os.scandir(self._reachable()) as entries:
            return [entry.name for entry in entries]

    def inodes(self) -> frozenset[int]:
        """Return the inodes of the entries."""
        with os.scandir(self._reachable()) as entries:
            return frozenset(entry.inode() for entry in entries)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry itself, None if there is none."""
        try:
            return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self, name: str) -> BinaryIO:
        """Open a regular file for reading without waiting; OSError for anything else."""
        before = self.status(name)
        # Before it is opened, because that alone has an effect on some devices.
        if before is None or not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "It is gone, or no file any more")
        file = open(os.open(self.at(name), _READ, dir_fd=self.descriptor), "rb")  # noqa: PTH123, SIM115 - a descriptor
        after = os.fstat(file.fileno())
        # The number of a file that is gone may be another one's at once.
        if not stat.S_ISREG(after.st_mode) or not os.path.samestat(before, after):
            file.close()
            raise OSError(errno.EINVAL, "It was replaced by another file")
        return file

    def create_file(self, name: str) -> BinaryIO:
        """Create a file; FileExistsError if anything has its name."""
        return open(os.open(self.at(name), _CREATE, 0o666, dir_fd=self.descriptor), "wb")  # noqa: PTH123 - a descriptor

    def link(self, name: str, folder: "Folder", new_name: str) -> None:
        """Give an entry a second name, in any folder; FileExistsError if that is taken."""
        source, target = self.at(name), folder.at(new_name)
        os.link(source, target, src_dir_fd=self.descriptor, dst_dir_fd=folder.descriptor, follow_symlinks=False)

    def rename(self, name: str, folder: "Folder", new_name: str) -> None:
        """Move an entry to any folder on the same disk."""
        os.rename(self.at(name), folder.at(new_name), src_dir_fd=self.descriptor, dst_dir_fd=folder.descriptor)

    def unlink(self, name: str) -> None:
        """Remove an entry that is no folder."""
        os.unlink(self.at(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make new and removed names durable, if the platform can."""
        if self.descriptor is not None:
            sync_open_folder(self.descriptor)

    def subfolder(self, name: str, *, create: bool = False) -> "Folder | None":
        """Return a subfolder, None if there is none; InputRefusedError if its name leads anywhere else."""
        if name not in self._subfolders:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(self.at(name), dir_fd=self.descriptor)
            status = self.status(name)
            if status is None:
                return None
            self._subfolders[name] = folder = self._open_subfolder(name, status)
            self._stack.callback(folder.close)
        return self._subfolders[name]

    def _open_subfolder(self, name: str, status: os.stat_result) -> "Folder":
        descriptor = None
        if is_link(status) or not stat.S_ISDIR(status.st_mode):
            raise no_target(self.path / name, "it is a link or a file, and must be a folder of its own")
        if not os.access(self.at(name), os.W_OK | os.X_OK, dir_fd=self.descriptor):
            raise no_target(self.path / name, "it cannot be written")
        if self.descriptor is not None:
            try:
                descriptor = os.open(name, _FOLDER | _NOFOLLOW, dir_fd=self.descriptor)
            except OSError as error:
                raise no_target(self.path / name, f"it cannot be opened ({error.strerror})") from None
        return Folder(self.path / name, descriptor)

    def _reachable(self) -> int | Path:
        """Return what leads to the folder; OSError if a path leads to another one now."""
        if self.descriptor is not None:
            return self.descriptor
        status = self.path.lstat()
        if is_link(status) or not os.path.samestat(status, self._status):
            raise OSError(errno.EINVAL, "The folder was replaced by another")
        return self.path


def no_target(path: Path, reason: str) -> InputRefusedError:
    """Return the error that says why nothing can be moved to a folder."""
    return InputRefusedError(
        f"Nothing is moved to {printable(path)}: {reason}. Nothing was sent. Correct or remove it, then sweep again."
    )


@contextmanager
def open_inbox(path: Path) -> Iterator[Folder]:
    """Open an inbox, following links to it, because a user named it; InputRefusedError if that fails."""
    try:
        descriptor = os.open(path, _FOLDER) if _HAS_RELATIVE_CALLS else None
        folder = Folder(path if _HAS_RELATIVE_CALLS else path.resolve(), descriptor)
    except OSError as error:
        raise InputRefusedError(f"The inbox {printable(path)} cannot be read: {error.strerror}.") from None
    try:
        yield folder
    finally:
        folder.close()
