"""Compiled templates beside Python's own: used while their source is the same, and never needed."""

import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from bulkreact.sheets.output.template_cache import TemplateCache


def render(folder: Path, source: str) -> str:
    environment = Environment(
        autoescape=True, loader=DictLoader({"page": source}), bytecode_cache=TemplateCache(folder)
    )
    return environment.get_template("page").render()


def test_a_template_is_kept_compiled_until_its_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert render(tmp_path, "{{ 1 + 1 }}") == "2"
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    assert render(tmp_path, "{{ 1 + 1 }}") == "2"
    assert kept.stat().st_mtime_ns == before
    assert render(tmp_path, "{{ 1 + 2 }}") == "3"


@pytest.mark.parametrize("content", [b"", b"j2", b"\0" * 100])
def test_a_damaged_file_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    render(tmp_path, "{{ 1 + 1 }}")
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)
    assert render(tmp_path, "{{ 1 + 1 }}") == "2"


def test_nothing_is_kept_where_nothing_can_be_written_or_python_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert render(tmp_path / "missing", "{{ 1 + 1 }}") == "2"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert render(tmp_path, "{{ 1 + 1 }}") == "2"
    assert not list(tmp_path.iterdir())
