"""Checks whether a host can be reached: DNS, connection, TLS and proxy; for diagnosis only."""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.partnercenter.network import describe_failure, proxy_for, tls_context, trust_source
from bulkreact.partnercenter.refusals import tls_refusal

_SECONDS = 10.0
_PORTS = {"https": 443, "http": 80}


class Reachability(Struct, frozen=True):
    """The result of an attempt as text, and what to do if it failed."""

    reachable: bool
    description: str
    remedy: str = ""


async def check_reachability(url: str) -> Reachability:
    """Connect to the host of a URL, or to its proxy, and disconnect."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if proxy := proxy_for(url):
        proxy_parts = urlsplit(proxy)
        proxy_host = proxy_parts.hostname or ""
        result = await _connect(proxy_host, proxy_parts.port or _PORTS.get(proxy_parts.scheme, 80), tls=None)
        # Not the proxy's whole URL: it may contain a password.
        return replace(result, description=f"through the proxy {proxy_host}: {result.description}")
    return await _connect(host, port, tls=tls_context() if parts.scheme == "https" else None)


async def _connect(host: str, port: int, *, tls: ssl.SSLContext | None) -> Reachability:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_SECONDS):
            addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except TimeoutError:
        return Reachability(False, f"{host} does not answer on port {port}", "Check firewall and proxy (HTTPS_PROXY).")
    except socket.gaierror as error:
        return Reachability(
            False, f"the name {host} is not known here: {error.strerror}", "Check DNS, and the host's spelling."
        )
    except ssl.SSLError as error:
        # It has an errno too, which means something else.
        if refusal := tls_refusal(error, host=host, port=port, trust=trust_source()):
            return Reachability(False, refusal.reason, refusal.remedy)
        return Reachability(False, f"{host} broke off the TLS handshake on port {port}", "Check firewall and proxy.")
    except OSError as error:
        reason = describe_failure(error)
        return Reachability(
            False, f"no connection to {host} on port {port}: {reason}", "Check network, firewall and proxy."
        )
    address = str(addresses[0][4][0])
    channel = writer.get_extra_info("ssl_object")
    secured = f", {channel.version()}" if isinstance(channel, ssl.SSLObject) else ""
    # Nothing was sent, so there is nothing to wait for.
    writer.transport.abort()
    return Reachability(True, f"{host} is {address}, port {port}{secured}")
