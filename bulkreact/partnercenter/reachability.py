"""Whether a host can be reached from here: its name, the line, TLS, and the proxy in between. For diagnosis alone."""

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from bulkreact.partnercenter.network import CERTIFICATE_VARIABLES, proxy_for, tls_context

_SECONDS = 10.0
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Reachability:
    """What became of an attempt: words for people, and what to do when it failed."""

    reachable: bool
    description: str
    remedy: str = ""


async def check_reachability(url: str) -> Reachability:
    """Connect to the host of a URL, and let go again; through a proxy, only as far as that."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if proxy := proxy_for(url):
        through = urlsplit(proxy)
        found = await _connect(through.hostname or "", through.port or _PORTS.get(through.scheme, 80), tls=None)
        # Not the proxy as it is written: it may have a password in it.
        return Reachability(found.reachable, f"through the proxy {through.hostname}: {found.description}", found.remedy)
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
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "If your company's proxy replaces certificates, name its certificate in "
            f"{CERTIFICATE_VARIABLES[1]}; otherwise somebody else answers."
        )
        return Reachability(False, f"the certificate of {host} is not trusted: {error.verify_message}", remedy)
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
        return Reachability(
            False, f"no connection to {host} on port {port}: {words}", "Check network, firewall and proxy."
        )
    address = str(addresses[0][4][0])
    channel = writer.get_extra_info("ssl_object")
    secured = f", {channel.version()}" if isinstance(channel, ssl.SSLObject) else ""
    # Nothing was sent; there is nothing to wait for.
    writer.transport.abort()
    return Reachability(True, f"{host} is {address}, port {port}{secured}")
