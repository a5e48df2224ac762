"""The gRPC health check of a probe. Few clusters have one: it is loaded, with its HTTP/2, for the first.

Source: pkg/probe/grpc (Kubernetes 1.36); grpc/health/v1/health.proto.
"""

from __future__ import annotations

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from leeward.kube.objects import Obj

_SERVING = 1  # HealthCheckResponse.ServingStatus


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
