"""``bulkreact serve``: serves the web page until Ctrl-C."""

import asyncio
import os
import socket
import webbrowser
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from bulkreact.cli.command import CommandContext, ConfiguredCommand, effective
from bulkreact.cli.commands.serve_resources import end_sessions, listening, make_folders, only_server
from bulkreact.cli.credentials import warn_of_exposed_files
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.option_names import OPTION_NAMES, WATCH_OPTIONS
from bulkreact.cli.options.page import PAGE_FACTS, PAGE_OPTIONS
from bulkreact.cli.options.param_types import WEBHOOK_URL
from bulkreact.cli.options.web_sign_in import ENTRA_OPTIONS, read_entra
from bulkreact.cli.output import json_log
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import CredentialsRefusedError, InputRefusedError
from bulkreact.library_loading import loading_aiohttp
from bulkreact.monitoring.webhooks import TEAMS, NotifyTargets
from bulkreact.runs import store
from bulkreact.runs.interruption import ShutdownRequest
from bulkreact.urls import is_loopback
from bulkreact.web.permissions import Person, Role
from bulkreact.web.serve_settings import PublicUrl, ServeSettings, parse_public_url
from bulkreact.wording import plural

# What the commands that the server starts are given; the options of a file and its verification come from its job.
_PASSED = ("plan", "run", "resume", "retry", "verify", "doctor", "discover")
_NOT_PASSED = frozenset({"verify", "order", "reports", "log_format", "notify_url", "notify_format", "check", "data"})
_SHOWN = (
    "rate",
    "max_rows",
    "max_upload",
    "halt_on_failures",
    "halt_after",
    "verify",
    "verify_timeout",
    "max_outage",
    *PAGE_FACTS,
)


