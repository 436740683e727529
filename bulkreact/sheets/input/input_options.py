"""The user's options for an input: its format, its rows, and when it is refused."""

from collections.abc import Mapping

from msgspec import Struct, field

from bulkreact.models import Kind
from bulkreact.sheets.input.read_limits import ReadLimits


class InputOptions(Struct, frozen=True):
    """A file's format, instead of detecting it, and the defaults of its rows.

    ``columns`` maps our columns to other headers, ``summed`` is the header of the amounts to be summed. ``kind`` None
    means that the ids of a row decide. A file that exceeds the ``limits`` is refused, and one whose bytes have another
    ``sha256``, if that is given.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    summed: str = ""
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    hidden_rows: str | None = None
    kind: Kind | None = Kind.AZURE
    restore_auto_renew: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)
    sha256: str = ""


class LoadOptions(Struct, frozen=True):
    """How an input is read, and when it is refused as a whole."""

    input: InputOptions
    max_rows: int
    strict: bool
    allow_empty: bool
