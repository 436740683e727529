"""An inbox that gets nothing new is a failure after a while; and what monitors get about a sweep."""

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from bulkreact.cli.app import _bulkreact
from bulkreact.cli.commands import sweep as sweeping
from bulkreact.inbox.outcomes import inactivity_message
from tests.support.ids import HEADER, guid, row, scenario_id, write_csv
from tests.support.inboxes import drop_file, inbox_folder, run_journals, sweep, sweep_options
from tests.support.program import CANARY, Partner, Program
from tests.support.run_commands import FAST, wait_until
from tests.support.webhook_receiver import Receiver, receiving

WEEK = timedelta(days=7).total_seconds()
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.mark.parametrize(
    ("days", "within", "silent"), [(8, WEEK, True), (7, WEEK, False), (8, None, False), (6.99, WEEK, False)]
)
def test_silence_is_what_lasts_longer_than_is_allowed(days: float, within: float | None, silent: bool) -> None:
    assert bool(inactivity_message(START, START + timedelta(days=days), within)) is silent


def write_hidden_rows(folder: Path) -> Path:
    """Write a workbook of which every row with data is hidden."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    sheet.append(row(guid(1)))
    sheet.row_dimensions[2].hidden = True
    book.save(folder / "input.xlsx")
    return folder / "input.xlsx"


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda folder: write_csv(folder / "input.csv", []), 2, "has no rows"),
        (lambda folder: write_csv(folder / "input.csv", [("x", "y", "z")]), 1, "invalid-customer-id"),
        (write_hidden_rows, 2, "has no rows"),
    ],
    ids=["no rows", "all invalid", "all skipped"],
)
def test_a_run_that_does_nothing_is_loud_even_when_quiet(
    program: Program, partner: Partner, make: Callable[[Path], Path], code: int, message: str
) -> None:
    path = make(program.folder)
    skip = ("--hidden-rows", "skip") if path.suffix == ".xlsx" else ()
    process = program("run", path.name, "--base-url", partner.base_url, *FAST, "-q", *skip)
    assert process.code == code
    assert message in process.err
    assert partner.requests() == []


def test_a_run_that_does_nothing_is_quiet_where_that_is_allowed(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "-q", "--allow-empty")
    assert (process.code, process.err) == (0, "")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.days = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


@pytest.fixture
def clock(program: Program, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let sweeps in this process have a clock that is set by hand, in the program's folder."""
    clock = Clock()
    monkeypatch.setattr(sweeping, "utc_now", clock)
    monkeypatch.chdir(program.folder)
    monkeypatch.setenv("BULKREACT_ACCESS_TOKEN", CANARY)
    monkeypatch.setenv("BULKREACT_STATE_DIR", str(program.folder / "state"))
    inbox_folder(program)
    return clock


def sweep_here(partner: Partner, *more: str) -> object:
    """Sweep within this process and return the exit code."""
    return _bulkreact.main(["sweep", *sweep_options(partner), "-q", *more], standalone_mode=False)


