"""How long a given token is used: by its own claims, whatever the machine's clock is set to meanwhile."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact import timestamps
from bulkreact.partnercenter.auth.access import open_credentials
from bulkreact.partnercenter.auth.credential_source import TokenSource
from bulkreact.redaction import Redactor
from bulkreact.settings import Identity

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
IDENTITY = Identity("https://login.example/t", "", "", "https://api.example/.default", "https://api.example")


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_setting_the_clock_ends_no_given_token(tmp_path: Path, hours: int) -> None:
    claims = json.dumps({"aud": "https://api.example", "exp": BEGIN.timestamp() + 3600}).encode()
    token = f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"
    with patch.object(timestamps, "utc_now", lambda: BEGIN):
        credentials = open_credentials(TokenSource(IDENTITY, token), tmp_path, Redactor())
    with patch.object(timestamps, "utc_now", lambda: BEGIN + timedelta(hours=hours)):
        assert credentials.is_fresh()
