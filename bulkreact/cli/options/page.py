"""The options about the page itself: where it is, who signs in and how, what it takes."""

from functools import partial
from pathlib import Path

import click

from bulkreact.cli.options.param_types import DURATION, Parser
from bulkreact.web.serve_settings import parse_address, parse_approval_from, parse_public_url, parse_size

_option = partial(click.option, show_default=True)
# Which of them are shown on its page of settings.
PAGE_FACTS = ("sign_in", "session", "idle")
PAGE_OPTIONS = (
    _option(
        "--host",
        type=Parser("ADDRESS", parse_address),
        default="127.0.0.1",
        help="The loopback address; with entra it may be another.",
    ),
    _option("--port", type=click.IntRange(0, 65535), default=8765, help="0 takes a free port."),
    _option(
        "--sign-in",
        type=click.Choice(["local", "entra", "practice"]),
        default="local",
        help="local: by a link that works once. entra: with Microsoft Entra, for a team. practice: as made-up people, with "
        "--simulate alone.",
    ),
    click.option(
        "--public-url",
        type=Parser("URL", parse_public_url),
        help="What browsers see behind a proxy; it may have a path.  [default: of host and port]",
    ),
    click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder for uploads and the record.  [default: serve in the reports folder]",
    ),
    click.option(
        "--approval-from",
        type=Parser("N|never", parse_approval_from),
        help="From how many rows on a second person must agree.  [default: 1, with local never]",
    ),
    _option("--max-upload", type=Parser("SIZE", parse_size), default="100MB", help="The largest file."),
    _option("--session", type=DURATION, default="8h", help="How long a sign-in lasts at most."),
    _option("--idle", type=DURATION, default="60m", help="How long it lasts without use."),
    click.option("--time-zone", help="The zone of all times, like Europe/Berlin.  [default: the machine's]"),
    _option("--continue/--no-continue", default=True, help="Continue interrupted runs when it starts."),
    _option("--open/--no-open", default=False, help="Open the link in a browser."),
    click.option("--check", is_flag=True, help="Prove the settings, the folder, the port and the app, then end."),
    click.option("--end-sessions", is_flag=True, help="Sign everybody out, then end."),
)
