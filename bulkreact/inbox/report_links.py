"""Lets a copy of a report link to the copies of the files beside it, which have other names. No I/O."""

import re
from collections.abc import Mapping
from urllib.parse import quote

# Neither a part of the page nor another address; in texts of the page quotation marks are escaped.
_LINK = re.compile(rb' href="([^"#:/?]+)"')


def link_to_copies(page: bytes, copies: Mapping[str, str]) -> bytes:
    """Return a report with links to ``copies``, by the names that it knows; what was not copied is no link any more."""

    def replace(link: re.Match[bytes]) -> bytes:
        copied = copies.get(link[1].decode())
        return b"" if copied is None else b' href="%s"' % quote(copied, errors="surrogateescape").encode()

    return _LINK.sub(replace, page)
