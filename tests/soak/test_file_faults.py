"""File systems that fail at any call, from outside: a sentence, nothing sent twice, and the next command goes on."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.soak.test_kills import RESUME, RUN, SCENES, THIRD_ANSWER
from tests.support.fork_server import ForkedResult, ForkServer
from tests.support.kill_trials import Scene, Trial
from tests.support.program import PROJECT, Partner, Program

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc and LD_PRELOAD of Linux"),
]
WRITING, NAMING = "create+mkdir+rename+link+write+sync+syncdir", "create+mkdir+rename+link+unlink+chmod"
RERUN = Scene(RUN, (({1}, RUN), ({1}, RESUME)), before=(RUN,), stopped_before=THIRD_ANSWER)
TRIED = {name: SCENES[name] for name in ("run", "sweep", "resume", "results", "verify", "prune")}
TRIED["rerun"] = RERUN


@dataclass(frozen=True)
class Fault:
    """Calls that fail from one of them on, or only that one."""

    calls: str
    number: int
    once: bool = False

    @property
    def name(self) -> str:
        return f"{errno.errorcode[self.number]}{' once' if self.once else ''}"


ALWAYS = [
    *(Fault("syncdir", number) for number in (errno.EINVAL, errno.ENOSYS)),
    *(Fault("flock", number) for number in (errno.ENOLCK, errno.ENOSYS)),
    *(Fault("fcntl", number) for number in (errno.ENOLCK, errno.ENOSYS)),
    *(Fault(calls, number) for calls in ("link", "chmod", "rename") for number in (errno.EPERM, errno.EOPNOTSUPP)),
]
SOMETIMES = [
    Fault(WRITING, errno.ENOSPC),
    Fault(NAMING, errno.EROFS),
    Fault("open+create", errno.EMFILE),
    Fault("open+create", errno.EMFILE, once=True),
    Fault(f"{WRITING}+read", errno.EIO, once=True),
    Fault(NAMING, errno.EPERM, once=True),
]


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    library = tmp_path_factory.mktemp("library") / "file_faults.so"
    source = PROJECT / "tests" / "support" / "file_faults.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)  # noqa: S607
    with ForkServer(library) as server:
        yield server


class Trials:
    """Trials of one scene, each in a folder of its own."""

    def __init__(self, server: ForkServer, folder: Path, start: Callable[[Behaviour], Partner], scene: Scene) -> None:
        self._server = server
        self._folder = folder
        self._start = start
        self._scene = scene

    def run(self, number: int, fault: Fault, first: int) -> tuple[Trial, ForkedResult, list[str]]:
        """Run the command with a fault from a call on; return the calls that were counted as well."""
        program = Program(self._folder / str(number))
        program.folder.mkdir()
        trial = Trial(self._server, program, self._start(Behaviour(activation_delay=0)), self._scene)
        trial.prepare()
        log = self._folder / f"{number}.calls"
        last = first if fault.once else 0
        program.environment |= {
            "FILE_FAULT": f"{fault.calls}:{fault.number}:{first}:{last}:{program.folder}/",
            "FILE_CALLS": str(log),
        }
        result = trial.run()
        del program.environment["FILE_FAULT"]
        return trial, result, log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def trials(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    start_partner: Callable[[Behaviour], Partner],
    fork_server: ForkServer,
) -> Trials:
    return Trials(fork_server, tmp_path, start_partner, TRIED[request.param])


def find_problems(trial: Trial, result: ForkedResult) -> list[str]:
    """Return what is wrong: with how the command ended, and after the commands that bring it to its end."""
    problems = []
    if "Traceback" in result.err or result.code not in {0, 1, 2, 74}:
        problems.append(f"ended with {result.code}: {result.err[-1500:]}")
    # A file system that removes nothing keeps drafts until the next run is prepared; what is beside a run's folder is
    # written by the command alone that has ended with 74.
    expected = (".draft", "no copy", "no latest.json")
    return problems + [problem for problem in trial.finish() if not any(part in problem for part in expected)]


@pytest.mark.parametrize("fault", ALWAYS, ids=lambda fault: f"{fault.calls}-{fault.name}")
@pytest.mark.parametrize("trials", ["run", "sweep"], indirect=True)
def test_a_file_system_that_never_does_it(trials: Trials, fault: Fault) -> None:
    trial, result, _ = trials.run(0, fault, 1)
    # Only these are never needed.
    assert bool(trial.calls) is (fault.calls in {"syncdir", "link"})
    assert find_problems(trial, result) == []


@pytest.mark.parametrize("fault", SOMETIMES, ids=lambda fault: fault.name)
@pytest.mark.parametrize("trials", TRIED, indirect=True)
def test_a_file_system_that_fails_at_some_moment(trials: Trials, fault: Fault) -> None:
    _, _, calls = trials.run(0, fault, 1_000_000)
    found = {}
    for number, first in enumerate(range(1, len(calls) + 1, max(1, len(calls) // MOMENTS)), 1):
        trial, result, _ = trials.run(number, fault, first)
        if problems := find_problems(trial, result):
            found[f"{first} {calls[first - 1]}"] = problems
    assert found == {}


MOMENTS = int(os.environ.get("FILE_FAULT_MOMENTS", "8"))
