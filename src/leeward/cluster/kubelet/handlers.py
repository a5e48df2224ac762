"""What probes and lifecycle hooks do over the network: an HTTP request, a connection.

Source: pkg/probe/{http,tcp} (Kubernetes 1.36): certificates are not verified, a status from 200 to 399
passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from leeward.kube.objects import Obj


def port_number(container: Obj, port: Any) -> int:
    """Return the number of a port given by number or name.

    Raises:
        ValueError: the container has no port of that name.
    """
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for each in container.get("ports") or ():
        if each.get("name") == port:
            return int(each["containerPort"])
    raise ValueError(f"couldn't find port: {port!r}")


async def http_get(ip: str, container: Obj, action: Obj) -> tuple[bool, str]:
    """Make a GET request; a status from 200 to 399 passes, whatever the certificate.

    Raises:
        OSError, ValueError: there was no connection, or there is no such port.
    """
    port = port_number(container, action["port"])
    host = action.get("host") or ip
    headers = {
        "Host": f"{host}:{port}",
        "User-Agent": "kube-probe/1.36",
        "Connection": "close",
        "Accept": "*/*",
    }
    headers.update({each["name"]: each["value"] for each in action.get("httpHeaders") or ()})
    lines = [
        f"GET {action.get('path') or '/'} HTTP/1.1",
        *(f"{key}: {value}" for key, value in headers.items()),
    ]
    encrypted = action.get("scheme", "HTTP") == "HTTPS"
    reader, writer = await asyncio.open_connection(host, port, ssl=_unverified() if encrypted else None)
    try:
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await reader.readline()).split()
        with contextlib.suppress(OSError):
            await reader.read(4096)
    finally:
        writer.close()
    if len(head) < 2 or not head[1].isdigit():
        return False, "malformed HTTP response"
    status = int(head[1])
    return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def tcp_connect(ip: str, container: Obj, action: Obj) -> tuple[bool, str]:
    """Connect and hang up.

    Raises:
        OSError, ValueError: there was no connection, or there is no such port.
    """
    port = port_number(container, action["port"])
    _, writer = await asyncio.open_connection(action.get("host") or ip, port)
    writer.close()
    return True, ""
