"""Texts that cells share: read alike with and without the parser."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkreact.sheets.input.workbook import xml_text
from bulkreact.sheets.input.workbook.shared_strings import read_shared_strings
from bulkreact.sheets.input.workbook.workbook_parts import WorkbookRefusedError

ITEMS = {
    "<si><t>plain</t></si>": "plain",
    '<si><t xml:space="preserve"> a\n </t></si>': " a\n ",
    "<si><t>a &amp; &lt;b&gt; &quot;&apos;</t></si>": "a & <b> \"'",
    "<si><t>c&#10;d</t></si>": "c\nd",
    "<si><t>_x000D_e</t></si>": "\re",
    "<si><t>_xD83D__xDE00_ _xD83D_ _xDE00_</t></si>": "😀 \ufffd \ufffd",
    "<si><t/></si>": "",
    "<si><t></t></si>": "",
    "<si><r><t>rich </t></r><r><rPr><b/></rPr><t>text</t></r></si>": "rich text",
    '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si>': "東京",
    "<si><t><![CDATA[<si>]]></t></si>": "<si>",
    "\n  <si>\n  <t>indented</t>\n  </si>": "indented",
    "<!-- <si><t>none</t></si> -->": None,
}


def read(items: list[str], before: str = "") -> list[str]:
    content = f'{before}<sst count="1">{"".join(items)}</sst>'.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_text, "_BLOCK", 40)
        return read_shared_strings(io.BytesIO(content))


@given(st.lists(st.sampled_from(list(ITEMS)), max_size=8))
@example(list(ITEMS))
def test_texts_are_read_alike_with_and_without_the_parser(items: list[str]) -> None:
    expected = [text for item in items if (text := ITEMS[item]) is not None]
    assert read(items) == expected
    assert read(items, before="<!-- -->") == expected


@pytest.mark.parametrize(
    "damage",
    [
        "<si><t>&unknown;</t></si>",
        "<si><t>a & b</t></si>",
        "<si><t>\x01</t></si>",
        "<si><t>a</si>",
        "<si><t>\ud800</t></si>",
    ],
)
def test_damage_is_refused(damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    items = ["<si><t>plain</t></si>"] * 5
    content = f"<sst>{''.join([*items, damage, *items])}</sst>".encode("utf-8", "surrogatepass")
    with pytest.raises(WorkbookRefusedError):
        read_shared_strings(io.BytesIO(content))
    monkeypatch.setattr(xml_text, "_BLOCK", 40)
    with pytest.raises(WorkbookRefusedError):
        read_shared_strings(io.BytesIO(content))
