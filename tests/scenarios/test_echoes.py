"""Servers that repeat secrets in every disguise, or answer with commands for terminals: nothing of it arrives anywhere."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import pytest
from aiohttp import web

from bulkreact.simulator.identity.aadsts_errors import Fault
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import application
from tests.support.background_loop import listening, serving
from tests.support.ids import row, scenario_id, target, write_csv
from tests.support.marks import mostly_soak
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import FAST
from tests.support.token_authority import SECRET, Authority

PASSWORD = "canary/proxy+pass"
PROXY_USER = f"ann:{quote(PASSWORD, safe='')}"
COMMANDS = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\r\nforged line\u2028"
# Reading, watching, updating; with and without a Location.
ENDS = [202, 900337, 800111, 208, 5202]
DISGUISES: dict[str, Callable[[str], str]] = {
    "JSON": lambda secret: "".join(f"\\u{ord(char):04x}" for char in secret),
    "percent": lambda secret: "".join(f"%{ord(char):02X}" for char in secret),
    "HTML": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "base64": lambda secret: b64encode(f"user:{secret}".encode()).decode(),
    "as it is": str,
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def everything(program: Program, *processes: ProgramResult) -> str:
    """Return all that the program has said and left, but not the test's own files and the stored sign-ins."""
    paths = [path for path in program.folder.glob("**/*") if path.is_file() and path.parent.name != "sign-ins"]
    left = [path.read_bytes().decode("utf-8", "replace") for path in paths if path.suffix != ".pem"]
    return "\n".join([*left, *(process.out + process.err for process in processes)])


def trial(program: Program, *options: str) -> str:
    """Run a few rows and everything that reports about them; return all that was said and left."""
    first = program("run", "input.csv", *FAST, "--attempts", "1", "--halt-on-failures", "off", "-v", *options)
    others = [
        program(
            "run", "input.csv", "--new", *FAST, "--attempts", "1", "--log-format", "json", "--limit", "1", *options
        ),
        program("status", "latest"),
        program("status", "--all", "--json"),
        program("doctor", *options),
        program("doctor", "--json", *options),
        program("discover", "--out", "found.csv", *options),
    ]
    assert "Traceback" not in "".join(process.err for process in (first, *others))
    return everything(program, first, *others)


def write_input(program: Program) -> None:
    entitlements = [row(scenario_id(tail, number), number) for number, tail in enumerate(ENDS)]
    write_csv(program.folder / "input.csv", entitlements)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("encoding", mostly_soak(["utf-8", "utf-16", "utf-16-be", "utf-32-le"]))
def test_a_token_that_comes_back_in_disguise_is_nowhere(
    program: Program, loop: asyncio.AbstractEventLoop, disguise: str, encoding: str
) -> None:
    coded = DISGUISES[disguise](CANARY)

    @web.middleware
    async def repeat_in_disguise(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes) and answer.status != 202:
            text = answer.body.decode("utf-8-sig").replace('"description":"', f'"description":"{coded} ')
            answer.body = text.replace('"companyName":"', f'"companyName":"{coded} ').encode(encoding)
        answer.headers["Location"] = f"/customers/{CANARY}/{coded}?token={coded}"
        answer.headers["MS-RequestId"] = answer.headers["MS-ServerId"] = quote(coded)
        answer.set_status(answer.status, f"Bearer {quote(coded)}")
        return answer

    app = application(PartnerCenter(Behaviour(activation_delay=0), monotonic))
    app.middlewares.append(repeat_in_disguise)
    write_input(program)
    with serving(loop, listening(app)) as base_url:
        said = trial(program, "--base-url", base_url)
    assert "[hidden]" in said
    assert not [form for form in (CANARY, coded, quote(coded), coded[4:-4]) if form in said]


