"""Commands that are stopped at one of their steps, those that bring the work to its end, and what is wrong then."""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from unittest.mock import patch

from bulkreact.sheets.output.edited_files import WRITTEN
from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.service import TargetKey
from tests.support.fork_server import ForkedCommand, ForkedResult, ForkServer
from tests.support.ids import guid, read_csv, row, scenario_id, write_csv
from tests.support.invariants import count_repeated, find_disagreements, received_calls
from tests.support.program import Partner, Program

Arguments = tuple[str, ...]
Rows = tuple[tuple[str, str, str], ...]
_INVALID = ("x", "", "")
# Plain, a duplicate, an invalid one, throttled, an answer lost, refused, active before.
SETTLED_ROWS: Rows = (
    row(guid(1)),
    row(guid(2), 2),
    row(guid(1)),
    _INVALID,
    row(scenario_id(429)),
    row(scenario_id(599), 2),
    row(scenario_id(800111)),
    row(scenario_id(208), 2),
)
# One more whose answers are all lost.
ROWS: Rows = (*SETTLED_ROWS, row(scenario_id(1599)))
# What is below a plan, the plan, and an update whose answer is lost.
SUBSCRIPTION_ROWS: Rows = (
    (guid(1001), scenario_id(7001), guid(5)),
    (guid(1001), scenario_id(7001), ""),
    (guid(1002), scenario_id(2503), ""),
)
_VARYING = ("attempts", "request_id", "correlation_id", "started_at", "finished_at")
_INDEX = (".runs.sqlite3", ".runs.lock")
_PASSING = re.compile(r"^\.runs\.|-wal$|-shm$|\.lock$|^forked\.")
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-(\w+)-[0-9a-f]{4}")


@dataclass(frozen=True)
class Stop:
    """A signal at the nth step whose name begins with ``step``."""

    nth: int
    step: str = ""
    number: int = signal.SIGKILL


@dataclass(frozen=True)
class Scene:
    """A command that is stopped, those before it, and those after it with their exit codes.

    ``{url}`` stands for the partner, ``{run}`` for the folder of the first run. Where there is an inbox the input lies
    in it. The last command before may be stopped as well. When the step ``until`` is done, so is the command: the same
    one again would begin anew. Result columns that are ``varying`` may differ from those of a run that was not stopped.
    """

    command: Arguments
    after: tuple[tuple[set[int], Arguments], ...]
    before: tuple[Arguments, ...] = ()
    stopped_before: Stop | None = None
    files: tuple[tuple[str, Rows], ...] = (("input.csv", ROWS),)
    ids_of_row: int = 1
    varying: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True)
