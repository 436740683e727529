"""Bodies of lists: read like the JSON that they are, whatever they cost, within limits of memory."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.partnercenter.client import BODY_CAP, list_cap
from bulkreact.partnercenter.json_reader import JsonReader
from bulkreact.partnercenter.list_body import MAX_ITEMS, read_list

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**16), 10**16) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
MIB = 1 << 20


def read_items(text: str) -> list[object] | None:
    listed = read_list(text.encode(), lambda item: item)
    return None if listed is None else list(listed.items)


@given(
    st.lists(JSON),
    st.dictionaries(st.text(), JSON),
    st.sampled_from([None, 1]),
    st.sampled_from(["utf-8-sig", "utf-16"]),
)
def test_items_are_those_that_any_reader_finds(
    items: list[object], more: dict[str, object], indent: int | None, encoding: str
) -> None:
    content = {**{name: value for name, value in more.items() if name.lower() != "items"}, "items": items}
    listed = read_list(json.dumps(content, indent=indent).encode(encoding), lambda item: item)
    assert listed
    assert list(listed.items) == items
    assert not listed.is_cut


@given(st.text(alphabet='[]{}:,"aitems 1', max_size=30))
def test_what_is_no_json_is_no_list(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    items = value if isinstance(value, list) else value.get("items") if isinstance(value, dict) else None
    assert read_items(text) == (items if isinstance(items, list) else None)


@pytest.mark.parametrize("length", [*range(16_370, 16_400), MIB - 3])
def test_values_are_whole_wherever_they_are_cut(length: int) -> None:
    before = "x" * (length - 20)
    assert read_items(json.dumps({"items": [before, 12345678, [before, 12345678]]})) == [
        before,
        12345678,
        [before, 12345678],
    ]
    digits = JsonReader(" " * 7 + "1" * length)
    assert digits.value() is None
    digits.end()


def test_as_many_items_as_are_read() -> None:
    exact = read_list(json.dumps({"items": [1] * MAX_ITEMS, "totalCount": MAX_ITEMS}).encode(), lambda item: item)
    assert exact
    assert (exact.is_cut, exact.total_count) == (False, MAX_ITEMS)
    more = read_list(json.dumps({"items": [1] * (MAX_ITEMS + 1)}).encode(), lambda item: item)
    assert more
    assert more.is_cut


@pytest.mark.soak
@pytest.mark.parametrize(
    "body",
    [
        b'{"items":[' + b"{}," * (3 * MIB) + b"{}]}",
        b'{"items":[[' + b"[]," * (3 * MIB) + b"[]]]}",
        b'{"items":[],"links":[' + b"[]," * (3 * MIB) + b"[]]}",
        b'{"items":[],' + b'"a":1,' * MIB + b'"b":1}',
        b'{"items":[' + b"[" * (8 * MIB),
        b'{"items":["' + b"a" * (8 * MIB) + b'"]}',
        b'{"items":[' + b"1" * (8 * MIB) + b"]}",
    ],
    ids=["items", "one item", "links", "members", "depth", "text", "digits"],
)
def test_a_body_costs_little_more_memory_than_its_length(body: bytes) -> None:
    tracemalloc.start()
    try:
        listed = read_list(body, lambda item: item)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert listed is None or listed.is_cut
    # Most of the second part is one value of a mebibyte.
    assert peak < 2 * len(body) + 64 * MIB


def test_lists_of_all_calls_in_flight_fit_into_memory() -> None:
    assert [list_cap(calls) // MIB for calls in (1, 4, 16, 64)] == [64, 64, 16, 4]
    assert list_cap(1000) == BODY_CAP