def test_nothing_of_a_location_but_known_words_and_ids_is_kept(
    program: Program, loop: asyncio.AbstractEventLoop
) -> None:
    @web.middleware
    async def name_a_secret(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if "Location" in answer.headers:
            answer.headers["Location"] += "/unheard-of-word?signature=unheard-of-value"
        return answer

    app = application(PartnerCenter(Behaviour(activation_delay=0), monotonic))
    app.middlewares.append(name_a_secret)
    subscription = target(scenario_id(202))
    write_csv(program.folder / "input.csv", [(subscription.customer_id, scenario_id(202), "")])
    with serving(loop, listening(app)) as base_url:
        options = ("--base-url", base_url, "--kind", "subscription", "--verify", "--verify-after", "0")
        process = program("run", "input.csv", *FAST, *options, "--verify-every", "1", "--verify-timeout", "3")
    assert process.code == 0, process.err
    assert "unheard-of" not in everything(program, process)


@asynccontextmanager
async def no_proxy(answer: bytes) -> AsyncIterator[str]:
    """Listen on a port where proxies are expected, and answer everything in the same way."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4096)
        credentials = request.partition(b"Basic ")[2].split(b"\r\n")[0]
        writer.write(answer.replace(b"%", credentials))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


PROXY_ANSWERS = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.6 %\r\n",
    "nothing": b"",
    "refused": b"HTTP/1.1 407 Not-for-you % \x1b[2J\r\nX: %\r\nContent-Length: 1\r\n\r\n%",
    "broken": b"HTTP/1.1 200\x00 %\r\n%",
    "no TLS": b"HTTP/1.1 200 OK\r\n\r\n% this is no handshake",
}


def assert_no_proxy_password(program: Program, *processes: ProgramResult) -> None:
    """Check that neither the credentials of the proxy nor its own words were said or left anywhere."""
    said = everything(program, *processes)
    forms = (PASSWORD, PROXY_USER, quote(PASSWORD, safe=""), b64encode(f"ann:{PASSWORD}".encode()).decode())
    assert not [form for form in (*forms, "SSH-2.0", "Not-for-you", "\x1b[") if form in said]
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", PROXY_ANSWERS)
def test_the_password_of_a_proxy_is_nowhere_whatever_answers_there(
    program: Program, loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(202))])
    with serving(loop, no_proxy(PROXY_ANSWERS[kind])) as address:
        program.environment |= {"HTTPS_PROXY": f"http://{PROXY_USER}@{address}", "NO_PROXY": ""}
        options = ("--base-url", "https://partner.example")
        run = program("run", "input.csv", *FAST, "--attempts", "1", "--max-outage", "1", *options)
        doctor = program("doctor", *options)
    assert (run.run / "results.csv").is_file()
    assert_no_proxy_password(program, run, doctor)


@pytest.mark.parametrize(
    "kind", [kind if kind == "refused" else pytest.param(kind, marks=pytest.mark.soak) for kind in PROXY_ANSWERS]
)
def test_the_password_of_a_proxy_is_nowhere_on_the_way_to_the_token_service(
    program: Program, authority: Authority, loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    del authority
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "BULKREACT_AUTHORITY": "https://login.example"}
    with serving(loop, no_proxy(PROXY_ANSWERS[kind])) as address:
        program.environment |= {"HTTPS_PROXY": f"http://{PROXY_USER}@{address}", "NO_PROXY": ""}
        doctor = program("doctor", "--auth", "app", "--base-url", "https://partner.example")
    assert "The token service at https://login.example" in doctor.out
    assert_no_proxy_password(program, doctor)


@pytest.mark.parametrize("coded", [SECRET, *(disguise(SECRET) for disguise in DISGUISES.values())])
@pytest.mark.parametrize("number", [0, 1_234_567])
def test_a_token_service_that_repeats_the_secret_as_its_error_is_not_quoted(
    program: Program, authority: Authority, coded: str, number: int
) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    authority.directory.faults = [Fault(400, f"{coded}{COMMANDS}", number)] * 99
    write_csv(program.folder / "input.csv", [row(scenario_id(202))])
    processes = [program("run", "input.csv", *FAST, "--auth", "app"), program("doctor", "--auth", "app")]
    assert [process.code for process in processes] == [3, 3]
    assert ("AADSTS1234567" in processes[0].err) is bool(number)
    said = everything(program, *processes)
    assert not [form for form in (SECRET, coded, "owned", "forged") if form in said]


def test_a_device_code_commands_no_terminal(
    program: Program, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = authority.directory
    begin = directory.begin_device_sign_in

    def begin_badly(client_id: str) -> object:
        sign_in = begin(client_id)
        sign_in.user_code, sign_in.state = f"ABC{COMMANDS}", "declined"
        return sign_in

    monkeypatch.setattr(directory, "begin_device_sign_in", begin_badly)
    process = program("login")
    assert process.code == 3
    assert "enter the code ABC\\x1b]0;owned" in process.err
    assert_plain(process.out + process.err)


def assert_plain(text: str) -> None:
    """Check that text commands no terminal, and has no line that is not its own."""
    assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert not [line for line in text.splitlines() if line.startswith("forged")]


def test_claims_command_no_terminal(program: Program, partner: Partner) -> None:
    claims = {"upn": f"ann{COMMANDS}", "aud": f"https://a{COMMANDS}", "amr": [f"mfa{COMMANDS}"], "tid": COMMANDS}
    claims["scp"] = claims["appid"] = COMMANDS
    payload = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    program.environment["BULKREACT_ACCESS_TOKEN"] = f"eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl"
    write_csv(program.folder / "input.csv", [row(scenario_id(202))])
    processes = [
        program("doctor", "--base-url", partner.base_url),
        program("doctor", "--json", "--base-url", partner.base_url),
        program("run", "input.csv", "--base-url", partner.base_url, *FAST),
    ]
    assert [process.code for process in processes] == [3, 3, 3]
    assert_plain("".join(process.out + process.err for process in processes))
    assert (program.folder / "reports" / "latest.json").read_bytes().isascii()


@pytest.mark.skipif("os.name == 'nt'", reason="Windows allows no such names")
def test_the_name_of_a_file_commands_no_terminal(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"a{COMMANDS}.csv"
    monkeypatch.setenv("LOGNAME", f"ann{COMMANDS}")
    write_csv(program.folder / name, [row(scenario_id(tail, tail), tail) for tail in (202, 800111)] + [("x", "", "")])
    (program.folder / f"broken{COMMANDS}.xlsx").write_bytes(b"PK\x03\x04")
    call = partial(program, "run", name, "--base-url", partner.base_url, *FAST)
    processes = [
        program("plan", name),
        program("plan", name, "--json"),
        call("--log-format", "json"),
        call("--new", "-v", "--xlsx"),
        call("--new", "--strict"),
        program("run", f"broken{COMMANDS}.xlsx", "--simulate"),
        program("run", f"missing{COMMANDS}.csv", "--simulate"),
        program("status"),
        program("status", "--all"),
        program("status", "--json"),
        program("results", "latest"),
        program("retry", "latest", "--all-failed", *FAST),
        program("resume", "latest", *FAST),
        program("prune", "--older-than", "0s", "--yes"),
        program("sweep", ".", "--settle", "0", "--base-url", partner.base_url, *FAST[:-1], "--yes"),
    ]
    assert "Traceback" not in "".join(process.err for process in processes)
    assert_plain("".join(process.out + process.err for process in processes))
    assert (program.folder / "reports" / "latest.json").read_bytes().isascii()
    assert all(b"\x1b" not in path.read_bytes() for path in Path(program.folder).glob("reports/*/report.html"))
