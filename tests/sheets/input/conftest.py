"""Fixtures for tests of inputs."""

from pathlib import Path

import pytest

from tests.support.tables import Save, save_text, save_workbook


@pytest.fixture(params=[save_text, save_workbook])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Save:
    """Return what saves rows, once as text and once as a workbook."""
    return lambda rows: request.param(tmp_path, rows)
