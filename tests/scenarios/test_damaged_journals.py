"""A journal that is not as it was written is refused by every command that sends, writes or reports from it."""

from pathlib import Path

import pytest

from tests.support.ids import guid
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, run


def change_a_bit(folder: Path, text: bytes) -> None:
    """Change one bit in the last place where a journal has a text."""
    content = bytearray((folder / "journal.sqlite3").read_bytes())
    content[content.rindex(text)] ^= 1
    (folder / "journal.sqlite3").write_bytes(content)


@pytest.mark.parametrize("command", ["resume", "retry", "verify", "results"])
@pytest.mark.parametrize("text", [guid(0).encode(), b"accepted", b"reactivate-entitlement"])
def test_a_changed_bit_is_refused_before_anything_is_sent_or_written(
    program: Program, partner: Partner, command: str, text: bytes
) -> None:
    run(program, partner, ["a", "b", "c"], "--limit", "2")
    folder, calls = latest_run(program), len(partner.requests())
    results = (folder / "results.csv").read_bytes()
    change_a_bit(folder, text)
    process = program(command, folder.name, *(() if command == "results" else FAST[: 2 if command == "verify" else 3]))
    assert (process.code, "is damaged" in process.err) == (2, True), process.err
    assert len(partner.requests()) == calls
    assert (folder / "results.csv").read_bytes() == results


@pytest.mark.parametrize("text", [b"input.csv", guid(0).encode()])
def test_the_input_of_a_damaged_run_is_sent_again_only_if_that_is_asked_for(
    program: Program, partner: Partner, text: bytes
) -> None:
    run(program, partner, ["a", "b"])
    change_a_bit(latest_run(program), text)
    process = run(program, partner, ["a", "b"])
    assert (process.code, "is damaged" in process.err, len(partner.requests())) == (2, True, 2)
    run(program, partner, ["a", "b"], "--new")
    assert len(partner.requests()) == 4
