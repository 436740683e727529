"""Where the files of jobs are in a data folder."""

import shutil
from pathlib import Path

from bulkreact.atomic_write import sync_folder

INPUT_FOLDER = "input"


class JobFolders:
    """The folders of a data folder; only their owner can read them."""

    def __init__(self, data: Path) -> None:
        self.data = data

    @property
    def incoming(self) -> Path:
        """Return the folder of files that are still arriving; what a killed server has left there is removed."""
        return self.data / "incoming"

    def prepare(self) -> None:
        """Make the folders."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(mode=0o700)

    def job(self, number: int) -> Path:
        """Return the folder of a job."""
        return self.data / "jobs" / str(number)

    def version(self, number: int, version: int) -> Path:
        """Return the folder of a version of a job."""
        return self.job(number) / f"v{version}"

    def input(self, number: int, version: int, name: str) -> Path:
        """Return the file of a version."""
        return self.version(number, version) / INPUT_FOLDER / name

    def control(self, number: int) -> Path:
        """Return the folder through which a job's process is watched and asked to stop."""
        return self.job(number) / "control"

    def log(self, number: int) -> Path:
        """Return the file with what a job's runs have printed."""
        return self.job(number) / "run.log"

    def add_file(self, number: int, version: int, name: str, arrived: Path) -> None:
        """Move a file that has arrived to a version, durably; an earlier attempt's leftovers are removed."""
        target = self._new_input(number, version) / name
        arrived.replace(target)
        sync_folder(target.parent)

    def copy_file(self, number: int, version: int, source: Path) -> None:
        """Let a version have the same file as another one, without keeping its bytes twice where that is possible."""
        target = self._new_input(number, version) / source.name
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)
        sync_folder(target.parent)

    def _new_input(self, number: int, version: int) -> Path:
        folder = self.version(number, version)
        shutil.rmtree(folder, ignore_errors=True)
        for path in (self.data / "jobs", self.job(number), self.control(number), folder, folder / INPUT_FOLDER):
            path.mkdir(mode=0o700, exist_ok=True)
        return folder / INPUT_FOLDER
