"""What the table typed_cells of a journal has for a row: its typed cells, and the types of columns from it on."""

import sqlite3

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from bulkreact.batch.journal.schema import has_typed_cells
from bulkreact.models import ColumnType, InputRow, TypedCell


class StoredTypes(Struct, frozen=True, omit_defaults=True):
    """``columns`` hold until the next record, ``cells`` for its own row alone."""

    columns: tuple[ColumnType, ...] = ()
    cells: tuple[TypedCell, ...] = ()


_encode = Encoder().encode
# Earlier versions had all typed cells of each row.
_decode = Decoder(tuple[TypedCell, ...] | StoredTypes).decode
_RECORD = "SELECT ordinal, cells FROM typed_cells WHERE ordinal <= ? ORDER BY ordinal DESC LIMIT 1"
_NEXT = "SELECT ordinal FROM typed_cells WHERE ordinal > ? ORDER BY ordinal LIMIT 1"
_NOTHING = StoredTypes()
_NEVER = 1 << 62


def encode_types(row: InputRow) -> str:
    """Return what is stored for a row."""
    return _encode(StoredTypes(row.column_types, row.typed_cells)).decode()


class TypesReader:
    """Reads the types of rows, fastest in their order."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._first, self._next = 0, 0 if has_typed_cells(connection) else _NEVER
        self._types = _NOTHING

    def read(self, ordinal: int) -> StoredTypes:
        """Return the types of a row."""
        if not self._first <= ordinal < self._next:
            self._find(ordinal)
        if self._types.cells and ordinal != self._first:
            return StoredTypes(self._types.columns)
        return self._types

    def _find(self, ordinal: int) -> None:
        self._first, content = self._connection.execute(_RECORD, (ordinal,)).fetchone() or (0, "[]")
        (self._next,) = self._connection.execute(_NEXT, (ordinal,)).fetchone() or (_NEVER,)
        types = _decode(content)
        self._types = StoredTypes((), types) if isinstance(types, tuple) else types
