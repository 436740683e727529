"""The options that commands share, and the settings that they make up."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.cli.command import SharedOption
from bulkreact.cli.options.param_types import API_VERSION, BASE_URL, DURATION, LOCALE, RATE, THRESHOLD
from bulkreact.errors import InputRefusedError
from bulkreact.runs.output_options import Output
from bulkreact.settings import BASE_URLS, Cloud, Limits, Service, Verification

Decorated = TypeVar("Decorated", bound=Callable[..., object])

shared = partial(click.option, cls=SharedOption)
CLOUD = shared(
    "--cloud",
    type=click.Choice([cloud.value for cloud in Cloud]),
    default=Cloud.GLOBAL.value,
    show_default=True,
    help="The national cloud of the partner tenant.",
)
_TARGET = (
    CLOUD,
    shared(
        "--base-url",
        type=BASE_URL,
        help="Another address of the API; https, or http on this machine.  [default: of the cloud]",
    ),
    shared("--api-version", type=API_VERSION, default="v1", show_default=True, help="The version in the URL."),
    shared(
        "--locale",
        type=LOCALE,
        default="en-US",
        show_default=True,
        help="The language of Partner Center's messages.",
    ),
    shared("--simulate", is_flag=True, help="Practise: start the simulator in this process and send everything to it."),
)
_LIMITS = (
    shared(
        "--rate",
        type=RATE,
        default="300/min",
        show_default=True,
        help="Ceiling for all calls together: N/min, N/s or off.",
    ),
    shared("--concurrency", type=click.IntRange(1, 1000), default=16, show_default=True, help="Calls in flight."),
    shared(
        "--per-customer", type=click.IntRange(1), default=4, show_default=True, help="Calls in flight for one customer."
    ),
    shared("--timeout", type=DURATION, default="60s", show_default=True, help="For each attempt."),
    shared(
        "--attempts",
        type=click.IntRange(1),
        default=5,
        show_default=True,
        help="Attempts per row for transient failures.",
    ),
    shared(
        "--max-throttle",
        type=DURATION,
        default="30m",
        show_default=True,
        help="Defer rows answered nothing but 429 for so long.",
    ),
    shared(
        "--max-retry-after",
        type=DURATION,
        default="300s",
        show_default=True,
        help="Defer rows that are asked to wait longer.",
    ),
)
_HALT = (
    shared(
        "--halt-on-failures",
        type=THRESHOLD,
        default="50%",
        show_default=True,
        help="Stop when failures pass this: P%, N or off.",
    ),
    shared(
        "--halt-after",
        type=click.IntRange(1),
        default=20,
        show_default=True,
        help="Answered rows before that is checked.",
    ),
)
_ORDER = shared(
    "--order",
    type=click.Choice(["input", "urgent"]),
    default="input",
    show_default=True,
    help="urgent: first what is deleted for good within 14 days, by the columns deadline and cancelled_on.",
)


def _verify_times(after: str, timeout: str) -> tuple[Callable[[Decorated], Decorated], ...]:
    return (
        shared(
            "--verify-after", type=DURATION, default=after, show_default=True, help="From acceptance to the first look."
        ),
        shared("--verify-every", type=DURATION, default="60s", show_default=True, help="From one look to the next."),
        shared(
            "--verify-timeout",
            type=DURATION,
            default=timeout,
            show_default=True,
            help="How long to watch; each row is looked at once at least.",
        ),
    )


_VERIFY = (
    shared(
        "--verify/--no-verify", default=False, show_default=True, help="Then watch accepted rows until they are active."
    ),
    *_verify_times("60s", "1200s"),
)
XLSX = shared(
    "--xlsx/--no-xlsx",
    default=None,
    help="Also write results.xlsx.  [default: if the input comes from a spreadsheet]",
)
_RESULTS = click.option(
    "--results", type=click.Path(dir_okay=False, path_type=Path), help="Also write the results CSV to this file."
)
_OUTPUT = (
    XLSX,
    click.option("--yes", is_flag=True, help="Do not ask before sending."),
    click.option("--progress/--no-progress", default=None, help="Show a progress bar.  [default: on a terminal]"),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing when all is well."),
    click.option("-v", "--verbose", is_flag=True, help="Say how every row ended."),
)
_REPORTS = shared(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Runs are kept below this folder.",
)


def target_options(function: Decorated) -> Decorated:
    """Add the options of the partner API."""
    return add_options(function, _TARGET)


def limit_options(function: Decorated) -> Decorated:
    """Add the options that limit rate, concurrency and attempts."""
    return add_options(function, _LIMITS)


def halt_options(function: Decorated) -> Decorated:
    """Add the options of the failure threshold and the order of rows."""
    return add_options(function, (*_HALT, _ORDER))


def verify_options(function: Decorated) -> Decorated:
    """Add the options for watching the activation after the calls."""
    return add_options(function, _VERIFY)


def verify_only_options(function: Decorated) -> Decorated:
    """Add the options of a command that only watches the activation; by default it reads once."""
    return add_options(function, _verify_times("0s", "0s"))


def output_options(function: Decorated) -> Decorated:
    """Add the options for results and messages."""
    return add_options(function, (_REPORTS, _RESULTS, *_OUTPUT))


def sweep_output_options(function: Decorated) -> Decorated:
    """Add the same for a command with many runs: without --results, which names one file."""
    return add_options(function, (_REPORTS, *_OUTPUT))


def reports_option(function: Decorated) -> Decorated:
    """Add the option for the folder of the runs."""
    return _REPORTS(function)


def read_service(ctx: click.Context) -> Service:
    """Return the partner API that the options name."""
    params = ctx.params
    if params["simulate"] and params["base_url"]:
        raise InputRefusedError("--simulate and --base-url exclude each other: leave one of them out.")
    cloud = Cloud(params["cloud"])
    return Service(
        cloud=cloud,
        base_url=params["base_url"] or BASE_URLS[cloud],
        api_version=params["api_version"],
        simulated=params["simulate"],
        locale=params["locale"],
    )


def service_of_run(metadata: RunMetadata) -> Service:
    """Return the partner API of a run."""
    return Service(Cloud(metadata.cloud), metadata.base_url, metadata.api_version, simulated=metadata.simulated)


def read_limits(ctx: click.Context) -> Limits:
    """Return the limits that the options set."""
    params = ctx.params
    if params["timeout"] <= 0:
        raise InputRefusedError("--timeout must be greater than 0.")
    limits = Limits(
        calls_per_second=params["rate"],
        concurrency=params["concurrency"],
        per_customer=params["per_customer"],
        timeout=params["timeout"],
        attempts=params["attempts"],
        max_throttle=params["max_throttle"],
        max_retry_after=params["max_retry_after"],
        # Without --verify, a command with --verify-after exists to verify.
        verify=_verification(ctx) if params.get("verify", "verify_after" in params) else None,
        waiting=_verification(ctx) if "verify_after" in params else Verification(),
        urgent_first=params.get("order") == "urgent",
    )
    if "halt_on_failures" not in params:
        return limits
    return replace(limits, halt=params["halt_on_failures"], halt_after=params["halt_after"])


def _verification(ctx: click.Context) -> Verification:
    params = ctx.params
    if params["verify_every"] <= 0:
        raise InputRefusedError("--verify-every must be greater than 0.")
    return Verification(params["verify_after"], params["verify_every"], params["verify_timeout"])


def read_output(ctx: click.Context) -> Output:
    """Return the options for results and messages; InputRefusedError when --results cannot be written."""
    params = ctx.params
    copy: Path | None = params.get("results")
    if copy and copy.exists() and not copy.is_file():
        raise InputRefusedError(f"--results {copy} is not a regular file: name another.")
    if copy and not os.access(copy.absolute().parent, os.W_OK):
        raise InputRefusedError(f"--results {copy}: there is no folder {copy.parent} that can be written.")
    return Output(
        reports=params["reports"],
        # Replace the target of a link, not the link.
        results=copy.resolve() if copy else None,
        xlsx=params["xlsx"],
        yes=params["yes"],
        progress=params["progress"],
        quiet=params["quiet"],
        verbose=params["verbose"],
    )


def add_options(function: Decorated, options: tuple[Callable[[Decorated], Decorated], ...]) -> Decorated:
    """Add options to a command, in the order in which help shows them."""
    for option in reversed(options):
        function = option(function)
    return function
