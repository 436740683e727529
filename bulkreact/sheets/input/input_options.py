"""What somebody knows of an input beforehand: how it is written, and what its rows want."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkreact.models import Kind


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What somebody knows of a file better than can be found out.

    ``columns`` says which headers hold which of our columns, where their names do not. ``kind`` is what rows want that do
    not say it themselves, None for what their ids tell; ``restore_auto_renew`` holds for those as well.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    hidden_rows: str | None = None
    kind: Kind | None = Kind.AZURE
    restore_auto_renew: bool = False
