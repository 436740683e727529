"""The report in a real browser: accessible, readable on a phone, searchable, and deaf to what cells say."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.sheets.output.test_report_html import HOSTILE
from tests.support.browser import Scheme, browser, needs_browser, show
from tests.support.ids import HEADER, guid, row, scenario_id, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST

pytestmark = [pytest.mark.browser, needs_browser]
_TAGS = ("b", "svg", "math", "iframe", "style", "script", "template", "noscript", "textarea", "title", "base", "meta")
CELLS = (
    *HOSTILE,
    *(f"</{tag}><{tag} onload=alert(1)>" for tag in _TAGS),
    *(f"{quote}{name}=alert(1) x={quote}" for quote in "'\"`" for name in ("onclick", "onfocus autofocus", "style", "href")),
    *(f"<a href='{scheme}:alert(1)'>x</a>" for scheme in ("javascript", "JaVaScRiPt", "data:text/html,", "vbscript", "\x01javascript")),
    *("<!--", "-->", "<![CDATA[", "]]>", "<?xml ?>", "<!DOCTYPE x>", "</td></tr></table>", "</bdi><h1>", "&lt;script&gt;", "&#60;script&#62;"),
    *("${alert(1)}", "{{constructor.constructor('alert(1)')()}}", "\ufeff<script>", "\u2028alert(1)//", "+ADw-script+AD4-", "<scr\x00ipt>"),
    *('=HYPERLINK("http://x")', "\u202e<b>", "<img src=//x/y>", "<link rel=stylesheet href=//x>", "@import '//x'", "url(//x)"),
    *("<details open ontoggle=alert(1)>", "<input autofocus onfocus=alert(1)>", "<button form=x>", "<form action=//x>"),
)  # fmt: skip


CODES = (202, 202, 900337, 800111, 20002, 1503, 429, 900278, 1202, 202)
NUMBERS, INVOICES = "#attention tbody th", "#attention .reference"
# What happened over time differs by what the partner was busy with.
ELEMENTS = """
Array.from(document.querySelectorAll("*:not([aria-labelledby=timeline] *)"),
    (node) => [node.tagName, ...node.getAttributeNames()].join(" "))
