"""Values that come as text: what a variable can hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.cli.options.param_types import COLUMN
from bulkreact.sheets.columns import ID_COLUMNS
from tests.support.ids import guid, row
from tests.support.program import Program

HEADERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@given(st.lists(HEADERS, min_size=1, max_size=3), st.sampled_from([" ", "\n", "  \t"]))
def test_a_variable_can_hold_any_header(headers: list[str], between: str) -> None:
    columns = dict(zip(ID_COLUMNS, headers, strict=False))
    variable = between.join(f'{name}="{header.replace(chr(34), chr(34) * 2)}"' for name, header in columns.items())
    parts = COLUMN.split_envvar_value(variable)
    assert dict(COLUMN.convert(part, None, None) for part in parts) == columns


@pytest.mark.parametrize("header", ["who", "Client's", "a=b", 'it"s', "A\\B", "'x'"])
def test_a_header_without_spaces_needs_no_quotes(header: str) -> None:
    parts = COLUMN.split_envvar_value(f" customer_id={header}  kind=sort ")
    assert [COLUMN.convert(part, None, None) for part in parts] == [("customer_id", header), ("kind", "sort")]


def test_the_variable_names_headers_with_spaces(program: Program) -> None:
    cells = ",".join(row(guid(1)))
    (program.folder / "input.csv").write_text(f'Tenant ID,"The ""plan""",Azure (id)\n{cells}\n')
    program.environment["BULKREACT_MAP"] = (
        'customer_id="Tenant ID" subscription_id="The ""plan""" entitlement_id="Azure (id)"'
    )
    assert program("plan", "input.csv").code == 0
    program.environment["BULKREACT_MAP"] = "customer_id=Tenant ID"
    refused = program("plan", "input.csv")
    assert refused.code == 2
    assert "in a variable with quotes around a header that has spaces" in " ".join(refused.err.split())
