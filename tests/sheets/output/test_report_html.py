"""The report for people: correct, complete, safe whatever the file holds, and readable without other files."""

import json
import re
import shutil
import signal
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.batch.journal.call_timeline import bucket_seconds
from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.models import Answer, Call, CustomerSummary, Outcome, ResultRow, SessionTimeline, Status
from bulkreact.partnercenter.error_codes.lookup import advice, lookup_outcome
from bulkreact.result_chunk import ResultChunk
from bulkreact.sheets.output import charts, report_html
from bulkreact.sheets.output.report_data import (
    NextStep,
    ReportBuilder,
    ReportFile,
    RunEvent,
    RunReport,
    summarize_statuses,
)
from bulkreact.sheets.output.report_rows import KnownColumns
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.html_page import Page
from tests.support.ids import AT, HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, run, wait_until

MIXED: list[int | str] = [202, 202, 900337, 800111, 20002, 1503, 429, 900278, 1202, 202]
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# A mark per kind of dangerous text: elements, attributes, ends of comments, directions, controls, a word that never ends.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "' onmouseover='alert(3)",
    "]]><!-- & &lt; {{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\u202c \u2066\u200f\ufeff",
    "bell\x07 escape\x1b[31m",
    "w" * 3000,
)


def report(folder: Path) -> Page:
    return Page(folder / "report.html")


