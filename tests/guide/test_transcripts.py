"""What README and guide show as output of the simulator is what the program says."""

import re
import shlex
import shutil
from collections.abc import Iterator

import pytest

from tests.guide.test_guide import _BLOCK, PAGES
from tests.support.program import PROJECT, Program

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-")
_PATH = re.compile(r"/\S*/reports/")
# A block is a story in one folder: what its commands need, the commands before them have left.
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (language, block) in enumerate(_BLOCK.findall(page.read_text(encoding="utf-8")))
    if language == "console" and ("--simulate" in block or "explain" in block)
]


def skeleton(text: str) -> str:
    """Return a text without what differs from run to run: numbers, ids, folders, the width of the terminal."""
    return re.sub(r"[\d,.:]+|\s+|-[0-9a-f]{4}(?![0-9a-f-])", "", _PATH.sub("reports", _RUN_ID.sub("", text)))


def steps(block: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each command of a block, with the paragraphs that it shows."""
    for part in block.split("$ ")[1:]:
        line, _, shown = part.partition("\n")
        lines = [text for text in shown.splitlines() if text.strip() not in {"", "…"} and "━" not in text]
        yield shlex.split(line.partition("bulkreact ")[2]), lines


@pytest.mark.parametrize("block", BLOCKS)
def test_a_transcript_shows_what_the_program_says(program: Program, block: str) -> None:
    shutil.copytree(PROJECT / "inputs", program.folder / "inputs")
    for arguments, shown in steps(block):
        # Faster than the usual pace: numbers are not compared.
        ended = program(*arguments, *(("--rate", "6000/min") if arguments[0] == "run" else ()))
        assert "Traceback" not in ended.err
        said = skeleton(ended.err + ended.out)
        assert not [line for line in shown if skeleton(line) not in said], ended.err + ended.out


def test_there_are_transcripts_to_be_checked() -> None:
    assert len(BLOCKS) >= 3
