"""SPDY/3.1 frames, as far as port-forwarding needs them. Pure: bytes in, frames out, and the other way.

Both directions have one header compression for the whole connection, so each reader and writer serves one
connection, in order. Flow control is not used, as the Go library at the other end does not use it.

Source: the SPDY protocol, drafts 3 and 3.1 (sections 2.2, 2.6; 2.6.10 has the dictionary),
github.com/moby/spdystream.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, _, PING, GOAWAY, HEADERS, WINDOW_UPDATE = range(1, 10)
FIN = 1
PROTOCOL_ERROR, REFUSED_STREAM = 1, 3  # why a stream was reset
CANCEL = 5
MAX_FRAME = 1 << 20  # bytes of payload that are read
_MAX_HEADERS = 1 << 16  # bytes, decompressed
_MAX_NAMES = 64  # of headers in a frame
_CONTROL = 0x8000
_HEAD = 8

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges "
    "age allow authorization cache-control connection content-base content-encoding content-language "
    "content-length content-location content-md5 content-range content-type date etag expect expires from "
    "host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location "
    "max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
)
_WORDS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _lengthy(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


DICTIONARY = b"".join(map(_lengthy, (*_NAMES.split(), *_WORDS))) + _TAIL.encode()


class SpdyError(Exception):
    """What came is not SPDY; nothing after it can be read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `kind` is None for data."""

    kind: int | None
    stream: int = 0  # or the number of a ping
    fin: bool = False  # the sender sends no more on this stream
    data: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class SpdyReader:
    """Takes bytes, however they are cut, and finds the frames in them."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete now; of those of no interest here the kind alone.

        Raises:
            SpdyError: this is no SPDY.
        """
        self._pending += data
        while len(self._pending) >= _HEAD:
            first, second, size = struct.unpack_from(">HHI", self._pending)
            flags, length = size >> 24, size & 0xFFFFFF
            if length > MAX_FRAME:
                raise SpdyError(f"a frame of {length} bytes")
            if len(self._pending) < _HEAD + length:
                return
            payload = bytes(self._pending[_HEAD : _HEAD + length])
            del self._pending[: _HEAD + length]
            if not first & _CONTROL:
                yield Frame(None, (first << 16) | second, bool(flags & FIN), payload)
            elif first & 0x7FFF != VERSION:
                raise SpdyError(f"version {first & 0x7FFF}")
            else:
                yield from self._control(second, flags, payload)

    def _control(self, kind: int, flags: int, payload: bytes) -> Iterator[Frame]:
        before = {SYN_STREAM: 10, SYN_REPLY: 4, HEADERS: 4, RST_STREAM: 8, PING: 4, GOAWAY: 8}.get(kind)
        if before is None:
            yield Frame(kind)
            return
        if len(payload) < before:
            raise SpdyError(f"a frame of type {kind} that is too short")
        stream = struct.unpack_from(">I", payload)[0]
        stream = stream if kind == PING else stream & 0x7FFFFFFF
        headers = self._headers(payload[before:]) if kind in (SYN_STREAM, SYN_REPLY, HEADERS) else {}
        yield Frame(kind, stream, bool(flags & FIN), headers=headers)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._inflate.decompress(block, _MAX_HEADERS)
            if self._inflate.unconsumed_tail:
                raise SpdyError("headers that are too long")
            return _read_headers(text)
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SpdyError(f"headers: {error}") from error


def _read_headers(text: bytes) -> dict[str, str]:
    (count,), offset = struct.unpack_from(">I", text), 4
    found: dict[str, str] = {}
    words = []
    if count > _MAX_NAMES:
        raise SpdyError(f"{count} headers")
    for _ in range(count * 2):
        (size,) = struct.unpack_from(">I", text, offset)
        words.append(text[offset + 4 : offset + 4 + size].decode())
        offset += 4 + size
    if offset > len(text):
        raise SpdyError("headers that end too early")
    for name, value in zip(words[::2], words[1::2], strict=True):
        found[name.lower()] = value.partition("\0")[0]  # the first of several values
    return found


class SpdyWriter:
    """Makes frames."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def syn_stream(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Open a stream."""
        return _control(SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._headers(headers), fin)

    def syn_reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accept a stream."""
        return _control(SYN_REPLY, struct.pack(">I", stream) + self._headers(headers or {}))

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        text = struct.pack(">I", len(headers))
        for name, value in headers.items():
            text += _lengthy(name.lower()) + _lengthy(value)
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Send data; with `fin` it is the last."""
        return struct.pack(">II", stream, (FIN << 24 if fin else 0) | len(data)) + data

    def reset(self, stream: int, status: int) -> bytes:
        """End a stream in both directions."""
        return _control(RST_STREAM, struct.pack(">II", stream, status))

    def ping(self, number: int) -> bytes:
        """Ask, or answer, whether the other end is there."""
        return _control(PING, struct.pack(">I", number))

    def goaway(self, last: int) -> bytes:
        """Accept no more streams after `last`."""
        return _control(GOAWAY, struct.pack(">II", last, 0))


def _control(kind: int, payload: bytes, fin: bool = False) -> bytes:
    return struct.pack(">HHI", _CONTROL | VERSION, kind, (FIN << 24 if fin else 0) | len(payload)) + payload