class Trial:
    """A scene in one folder with one partner."""

    server: ForkServer
    program: Program
    partner: Partner
    scene: Scene

    def prepare(self) -> None:
        """Write the files, and run the commands that come before."""
        for seconds, (name, rows) in enumerate(self.scene.files):
            path = self.program.folder / name
            path.parent.mkdir(exist_ok=True)
            write_csv(path, rows)
            os.utime(path, (seconds, seconds))
        for arguments in self.scene.before:
            is_last = arguments is self.scene.before[-1]
            self.server.run(self._command(arguments, self.scene.stopped_before if is_last else None))

    def run(self, stop: Stop | None = None) -> ForkedResult:
        """Run the command, and stop it if there is a stop."""
        return self.server.run(self._command(self.scene.command, stop))

    def kill_while_it_calls(self, nth: int) -> ForkedResult:
        """Run the command, and kill it when its nth call has taken effect but is not answered."""
        service = self.partner.service
        reactivate, calls, processes = service.reactivate, count(1), list[int]()

        def reactivate_and_kill(target: TargetKey, request_id: str) -> ScriptedAnswer:
            answer = reactivate(target, request_id)
            if next(calls) == nth:
                os.kill(processes[0], signal.SIGKILL)
            return answer

        with patch.object(service, "reactivate", reactivate_and_kill):
            processes.append(self.server.start(self._command(self.scene.command)))
            return self.server.wait()

    def finish(self) -> Iterator[str]:
        """Run the commands that come after; yield what is wrong then."""
        for codes, arguments in self.scene.after:
            result = self.server.run(self._command(arguments))
            if result.code not in codes or "Traceback" in result.err:
                yield f"{arguments[0]} ended with {result.code}: {result.err[-1500:]}"
        yield from self.find_leftovers()
        for call, ids in self._ids_by_call().items():
            if len(ids) > self.scene.ids_of_row:
                yield f"sent under {len(ids)} request ids: {call}"
        yield from self.partner.service.call_log.violations
        for run in self._runs():
            yield from self._problems_of_run(run)

    def find_leftovers(self) -> Iterator[str]:
        """Yield hidden files and runs without results, of which a process that was not killed leaves none."""
        hidden = [path for path in self.program.folder.rglob(".*") if not path.name.startswith((*_INDEX, WRITTEN))]
        if hidden:
            yield f"left behind: {hidden}"
        for run in self._runs():
            if not (run / "results.csv").is_file():
                yield f"there are no results in {run}"

    def is_done(self, ended: ForkedResult) -> bool:
        """Return whether a stopped command had nothing left to do."""
        until = self.scene.until
        return bool(until) and any(step.startswith(until) for step in ended.steps[:-1])

    def _ids_by_call(self) -> dict[str, set[str]]:
        ids: dict[str, set[str]] = {}
        for call in self.partner.service.call_log.calls:
            if call["method"] in {"POST", "PATCH"}:
                ids.setdefault(f"{call['method']} {call['path']}", set()).add(str(call["request_id"]))
        return ids

    def _runs(self) -> list[Path]:
        return [path.parent for path in self.program.folder.glob("reports/[!.]*/journal.sqlite3")]

    def _command(self, arguments: Arguments, stop: Stop | None = None) -> ForkedCommand:
        run = next(iter(sorted(self._runs())), Path())
        names = {"url": self.partner.base_url, "run": run.name}
        return ForkedCommand(
            [argument.format(**names) for argument in arguments],
            str(self.program.folder),
            {**os.environ, **self.program.variables},
            *((stop.step, stop.nth, stop.number) if stop else ()),
        )

    def _problems_of_run(self, run: Path) -> Iterator[str]:
        yield from find_disagreements(run, received_calls(self.partner.service.call_log))
        if repeated := count_repeated(run):
            yield f"{repeated} answered rows were sent again"
        summary = json.loads((run / "summary.json").read_text())
        if sum(summary["counts"].values()) != summary["input"]["rows"]:
            yield f"counts do not add up: {summary['counts']}"
        if edited := sorted(run.glob("*.edited-*")):
            yield f"taken for edited: {edited}"
        copies = [*self.program.folder.glob("copy.csv"), *self.program.folder.glob("inputs/done/*.results.csv")]
        for path in copies:
            if path.read_bytes() != (run / "results.csv").read_bytes():
                yield f"{path} is no copy of the results"
        latest = run.parent / "latest.json"
        if not latest.exists():
            yield "there is no latest.json"
        elif json.loads(latest.read_text()) != summary:
            yield "latest.json is not the run's summary"

    @property
    def files(self) -> list[str]:
        """Return the names of all files, apart from those that SQLite and the locks leave."""
        paths = (path.relative_to(self.program.folder) for path in self.program.folder.rglob("*") if path.is_file())
        names = [str(path) for path in paths if path.parts[0] != "state" and not _PASSING.search(path.name)]
        return sorted(_RUN_ID.sub(r"\1", name) for name in names)

    @property
    def results(self) -> list[list[dict[str, str]]]:
        """Return the results of all runs, apart from times, ids, attempts and whether an active row was so before."""
        return [
            [
                {
                    name: cell.replace("already_active", "reactivated")
                    for name, cell in line.items()
                    if name not in (*_VARYING, *self.scene.varying)
                }
                for line in read_csv(path)
            ]
            for path in sorted(self.program.folder.glob("reports/[!.]*/results.csv"))
        ]

    @property
    def calls(self) -> int:
        """Return how many writing calls the partner has received, but those whose answers are always lost."""
        lost, calls = row(scenario_id(1599))[2], self.partner.service.call_log.calls
        return sum(call["method"] != "GET" and lost not in str(call["path"]) for call in calls)
