"""``bulkreact simulator``: runs the simulated service until Ctrl-C."""

import asyncio
import ssl
from functools import partial
from pathlib import Path
from time import time

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.options.param_types import DURATION, Parser
from bulkreact.cli.options.paths import ReadablePath
from bulkreact.cli.output.terminal import echo
from bulkreact.runs.interruption import ShutdownRequest
from bulkreact.settings import parse_duration
from bulkreact.simulator.partnercenter.behaviour import Behaviour, Paging
from bulkreact.simulator.partnercenter.outages import OutageKind, ScheduledOutage
from bulkreact.wording import describe_error

_FILE = ReadablePath(exists=True)
# Ids that choose no scenario: they end in letters.
_TENANT = "7e4a4700-0000-4000-8000-a0000000000a"
_CLIENT = "c11e4700-0000-4000-8000-a0000000000a"


def _outage(text: str) -> ScheduledOutage:
    """Read ``20s..50s:503`` or ``20s..50s:503:10s``."""
    times, _, rest = text.partition(":")
    kind, _, wait = rest.partition(":")
    begin, _, end = times.partition("..")
    try:
        return ScheduledOutage(
            parse_duration(begin), parse_duration(end), OutageKind(kind), parse_duration(wait) if wait else 0.0
        )
    except ValueError:
        kinds = ", ".join(OutageKind)
        raise ValueError(f"{text!r} is not an outage; write it like 20s..50s:503 (kinds: {kinds})") from None


OUTAGE = Parser("FROM..TO:KIND", _outage)
_option = partial(click.option, show_default=True)


@click.command("simulator", cls=ConfiguredCommand)
@_option("--port", type=click.IntRange(0, 65535), default=8080, help="0 takes a free port.")
@_option("--activation-delay", type=DURATION, default="2s", help="From accepted to active.")
@_option(
    "--activation-spread", type=DURATION, default="0s", help="Random variation of the activation delay, plus or minus."
)
@_option("--partner-limit", type=click.IntRange(0), default=500, help="Calls per window; 0: no limit.")
@_option("--customer-limit", type=click.IntRange(0), default=0, help="Calls per window; 0: no limit.")
@_option("--window", type=DURATION, default="60s", help="The window of the limits.")
@_option("--faults", type=click.FloatRange(0, 1), default=0.0, help="Share of calls that get a random fault.")
@_option("--seed", type=int, default=0, help="Seed of the random numbers.")
@_option("--customers", type=click.IntRange(0), default=3, help="Number of customers.")
@_option(
    "--broken-customers",
    type=click.IntRange(0),
    default=0,
    help="Number of additional customers whose subscription list returns errors first.",
)
@_option("--page-size", type=click.IntRange(1, 500), default=500, help="Customers on a page of their list.")
@_option(
    "--paging",
    type=click.Choice([paging.value for paging in Paging]),
    default=Paging.LINKS.value,
    help="How their list goes on: with links, with tokens alone, or cut off after a page that counts them all.",
)
@click.option(
    "--outage",
    "outages",
    type=OUTAGE,
    multiple=True,
    help="When the service is down, and how: 20s..50s:503 (or 502, 504, reset, refused, no-answer); 20s..50s:503:10s names a "
    "Retry-After. Repeatable.",
)
@click.option(
    "--tls-certificate",
    type=_FILE,
    help="Serve https as localhost, with a token service: the certificate (PEM), with those it depends on.",
)
@click.option("--tls-key", type=_FILE, help="The key of that certificate (PEM, without a password).")
@click.pass_context
def command(
    ctx: click.Context, /, *, port: int, tls_certificate: Path | None, tls_key: Path | None, **_: object
) -> None:
    """Run a local Partner Center on a loopback port, until Ctrl-C.

    Ids choose what happens; 'bulkreact guide simulator' has the tables. What took effect is shown at /simulator/ledger.
    """
    names = ("activation_delay", "activation_spread", "partner_limit", "customer_limit", "window", "seed", "customers")
    params = {name: ctx.params[name] for name in (*names, "broken_customers", "page_size")}
    behaviour = Behaviour(
        **params,
        fault_share=ctx.params["faults"],
        paging=Paging(ctx.params["paging"]),
        outages=ctx.params["outages"],
    )
    stopped = asyncio.Event()
    shutdown = ShutdownRequest(lambda _message: stopped.set(), invocation_of(ctx).signals)
    shutdown.install()
    try:
        run_async(shutdown.guard(_serve(behaviour, port, _tls(tls_certificate, tls_key), stopped)))
    except OSError as error:
        raise click.ClickException(
            f"port {port} cannot be used: {error.strerror}; choose another with --port"
        ) from None


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context for https, None if it was not requested."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--tls-certificate and --tls-key need each other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password OpenSSL would ask for one.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise click.UsageError(
            f"{certificate} and {key} are not a certificate and its bare key: {describe_error(error)}"
        ) from None
    return context


async def _serve(behaviour: Behaviour, port: int, tls: ssl.SSLContext | None, stopped: asyncio.Event) -> None:
    from bulkreact.simulator.server import serve  # noqa: PLC0415 - aiohttp is imported only where it is needed

    directory = None
    if tls:
        from bulkreact.simulator.identity.directory import Directory  # noqa: PLC0415 - its cryptography takes long to import

        directory = Directory(time)
    async with serve(behaviour, port=port, tls=tls, directory=directory) as (base_url, _):
        echo(base_url)
        echo(_advice(base_url, tokens=directory is not None), err=True)
        await stopped.wait()


def _advice(base_url: str, *, tokens: bool) -> str:
    """Print how to try the simulator."""
    command = f"bulkreact run inputs/sample.csv --base-url {base_url}"
    if not tokens:
        return f"Try: {command} (any BULKREACT_ACCESS_TOKEN will do)"
    return (
        f"Try: {command} --authority {base_url} --tenant-id {_TENANT} --client-id {_CLIENT}\n"
        "with BULKREACT_CLIENT_SECRET set (any tenant, client id and secret will do), and with REQUESTS_CA_BUNDLE, or else "
        "SSL_CERT_FILE, naming the file of the certificate authority that issued the certificate."
    )
