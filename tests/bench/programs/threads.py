"""Posts to every line of a file of URLs with requests in threads: the script that people write."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from uuid import uuid4

import requests

_OWN = local()


def post(url: str) -> None:
    """Post to one address."""
    if not hasattr(_OWN, "session"):
        _OWN.session = requests.Session()
    headers = {"Authorization": "Bearer token", "MS-RequestId": str(uuid4())}
    _OWN.session.post(url, headers=headers, timeout=60).raise_for_status()


if __name__ == "__main__":
    with ThreadPoolExecutor(int(sys.argv[2])) as pool:
        list(pool.map(post, Path(sys.argv[1]).read_text().splitlines()))
