"""Keeps the report's template compiled, as Python keeps its modules: a small run spends a twentieth on compiling it."""

import sys
from contextlib import suppress
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket

from bulkreact import __version__

_FOLDER = Path(__file__).with_name("__pycache__")


class TemplateCache(FileSystemBytecodeCache):
    """Files among Python's own beside this module; where these cannot be written, there are none."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        super().__init__(str(folder), f"template-{__version__}.%s.bin")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load a template that was compiled from the same source by the same version, if there is one."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template, unless Python writes no bytecode."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                super().dump_bytecode(bucket)