"""


def write_report(
    program: Program, partner: Partner, names: tuple[str, ...] = ("Contoso", "Fabrikam"), *, first: int = 0
) -> Path:
    """Run a file in which rows end in all ways, and return its report; other ids begin with another ``first``."""
    numbers = range(first, first + len(CODES))
    ids = [row(scenario_id(code, number), number % 4) for number, code in zip(numbers, CODES, strict=True)]
    known = [(*target, names[number % len(names)], f"INV-{number}") for number, target in enumerate(ids)]
    invalid = [("no GUID", guid(number), guid(number), name, f"BAD-{name}") for number, name in enumerate(names)]
    write_csv(program.folder / "input.csv", [*known, *invalid], (*HEADER, "Customer name", "Invoice"))
    options = ("--attempts", "1", "--halt-on-failures", "off")
    return program("run", "input.csv", "--base-url", partner.base_url, *FAST, *options).run / "report.html"


def page_width(page: Page, width: int) -> int:
    """Return how much room a page takes in a window of a width."""
    page.set_viewport_size({"width": width, "height": 900})
    return int(page.evaluate("document.documentElement.scrollWidth"))


def without_script(path: Path) -> Path:
    """Return a copy of a page as a browser shows it that runs no scripts."""
    bare = path.with_name("bare.html")
    bare.write_text(re.sub("<script>.*?</script>", "", path.read_text("utf-8"), flags=re.DOTALL), "utf-8")
    return bare


def test_it_breaks_no_rule_of_accessibility(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    schemes: tuple[Scheme, ...] = ("light", "dark")
    pages = (report, without_script(report))
    windows = [(path, width, scheme) for path in pages for width in (400, 1280) for scheme in schemes]
    with browser() as chromium:
        shown = [show(chromium, path, width=width, scheme=scheme) for path, width, scheme in windows]
        assert [page.violations() for page in shown] == [[]] * 8
    assert [page.messages for page in shown] == [[]] * 8


def test_meaning_and_outcome_are_in_view_on_a_phone(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    labels = ("meaning", "reason", "what to do", "how they ended")
    with browser() as chromium:
        page = show(chromium, report, width=400).page
        cells = page.locator(", ".join(f"td[data-label='{label}']" for label in labels)).all()
        boxes = [box for cell in cells if (box := cell.bounding_box())]
    assert len(boxes) == len(cells) > 10
    assert [box for box in boxes if box["x"] < 0 or box["x"] + box["width"] > 400] == []


def test_nothing_is_wider_than_any_window_or_paper(program: Program, partner: Partner) -> None:
    report = write_report(program, partner, ("Northwind Traders and Sons of Manchester Ltd",))
    widths = [320, 400, 700, 799, 801, 900, 1000, 1280, 1920]
    with browser() as chromium:
        page = show(chromium, report).page
        on_screen = [page_width(page, width) for width in widths]
        page.emulate_media(media="print")
        on_paper = page_width(page, 680)
    assert (on_screen, on_paper) == (widths, 680)


def test_rows_are_searched_filtered_and_sorted(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    with browser() as chromium:
        shown = show(chromium, report)
        page = shown.page
        everything = shown.visible(NUMBERS)
        count = len(everything)
        assert shown.visible("#matches") == [f"{count} of {count} rows shown."]
        page.get_by_label("Search").fill("inv-3 CONTOSO")
        assert shown.visible(NUMBERS) == []
        page.get_by_label("Search").fill("inv-3 fabrikam")
        assert shown.visible(NUMBERS) == ["5"]
        page.get_by_role("button", name="Show all").click()
        assert shown.visible(NUMBERS) == everything
        page.get_by_label("Status", exact=True).select_option("invalid")
        assert shown.visible("#attention .status") == ["invalid"] * 2
        assert shown.visible("#matches") == [f"2 of {count} rows shown."]
        page.get_by_label("Status", exact=True).select_option("")
        page.get_by_label("Reason", exact=True).select_option("800111")
        assert shown.visible("#attention .reason") == ["800111"]
        page.get_by_role("button", name="Show all").click()
        page.get_by_role("button", name="row").click()
        assert shown.visible(NUMBERS) == everything[::-1]
        page.get_by_role("button", name="Invoice").click()
        invoices = shown.visible(INVOICES)
        assert (invoices[0], invoices[-1]) == ("BAD-Contoso", "INV-7")
        assert page.locator("th[aria-sort]").all_inner_texts() == ["Invoice"]
    assert shown.messages == []


def test_an_error_shows_its_rows(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    with browser() as chromium:
        shown = show(chromium, report)
        shown.page.locator("article", has_text="800111").get_by_role("link", name="Show them").click()
        assert shown.visible("#attention .reason") == ["800111"]


def test_on_a_phone_rows_are_sorted_by_a_choice(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    with browser() as chromium:
        shown = show(chromium, report, width=400)
        shown.page.get_by_label("Sort by").select_option(label="Invoice")
        assert shown.visible(INVOICES)[0] == "BAD-Contoso"


def test_without_its_script_it_is_complete(program: Program, partner: Partner) -> None:
    report = write_report(program, partner)
    with browser() as chromium:
        whole, bare = show(chromium, report), show(chromium, without_script(report))
        assert bare.visible("#attention tbody tr") == whole.visible("#attention tbody tr")
        assert (whole.visible("#tools") == [], bare.visible("#tools")) == (False, [])


def test_no_cell_becomes_an_element_or_says_anything(program: Program, partner: Partner) -> None:
    assert len(CELLS) >= 60
    tame = write_report(program, partner, ("tame",) * len(CELLS)).rename(program.folder / "tame.html")
    shutil.rmtree(program.folder / "reports")
    wild = write_report(program, partner, CELLS, first=len(CODES))
    with browser() as chromium:
        pages = [show(chromium, path) for path in (tame, wild)]
        elements = [page.page.evaluate(ELEMENTS) for page in pages]
        pages[1].page.get_by_label("Search").fill("alert")
        assert len(pages[1].visible(NUMBERS)) > 20
    assert elements[1] == elements[0]
    assert [page.messages for page in pages] == [[], []]
    assert [len(page.requests) for page in pages] == [1, 1]
