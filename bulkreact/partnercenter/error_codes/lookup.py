"""The catalogue: what a code means, who must act and what to do; no other module looks codes up.

Codes repeat across HTTP statuses and new ones appear, so every lookup falls back from (status, code) to the
status's class.
"""

from dataclasses import replace

from bulkreact.models import AutoRenew, Status
from bulkreact.partnercenter.auth.aadsts_codes import AADSTS_ERRORS
from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.local_codes import CHECK_LATER, FINAL_STATUSES, LOCAL_ENTRIES, STATUS_ENTRIES
from bulkreact.partnercenter.error_codes.service_codes import DEFAULT_BY_CLASS, SERVICE_ENTRIES

_SERVICE = {(entry.status, entry.code): entry for entry in SERVICE_ENTRIES}
_BY_CODE = {entry.code: entry for entry in reversed(SERVICE_ENTRIES) if entry.code}
_OURS = {entry.code: entry for entry in LOCAL_ENTRIES}
_STATUSES = {entry.code: entry for entry in STATUS_ENTRIES}
_GENERIC = "http-"
_AUTO_RENEW = {
    AutoRenew.OFF: (
        "Auto-renew is off since the suspension. If it is wanted, switch it on in Partner Center; "
        "the next time --restore-auto-renew does that."
    ),
    AutoRenew.STILL_OFF: (
        "Auto-renew is still off: Partner Center would not have it switched on again. Switch it on there by hand."
    ),
}


def lookup(status: int, code: str) -> ErrorCode:
    """Return what the answer means, falling back from (status, code) to the status and to its hundred."""
    return (
        _SERVICE.get((status, code))
        or _SERVICE.get((status, ""))
        or DEFAULT_BY_CLASS.get(status // 100, DEFAULT_BY_CLASS[5])
    )


def generic_code(status: int) -> str:
    """Name an error that came without a code of its own."""
    return f"{_GENERIC}{status}"


def advice(status: Status, http_status: int | None, code: str) -> str:
    """Return what to do about a row, empty when there is nothing to do."""
    return lookup_outcome(status, http_status, code).advice


def auto_renew_advice(auto_renew: AutoRenew) -> str:
    """Return what to do about the auto-renewal of a subscription that came back, empty when there is nothing to do."""
    return _AUTO_RENEW.get(auto_renew, "")


def lookup_outcome(status: Status, http_status: int | None, code: str) -> ErrorCode:
    """Return what the catalogue says of a row that ended so."""
    if code in _OURS:
        return _OURS[code]
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
    # A row that was not sent has the code of the row that was answered for it.
    return _BY_CODE.get(code) or lookup(http_status_of(code) or 0, "")


def explain(word: str) -> list[ErrorCode]:
    """Return every entry for a code, ``http-404``, an HTTP status or a status word; none for an unknown one."""
    key = word.strip().lower()
    if key in _OURS:
        return [_OURS[key]]
    if key in FINAL_STATUSES:
        return [_OURS[FINAL_STATUSES[key]]]
    if key in _STATUSES:
        return [_STATUSES[key]]
    number = key.removeprefix("aadsts")
    found = [entry for entry in SERVICE_ENTRIES if entry.code == key] if key else []
    if number in AADSTS_ERRORS:
        words, remedy = AADSTS_ERRORS[number]
        found.append(ErrorCode(f"AADSTS{number}", None, None, words, Responsible.OPERATOR, remedy))
    if status := http_status_of(key):
        found.append(lookup(status, ""))
    return found


def http_status_of(word: str) -> int | None:
    """Read ``404`` or ``http-404`` as an HTTP status, None when it is none."""
    digits = word.strip().lower().removeprefix(_GENERIC)
    if len(digits) == 3 and digits.isascii() and digits.isdigit() and 200 <= int(digits) <= 599:  # noqa: PLR2004
        return int(digits)
    return None
