"""The options that commands share, and the settings built from them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource
from msgspec.structs import replace

from bulkreact.cli.command import SharedOption
from bulkreact.cli.options.help_groups import RUN_METAVAR
from bulkreact.cli.options.param_types import (
    API_VERSION,
    BASE_URL,
    DURATION,
    LOCALE,
    NEW_RUN_ID,
    OPERATOR,
    RATE,
    RUN_NAME,
    THRESHOLD,
    WEBHOOK_URL,
)
from bulkreact.cli.options.paths import OutputFile
from bulkreact.errors import InputRefusedError
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_options import Output
from bulkreact.runs.run_trust import TRUST_OPTION
from bulkreact.settings import BASE_URLS, DEFAULT_LOCALE, LATEST_RUN, Cloud, Limits, Service, Verification

Decorated = TypeVar("Decorated", bound=Callable[..., object])
Option = Callable[[Decorated], Decorated]


def combine_options(*options: Option[Decorated]) -> Option[Decorated]:
    """Return a decorator that adds options to a command, in the order of the help."""

    def add(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return add


option = partial(click.option, cls=SharedOption)
_shown = partial(option, show_default=True)
CLOUD = _shown(
    "--cloud",
    type=click.Choice([cloud.value for cloud in Cloud]),
    default=Cloud.GLOBAL.value,
    help="The national cloud of the partner tenant.",
)
_BASE_URL = option(
    "--base-url",
    type=BASE_URL,
    help="Another address of the API; https, or http on this machine.  [default: of the cloud]",
)
trust_option = click.option(
    TRUST_OPTION, is_flag=True, help="Work on RUN although it is another user's, or others can write its folder."
)
# What confirms a run that is read back from disk.
trust_options = combine_options(
    option("--base-url", type=BASE_URL, help="Confirms the address of RUN where it is not the cloud's."), trust_option
)
target_options = combine_options(
    CLOUD,
    _BASE_URL,
    _shown("--api-version", type=API_VERSION, default="v1", help="The version in the URL."),
    _shown("--locale", type=LOCALE, default=DEFAULT_LOCALE, help="The language of Partner Center's messages."),
    option("--simulate", is_flag=True, help="Practise: start the simulator in this process and send everything to it."),
)
limit_options = combine_options(
    _shown("--rate", type=RATE, default="300/min", help="Ceiling for all calls together: N/min (or N), N/s or off."),
    _shown("--concurrency", type=click.IntRange(1, 1000), default=16, help="Calls in flight."),
    _shown("--per-customer", type=click.IntRange(1), default=4, help="Calls in flight for one customer."),
    _shown("--timeout", type=DURATION, default="60s", help="For each attempt."),
    _shown("--attempts", type=click.IntRange(1), default=5, help="Attempts per row for transient failures."),
    _shown("--max-throttle", type=DURATION, default="30m", help="Defer rows that get only 429 answers for this long."),
    _shown("--max-retry-after", type=DURATION, default="300s", help="Defer rows that are asked to wait longer."),
    _shown(
        "--max-outage", type=DURATION, default="30m", help="Stop when Partner Center is down for this long (exit 75)."
    ),
)
halt_options = combine_options(
    option(
        "--halt-on-failures",
        type=THRESHOLD,
        default="50%",
        show_default="50%; off in a retry",
        help="Stop when failures pass this: P%, N or off.",
    ),
    _shown(
        "--halt-after", type=click.IntRange(1), default=20, help="Check the failure limit only after this many rows."
    ),
    _shown(
        "--order",
        type=click.Choice(["input", "urgent"]),
        default="input",
        help="urgent: send rows first that will be permanently deleted within 14 days (columns deadline, cancelled_on).",
    ),
)


def _verify_times(after: str, timeout: str) -> Option[Callable[..., object]]:
    return combine_options(
        _shown("--verify-after", type=DURATION, default=after, help="Delay before the first status check."),
        _shown("--verify-every", type=DURATION, default="60s", help="Interval between status checks."),
        _shown(
            "--verify-timeout",
            type=DURATION,
            default=timeout,
            help="How long to watch; each row is looked at once at least.",
        ),
    )


_VERIFY_HELP = "Then watch accepted rows until they are active."
verify_options = combine_options(
    _shown("--verify/--no-verify", default=False, help=_VERIFY_HELP), _verify_times("60s", "1200s")
)
# For people who look at a page: they want to know how it ended.
verify_by_default_options = combine_options(
    _shown("--verify/--no-verify", default=True, help=_VERIFY_HELP), _verify_times("60s", "1200s")
)
# For a command that only watches: by default it reads each row once.
verify_only_options = _verify_times("0s", "0s")
reports_option = _shown(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    help="The folder with a folder for each run.",
)
run_argument = click.argument("name", metavar=RUN_METAVAR, type=RUN_NAME, default=LATEST_RUN)
control_option = option(
    "--control",
    type=OutputFile(OutputKind.CONTROL_FOLDER),
    help="Report progress in this folder every second, and stop when a file stop or stop-now appears there.",
)
operator_option = option(
    "--operator",
    type=OPERATOR,
    help="Who is named in journal, summary and report.  [default: the system's user]",
)
page_option = click.option(
    "--page",
    type=WEBHOOK_URL,
    help="The page with buttons for this run: report.html and failed.xlsx name these instead of commands.",
)
run_id_option = click.option(
    "--run-id",
    type=NEW_RUN_ID,
    help="The id of the new run, for programs that must find it again. Implies --new.",
)
XLSX = option(
    "--xlsx/--no-xlsx",
    default=None,
    help="Also write results.xlsx.  [default: if the input comes from a spreadsheet]",
)
_MESSAGES = combine_options(
    XLSX,
    click.option("--yes", is_flag=True, help="Do not ask before sending."),
    click.option("--progress/--no-progress", default=None, help="Show a progress bar.  [default: on a terminal]"),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well."),
    click.option("-v", "--verbose", is_flag=True, help="Print how every row ended."),
)
output_options = combine_options(
    reports_option,
    click.option("--results", type=OutputFile(OutputKind.RESULTS), help="Also write the results CSV to this file."),
    _MESSAGES,
)
# For a command with many runs: --results names one file.
sweep_output_options = combine_options(reports_option, _MESSAGES)


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
        max_outage=params["max_outage"],
        # Even without --verify, a command with --verify-after verifies.
        verify=_verification(ctx) if params.get("verify", "verify_after" in params) else None,
        waiting=_verification(ctx) if "verify_after" in params else Verification(),
        urgent_first=params.get("order") == "urgent",
    )
    if "halt_on_failures" not in params:
        return limits
    limits = replace(limits, halt=params["halt_on_failures"], halt_after=params["halt_after"])
    is_given = ctx.get_parameter_source("halt_on_failures") is not ParameterSource.DEFAULT
    return replace(limits, halt_in_retry=limits.halt) if is_given else limits


def _verification(ctx: click.Context) -> Verification:
    params = ctx.params
    if params["verify_every"] <= 0:
        raise InputRefusedError("--verify-every must be greater than 0.")
    return Verification(params["verify_after"], params["verify_every"], params["verify_timeout"])


def is_trusted(ctx: click.Context) -> bool:
    """Return whether a run of others is agreed to; it must be named."""
    return bool(ctx.params["trust_folder"]) and ctx.params["name"] != LATEST_RUN


def check_suffix(file: Path, name: str) -> None:
    """Raise InputRefusedError unless a file that is to be written is CSV or a workbook."""
    if file.suffix.lower() not in {".csv", ".xlsx"}:
        raise InputRefusedError(f"{name} is neither .csv nor .xlsx: name a file that ends so.")


def read_output(ctx: click.Context) -> Output:
    """Return the options for results and messages."""
    params = ctx.params
    return Output(
        reports=params["reports"],
        results=params.get("results"),
        xlsx=params["xlsx"],
        yes=params["yes"],
        progress=params["progress"],
        quiet=params["quiet"],
        verbose=params["verbose"],
    )
