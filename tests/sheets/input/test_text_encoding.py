"""The encoding of a text: Western text is read as such, and what makes no sense in it is refused with a way out."""

from pathlib import Path

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.text.text_encoding import find_nonsense
from tests.support.ids import HEADER, guid, row

WESTERN = {
    "German": "Größere Straße 5, Müller & Söhne „Süd“ \u2013 Übersicht für äöüß, 20 °C, § 5, 3½ m², Fußgänger·weg",
    "French": "Société Générale d\u2019Été: « cœur à l\u2019œuvre », où naïve Noël reçoit 5 € … N° 3, créée, ÉTÉ",
    "Spanish": "¿Qué año? ¡Señor Núñez! 1ª planta, nº 5, Peñíscola, pingüino",
    "Italian": "Società: perché città è più «già» lì, l\u2019università, 2ª",
    "Portuguese": "Ação e reação, opções, João, São Paulo, Conceição, três, à",
    "Dutch": "Coöperatie één, reünie, financiële \u2018ideeën\u2019, €10",
    "Swedish": "Åsa Öberg, Växjö, smörgåsbord, Malmö \u2013 Göteborg",
    "Danish": "Ærø, Ålborg, smørrebrød, København",
    "Icelandic": "Þórður Ægisson, Reykjavík, þjóðgarður, Ísafjörður",
    "Catalan": "Col·legi, Barça, l\u2019Hospitalet, açò",
    "signs": "Windows® 11, Office™, ±5 %, 10 µm, ©2026, 5\u00d73, 100 £, £5, m³, 25¢",
}
FOREIGN = {
    "cp932": "顧客名,株式会社サンプル,クライアント",
    "gb18030": "客户名称,示例有限公司,订阅",
    "big5": "客戶名稱,範例有限公司,訂閱",
    "cp949": "고객 이름,예제 주식회사,구독",
    "cp1250": "Spółka Łódź,Wrocław,żółta gęś,Dvořák Děčín",
    "cp1251": "Клиент,\u041e\u041e\u041e «Пример»,подписка",
    "cp1253": "Πελάτης,Παράδειγμα \u0391\u0395",
    "koi8-r": "Клиент,подписка",
    "mac-roman": "Zürich,Straße,Café,Gerät",
    "utf-8": "Zürich,Straße,Mädchen",
}


def save(folder: Path, text: str, encoding: str) -> Path:
    (folder / "input.csv").write_bytes(text.encode(encoding))
    return folder / "input.csv"


def refusal(path: Path) -> str:
    with pytest.raises(InputRefusedError) as error:
        InputFile(path, max_rows=10_000, name="input.csv")
    return str(error.value)


@pytest.mark.parametrize("language", WESTERN)
def test_western_text_makes_sense(language: str) -> None:
    assert find_nonsense([WESTERN[language]]) == ""


@pytest.mark.parametrize("encoding", FOREIGN)
def test_other_text_that_is_read_as_western_makes_none(encoding: str) -> None:
    assert find_nonsense([FOREIGN[encoding].encode(encoding).decode("cp1252", "replace")])


@pytest.mark.parametrize("encoding", [name for name in FOREIGN if name != "utf-8"])
def test_text_of_other_regions_is_refused_and_read_when_its_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    name = FOREIGN[encoding].split(",")[0]
    path = save(tmp_path, f"{name},{','.join(HEADER)}\n" + f"{name},{','.join(row(guid(1)))}\n" * 50, encoding)
    message = refusal(path)
    assert "Say which it is with --encoding: usual are cp932 (Japanese), gb18030" in message
    assert "To find out, open the file in Excel" in message
    input_file = InputFile(path, max_rows=100, options=InputOptions(encoding=encoding))
    assert [input_row.cells[0] for input_row in input_file.rows()] == [name] * 50


@pytest.mark.parametrize(
    "header", ["顧客ID,サブスクリプションID,エンタイトルメントID", "氏名,顧客ID,サブスクリプションID,権利ID"]
)
def test_headers_that_only_one_encoding_makes_known_name_it(tmp_path: Path, header: str) -> None:
    message = refusal(save(tmp_path, f"Report\n\n{header}\n{','.join(row(guid(1)))}\n", "cp932"))
    assert "With --encoding cp932 (Japanese) it has the columns" in message


def test_nonsense_far_below_the_header_is_found(tmp_path: Path) -> None:
    lines = f"x,{','.join(row(guid(1)))}\n" * 5000
    message = refusal(save(tmp_path, f"Name,{','.join(HEADER)}\n{lines}Клиент,{','.join(row(guid(2)))}\n", "cp1251"))
    assert "for example 'Êëèåíò'." in message


def test_a_text_with_one_strange_word_among_many_is_read(tmp_path: Path) -> None:
    names = "\n".join(f"Müller,{','.join(row(guid(number)))}" for number in range(9))
    path = save(tmp_path, f"Name,{','.join(HEADER)}\n{names}\nWroc³aw,{','.join(row(guid(10)))}\n", "cp1252")
    assert "was read as Windows' Western encoding (cp1252)" in InputFile(path, max_rows=100).remark
