"""Parameter types of the command line; what is allowed is decided in the settings."""

from collections.abc import Callable
from typing import Generic, TypeVar

import click

from bulkreact.settings import (
    parse_api_version,
    parse_authority,
    parse_base_url,
    parse_client_id,
    parse_duration,
    parse_locale,
    parse_rate,
    parse_scope,
    parse_tenant,
    parse_threshold,
)

Parsed = TypeVar("Parsed")


class Parser(click.ParamType[Parsed], Generic[Parsed]):
    """A parameter read by one function of the settings, whose ValueError becomes a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Parsed]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Parsed:
        """Return the parsed value."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


RATE = Parser("N/min", parse_rate)
DURATION = Parser("duration", parse_duration)
THRESHOLD = Parser("P%|N|off", parse_threshold)
BASE_URL = Parser("URL", parse_base_url)
API_VERSION = Parser("text", parse_api_version)
LOCALE = Parser("locale", parse_locale)
TENANT = Parser("GUID|domain", parse_tenant)
CLIENT_ID = Parser("GUID", parse_client_id)
AUTHORITY = Parser("URL", parse_authority)
SCOPE = Parser("scope", parse_scope)