def test_an_inbox_without_anything_new_is_reported_after_a_while(
    program: Program, partner: Partner, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    expecting = ("--expect-within", "7d")
    assert sweep_here(partner, *expecting) == 0
    clock.days = 6
    assert sweep_here(partner, *expecting) == 0
    clock.days = 8
    assert sweep_here(partner) == 0
    assert capsys.readouterr().err == ""
    assert sweep_here(partner, *expecting) == 1
    assert re.search("inputs: no new file since .* \\(8 days ago; limit: 7 days\\)", capsys.readouterr().err)
    drop_file(program, "a.csv", 100)
    assert sweep_here(partner, *expecting) == 0
    assert capsys.readouterr().err == ""


def test_a_copy_is_nothing_new(program: Program, partner: Partner, clock: Clock) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    assert sweep_here(partner) == 0
    clock.days = 8
    (inbox_folder(program) / "b.csv").write_bytes(content)
    assert sweep_here(partner, "--allow-empty", "--expect-within", "7d") == 1


def test_each_inbox_has_a_silence_of_its_own(program: Program, partner: Partner, clock: Clock) -> None:
    (program.folder / "other").mkdir()
    assert sweep_here(partner, "other") == 0
    clock.days = 8
    assert sweep_here(partner, "--expect-within", "7d") == 0
    assert sweep_here(partner, "other", "--expect-within", "7d") == 1


def test_silence_is_a_failure_for_monitors(partner: Partner, clock: Clock, receiver: Receiver) -> None:
    sweep_here(partner)
    clock.days = 8
    assert (
        sweep_here(partner, "--expect-within", "7d", "--ping", receiver.url, "--notify-url", f"{receiver.url}/hook")
        == 1
    )
    assert receiver.paths == ["/start", "/fail", "/hook"]
    assert "no new file since" in receiver.body("/fail")
    files = receiver.content("/hook")["files"]
    assert isinstance(files, list)
    assert [file["outcome"] for file in files] == ["silent"]


def test_an_idle_sweep_pings_success_and_posts_nothing(program: Program, partner: Partner, receiver: Receiver) -> None:
    assert sweep(program, partner, "--ping", receiver.url, "--notify-url", f"{receiver.url}/hook").code == 0
    assert receiver.paths == ["/start", "/"]


def test_a_sweep_posts_what_became_of_each_file(program: Program, partner: Partner, receiver: Receiver) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    drop_file(program, "a.csv", 100)
    write_csv(inbox_folder(program) / "b.csv", [row(scenario_id(800111)), row(guid(300))])
    process = sweep(program, partner, "--ping", receiver.url, "--notify-url", f"{receiver.url}/hook")
    assert process.code == 2
    assert receiver.paths == ["/start", "/fail", "/hook"]
    content = receiver.content("/hook")
    files, posted_runs = content["files"], content["runs"]
    assert isinstance(files, list)
    assert isinstance(posted_runs, list)
    assert {file["name"]: (file["outcome"], file["exit_code"]) for file in files} == {
        "a.csv": ("run", 0),
        "b.csv": ("run", 1),
        "bad.csv": ("refused", 2),
    }
    assert {run["run_id"] for run in posted_runs} == {path.parent.name for path in run_journals(program)}
    assert "bad.csv" in receiver.body("/fail")
    posted = "".join(body for _, body in receiver.posts)
    assert not [secret for secret in (guid(100), guid(101), guid(300)) if secret in posted]


def test_watching_pings_after_every_pass(program: Program, partner: Partner, receiver: Receiver) -> None:
    drop_file(program, "a.csv", 100)
    process = program.start("sweep", *sweep_options(partner), "--watch", "--every", "0.2", "--ping", receiver.url, "-q")
    wait_until(lambda: len(receiver.paths) >= 4)
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert (ended.code, ended.err) == (0, "")
    assert receiver.paths[0] == "/start"
    assert set(receiver.paths[1:]) == {"/"}


def test_metrics_of_a_sweep_survive_promtool(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    assert sweep(program, partner, "--metrics", "m.prom").code == 2
    text = (program.folder / "m.prom").read_text()
    counts = dict(re.findall(r'^bulkreact_last_sweep_files\{.*outcome="(\w+)".*\} (\S+)$', text, re.MULTILINE))
    assert counts == {"run": "1.0", "copy": "0.0", "refused": "1.0", "waiting": "0.0", "silent": "0.0"}
    assert "bulkreact_inbox_news_timestamp_seconds{" in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong_with_the_metrics_of_a_sweep(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    sweep(program, partner, "--metrics", "m.prom")
    checked = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - wherever it is installed
        input=(program.folder / "m.prom").read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_sweep_of_nothing_leaves_the_heartbeat_of_the_last_run(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    sweep(program, partner)
    latest = program.folder / "reports" / "latest.json"
    before = latest.read_bytes()
    sweep(program, partner)
    assert latest.read_bytes() == before
    assert json.loads(before)["command"] == "sweep"


@pytest.mark.parametrize("where", ["environment", "file"])
def test_the_options_of_a_sweep_can_come_from_file_and_environment(
    program: Program, partner: Partner, where: str
) -> None:
    folder: Path = program.folder / "finance"
    folder.mkdir()
    write_csv(folder / "a.csv", [row(guid(1))])
    values = {"base_url": partner.base_url, "yes": "true", "settle": "0", "keep": "true"}
    text = "\n".join(f"{name} = {value if value == 'true' else json.dumps(value)}" for name, value in values.items())
    (program.folder / "bulkreact.toml").write_text(f"[sweep]\n{text}\n" if where == "file" else "")
    program.environment |= (
        {f"BULKREACT_SWEEP_{name.upper()}": value for name, value in values.items()} if where == "environment" else {}
    )
    assert program("sweep", "finance").code == 0
    assert [path.name for path in folder.iterdir()] == ["a.csv"]
    assert len(partner.requests()) == 1
