"""The statuses and codes that the help explains, by who has to do with them. No I/O."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.lookup import all_entries
from bulkreact.web.texts import STATUSES

OF_THE_SERVER = "For those who run the server"
_OF_THE_RUN = frozenset({AnswerClass.TOKEN, AnswerClass.FATAL})


def help_sections() -> Mapping[str, Sequence[ErrorCode]]:
    """Return all entries under their headings; those about network and sign-in come last."""
    sections = defaultdict[str, list[ErrorCode]](list)
    for entry in all_entries():
        sections[_heading(entry)].append(entry)
    return sections | {OF_THE_SERVER: sections.pop(OF_THE_SERVER)}


def _heading(entry: ErrorCode) -> str:
    if entry.code in STATUSES:
        return "How a row ended"
    if entry.http_status is None:
        of_operator = entry.responsible is Responsible.OPERATOR
        return OF_THE_SERVER if of_operator else "What is wrong with a row"
    return OF_THE_SERVER if entry.answer_class in _OF_THE_RUN else "What Partner Center answers"
