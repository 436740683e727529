"""What is shown of a run under way: how far it is, how fast, for how long yet, and what it waits for."""

import json
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bulkreact.batch.environment import OutageRecord, Phase, PhaseProgress, WaitReason, WaitState
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.cli.output.json_console import JsonReporter
from bulkreact.cli.output.progress_reports import reporting_progress
from bulkreact.cli.output.progress_view import ProgressView, showing_progress
from bulkreact.models import Response, Target
from bulkreact.runs.outage_messages import describe_outage
from bulkreact.runs.output_options import Output
from bulkreact.runs.progress_lines import format_progress, format_waits
from bulkreact.runs.progress_meter import ProgressMeter, ProgressSnapshot, estimate_time_left
from bulkreact.settings import Limits, Verification
from bulkreact.wording import format_duration
from tests.support.ids import guid, scenario_id, target
from tests.support.virtual_run import VirtualRun

BUSY = WaitState({WaitReason.BUSY: 2}, next_seconds=94.2, attempt=3, longest_seconds=110.0, is_tail=True)
LARGE = ProgressSnapshot("Reactivating", 99_998, 100_000, 12_345, 110_000, 1234.0, 110.0, at_least=True, waits=BUSY)


class FakePhase:
    """A phase whose numbers a test sets."""

    title = "Reactivating"
    stopping = False

    def __init__(self) -> None:
        self.progress = PhaseProgress(100)

    def wait_state(self) -> WaitState:
        return WaitState()

    def interrupt(self, *, terminated: bool) -> None:
        del terminated


def watch(folder: Path, targets: list[Target], answer: Response | None = None, *, until: float = 0) -> VirtualRun:
    """Return a run of targets whose service answers so until a time."""
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal(targets)
    virtual_run.answer = lambda sent: answer if sent.at < until else None
    return virtual_run


def snapshots(virtual_run: VirtualRun, **limits: object) -> list[ProgressSnapshot]:
    """Work on a run; return what was measured of it every minute."""
    measured: list[ProgressSnapshot] = []
    virtual_run.show = lambda phase: reporting_progress(phase, measured.append)
    virtual_run.work(Limits(**limits))  # type: ignore[arg-type]
    return measured


