"""The token is nowhere in what the program says or leaves behind, however a row ends and whatever comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web

from bulkreact.models import Status
from bulkreact.simulator.identity.aadsts_errors import Fault
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import application
from tests.support.background_loop import listening, serving
from tests.support.ids import row, scenario_id, write_csv
from tests.support.program import CANARY, Program
from tests.support.run_commands import FAST, latest_run, row_statuses
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority, key_pair

# One way to end after the other: accepted, already active, reactivated, unknown, failed, deferred, pending …
ROWS_END = [202, 1503, 1202, 3202, 208, 2599, 900337, 1504, 800111, 4599, 900278, 900335, 1599, 20002, 1597, 2597, 6429]
RUNS_END = [900421, 1401, 900329]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def repeat_the_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put the token that was sent into every answer: its body, its headers and its reason phrase."""
    answer = await handler(request)
    token = request.headers.get("Authorization", "").partition(" ")[2]
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        for word in (b'"description":"', b'"status":"w', b"<title>"):
            answer.body = answer.body.replace(word, word + token.encode() + b" ")
        answer.headers["X-Echo"] = answer.headers["MS-CV"] = token
        answer.set_status(answer.status, f"Bearer {token}")
    return answer


@pytest.fixture
def base_url(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Serve a simulator that repeats the token."""
    app = application(PartnerCenter(Behaviour(activation_delay=0), monotonic))
    app.middlewares.append(repeat_the_token)
    with serving(loop, listening(app)) as url:
        yield url


def files(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.glob("**/*") if path.is_file()]


CASES = [(ROWS_END, ()), (ROWS_END, ("-q",)), (ROWS_END, ("-v",)), *(([tail], ("-v",)) for tail in RUNS_END)]


@pytest.mark.parametrize(("tails", "verbosity"), CASES)
def test_the_token_is_nowhere_in_what_the_program_leaves_behind(
    program: Program, base_url: str, tails: list[int], verbosity: tuple[str, ...]
) -> None:
    rows = [row(scenario_id(tail, number), number) for number, tail in enumerate(tails)]
    write_csv(program.folder / "input.csv", [*rows, rows[0], ("x", CANARY[:5], "")])
    # One at a time, and an answer after each trouble: three in succession would be an outage that is waited out.
    options = ("--attempts", "1", "--halt-on-failures", "off", "--concurrency", "1", *verbosity)
    watching = ("--verify", "--verify-after", "0", "--verify-timeout", "0")
    first = program("run", "input.csv", "--base-url", base_url, *FAST, *options, *watching)
    run = first.run
    others = [
        program("results", run.name),
        program("verify", run.name, *FAST, *verbosity),
        program("retry", run.name, *FAST, *options, "--all-failed"),
        program("resume", *FAST, *options),
        program("status", run.name),
        program("status", run.name, "--json"),
    ]
    assert first.code in {1, 3}
    assert not [process for process in (first, *others) if CANARY in process.out + process.err]
    assert not [process for process in (first, *others) if "Traceback" in process.err]
    paths = files(program.folder)
    names = {"results.csv", "failed.csv", "summary.json", "latest.json", "report.html", "journal.sqlite3"}
    assert names <= {path.name for path in paths}
    assert not [path for path in paths if CANARY.encode() in path.read_bytes()]
    assert row_statuses(latest_run(program))


PASSWORD = "canary-password-77"
MODES = ["secret", "secret file", "certificate", "user", "confidential user"]
# Whatever is asked of the token service is refused with its own message, or answered with what cannot be read. What may
# pass is to be asked again so late that no test waits for it.
REFUSALS = [
    Fault(400, "invalid_request", 1_234_567),
    Fault(401, "invalid_client", 7_000_215),
    Fault(400, "invalid_grant", 700_082),
    Fault(200, html=True, retry_after="999"),
    Fault(503, retry_after="999"),
    Fault(307),
]


def secrets_of(authority: Authority, *more: str) -> list[bytes]:
    """Return everything that must be seen nowhere, in every form in which it could be."""
    key = key_pair().key_pem
    lines = [line for line in key.splitlines() if len(line) == 64]
    issued = [*authority.directory._access, *authority.directory._refresh]
    return [secret.encode() for secret in (SECRET, PASSWORD, *lines, *issued, *more) if secret]


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        *product(MODES, [None, REFUSALS[0]]),
        *(pytest.param(*case, marks=pytest.mark.soak) for case in product(MODES, REFUSALS[1:])),
        pytest.param("confidential user", Fault(drop=True), marks=pytest.mark.soak),
    ],
)
def test_no_secret_is_in_what_the_program_leaves_behind(
    program: Program, authority: Authority, mode: str, fault: Fault | None
) -> None:
    options: tuple[str, ...] = ("--auth", "user" if "user" in mode else "app")
    refresh_token = ""
    if mode in {"secret", "confidential user"}:
        program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    if mode == "secret file":
        (program.folder / "secret.txt").write_text(SECRET)
        options += ("--client-secret-file", "secret.txt")
    if mode == "certificate":
        (program.folder / "app.pfx").write_bytes(key_pair().pfx(PASSWORD))
        program.environment["BULKREACT_CERTIFICATE_PASSWORD"] = PASSWORD
        options += ("--certificate-file", "app.pfx")
    processes = []
    if "user" in mode:
        refresh_token = authority.directory.issue_refresh_token(CLIENT, TENANT, public=mode == "user")
        program.environment["BULKREACT_REFRESH_TOKEN"] = refresh_token
        processes.append(program("login"))
        authority.directory.revoke_access_tokens()
        del program.environment["BULKREACT_REFRESH_TOKEN"]
    authority.directory.faults = [fault] * 99 if fault else []
    write_csv(program.folder / "input.csv", [row(scenario_id(tail, tail), tail) for tail in (202, 401, 1503)])
    processes.append(program("run", "input.csv", *FAST, *options, "--attempts", "1", "-v"))
    processes += [program("doctor", *options), program("doctor", "--json", *options), program("status")]
    if fault and "user" in mode:
        program.environment["BULKREACT_REFRESH_TOKEN"] = authority.directory.issue_refresh_token(CLIENT, TENANT)
        processes.append(program("login"))
    assert processes[-1].code == 0 or fault
    hidden = secrets_of(authority, refresh_token)
    outputs = [(process.out + process.err).encode() for process in processes]
    # The state folder is where a sign-in belongs, and these files are the test's own.
    own = {"secret.txt", "app.pfx", "ca.pem"}
    file_contents = [
        path.read_bytes() for path in files(program.folder) if path.name not in own and path.parent.name != "sign-ins"
    ]
    assert len(file_contents) >= 5
    assert not [secret for secret in hidden for text in (*outputs, *file_contents) if secret in text]
    assert not [process for process in processes if "Traceback" in process.err]


def test_every_way_a_row_can_end_is_among_them(program: Program, base_url: str) -> None:
    rows = [row(scenario_id(tail, number), number) for number, tail in enumerate(ROWS_END)]
    write_csv(program.folder / "input.csv", [*rows, rows[0], ("x", "", ""), row(scenario_id(202, 99), 99)])
    limit = ("--limit", str(len(ROWS_END)), "--attempts", "1", "--halt-on-failures", "off", "--concurrency", "1")
    run = program("run", "input.csv", "--base-url", base_url, *FAST, *limit).run
    before = row_statuses(run)
    program("verify", run.name, *FAST)
    assert {*before, *row_statuses(run)} == set(Status)
