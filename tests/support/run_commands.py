"""Runs over made-up rows, and what they leave: results, calls, the latest run."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.ids import guid, read_csv, row, scenario_id, write_csv
from tests.support.program import Partner, Program, ProgramResult

FAST = ("--rate", "off", "--yes")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, not for seconds; two minutes without it are a failure."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(program: Program, partner: Partner, tails: list[int | str], *options: str | Path) -> ProgramResult:
    """Run rows with scenarios (numbers) or plain entitlements (texts) against a simulator."""
    rows = [
        row(scenario_id(tail, number) if isinstance(tail, int) else guid(number), customer=number % 3)
        for number, tail in enumerate(tails)
    ]
    write_csv(program.folder / "input.csv", rows)
    return program("run", "input.csv", "--base-url", partner.base_url, *FAST, *options)


def row_results(process: ProgramResult) -> list[tuple[str, str, str, str]]:
    """Return status, HTTP status, code and attempts of every row."""
    return [
        (line["status"], line["http_status"], line["error_code"], line["attempts"])
        for line in read_csv(process.run / "results.csv")
    ]


def ids_by_path(partner: Partner) -> dict[str, list[str]]:
    """Return the request ids of every reactivation, by its path."""
    ids: dict[str, list[str]] = {}
    for call in partner.requests():
        ids.setdefault(call["path"], []).append(call["request_id"])
    return ids


def latest_run(program: Program) -> Path:
    """Return the folder of the run that latest.json names."""
    latest = json.loads((program.folder / "reports" / "latest.json").read_text())
    return program.folder / "reports" / str(latest["run_id"])


def row_statuses(folder: Path) -> list[str]:
    """Return the status of every row in a run's results."""
    return [line["status"] for line in read_csv(folder / "results.csv")]


def read_calls(partner: Partner, tail: str) -> list[dict[str, object]]:
    """Return the GET calls whose path ends with ``tail``."""
    return [
        call for call in partner.service.call_log.calls if call["method"] == "GET" and str(call["path"]).endswith(tail)
    ]
