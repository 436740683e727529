"""What spreadsheets call columns and cells. No I/O."""

_LETTERS = 26


def column_letters(index: int) -> str:
    """Return the name of a column, counted from 0: A, Z, AA."""
    letters = ""
    while index >= 0:
        letters = chr(ord("A") + index % _LETTERS) + letters
        index = index // _LETTERS - 1
    return letters
