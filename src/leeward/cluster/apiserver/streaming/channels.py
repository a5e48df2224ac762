"""Several streams in one WebSocket: the first byte of each message is the number of its channel.

The protocols are tried in the client's order. ``v5.channel.k8s.io`` adds a message that closes a channel:
255 and its number. ``base64`` in a name: the number is a digit, and the rest is base64 in a text message. Who
offers no protocol at all gets the first one, ``channel.k8s.io``, where errors are text and no Status.

Source: k8s.io/apimachinery/pkg/util/remotecommand/constants.go,
k8s.io/streaming/pkg/httpstream/wsstream/conn.go (Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
V1 = "channel.k8s.io"
V1_BASE64 = "base64.channel.k8s.io"
NONE = ""
CLOSE = 255  # in the place of a channel's number


class Received(NamedTuple):
    """What a message says."""

    channel: int
    data: bytes
    closed: bool = False  # the channel, by the client


class Channels:
    """How messages look in one protocol.

    Args:
        protocol: its name.
    """

    def __init__(self, protocol: str) -> None:
        self.text = "base64" in protocol
        self.has_status = protocol not in (NONE, V1, V1_BASE64)
        self._closes = protocol == V5

    def pack(self, channel: int, data: bytes) -> bytes:
        """Return a message."""
        if self.text:
            return b"%d%s" % (channel, base64.b64encode(data))
        return bytes((channel,)) + data

    def unpack(self, message: bytes) -> Received | None:
        """Return what a message says; None for one that says nothing."""
        if not message:
            return None
        channel, data = message[0], message[1:]
        if self.text:
            channel -= ord("0")
            try:
                data = base64.b64decode(data, validate=True)
            except binascii.Error:
                return None
        if channel == CLOSE and self._closes:
            return Received(data[0], b"", closed=True) if data else None
        return Received(channel, data) if channel >= 0 else None


def choose(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the first protocol offered that is known; NONE when none was offered."""
    if not offered:
        return NONE
    return next((name for name in offered if name in known), None)
