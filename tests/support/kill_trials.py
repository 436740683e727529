"""Commands that are stopped at one of their steps, those that bring the work to its end, and what is wrong then."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.fork_server import ForkedCommand, ForkedResult, ForkServer
from tests.support.ids import guid, read_csv, row, scenario_id, write_csv
from tests.support.invariants import count_repeated, find_disagreements, received_calls
from tests.support.program import Partner, Program
from tests.support.run_commands import ids_by_path

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
_VARYING = {"attempts", "request_id", "correlation_id", "started_at", "finished_at"}
_INDEX = ".runs.sqlite3"


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
    in it. The last command before may be stopped as well.
    """

    command: Arguments
    after: tuple[tuple[int, Arguments], ...]
    before: tuple[Arguments, ...] = ()
    stopped_before: Stop | None = None
    rows: Rows = ROWS
    ids_of_row: int = 1
    input_file: str = "input.csv"


@dataclass(frozen=True)
class Trial:
    """A scene in one folder with one partner."""

    server: ForkServer
    program: Program
    partner: Partner
    scene: Scene

    def play(self, *stops: Stop) -> list[ForkedResult]:
        """Play the scene; the command is stopped at each of these, one after the other, or not at all.

        Return how the command and, if it was stopped, those after it ended.
        """
        path = self.program.folder / self.scene.input_file
        path.parent.mkdir(exist_ok=True)
        write_csv(path, self.scene.rows)
        os.utime(path, (0, 0))
        for arguments in self.scene.before:
            self._run(arguments, self.scene.stopped_before if arguments is self.scene.before[-1] else None)
        ended = [self._run(self.scene.command, stop) for stop in stops or [None]]
        return [*ended, *(self._run(arguments) for _, arguments in self.scene.after if stops)]

    def _run(self, arguments: Arguments, stop: Stop | None = None) -> ForkedResult:
        folder = self.program.folder
        run = next(iter(sorted((folder / "reports").glob("[!.]*Z-*"))), None)
        names = {"url": self.partner.base_url, "run": run.name if run else ""}
        command = ForkedCommand(
            [argument.format(**names) for argument in arguments],
            str(folder),
            {**os.environ, **self.program.variables},
            *((stop.step, stop.nth, stop.number) if stop else ()),
        )
        return self.server.run(command)

    def find_problems(self, ended: list[ForkedResult]) -> Iterator[str]:
        """Yield what must not be after a scene in which the command was stopped."""
        after = self.scene.after
        for (code, arguments), result in zip(after, ended[-len(after) :], strict=True):
            if result.code != code or "Traceback" in result.err:
                yield f"{arguments[0]} ended with {result.code}: {result.err[-1500:]}"
        folder = self.program.folder
        hidden = [path for path in folder.rglob(".*") if not path.name.startswith(_INDEX)]
        if hidden:
            yield f"left behind: {hidden}"
        for path, ids in ids_by_path(self.partner).items():
            if len(set(ids)) > self.scene.ids_of_row:
                yield f"sent under {len(set(ids))} request ids: {path}"
        yield from self.partner.service.call_log.violations
        for run in (path.parent for path in folder.glob("reports/[!.]*/journal.sqlite3")):
            yield from self._problems_of_run(run)

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
        latest = json.loads((run.parent / "latest.json").read_text())
        if latest != summary:
            yield "latest.json is not the run's summary"

    @property
    def results(self) -> list[list[dict[str, str]]]:
        """Return the results of all runs, apart from times, ids, attempts and whether an active row was so before."""
        return [
            [
                {
                    name: cell.replace("already_active", "reactivated")
                    for name, cell in line.items()
                    if name not in _VARYING
                }
                for line in read_csv(path)
            ]
            for path in sorted(self.program.folder.glob("reports/[!.]*/results.csv"))
        ]

    @property
    def calls(self) -> int:
        """Return how many reactivations the partner has received, but those whose answers are always lost."""
        lost = row(scenario_id(1599))[2]
        return sum(call.entitlement_id != lost for call in received_calls(self.partner.service.call_log))
