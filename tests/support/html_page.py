"""A parser of report pages, in place of a browser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_VOID = {"meta", "br", "rect", "line", "input", "link"}


@dataclass
class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and that of sections, tables and articles."""

    path: Path
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""
    sections: dict[str, str] = field(default_factory=dict)
    cells: list[list[str]] = field(default_factory=list)
    articles: list[list[str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _section: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.elements.append((tag, values))
        self._section = values.get("aria-labelledby", "") if tag == "section" else self._section
        if tag == "article":
            self.articles.append([])
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        if {"style", "script", "title", "desc"} & set(self.open[-1:]):
            return
        self.text += data
        self.sections[self._section] = self.sections.get(self._section, "") + data
        if "article" in self.open and data.strip():
            self.articles[-1].append(data.strip())
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data

    def attributes(self, *names: str) -> list[str]:
        """Return the values of attributes, of all elements."""
        return [value for _, values in self.elements for name, value in values.items() if name in names]

    def numbers(self, column: int = 1) -> dict[str, int]:
        """Return the rows of all tables that have a number in a column, by their first cell."""
        rows = [cells for cells in self.cells if len(cells) > column]
        return {cells[0]: int(text) for cells in rows if (text := cells[column].replace(",", "")).isdecimal()}

    @property
    def shape(self) -> list[tuple[str, frozenset[str]]]:
        """Return every element with the names of its attributes."""
        return [(tag, frozenset(values)) for tag, values in self.elements]
