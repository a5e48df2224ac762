"""What probes and lifecycle hooks do over the network: an HTTP request, a connection, a gRPC health check.

Source: pkg/probe/{http,tcp,grpc} (Kubernetes 1.36): certificates are not verified, a status from 200 to
399 passes; grpc/health/v1/health.proto.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from leeward.kube.objects import Obj

_SERVING = 1  # HealthCheckResponse.ServingStatus


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


async def grpc_check(ip: str, action: Obj) -> tuple[bool, str]:
    """Call grpc.health.v1.Health/Check; only SERVING passes.

    Raises:
        OSError, ValueError: there was no connection, or the answer is no HTTP/2.
    """
    port, service = int(action["port"]), (action.get("service") or "").encode()
    reader, writer = await asyncio.open_connection(ip, port)
    http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    try:
        http.initiate_connection()
        message = b"\x0a" + bytes([len(service)]) + service if service else b""
        http.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"),
            (":authority", f"{ip}:{port}"), ("content-type", "application/grpc"), ("te", "trailers"),
            ("user-agent", "kube-probe/1.36"),
        ])  # fmt: skip
        http.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
        writer.write(http.data_to_send())
        body, status = b"", b""
        while data := await reader.read(65536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    status = dict(event.headers or ()).get(b"grpc-status", status)
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    return _serving(status, body)
            writer.write(http.data_to_send())
    except h2.exceptions.ProtocolError as error:
        raise ValueError(f"error: the answer is no HTTP/2: {error}") from error
    finally:
        writer.close()
    return False, "error: the connection closed before the health check was answered"


def _serving(status: bytes, body: bytes) -> tuple[bool, str]:
    """Judge an answer: five bytes of framing, then field 1 (a varint) of HealthCheckResponse."""
    if status != b"0":
        return False, f"error: health rpc failed with gRPC status {status.decode() or 'unknown'}"
    found = body[6] if len(body) >= 7 and body[5] == 0x08 else 0
    return found == _SERVING, "" if found == _SERVING else "service unhealthy (responded with NOT_SERVING)"
