"""The records of stored sign-ins, without their tokens; reads without MSAL, which takes 100 ms to import."""

import json
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from bulkreact.errors import InputRefusedError
from bulkreact.file_access import foreign_access, take_private_folder
from bulkreact.settings import parse_client_id, parse_scope, parse_tenant
from bulkreact.urls import parse_authority
from bulkreact.wording import DescribedError, describe_error

FOLDER = "sign-ins"
REFRESH_TOKEN_DAYS = 90


class TokenStorage(StrEnum):
    """Where a refresh token is stored."""

    KEYRING = "keyring"
    FILE = "file"


class SignInRecord(Struct, frozen=True):
    """A sign-in without its tokens; ``confidential`` if the app also authenticated itself.

    ``tenant_id`` is as named then, ``tid`` as in the token, or empty; ``signed_in_at`` is UTC, ISO 8601.
    """

    user: str
    cloud: str
    authority: str
    tenant_id: str
    tid: str
    client_id: str
    scope: str
    signed_in_at: str
    confidential: bool
    store: TokenStorage


def records(state: Path) -> list[SignInRecord]:
    """Return the readable records of all sign-ins on this machine; InputRefusedError if others may have written them."""
    readable, folder = [], state / FOLDER
    try:
        if os.path.lexists(folder):
            take_private_folder(folder)
    except OSError as error:
        raise unusable_folder(folder, error) from None
    for path in sorted(folder.glob("*.json")):
        with suppress(InputRefusedError):
            if record := read_record(path):
                readable.append(record)
    return readable


def unusable_folder(folder: Path, error: OSError) -> InputRefusedError:
    """Return the error that says why sign-ins cannot be kept in a folder."""
    return InputRefusedError(
        f"The folder for sign-ins, {folder}, cannot be used: {error.strerror}. Name another in BULKREACT_STATE_DIR."
    )


def read_record(path: Path) -> SignInRecord | None:
    """Return the record in a file, None if there is no file; InputRefusedError if it is damaged."""
    try:
        return _parse(path.read_text(encoding="utf-8"), foreign_access(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputRefusedError(
            f"The stored sign-in {path} cannot be read ({describe_error(error)}). Sign in again with: bulkreact login"
        ) from None


def _parse(text: str, foreign: str) -> SignInRecord:
    if foreign:
        raise DescribedError(foreign)
    content = json.loads(text)
    record = SignInRecord(**{**content, "store": TokenStorage(content["store"])})
    if not all(isinstance(value, str) or name == "confidential" for name, value in asdict(record).items()):
        raise ValueError("it is damaged")
    # As strictly as if it had been typed: it says where tokens and secrets go.
    for value, parse in (
        (record.authority, parse_authority),
        (record.tenant_id, parse_tenant),
        (record.client_id, parse_client_id),
        (record.scope, parse_scope),
    ):
        if value:
            parse(value)
    return record
