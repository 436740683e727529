"""Looks up error codes: what they mean, who must act and what to do.

Codes repeat across HTTP statuses and new ones appear, so a lookup falls back from (status, code) to the status and
then to its class.
"""

from functools import lru_cache

from msgspec.structs import replace

from bulkreact.models import AutoRenew, Status
from bulkreact.partnercenter.auth.aadsts_codes import AADSTS_ERRORS
from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.local_codes import (
    CHECK_LATER,
    FINAL_STATUSES,
    GATEWAY_PAGE,
    LOCAL_ENTRIES,
    STATUS_ENTRIES,
)
from bulkreact.partnercenter.error_codes.service_codes import DEFAULT_BY_CLASS, SERVICE_ENTRIES

_SERVICE = {(entry.http_status, entry.code): entry for entry in SERVICE_ENTRIES}
_BY_CODE = {entry.code: entry for entry in reversed(SERVICE_ENTRIES) if entry.code}
_LOCAL = {entry.code: entry for entry in LOCAL_ENTRIES}
_STATUSES = {entry.code: entry for entry in STATUS_ENTRIES}
# What the entries call the file with the rows that did not end well.
FAILED_FILE = "failed.csv"
_GENERIC = "http-"
_GATEWAY = "gateway-"
_AUTO_RENEW = {
    AutoRenew.OFF: (
        "Auto-renew is off since the suspension. To renew, switch it on in Partner Center; "
        "the next time --restore-auto-renew does that."
    ),
    AutoRenew.STILL_OFF: (
        "Auto-renew is still off: Partner Center did not accept the change. Switch it on there by hand."
    ),
}


def lookup(http_status: int, code: str) -> ErrorCode:
    """Return the entry for an answer, falling back from (status, code) to the status and to its class."""
    return (
        _SERVICE.get((http_status, code))
        or _SERVICE.get((http_status, ""))
        or DEFAULT_BY_CLASS.get(http_status // 100, DEFAULT_BY_CLASS[5])
    )


def describe_code(code: str) -> str:
    """Return what an error code means, for people."""
    entry = next(iter(find_entries(code)), None)
    return entry.description if entry else "not in the catalogue; see error_description"


def generic_code(http_status: int) -> str:
    """Return the code for an error that came without one."""
    return f"{_GENERIC}{http_status}"


def gateway_code(http_status: int) -> str:
    """Return the code for the page of a gateway in front of the service."""
    return f"{_GATEWAY}{http_status}"


def advice(status: Status, http_status: int | None, code: str) -> str:
    """Return what to do about a row, empty if nothing."""
    return lookup_outcome(status, http_status, code).advice


def name_failed_file(advice: str, name: str) -> str:
    """Return an entry's advice for a run whose failed rows are corrected in the file of that name."""
    return advice.replace(FAILED_FILE, name)


def auto_renew_advice(auto_renew: AutoRenew) -> str:
    """Return what to do about the auto-renewal of a reactivated subscription, empty if nothing."""
    return _AUTO_RENEW.get(auto_renew, "")


# Thousands of rows end alike; the service's codes are unbounded, the cache is not.
@lru_cache(maxsize=1024)
def lookup_outcome(status: Status, http_status: int | None, code: str) -> ErrorCode:
    """Return the entry for a row's outcome."""
    if code in _LOCAL:
        return _LOCAL[code]
    if code.startswith(_GATEWAY):
        return replace(GATEWAY_PAGE, code=code)
    if (
        status is Status.UNKNOWN
        and http_status is not None
        and lookup(http_status, code).answer_class is AnswerClass.CHECK
    ):
        return replace(_STATUSES[status], advice=CHECK_LATER)
    if status in {Status.UNKNOWN, Status.PENDING} or not code:
        return _STATUSES[status]
    if http_status is not None:
        return lookup(http_status, code)
    # An unsent row has the code of the row whose answer ended it.
    return _BY_CODE.get(code) or lookup(http_status_of(code) or 0, "")


def find_entries(text: str) -> list[ErrorCode]:
    """Return the entries for a code, ``http-404``, an HTTP status, a row's or a subscription's status."""
    key = text.strip().lower()
    if key in _LOCAL:
        return [_LOCAL[key]]
    if http_status_of(key.removeprefix(_GATEWAY)) and key.startswith(_GATEWAY):
        return [replace(GATEWAY_PAGE, code=key)]
    if key in FINAL_STATUSES:
        return [_LOCAL[FINAL_STATUSES[key]]]
    if key in _STATUSES:
        return [_STATUSES[key]]
    number = key.removeprefix("aadsts")
    entries = [entry for entry in SERVICE_ENTRIES if entry.code == key] if key else []
    if number in AADSTS_ERRORS:
        entries.append(_token_entry(number))
    if status := http_status_of(key):
        entries.append(lookup(status, ""))
    return entries


def all_entries() -> list[ErrorCode]:
    """Return every entry: statuses of rows, local codes, Partner Center's codes and statuses, and the token service's."""
    return [*STATUS_ENTRIES, *LOCAL_ENTRIES, *SERVICE_ENTRIES, *map(_token_entry, AADSTS_ERRORS)]


def _token_entry(number: str) -> ErrorCode:
    description, remedy = AADSTS_ERRORS[number]
    return ErrorCode(f"AADSTS{number}", None, None, description, Responsible.OPERATOR, remedy)


def http_status_of(text: str) -> int | None:
    """Read ``404`` or ``http-404`` as an HTTP status, None for anything else."""
    digits = text.strip().lower().removeprefix(_GENERIC)
    if len(digits) == 3 and digits.isascii() and digits.isdigit() and 200 <= int(digits) <= 599:  # noqa: PLR2004
        return int(digits)
    return None
