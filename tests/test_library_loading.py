"""Large libraries are imported in less time, and what that leaves out is used nowhere."""

import gc
import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import bulkreact
from bulkreact.library_loading import loading_aiohttp, loading_pandas

Loading = Callable[[], AbstractContextManager[None]]
CASES = [("aiohttp", loading_aiohttp, "SSL_CERT_FILE"), ("pandas", loading_pandas, "OPENBLAS_NUM_THREADS")]


@pytest.mark.parametrize(("library", "loading", "variable"), CASES)
@pytest.mark.parametrize("value", [None, "before"])
def test_environment_and_collector_are_as_before(
    monkeypatch: pytest.MonkeyPatch, library: str, loading: Loading, variable: str, value: str | None
) -> None:
    monkeypatch.delitem(sys.modules, library, raising=False)
    monkeypatch.setenv(variable, "")
    monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    before = dict(os.environ)
    with loading():
        assert os.environ[variable] not in {value, None}
        assert not gc.isenabled()
    gc.unfreeze()
    assert (dict(os.environ), gc.isenabled()) == (before, True)


def test_what_is_loaded_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", sys)
    before = dict(os.environ)
    with loading_aiohttp():
        assert (dict(os.environ), gc.isenabled()) == (before, True)


def test_every_connection_names_its_certificates() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(bulkreact.__file__).parent.rglob("*.py")]
    connectors = [call for text in sources for call in re.findall(r" = .*Connector\((.*)\)", text)]
    assert len(connectors) == sum(len(re.findall(r"\bClientSession\(", text)) for text in sources) == 2
    assert all("ssl=tls_context()" in call for call in connectors)
