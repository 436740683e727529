"""How long a given token is used: by its own claims, whatever the machine's clock is set to meanwhile."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact import timestamps
from bulkreact.partnercenter.auth.access import open_credentials
from bulkreact.partnercenter.auth.credential_source import TokenSource
from bulkreact.redaction import Redactor
from bulkreact.settings import Identity

IDENTITY = Identity("https://login.example/t", "", "", "https://api.example/.default", "https://api.example")


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_setting_the_clock_ends_no_given_token(tmp_path: Path, hours: int) -> None:
    claims = json.dumps({"aud": "https://api.example", "exp": time.time() + 3600}).encode()
    token = f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"
    credentials = open_credentials(TokenSource(IDENTITY, token), tmp_path, Redactor())
    later = datetime.now(UTC) + timedelta(hours=hours)
    with patch.object(timestamps, "utc_now", lambda: later), patch.object(time, "time", later.timestamp):
        assert credentials.is_fresh()
