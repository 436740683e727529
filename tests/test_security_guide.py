"""The security chapter states what is kept where: every path and every mode in it is true, and none is missing."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulkreact
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST
from tests.support.signed_in import sign_in
from tests.support.token_authority import Authority

GUIDE = Path(bulkreact.__file__).parent / "guide" / "security.md"
_ROW = re.compile(r"^\| `((?:reports|state)/[^`]*)` \| ([^|]*) \|", re.MULTILINE)
UMASK = 0o027

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def umask() -> Iterator[None]:
    """Set a umask that is none of the private modes."""
    before = os.umask(UMASK)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_every_path_has_the_mode_that_is_stated_and_no_path_is_missing(
    program: Program, partner: Partner, authority: Authority
) -> None:
    assert sign_in(program, authority, "--store", "file").code == 0
    write_csv(program.folder / "input.csv", [row(guid(1))])
    (program.folder / "inbox").mkdir()
    write_csv(program.folder / "inbox" / "a.csv", [row(guid(2))])
    address = ("--base-url", partner.base_url)
    assert program("run", "input.csv", *address, *FAST, "--xlsx").code == 0
    assert program("sweep", "inbox", *address, *FAST, "--settle", "0s").code == 0
    assert program("status", "--all").code == 0
    program("discover", *address, "--rate", "off", "--out", "found.csv")

    stated = {path: matching(program.folder, path) for path, _ in rows()}
    assert [path for path, found in stated.items() if not found] == []
    wrong = [
        f"{path}: {oct(mode)}, stated: {modes}"
        for path, modes in rows()
        for file in stated[path]
        if (mode := stat.S_IMODE(file.stat().st_mode)) not in allowed(modes, is_folder=file.is_dir())
    ]
    assert wrong == []
    kept = {file for name in ("reports", "state") for file in (program.folder / name).rglob("*")}
    assert kept - {file for found in stated.values() for file in found} == set()


def rows() -> list[tuple[str, str]]:
    """Return the paths and modes that the chapter states."""
    return _ROW.findall(GUIDE.read_text(encoding="utf-8"))


def matching(folder: Path, path: str) -> list[Path]:
    """Return the files, or for a path with a slash at its end the folders, that a stated path means."""
    return [file for file in folder.glob(path.rstrip("/")) if file.is_dir() is path.endswith("/")]


def allowed(modes: str, *, is_folder: bool) -> set[int]:
    """Return the modes that a stated text means."""
    follows_umask = (0o777 if is_folder else 0o666) & ~UMASK
    return {follows_umask if mode == "umask" else int(mode, 8) for mode in modes.split(" or ")}
