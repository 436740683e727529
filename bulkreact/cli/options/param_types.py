"""Parameter types of the command line; the settings decide what is allowed."""

import re
from collections.abc import Callable
from typing import Generic, TypeVar

import click

from bulkreact.settings import (
    parse_age,
    parse_api_version,
    parse_client_id,
    parse_duration,
    parse_locale,
    parse_new_run_id,
    parse_rate,
    parse_run_name,
    parse_scope,
    parse_tenant,
    parse_threshold,
)
from bulkreact.sheets.columns import MAPPED_COLUMNS
from bulkreact.sheets.input.layout_values import parse_delimiter, parse_encoding
from bulkreact.sheets.input.read_limits import LIMIT_NAMES
from bulkreact.urls import parse_authority, parse_base_url, parse_webhook_url
from bulkreact.wording import printable

# As in CSV: a quotation mark in a quoted text is doubled.
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_OPERATOR_LENGTH = 200
_LIMIT = re.compile(r"([a-z]+)=([1-9][0-9]{0,11})([KkMmGg]?)")
_LIMIT_UNITS = {"": 0, "K": 10, "M": 20, "G": 30}
_MAPPED = re.compile(rf"""[^\s=]+={_QUOTED.pattern}(?!\S)|\S+""")

Parsed = TypeVar("Parsed")


class Parser(click.ParamType[Parsed], Generic[Parsed]):
    """A parameter that a function parses; its ValueError becomes a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Parsed]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Parsed:
        """Return the parsed value."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ColumnParser(Parser[tuple[str, str]]):
    """A column and its header; a variable has several, with spaces between them."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split a variable at the spaces that are not in a quoted header: ``NAME=HEADER NAME="A ""b"" c"``."""
        return [_unquote_header(part) for part in _MAPPED.findall(rv)]


def _unquote_header(text: str) -> str:
    name, mark, header = text.partition("=")
    return name + mark + (header[1:-1].replace('""', '"') if _QUOTED.fullmatch(header) else header)


def _column(text: str) -> tuple[str, str]:
    """Read NAME=HEADER."""
    name, mark, header = text.partition("=")
    name = name.strip().lower().replace("-", "_")
    if not mark or not header.strip() or name not in MAPPED_COLUMNS:
        columns = ", ".join(MAPPED_COLUMNS)
        raise ValueError(
            f"{text!r} does not name a column; write it like customer_id=HEADER ({columns}), in a variable with quotes "
            'around a header that has spaces: customer_id="A HEADER"'
        )
    return name, header


def _read_limit(text: str) -> tuple[str, int]:
    """Read NAME=N; K, M and G are powers of 1,024."""
    match = _LIMIT.fullmatch(text.strip())
    if not match or match[1] not in LIMIT_NAMES:
        raise ValueError(
            f"{text!r} is no limit; write it like columns=20000 or bytes=8G, with one of {', '.join(LIMIT_NAMES)}"
        )
    return match[1], int(match[2]) << _LIMIT_UNITS[match[3].upper()]


def _sha256(text: str) -> str:
    """Read the hash of a file."""
    if not _SHA256.fullmatch(text):
        raise ValueError(f"{text!r} is no SHA-256; write its 64 hex digits")
    return text.lower()


def _operator(text: str) -> str:
    """Read the name of a person or a program."""
    if text.splitlines() != [text] or not text.strip() or len(text) > _OPERATOR_LENGTH:
        raise ValueError(f"must be one line of at most {_OPERATOR_LENGTH} characters")
    return printable(text)


DELIMITER = Parser("character", parse_delimiter)
ENCODING = Parser("name", parse_encoding)
READ_LIMIT = Parser("NAME=N", _read_limit)
COLUMN = ColumnParser("NAME=HEADER", _column)
RATE = Parser("N/min", parse_rate)
RUN_NAME = Parser("RUN", parse_run_name)
AGE = Parser("age", parse_age)
DURATION = Parser("duration", parse_duration)
THRESHOLD = Parser("P%|N|off", parse_threshold)
BASE_URL = Parser("URL", parse_base_url)
API_VERSION = Parser("text", parse_api_version)
LOCALE = Parser("locale", parse_locale)
TENANT = Parser("GUID|domain", parse_tenant)
CLIENT_ID = Parser("GUID", parse_client_id)
AUTHORITY = Parser("URL", parse_authority)
SCOPE = Parser("scope", parse_scope)
NEW_RUN_ID = Parser("ID", parse_new_run_id)
SHA256 = Parser("HEX", _sha256)
OPERATOR = Parser("TEXT", _operator)
WEBHOOK_URL = Parser("URL", parse_webhook_url)
