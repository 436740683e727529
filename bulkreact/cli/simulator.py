"""``bulkreact simulator``: the simulated service alone, until Ctrl-C."""

import asyncio
import signal

import click

from bulkreact.cli.types import DURATION
from bulkreact.simulator.world import Rules


@click.command("simulator")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free port.")
@click.option("--activation-delay", type=DURATION, default="2s", show_default=True, help="From accepted to active.")
@click.option(
    "--activation-spread",
    type=DURATION,
    default="0s",
    show_default=True,
    help="So much sooner or later, drawn for each entitlement.",
)
@click.option(
    "--partner-limit", type=click.IntRange(0), default=500, show_default=True, help="Calls per window; 0: no limit."
)
@click.option(
    "--customer-limit", type=click.IntRange(0), default=0, show_default=True, help="Calls per window; 0: no limit."
)
@click.option("--window", type=DURATION, default="60s", show_default=True, help="The window of the limits.")
@click.option(
    "--faults",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of calls that meet a random fault.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses what is random.")
def command(
    *,
    port: int,
    activation_delay: float,
    activation_spread: float,
    partner_limit: int,
    customer_limit: int,
    window: float,
    faults: float,
    seed: int,
) -> None:
    """Run a local Partner Center on a loopback port, until Ctrl-C.

    Ids choose what happens; the README has the table. What took effect is shown at /simulator/ledger.
    """
    rules = Rules(activation_delay, activation_spread, partner_limit, customer_limit, window, faults, seed)
    try:
        asyncio.run(_serve(rules, port))
    except OSError as error:
        raise click.ClickException(
            f"port {port} cannot be used: {error.strerror}; choose another with --port"
        ) from None


async def _serve(rules: Rules, port: int) -> None:
    from bulkreact.simulator.server import serve  # noqa: PLC0415 - aiohttp is imported only where it is needed

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stopped.set)
        except NotImplementedError:
            # Windows: Ctrl-C arrives as KeyboardInterrupt instead.
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(stopped.set))
    async with serve(rules, port=port) as (base_url, _):
        click.echo(base_url)
        click.echo(
            f"Try: bulkreact run inputs/sample.csv --base-url {base_url} (any BULKREACT_ACCESS_TOKEN will do)", err=True
        )
        await stopped.wait()