def parents(ending: int, children: int) -> list[Target]:
    parent = scenario_id(ending)
    return [Target(guid(1), parent, "")] + [Target(guid(1), parent, guid(10 + child)) for child in range(children)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_rows_time_left_and_failures_are_shown_at_every_width(width: int) -> None:
    line = format_progress(LARGE, width)
    assert len(line) <= width
    assert "99,998/100,000  at least 1:50 left  12,345 failed" in line
    assert ("1,234 calls/min" in line) is (width > 60)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_waits_is_on_a_line_of_its_own(width: int) -> None:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(ProgressView(LARGE))
    first, second = capture.get().splitlines()
    assert "99,998/100,000" in first
    assert second.strip() == "2 rows wait: busy; next call in 1:35 (attempt 3)"


@pytest.mark.parametrize(
    ("waits", "line"),
    [
        (WaitState(), ""),
        (WaitState(next_seconds=3.0, longest_seconds=3.0), ""),
        (
            WaitState({WaitReason.BUSY: 8, WaitReason.PARENT: 1}, next_seconds=95.0),
            "9 rows wait: 8 busy, 1 for their parent; next call in 1:35",
        ),
        (
            WaitState({WaitReason.THROTTLED: 1}, customers=1, next_seconds=5.0, attempt=2),
            "1 row waits: throttled; 1 customer throttled; next call in 0:05 (attempt 2)",
        ),
        (
            WaitState({WaitReason.THROTTLED: 2}, customers=1, customer="Kessler", next_seconds=5.0),
            "2 rows wait: throttled; customer Kessler throttled; next call in 0:05",
        ),
        (
            WaitState({WaitReason.THROTTLED: 2}, customers=3, customer="Kessler", next_seconds=5.0),
            "2 rows wait: throttled; customer Kessler and 2 more throttled; next call in 0:05",
        ),
        (WaitState(held=WaitReason.THROTTLED, next_seconds=5.0), "Throttled: 1,200 rows wait; next call in 0:05"),
        (
            WaitState(held=WaitReason.OUTAGE, next_seconds=12.0, attempt=4, gives_up_seconds=1700.0),
            "Partner Center is down: 1,200 rows wait; probe 4 in 0:12; stops in 28:20",
        ),
        (
            WaitState(held=WaitReason.OUTAGE, next_seconds=0.0, attempt=4),
            "Partner Center is down: 1,200 rows wait; probe 4 is on its way",
        ),
    ],
)
def test_what_waits_is_described_with_its_reason_and_time(waits: WaitState, line: str) -> None:
    assert format_waits(waits, 1200) == line


@pytest.mark.parametrize(
    ("open_rows", "rate", "waits", "left"),
    [
        (0, 0.0, WaitState(), (0.0, False)),
        (50, 5.0, WaitState(), (10.0, False)),
        (50, 0.0, WaitState(), (None, False)),
        (2, 5.0, BUSY, (110.0, True)),
        (50, 5.0, WaitState(next_seconds=3.0, longest_seconds=120.0), (120.0, True)),
        (50, 0.0, WaitState(next_seconds=3.0, longest_seconds=120.0), (120.0, True)),
        (50, 5.0, WaitState(held=WaitReason.THROTTLED, next_seconds=60.0), (70.0, False)),
        (50, 5.0, WaitState(held=WaitReason.OUTAGE, next_seconds=60.0), (None, False)),
    ],
)
def test_the_time_left_counts_what_waits(
    open_rows: int, rate: float, waits: WaitState, left: tuple[float | None, bool]
) -> None:
    assert estimate_time_left(open_rows, rate, waits) == left


def test_the_pace_is_that_of_the_last_ten_seconds() -> None:
    phase = FakePhase()
    meter = ProgressMeter(phase, 0.0)
    paces = []
    for second in range(1, 61):
        phase.progress.calls += 20 if second <= 30 else 1
        paces.append(meter.measure(float(second)).calls_per_minute)
    assert paces[29] == 1200
    assert paces[34] == pytest.approx((5 * 20 + 5 * 1) * 6)
    assert paces[59] == 60


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (0.1, "0:01"), (125.0, "2:05"), (10_800.0, "3:00:00")])
def test_a_duration_is_rounded_up(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_rows_that_are_busy_say_when_they_are_tried_again_and_how_often_they_were(tmp_path: Path) -> None:
    targets = [target(guid(number), number) for number in range(30)] + [target(scenario_id(409), 1)]
    first, second, *_ = snapshots(watch(tmp_path, targets), calls_per_second=10)
    assert first.waits.rows == {WaitReason.BUSY: 1}
    assert (first.open, first.waits.attempt, first.at_least) == (1, 2, True)
    assert first.waits.next_seconds == first.seconds_left == pytest.approx(60, abs=5)
    assert second.waits.attempt in {2, 3}


def test_rows_wait_for_their_parent(tmp_path: Path) -> None:
    measured = snapshots(
        watch(tmp_path, parents(1202, 4)), waiting=Verification(after=60, every=100, timeout=300), calls_per_second=5
    )
    assert measured[0].waits.rows == {WaitReason.PARENT: 4}
    assert measured[1].waits.rows == {WaitReason.PARENT: 4}
    assert measured[1].seconds_left == measured[1].waits.next_seconds == pytest.approx(40, abs=3)


def test_rows_of_a_throttled_customer_wait_for_that(tmp_path: Path) -> None:
    limited = Response(429, "", {"retry-after": "200"}, b"")
    virtual_run = watch(tmp_path, [target(guid(number), number % 2) for number in range(40)])
    blocked = target(guid(1), 1).customer_id
    virtual_run.answer = lambda sent: limited if blocked in sent.path and sent.at < 100 else None
    first = snapshots(virtual_run, calls_per_second=10)[0]
    assert first.waits.rows == {WaitReason.THROTTLED: 20}
    assert (first.waits.customers, first.waits.customer, first.open, first.waits.held) == (1, blocked, 20, None)
    assert first.seconds_left == pytest.approx(142, abs=5)


def test_everybody_waits_for_a_throttled_partner(tmp_path: Path) -> None:
    limited = Response(429, "", {"retry-after": "200"}, b"")
    virtual_run = watch(tmp_path, [target(guid(number), number) for number in range(40)], limited, until=100)
    first = snapshots(virtual_run, calls_per_second=10)[0]
    assert (first.waits.held, first.open) == (WaitReason.THROTTLED, 40)
    assert first.waits.next_seconds == pytest.approx(141, abs=5)


def test_everybody_waits_for_the_next_probe(tmp_path: Path) -> None:
    down = Response(503, "", {}, b"")
    virtual_run = watch(tmp_path, [target(guid(number), number) for number in range(40)], down, until=100)
    first = snapshots(virtual_run, calls_per_second=10)[0]
    assert (first.waits.held, first.seconds_left) == (WaitReason.OUTAGE, None)
    assert first.waits.attempt > 1
    assert first.waits.next_seconds is not None


def test_accepted_rows_wait_to_become_active(tmp_path: Path) -> None:
    virtual_run = watch(tmp_path, [target(scenario_id(1202), number) for number in range(3)])
    measured = snapshots(virtual_run, verify=Verification(after=30, every=80, timeout=200), calls_per_second=5)
    assert measured[0].waits.rows == {WaitReason.ACTIVATION: 3}
    assert measured[0].waits.next_seconds == pytest.approx(50, abs=3)


def test_a_log_of_json_has_a_line_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    virtual_run = watch(tmp_path, [target(guid(1), 1), target(scenario_id(409), 2)])
    virtual_run.show = JsonReporter(Output(tmp_path)).phase
    virtual_run.work(Limits())
    lines = [
        line for line in map(json.loads, capsys.readouterr().err.splitlines()) if line["event"] == "phase.progress"
    ]
    assert len(lines) == virtual_run.now // 60
    assert lines[0] | {"time": "", "next_call_in": 60, "seconds_left": 60} == {
        "time": "",
        "level": "info",
        "event": "phase.progress",
        "phase": "Reactivating",
        "rows": 2,
        "settled": 1,
        "failures": 0,
        "calls": 2,
        "calls_per_minute": 0,
        "seconds_left": 60,
        "waiting": {"busy": 1},
        "throttled_customers": 0,
        "next_call_in": 60,
        "next_attempt": 2,
    }


@pytest.mark.parametrize(
    ("output", "lines"),
    [(Output(Path()), 5), (Output(Path(), quiet=True), 0), (Output(Path(), progress=False), 0)],
)
@pytest.mark.parametrize("reporter", [ConsoleReporter, JsonReporter])
def test_without_a_terminal_there_is_a_line_a_minute_unless_it_is_unwanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reporter: type, output: Output, lines: int
) -> None:
    virtual_run = watch(tmp_path, [target(guid(1), 1), target(scenario_id(409), 2)])
    virtual_run.show = reporter(output).phase
    virtual_run.work(Limits())
    progress = [line for line in capsys.readouterr().err.splitlines() if "1/2" in line or "phase.progress" in line]
    assert len(progress) == (virtual_run.now // 60 if lines else 0)


def test_a_terminal_shows_the_lines_in_place(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    virtual_run = watch(tmp_path, [target(guid(1), 1), target(scenario_id(409), 2)])

    def show(phase: Phase) -> AbstractContextManager[None]:
        return showing_progress(console, phase)

    virtual_run.show = show
    with console.capture() as capture:
        virtual_run.work(Limits())
    assert "1/2  at least 1:00 left  0 failed" in capture.get()
    assert "1 row waits: busy; next call in 1:00 (attempt 2)" in capture.get()
    assert "2/2  0:00 left" in capture.get()


def test_an_outage_of_a_run_of_one_customer_says_so_and_until_when_it_is_waited_out() -> None:
    day = "2026-11-30T"
    outage = OutageRecord(
        f"{day}09:00:00Z", "", f"{day}09:00:05Z", 0, "http-503", f"{day}09:30:00Z", of_one_customer=True
    )
    assert describe_outage(outage) == (
        "Partner Center is down since 09:00:00 UTC (http-503). All calls wait; the next probe is at 09:00:05 UTC. "
        "The run has no other customer that could show whether it is this one alone. "
        "If it lasts until 09:30:00 UTC, the run stops and can be continued. Ctrl-C stops it before."
    )


@pytest.mark.parametrize(("progress", "lines"), [(True, 2), (False, 4), (None, 4)])
def test_the_probes_of_an_outage_scroll_by_only_where_progress_is_not_redrawn(
    capsys: pytest.CaptureFixture[str], *, progress: bool | None, lines: int
) -> None:
    reporter = ConsoleReporter(Output(Path(), progress=progress))
    at = "2026-11-30T09:00:00.000Z"
    for probes in range(3):
        reporter.outage(OutageRecord(at, "", at, probes, "http-503"))
    reporter.outage(OutageRecord(at, at, "", 3, "http-503"))
    assert len(capsys.readouterr().err.splitlines()) == lines