def summary(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return content


def test_a_run_leaves_a_whole_private_report_that_the_summary_names(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [*MIXED, "a"], "--attempts", "1")
    path = ended.run / "report.html"
    assert summary(ended.run)["files"]["report"] == str(path.resolve())
    assert path.stat().st_mode & 0o777 == 0o600
    read = Page(path)
    assert (read.broken, read.open) == ([], [])
    assert path.read_text(encoding="utf-8").endswith("</html>\n")


def test_its_numbers_are_those_of_the_results(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [*MIXED, *range(300, 320), "a"], "--attempts", "1", "--halt-on-failures", "off")
    lines, counts = read_csv(ended.run / "results.csv"), summary(ended.run)
    read = report(ended.run)
    statuses = Counter(line["status"] for line in lines)
    assert {status: read.numbers().get(status, 0) for status in Status} == counts["counts"]
    assert statuses == {status: number for status, number in counts["counts"].items() if number}
    well = sum(statuses[status] for status in ("reactivated", "accepted", "already_active"))
    assert f"{well} of {len(lines)} rows ended well" in read.text
    failed = len(read_csv(ended.run / "failed.csv"))
    assert f"{failed} rows did not end well" in read.text
    assert f"Exit code {ended.code}:" in read.text
    customers = Counter(line["customer_id"] for line in lines)
    assert {customer: read.numbers()[customer] for customer in customers} == customers
    troubled = Counter(line["customer_id"] for line in read_csv(ended.run / "failed.csv"))
    assert {customer: read.numbers(2)[customer] for customer in customers} == {
        **dict.fromkeys(customers, 0),
        **troubled,
    }


def test_every_row_that_did_not_end_well_is_listed_under_its_code_with_its_advice(
    program: Program, partner: Partner
) -> None:
    ended = run(program, partner, MIXED, "--attempts", "1", "--halt-on-failures", "off")
    errors = report(ended.run).articles
    listed = {(texts[0], row) for texts in errors for row in texts[texts.index("Rows") + 1].split(", ")}
    advised = {(texts[0], texts[texts.index("What to do") + 1]) for texts in errors}
    lines = read_csv(ended.run / "failed.csv")
    assert listed == {(line["error_code"] or line["status"], line["row"]) for line in lines}
    assert advised == {(line["error_code"] or line["status"], line["advice"]) for line in lines}
    counted = Counter((line["error_code"] or line["status"], line["advice"]) for line in lines)
    shown = [(texts[1].split(" row")[0], len(texts[texts.index("Rows") + 1].split(", "))) for texts in errors]
    assert sorted(shown) == sorted((str(number), number) for number in counted.values())
    assert "more rows" not in report(ended.run).sections["errors"]


def test_what_a_limit_left_out_is_neither_a_good_end_nor_a_bad_one(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", 800111, "c", "d", "e"], "--limit", "3", "--halt-on-failures", "off")
    read = report(ended.run)
    assert "2 of 5 rows ended well" in read.text
    assert "1 row did not end well. --limit left 2 rows out." in read.text
    assert f"bulkreact resume {ended.run.name}" in read.sections["ways"]
    assert "limit" not in read.sections["errors"]


@pytest.mark.soak
def test_the_calls_over_time_are_the_calls_that_were_made(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [202, 429, 429, 1503, 202])
    calls = summary(ended.run)["calls"]
    rows = [cells for cells in report(ended.run).cells if re.fullmatch(r"\d+:\d\d:\d\d", cells[0])]
    assert sum(int(cells[1]) for cells in rows) == calls["sent"]
    assert sum(int(cells[2]) for cells in rows) == calls["throttled"] > 0


def test_the_ways_to_continue_are_those_that_the_terminal_names(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [*MIXED, 208], "--attempts", "1", "--halt-on-failures", "off")
    ways = report(ended.run).sections["ways"]
    commands = re.findall(r"bulkreact (?:retry|verify) \S+", ended.err)
    assert len(commands) == 2
    assert [command for command in commands if command not in ways] == []
    assert str((ended.run / "failed.csv").resolve()) in ways


def test_a_halted_run_says_so_and_how_to_continue(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [800111] * 30, "--halt-after", "5", "--verify", "--verify-after", "0")
    assert ended.code == 4
    read = report(ended.run)
    assert "The run was halted: " in read.text
    assert "Not finished." in read.text
    assert f"bulkreact resume {ended.run.name} --verify" in read.sections["ways"]
    assert f"bulkreact resume {ended.run.name} --verify" in ended.err


def test_a_killed_run_is_reported_without_an_end(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour())
    write_csv(program.folder / "input.csv", [row(guid(number), number % 3) for number in range(200)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--rate", "20/s", "--yes")
    wait_until(lambda: len(partner.requests()) >= 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = (path.parent for path in program.folder.glob("reports/*/journal.sqlite3"))
    assert not (folder / "report.html").exists()
    program("results", folder.name)
    read = report(folder)
    assert "no end recorded" in read.text
    assert f"bulkreact resume {folder.name}" in read.sections["ways"]
    assert {status: read.numbers().get(status, 0) for status in Status} == summary(folder)["counts"]
    assert read.numbers()["not_attempted"] > 100


def test_verify_and_results_write_it_again_and_it_stays_true(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", "b", "c"])
    assert report(ended.run).numbers()["accepted"] == 3
    partner.service.behaviour = Behaviour(activation_delay=0)
    verified = program("verify", ended.run.name, *FAST)
    assert verified.code == 0
    read = report(ended.run)
    assert {status: read.numbers().get(status, 0) for status in Status} == summary(ended.run)["counts"]
    assert "verify, " in read.sections["timeline"]
    before = (ended.run / "report.html").read_bytes()
    (ended.run / "report.html").unlink()
    program("results", ended.run.name)
    assert (ended.run / "report.html").read_bytes() == before
    elsewhere = program("results", ended.run.name, "--to", "elsewhere")
    assert elsewhere.code == 0
    assert (program.folder / "elsewhere" / "report.html").exists()


def test_a_retry_is_called_one_and_the_old_report_says_where_the_rows_are(program: Program, partner: Partner) -> None:
    first = run(program, partner, [202, 4599, 1503], "--attempts", "1", "--halt-on-failures", "off")
    folder = first.run
    program("retry", folder.name, *FAST, "--attempts", "1")
    assert "Retry of input.csv" in report(latest_run(program)).text
    program("results", folder.name)
    assert "by a later retry, whose results say how they ended" in report(folder).text


def test_a_simulated_run_says_so_and_a_real_one_does_not(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "sample.csv", [row(guid(1))])
    practised = program("run", "sample.csv", "--simulate")
    assert "nothing was reactivated for real" in report(practised.run).text
    shutil.rmtree(program.folder / "reports")
    assert "imulated" not in report(run(program, partner, ["a"]).run).text


def test_a_run_of_nothing_has_a_report_too(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [])
    ended = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--allow-empty")
    assert ended.code == 0
    read = report(ended.run)
    assert (read.broken, read.open) == ([], [])
    assert "There were no rows" in read.text
    assert "No calls were made." in read.text


def test_cells_of_the_input_are_text_and_nothing_else(program: Program, partner: Partner) -> None:
    def run_and_report(name: str, cells: tuple[str, ...]) -> Page:
        shutil.rmtree(program.folder / "reports", ignore_errors=True)
        header = (*HEADER, *(f"{cell[:50]}{number}" for number, cell in enumerate(cells)))
        plain = (*row(scenario_id(800111, 1)), *cells)
        broken = [(guid(1001), guid(2001), cell, *cells) for cell in cells]
        write_csv(program.folder / name, [plain, *broken], header)
        return report(program("run", name, "--base-url", partner.base_url, *FAST, "--limit", "1").run)

    tame = run_and_report("tame.csv", ("tame",) * len(HOSTILE))
    wild = run_and_report("<img src=x onerror='alert(9)'>\u202e&.csv", HOSTILE)
    assert wild.broken == []
    assert {tag for tag, _ in wild.elements} == {tag for tag, _ in tame.elements}
    assert set(wild.shape) == set(tame.shape)
    assert "<img src=x onerror='alert(9)'>\ufffd&.csv" in wild.text
    assert "<script>" in wild.text
    assert not INVISIBLE.search(wild.text)


def make_report(text: str, number: int = 1) -> RunReport:
    """Return a report in which whatever can come from outside is this text."""
    gathering = ReportBuilder(columns=KnownColumns(0, 1, text))
    call = Call(1, text, text, AT, AT, Answer(404, text, text, business=True))
    for row_number in range(number):
        gathering.add(
            ResultRow(
                row_number,
                (text, text),
                Outcome(Status.FAILED, 1, call, text, text),
                succeeded=False,
                excluded_by_limit=False,
            )
        )
    return RunReport(
        title=text,
        headline=text,
        verdict=text,
        severity="mixed",
        exit_code=1,
        exit_description=text,
        started_at=AT,
        ended_at=AT,
        operator=text,
        run_id=text,
        version=text,
        simulated=True,
        key_numbers=((text, text),),
        statuses=summarize_statuses([(Status.FAILED, number)]),
        next_steps=(NextStep(text, text, text),),
        groups=gathering.groups(),
        other_rows=0,
        rows=tuple(gathering.rows),
        more_rows=number - len(gathering.rows),
        more_rows_file="failed.csv",
        reference_header=text,
        failed_file="failed.csv",
        files=(ReportFile("results.csv", text),),
        customers=(CustomerSummary(guid(1), number, number, ((Status.FAILED, number),), text),),
        customer_count=0,
        affected_count=0,
        sessions=(SessionTimeline(text, AT, 1, ((2, 1),)),),
        earlier_sessions=0,
        events=(RunEvent(AT, AT, text, text),),
        earlier_events=1,
        details=((text, text),),
    )


_characters = st.characters(codec="utf-8") | st.sampled_from("<>&'\"/=-!{}%#\x00\r\u202e\u2028") | st.just("\ud800")


@given(
    st.text(_characters, max_size=30).map(lambda text: f"x{text}") | st.sampled_from([f"x{text}" for text in HOSTILE])
)
def test_no_text_changes_the_shape_of_the_page(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("page")
    report_html.write(folder, make_report(text))
    wild = report(folder)
    report_html.write(folder, make_report("x"))
    assert wild.shape == report(folder).shape
    assert report_html.strip_control_characters(text[:300]).strip() in wild.text
    assert not INVISIBLE.search(wild.text)


def test_it_loads_nothing(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [*MIXED, 429], "--attempts", "1")
    read, source = report(ended.run), (ended.run / "report.html").read_text(encoding="utf-8")
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"link", "iframe", "object", "embed", "img", "image", "base", "form", "use"}
    assert read.attributes("src", "xlink:href", "srcset", "action", "style", "http-equiv") == [
        "Content-Security-Policy"
    ]
    assert [
        link for link in read.attributes("href") if not link.startswith("#") and not (ended.run / link).is_file()
    ] == []
    assert not [name for _, values in read.elements for name in values if name.startswith("on")]
    assert {link for link in re.findall(r"url\((.*?)\)", source) if not link.startswith("#")} == set()
    assert "@import" not in source
    policy = next(values["content"] for _, values in read.elements if "http-equiv" in values).split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} < {
        *policy
    }
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_rows_that_need_attention_are_listed_as_people_know_them(program: Program, partner: Partner) -> None:
    ids = [row(scenario_id(http, number), number) for number, http in enumerate([202, 800111, 900278, 20002])]
    cells = [("Contoso, Ltd", "INV-1"), ("Fabrikam <Tiles>", " INV-2 "), ("", "INV-3"), ("Lucerne", "")]
    lines = [(name, *target, invoice) for (name, invoice), target in zip(cells, ids, strict=True)]
    write_csv(program.folder / "input.csv", lines, ("Kundenname", *HEADER, "Rechnungsnummer"))
    ended = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--attempts", "1")
    listed = [cells for cells in report(ended.run).cells if len(cells) == 6 and cells[0].isdecimal()]
    failed = read_csv(ended.run / "failed.csv")
    assert [(cells[0], cells[3], cells[5]) for cells in listed] == [
        (line["row"], line["status"], line["advice"]) for line in failed
    ]
    assert [cells[1:3] for cells in listed] == [
        [f"Fabrikam <Tiles>{ids[1][0]}", "INV-2"],
        [ids[2][0], "INV-3"],
        [f"Lucerne{ids[3][0]}", ""],
    ]
    described = [(line["error_code"], line["error_description"]) for line in failed]
    assert [
        cells for cells, parts in zip(listed, described, strict=True) if not all(map(cells[4].__contains__, parts))
    ] == []
    assert "Rechnungsnummer" in report(ended.run).sections["rows"]
    customers = report(ended.run).sections["customers"]
    assert ("Contoso, Ltd" in customers, "Fabrikam <Tiles>" in customers) == (True, True)


def test_a_run_whose_rows_ended_well_lists_none(program: Program, partner: Partner) -> None:
    read = report(run(program, partner, ["a", "b"]).run)
    assert "rows" not in read.sections
    assert [link for link in read.attributes("href") if link == "#rows"] == []


def test_of_many_rows_the_first_are_listed_and_the_file_is_named_for_the_others(tmp_path: Path) -> None:
    report_html.write(tmp_path, make_report("x", 2100))
    read = report(tmp_path)
    assert len([cells for cells in read.cells if cells[1:3] == ["x", "x"]]) == 2000
    assert "These are the first 2,000 rows. The other 100 are in failed.csv." in read.sections["rows"]


def test_long_cells_take_little_room_in_a_listed_row() -> None:
    call = Call(1, "", "", AT, AT, Answer(404, "800111", "d" * 5000, business=True))
    outcome = Outcome(Status.FAILED, 1, call, "800111", "d" * 5000)
    builder = ReportBuilder(columns=KnownColumns(0, 1, "Invoice"))
    builder.add(ResultRow(2, ("n" * 5000, "i" * 5000), outcome, succeeded=False, excluded_by_limit=False))
    (listed,) = builder.rows
    assert sum(map(len, (listed.customer, listed.reference, listed.description))) < 500
    assert [text[-1] for text in (listed.customer, listed.reference, listed.description)] == ["…"] * 3


def test_a_row_with_fewer_cells_than_the_header_is_listed() -> None:
    outcome = Outcome(Status.INVALID, 0, None, "ragged-row", "")
    builder = ReportBuilder(columns=KnownColumns(7, 8, "Invoice"))
    builder.add(ResultRow(2, ("a",), outcome, succeeded=False, excluded_by_limit=False))
    assert [(listed.customer, listed.reference) for listed in builder.rows] == [("", "")]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (timezone(timedelta(hours=2), "CEST"), "1 July 2026, 01:30:05 CEST (30 June 2026, 23:30:05 UTC)"),
        (timezone(timedelta(hours=-4), "EDT"), "30 June 2026, 19:30:05 EDT (23:30:05 UTC)"),
        (timezone(timedelta(hours=-3), "-03"), "30 June 2026, 20:30:05 UTC-03:00 (23:30:05 UTC)"),
        (UTC, "30 June 2026, 23:30:05 UTC"),
    ],
)
def test_times_are_local_with_their_zone_and_in_utc(zone: tzinfo, shown: str) -> None:
    assert report_html.local_time("2026-06-30T23:30:05.123Z", zone) == shown


def test_it_can_be_read_by_those_who_do_not_see_it(program: Program, partner: Partner) -> None:
    read = report(run(program, partner, [*MIXED, 429], "--attempts", "1").run)
    tags = Counter(tag for tag, _ in read.elements)
    assert (tags["h1"], tags["main"], tags["header"], tags["footer"]) == (1, 1, 1, 1)
    assert ("html", {"lang": "en"}) in read.elements
    assert {values.get("scope") for tag, values in read.elements if tag == "th"} == {"col", "row"}
    drawings = [values for tag, values in read.elements if tag == "svg" and "aria-hidden" not in values]
    assert {values["role"] for values in drawings} == {"img"}
    ids = read.attributes("id")
    assert len(ids) == len(set(ids))
    named = {name for names in read.attributes("aria-labelledby") for name in names.split()}
    assert named <= set(ids)


def test_long_lists_are_cut_and_say_so(program: Program, partner: Partner) -> None:
    rows = [row(scenario_id(800111 if number % 2 else 202, number), customer=number) for number in range(160)]
    write_csv(program.folder / "input.csv", rows)
    ended = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--halt-on-failures", "off")
    read = report(ended.run)
    assert "and 30 more: see failed.csv" in read.sections["errors"]
    assert "And 110 more customers: see results.csv." in read.sections["customers"]
    assert "80 of 160 customers had rows that did not end well" in read.sections["customers"]


def test_codes_without_end_are_counted_though_not_all_are_shown() -> None:
    gathering = ReportBuilder()
    for number in range(3000):
        outcome = Outcome(Status.FAILED, 1, None, f"code-{number % 1500}", "")
        gathering.add(ResultRow(number, (), outcome, succeeded=False, excluded_by_limit=False))
    assert (gathering.needing_attention, len(gathering.groups()), len(gathering._groups)) == (3000, 50, 1000)
    assert {group.rows for group in gathering.groups()} == {2}


def test_rows_that_follow_each_other_take_no_room() -> None:
    gathering = ReportBuilder()
    for number in [2, 3, 4, 9, *range(20, 100_000)]:
        outcome = Outcome(Status.INVALID, 0, None, "no-ids", "")
        gathering.add(ResultRow(number, (), outcome, succeeded=False, excluded_by_limit=False))
    (group,) = gathering.groups()
    assert (group.ranges, group.hidden) == ([(2, 4), (9, 9), (20, 99_999)], 0)


def test_customers_without_end_are_counted_in_a_file() -> None:
    untouched = Outcome(Status.NOT_ATTEMPTED, 0, None)
    with CustomerCounts() as counts:
        for number in range(90_000):
            bad = number % 40_000 == 7
            row = ResultRow(number, (), untouched, not bad, excluded_by_limit=False, customer_id=guid(number % 40_000))
            counts.add_chunk(ResultChunk([], {number: row}))
        assert len(counts._in_memory) < 20_000
        assert counts.totals() == (40_000, 1)
        worst, second = counts.most_affected(2)
    assert (worst.customer_id, worst.rows, worst.needing_attention) == (guid(7), 3, 3)
    assert (second.rows, second.needing_attention) == (3, 0)
    assert worst.statuses == ((Status.NOT_ATTEMPTED, 3),)


def test_a_report_that_cannot_be_written_leaves_the_older_one_and_is_said(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a"])
    (ended.run / "report.html").unlink()
    (ended.run / "report.html").mkdir()
    again = program("results", ended.run.name)
    assert again.code == 74
    assert "bulkreact results" in again.err
    assert [path for path in ended.run.iterdir() if path.name.endswith(".partial")] == []


def test_a_page_that_breaks_while_it_is_written_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_html.write(tmp_path, make_report("old"))
    before = (tmp_path / "report.html").read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        report_html.write(tmp_path, make_report("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == before


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=10))
def test_the_bar_is_full_and_every_segment_visible(numbers: list[int]) -> None:
    pieces = charts.bar_segments(numbers)
    assert sum(piece.width for piece in pieces) == pytest.approx(charts.WIDTH, abs=0.1)
    assert min(piece.width for piece in pieces) > 4
    assert [piece.x for piece in pieces] == sorted(piece.x for piece in pieces)


@given(
    st.lists(
        st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda pair: (max(pair), min(pair))), min_size=1
    ).filter(lambda all_: max(all_)[0])
)
def test_columns_stay_in_the_drawing(slices: list[tuple[int, int]]) -> None:
    drawn = charts.timeline_bars(SessionTimeline("run", AT, 1, tuple(slices)))
    assert [(column.calls, column.throttled) for column in drawn] == slices
    for column in drawn:
        assert column.all_calls.x + column.all_calls.width <= charts.WIDTH + 0.1
        assert column.all_calls.y + column.all_calls.height == pytest.approx(charts.HEIGHT, abs=0.02)
        assert column.throttled_calls.height <= max(column.all_calls.height, 2)


@given(st.floats(0, 10**9))
def test_there_are_never_too_many_slices(seconds: float) -> None:
    assert seconds / bucket_seconds(seconds) < 61


@given(st.sampled_from(Status), st.none() | st.integers(200, 599), st.sampled_from(["", "900337", "800111", "no-ids"]))
def test_description_and_advice_are_of_the_same_entry(status: Status, http_status: int | None, code: str) -> None:
    entry = lookup_outcome(status, http_status, code)
    assert (entry.advice, bool(entry.description)) == (advice(status, http_status, code), True)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("behind", ["paper", "ground", "notice"])
@pytest.mark.parametrize("text", ["ink", "soft", "strong", "good", "mixed", "stopped"])
def test_text_contrasts_with_its_background(tmp_path: Path, scheme: int, behind: str, text: str) -> None:
    report_html.write(tmp_path, make_report("x"))
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", source, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): #([0-9a-f]+);", block))
    dark, light = sorted([luminance(colours[behind]), luminance(colours[text])])
    assert (light + 0.05) / (dark + 0.05) >= 4.5
