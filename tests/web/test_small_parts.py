"""The chain of the trail, names of uploads, addresses, sizes, buckets and the page's words."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from yarl import URL

from bulkreact.models import Status
from bulkreact.web import texts
from bulkreact.web.audit import FIRST, AuditLine, chain_hash
from bulkreact.web.jobs import JobState
from bulkreact.web.live import final_numbers
from bulkreact.web.plan_file import OPTION_DEFAULTS, FileRefusal, drop_unfit, reading_arguments
from bulkreact.web.rate_limits import Bucket, Door
from bulkreact.web.row_views import named_cells
from bulkreact.web.run_numbers import AtWork, Ended, RunFacts, Unstarted, judge
from bulkreact.web.serve_settings import is_safe_next, parse_address, parse_public_url, parse_size
from bulkreact.web.uploads import clean_name, display_name
from tests.support.made_runs import make_run
from tests.support.web_jobs import JOB

LINE = AuditLine(1, "2026-03-01T08:00:00.000Z", "local", "Zoë", "127.0.0.1", 1, 1, "uploaded", "a")


def test_a_line_of_the_trail_has_the_documented_hash() -> None:
    # Of 64 zeros and the JSON array, by sha256sum.
    assert chain_hash(FIRST, LINE) == "7ce0194042dc2089c6c890b53b8a11dd017aae538943d004e6a1068fcace89c3"


@pytest.mark.parametrize(
    ("event", "detail", "shown"),
    [
        ("uploaded", "ab" * 32, "file abab abab abab abab"),
        ("approved", f"sha256: {'1' * 64}; digest: {'2' * 64}; options: {'3' * 64}",
         "file 1111 1111 1111 1111; rows 2222 2222 2222 2222; options 3333 3333 3333 3333"),
        ("ended", "exit code 1", "some rows need attention"),
        ("ended", "exit code 3", "exit code 3"),
        ("rejected", "digest: wrong", "digest: wrong"),
    ],
)  # fmt: skip
def test_the_trail_is_shown_in_words_for_people(event: str, detail: str, shown: str) -> None:
    assert texts.describe_detail(event, detail) == shown


@pytest.mark.parametrize(
    ("detail", "sentence"),
    [
        ("exit code 1", "No. 1, a.csv has ended: finished, exit code 1"),
        ("exit code 143", "No. 1, a.csv has ended: stopped, exit code 143"),
        ("", "No. 1, a.csv has ended: stopped, its process was killed"),
    ],
)
def test_an_end_is_reported_as_it_was_when_the_job_is_continued_by_then(detail: str, sentence: str) -> None:
    job = replace(JOB, state=JobState.QUEUED, name="a.csv")
    assert texts.describe_event("ended", "bulkreact", job, detail) == sentence


@pytest.mark.parametrize(
    ("given_name", "shown", "cleaned"),
    [
        ("orders.csv", "orders.csv", "orders.csv"),
        ("C:\\Users\\ann\\März-Storno.xlsx", "März-Storno.xlsx", "Marz-Storno.xlsx"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("con.csv", "con.csv", "_con.csv"),
        ("-rf.csv", "-rf.csv", "-rf.csv"),
        (".hidden.csv", ".hidden.csv", "hidden.csv"),
        ("a\x00b\n.csv", "ab.csv", "ab.csv"),
        ("取消.xlsx", "取消.xlsx", "file.xlsx"),
        ("\u202egpj.csv", "\u202egpj.csv", "gpj.csv"),
        ("x" * 300 + ".csv.gz", "x" * 300 + ".csv.gz", "x" * 72 + ".csv.gz"),
    ],
)
def test_names_of_uploads_are_cut_and_cleaned(given_name: str, shown: str, cleaned: str) -> None:
    assert display_name(given_name) == shown
    assert clean_name(shown) == cleaned


@given(st.text())
def test_a_name_on_disk_leads_nowhere(name: str) -> None:
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= 81
    assert not cleaned.startswith(".")
    assert not set(cleaned) & set('/\\:*?"<>|\0\n')


@given(st.text() | st.text("/\\.%2eE:@?#;\t\n a"), st.sampled_from(["", "/bulk", "/bulk/x"]))
def test_no_next_leads_away_from_the_page(text: str, base: str) -> None:
    for path in (text, f"/{text}", f"{base}/{text}"):
        if is_safe_next(path, base):
            address = URL(f"https://page.example{base}/sign-in").join(URL(path.replace("%2e", ".").replace("%2E", ".")))
            assert address.origin() == URL("https://page.example")
            assert address.path.startswith(f"{base}/")


@pytest.mark.parametrize(
    "text",
    ["//evil", "/\\evil", "https:", "/%2f", "", "/bulkier/x", "/bulk", "/bulk/../x", "/bulk/%2E./x", "/bulk//evil"],
)
def test_next_stays_below_the_path(text: str) -> None:
    assert not is_safe_next(text, "/bulk")


@pytest.mark.parametrize(
    ("text", "origin", "path", "hosts"),
    [
        ("https://b.example.com/", "https://b.example.com", "", {"b.example.com"}),
        ("https://b.example.com:8443/x/y/", "https://b.example.com:8443", "/x/y", {"b.example.com:8443"}),
        ("http://127.0.0.1:80", "http://127.0.0.1", "", {"127.0.0.1", "localhost", "[::1]"}),
        ("http://[::1]:90/b", "http://[::1]:90", "/b", {"127.0.0.1:90", "localhost:90", "[::1]:90"}),
    ],
)
def test_public_urls_are_read(text: str, origin: str, path: str, hosts: set[str]) -> None:
    url = parse_public_url(text)
    assert (url.origin, url.path, set(url.hosts)) == (origin, path, hosts)


@pytest.mark.parametrize(
    "text",
    [
        "https://bülk.example",
        "http://b.example.com",
        "ftp://x",
        "b.example.com",
        "https://u:p@x",
        "https://x/../y",
        "https://x?q",
    ],
)
def test_other_public_urls_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|encrypted|path"):
        parse_public_url(text)


def test_sizes_and_addresses_are_read() -> None:
    assert [parse_size(text) for text in ("100MB", "5 kB", "7", "1GB")] == [100_000_000, 5000, 7, 1_000_000_000]
    assert [parse_address(text) for text in ("localhost", "::1", "10.0.0.1")] == ["127.0.0.1", "::1", "10.0.0.1"]


@pytest.mark.parametrize("text", ["", "0", "-1", "1TB", "MB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "example.com", "10.0.0"])
def test_names_are_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        parse_address(text)


def test_a_bucket_gives_what_it_has_and_is_filled_again() -> None:
    bucket = Bucket(2, 1.0)
    assert [bucket.wait_for("ann", 0.0) for _ in range(3)] == [0, 0, 1]
    assert bucket.wait_for("ben", 0.0) == 0
    assert [bucket.wait_for("ann", 0.5) for _ in range(2)] == [0, 1]


def test_a_door_opens_after_a_minute() -> None:
    door = Door()
    for _ in range(5):
        door.record_wrong(10.0)
    assert [door.wait_for(now) for now in (10.0, 69.5, 70.0)] == [60, 1, 0]


def test_options_of_a_job_are_single_arguments() -> None:
    options = {**OPTION_DEFAULTS, "customer_id": "--yes", "sheet": "-x y", "delimiter": ";", "kind_column": "Art"}
    arguments = reading_arguments({**options, "restore_auto_renew": "yes", "hidden_rows": "skip"})
    assert arguments == [
        "--kind=azure",
        "--map=customer_id=--yes",
        "--map=kind=Art",
        "--sheet=-x y",
        "--delimiter=;",
        "--hidden-rows=skip",
        "--restore-auto-renew",
    ]


@pytest.mark.parametrize(
    ("refused", "gone"),
    [
        (FileRefusal("no-header", "", header=["Kunde ", "x"]), ["Abo", "delimiter ;"]),
        (FileRefusal("missing-columns", "", header=["Kunde ", "x"]), ["Abo"]),
        (FileRefusal("no-sheet", ""), ["sheet One", "hidden_rows skip"]),
        (FileRefusal("bad-encoding", ""), ["encoding cp1252"]),
        (FileRefusal("no-rows", ""), []),
    ],
)
def test_what_was_chosen_for_another_file_is_dropped_when_this_one_refuses_it(
    refused: FileRefusal, gone: list[str]
) -> None:
    chosen = {"customer_id": "Kunde", "subscription_id": "Abo", "sheet": "One", "hidden_rows": "skip"}
    options, dropped = drop_unfit({**OPTION_DEFAULTS, **chosen, "delimiter": ";", "encoding": "cp1252"}, refused)
    assert dropped == gone
    assert options["customer_id"] == "Kunde"
    assert sum(not options[name] for name in (*chosen, "delimiter", "encoding")) == len(gone)


def test_equal_headers_are_numbered() -> None:
    assert named_cells(["a", "a", "b"], ["1", "2", "3", "4"]) == {"a": "1", "a (2)": "2", "b": "3", "": "4"}


def test_times_and_durations_are_written_in_one_way() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert texts.format_time("2026-11-29T19:31:00Z", zone) == "2026-11-29 20:31 CET"
    assert [texts.format_seconds(seconds) for seconds in (0, 40, 240, 7800)] == ["1 s", "40 s", "4 min", "2 h 10 min"]
    later = "Rate limit is exceeded. Try again in 172800 seconds."
    assert (
        texts.name_durations(later) == "Rate limit is exceeded. Try again in 172800 seconds (about 48 hours 0 minutes)."
    )
    assert texts.name_durations("Try again in 20 seconds.") == "Try again in 20 seconds."
    assert texts.progress_sentence(381, 1204, 10) == "Three in ten rows are settled, 10 need attention."
    assert texts.progress_sentence(0, 1204, 0) == "Fewer than one in ten rows are settled, 0 need attention."


@pytest.mark.parametrize(
    ("facts", "own", "begun", "expected"),
    [
        (RunFacts(exists=True, at_work=True), None, True, AtWork()),
        (RunFacts(exists=False, at_work=True), 5, False, AtWork()),
        (RunFacts(exists=False, at_work=False), None, False, Unstarted()),
        (RunFacts(exists=True, at_work=False), None, True, Ended(None)),
        (RunFacts(exists=True, at_work=False, exit_code=1), None, True, Ended(1)),
        (RunFacts(exists=True, at_work=False, exit_code=1), 0, True, Ended(1)),
        (RunFacts(exists=True, at_work=False, exit_code=0), 2, True, Ended(0)),
        (RunFacts(exists=False, at_work=False), 2, False, Ended(2)),
        (RunFacts(exists=True, at_work=False), -9, True, Ended(None)),
    ],
)
def test_what_has_become_of_a_run_follows_from_what_is_there(
    facts: RunFacts, own: int | None, begun: bool, expected: object
) -> None:
    assert judge(facts, own, has_begun=begun) == expected


@pytest.mark.parametrize("name", ["failed.csv", "failed.xlsx"])
def test_advice_names_the_file_that_can_be_corrected(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path / "20260301T120000Z-test-0000", 2, Status.FAILED)
    (folder / name).touch()
    (reason,) = final_numbers(folder).reasons
    assert reason.advice.endswith(f"run {name}.")
