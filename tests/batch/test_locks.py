"""Locks of files that go in the end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock, Timeout

from bulkreact.batch.locks import RemovableLock


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread for what another process would do."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_nobody_takes_a_lock_that_is_about_to_go(tmp_path: Path, other: ThreadPoolExecutor) -> None:
    path, guard = tmp_path / "x.lock", tmp_path / ".guard"
    first, second, third = (RemovableLock(path, guard) for _ in range(3))
    unlink, taken = Path.unlink, list[bool]()

    def take_unless_guarded() -> bool:
        probe = FileLock(guard)
        try:
            probe.acquire(blocking=False)
        except Timeout:
            return False
        probe.release()
        second.acquire()
        return True

    def take_before(self: Path, missing_ok: bool = False) -> None:
        taken.append(other.submit(take_unless_guarded).result())
        unlink(self, missing_ok=missing_ok)

    first.acquire()
    with patch.object(Path, "unlink", take_before):
        first.remove()
    third.acquire()
    assert taken == [False]
    assert path.exists()
    third.remove()
    assert sorted(file.name for file in tmp_path.iterdir()) == [".guard"]


def test_it_is_one_processs_at_a_time(tmp_path: Path, other: ThreadPoolExecutor) -> None:
    first, second = (RemovableLock(tmp_path / "x.lock", tmp_path / ".guard") for _ in range(2))
    first.acquire()
    with pytest.raises(Timeout):
        other.submit(second.acquire).result()
    first.release()
    other.submit(second.acquire).result()
    other.submit(second.release).result()