@click.command("serve", cls=ConfiguredCommand)
@shared.combine_options(*PAGE_OPTIONS, *ENTRA_OPTIONS)
@shared.target_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_by_default_options
@shared.reports_option
@shared.option("--max-rows", type=click.IntRange(1), default=100_000, show_default=True, help="Refuse a larger file.")
@shared.option("--notify-url", type=WEBHOOK_URL, help="Post what happens to jobs, and each run's summary, here.")
@shared.option(
    "--notify-format", type=click.Choice(["json", "teams"]), default="json", show_default=True, help="Of that."
)
@shared.option(
    json_log.OPTION,
    type=click.Choice(["text", json_log.JSON]),
    default="text",
    show_default=True,
    is_eager=True,
    callback=json_log.remember_format,
    help="Text for people, or one JSON object a line on stderr for programs.",
)
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Serve the web page on this machine, until Ctrl-C: upload, check, run and watch in a browser.

    Runs are processes of their own: they go on when the server ends, and it finds them again. The first line printed is
    the link that signs you in, or the page's address; everything else goes to stderr.
    """
    params = ctx.params
    _refuse_sign_in(params)
    if min(params["session"], params["idle"]) < 1:
        raise InputRefusedError("--session and --idle are at least 1s.")
    reports = params["reports"].absolute()
    data = (params["data"] or reports / "serve").absolute()
    make_folders(reports, data)
    if params["end_sessions"]:
        end_sessions(data)
        return
    with only_server(data), listening(params["host"], params["port"]) as listener:
        settings = _settings(ctx, reports, data, listener)
        if params["check"]:
            _prove(settings)
            json_log.inform(params["log_format"], f"A server could start, at {settings.public_url}.")
            return
        stopped = asyncio.Event()
        shutdown = ShutdownRequest(lambda _message: stopped.set(), invocation_of(ctx).signals)
        shutdown.install()
        run_async(shutdown.guard(_serve(settings, listener, stopped, params)))


async def _serve(
    settings: ServeSettings, listener: socket.socket, stopped: asyncio.Event, params: Mapping[str, object]
) -> None:
    with loading_aiohttp():
        from bulkreact.web.app import serving  # noqa: PLC0415 - aiohttp and jinja2 are imported only where they are needed
        from bulkreact.web.site import Site  # noqa: PLC0415

    log_format, url = str(params["log_format"]), str(settings.public_url)

    def announce(token: str) -> None:
        json_log.inform(log_format, f"The next link: {url}/auth/token?token={quote(token)}")

    site = Site(
        settings, announce, warn=partial(json_log.warn, log_format), inform=partial(json_log.inform, log_format)
    )
    async with serving(site, listener):
        is_local = settings.sign_in == "local"
        link = f"{url}/auth/token?token={quote(site.link.token)}" if is_local else url
        echo(link)
        advice = " It works once; when it has been used, another is printed here." if is_local else ""
        where = "" if settings.entra else " on this machine"
        json_log.inform(log_format, f"Open this link in a browser{where}.{advice} Ctrl-C ends the server, runs go on.")
        if params["open"]:
            await asyncio.to_thread(webbrowser.open, link)
        await stopped.wait()


def _settings(ctx: click.Context, reports: Path, data: Path, listener: socket.socket) -> ServeSettings:
    params, service = ctx.params, shared.read_service(ctx)
    # They are checked here, and not only by the processes that get them.
    shared.read_limits(ctx)
    host, port = listener.getsockname()[:2]
    own_host = host if is_loopback(host) else "127.0.0.1"
    own_url = parse_public_url(f"http://{f'[{own_host}]' if ':' in own_host else own_host}:{port}")
    public_url: PublicUrl = params["public_url"] or own_url
    entra = read_entra(params, os.environ) if params["sign_in"] == "entra" else None
    if entra:
        invocation_of(ctx).redactor.add(entra.secret.secret())
        warn_of_exposed_files(ctx, entra.secret)
    tenant = params["tenant_id"] or ""
    name = store.operator()
    return ServeSettings(
        public_url=public_url,
        hosts=public_url.hosts | own_url.hosts,
        data=data,
        reports=reports,
        max_upload=params["max_upload"],
        max_rows=params["max_rows"],
        longest_session=params["session"],
        idle=params["idle"],
        time_zone=_time_zone(params["time_zone"]),
        continue_runs=params["continue"],
        simulated=service.simulated,
        target="simulated" if service.simulated else f"{service.base_url} {tenant}".strip(),
        target_label="the simulator" if service.simulated else f"{service.base_url} {tenant}".strip(),
        person=Person("local", name, tuple(Role)),
        arguments={command: tuple(_arguments(ctx, command, reports)) for command in _PASSED},
        environment=_environment(params),
        facts=_facts(ctx, reports, data),
        verify=params["verify"],
        longest_watch=params["verify_timeout"],
        longest_outage=params["max_outage"],
        sign_in=params["sign_in"],
        notify=NotifyTargets(url=url, teams=params["notify_format"] == TEAMS)
        if (url := params["notify_url"])
        else None,
        entra=entra,
        trusted_proxies=frozenset(params["trusted_proxy"]),
        approval_from=_approval_from(params["sign_in"], params["approval_from"]),
    )


def _approval_from(sign_in: str, rows: int | None) -> int | None:
    """Return from how many rows on a second person must agree, None for never."""
    return None if sign_in == "local" else (1 if rows is None else rows or None)


def _refuse_sign_in(params: Mapping[str, object]) -> None:
    sign_in = params["sign_in"]
    if sign_in != "entra" and not is_loopback(str(params["host"])):
        raise InputRefusedError(
            "--host is no loopback address: other machines may reach the page with --sign-in entra alone."
        )
    if sign_in == "entra" and not (params["public_url"] or is_loopback(str(params["host"]))):
        raise InputRefusedError("--sign-in entra needs --public-url, the https address that browsers see.")
    if sign_in == "local" and params["approval_from"]:
        raise InputRefusedError("--approval-from needs several people, and --sign-in local knows one: leave it out.")
    if sign_in == "practice" and not params["simulate"]:
        raise InputRefusedError("--sign-in practice lets anybody in, as people who are made up: add --simulate.")


def _prove(settings: ServeSettings) -> None:
    if settings.entra:
        from bulkreact.web.entra import prove  # noqa: PLC0415 - see above

        try:
            prove(settings.entra)
        except CredentialsRefusedError as error:
            raise CredentialsRefusedError(f"People could not sign in: {error}") from None


def _arguments(ctx: click.Context, command: str, reports: Path) -> Iterator[str]:
    """Yield the options of a command that were given to this one, whatever gave them."""
    for name in ("config", "profile"):
        outer = ctx.parent.params.get(name) if ctx.parent else None
        given = (ctx.command_line.get(name) if isinstance(ctx, CommandContext) else None) or outer
        if given:
            yield f"--{name}={given}"
    if "reports" in OPTION_NAMES[command]:
        yield f"--reports={reports}"
    for name, value in effective(ctx).items():
        if name in _left_out(command) or name not in OPTION_NAMES[command] or value.origin in {"", "default"}:
            continue
        option = name.replace("_", "-")
        if isinstance(ctx.params[name], bool):
            yield from [f"--{option}"] if ctx.params[name] else []
        elif value.text is not None:
            yield f"--{option}={value.text}"


def _left_out(command: str) -> frozenset[str]:
    """Return what a command is not given; to look again means to read the rows once, without waiting."""
    return _NOT_PASSED | WATCH_OPTIONS if command == "verify" else _NOT_PASSED


def _environment(params: Mapping[str, object]) -> dict[str, str]:
    """Return the variables for runs: a webhook's address is as good as a password, and other users see arguments."""
    url = params["notify_url"]
    return {"BULKREACT_NOTIFY_URL": str(url), "BULKREACT_NOTIFY_FORMAT": str(params["notify_format"])} if url else {}


def _facts(ctx: click.Context, reports: Path, data: Path) -> tuple[tuple[str, str], ...]:
    values = effective(ctx)
    answers = {"True": "yes", "False": "no"}
    texts = ((name, values[name].text or "") for name in _SHOWN)
    shown = ((name.replace("_", " "), answers.get(text, text)) for name, text in texts)
    rows = _approval_from(ctx.params["sign_in"], ctx.params["approval_from"])
    approval = ("approval from", "never" if rows is None else plural(rows, "row"))
    return (*shown, approval, ("reports", str(reports)), ("data", str(data)))


def _time_zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or _machine_zone())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name is None:
            return ZoneInfo("UTC")
        raise InputRefusedError(f"--time-zone {name!r} is not known here; write it like Europe/Berlin.") from None


def _machine_zone() -> str:
    named = os.environ.get("TZ", "").lstrip(":")
    _, mark, linked = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return named or (linked if mark else "UTC")
