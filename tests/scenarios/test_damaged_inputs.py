"""Damaged text tables from the command line: refused before anything is sent, or run with a word about what is lost."""

import pytest

from tests.support.ids import HEADER, guid, row
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses

IDS = ",".join(HEADER)
LINES = [f"{','.join(row(guid(number)))},R{number}\r\n" for number in range(1, 7)]
TABLE = f"{IDS},Note\r\n{''.join(LINES)}"
SWAPPED = f"subscription_id,customer_id,entitlement_id,Note\r\n{LINES[0]}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ((TABLE + SWAPPED).encode(), "row 8 names the columns again"),
        (TABLE.replace(LINES[2], "\0" * len(LINES[2])).encode(), "line 4 has a block of NUL characters"),
        (
            f"Name, legal,{TABLE}".replace("\r\n5eed", "\r\nAcme,5eed").replace("R", guid(9)[:-1]).encode(),
            "row 2 has 5",
        ),
        (
            (f"Report\r\n\r\n{TABLE}".replace("entitlement_id", "entitlment_id")).encode(),
            ", row 3: missing in the header",
        ),
        (TABLE.replace("R", "株式会社").encode("cp932"), "--encoding"),
    ],
)
def test_what_could_be_read_wrongly_is_refused_before_anything_is_sent(
    program: Program, partner: Partner, content: bytes, said: str
) -> None:
    (program.folder / "input.csv").write_bytes(content)
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 2
    assert said in process.err
    assert not (program.folder / "reports").exists() or not list((program.folder / "reports").glob("2*"))


@pytest.mark.parametrize(
    ("content", "statuses", "said"),
    [
        (TABLE.removesuffix(LINES[5]) + "\0" * 881, ["accepted"] * 5, "881 NUL characters at the end were passed over"),
        (TABLE + ",".join(row(guid(7))), ["accepted"] * 7, "ends within row 8, after 3 of 4 cells"),
        (TABLE + "\x1a", ["accepted"] * 6, ""),
        ("\ufeff" * 2 + TABLE + "\ufeff" + TABLE.split("\r\n", maxsplit=1)[0] + "\r\n", ["accepted"] * 6, ""),
        (TABLE.replace("R2", '"R2').replace("R5", 'R5"'), ["accepted", "invalid", "accepted"], "several lines of ids"),
    ],
)
def test_what_can_be_read_is_run_with_a_word_about_the_rest(
    program: Program, partner: Partner, content: str, statuses: list[str], said: str
) -> None:
    (program.folder / "input.csv").write_bytes(content.encode())
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == int("invalid" in statuses), process.err
    assert said in process.err
    assert row_statuses(process.run) == statuses
