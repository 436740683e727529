"""Loads large libraries without what they do at import and this program has no use for: a fifth of a short run's time."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


def loading_pandas() -> AbstractContextManager[None]:
    """Import pandas in the context, without threads for linear algebra."""
    return _loading("pandas", OPENBLAS_NUM_THREADS="1")


def loading_aiohttp() -> AbstractContextManager[None]:
    """Import aiohttp in the context, without certificates for connections that name no TLS context, as all of ours do."""
    return _loading("aiohttp", SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull)


@contextmanager
def _loading(library: str, **variables: str) -> Iterator[None]:
    """Set variables of the environment while a library is imported, and look for no garbage among modules."""
    if library in sys.modules:
        yield
        return
    enabled, before = gc.isenabled(), {name: os.environ.get(name) for name in variables}
    gc.disable()
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        # Else the next collection would look through all of it.
        gc.freeze()
        if enabled:
            gc.enable()
