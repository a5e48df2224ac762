"""What a simulated Pod answers to who wants to talk to it: that there is nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leeward.cluster.interface.runtime import RuntimeFailureError, StreamService
from leeward.cluster.interface.streams import Connection, Streams, StreamsWanted

_NOTHING_RUNS = "rpc error: code = Unimplemented desc = the simulated runtime runs no programs"


class NoStreams:
    """Implements StreamService."""

    async def open_exec(self, container_id: str, command: Sequence[str], wanted: StreamsWanted) -> Streams:
        """Refuse: nothing runs."""
        raise RuntimeFailureError(_NOTHING_RUNS)

    async def open_attach(self, container_id: str, wanted: StreamsWanted) -> Streams:
        """Refuse: nothing runs."""
        raise RuntimeFailureError(_NOTHING_RUNS)

    async def open_port(self, pod_uid: str, port: int) -> Connection:
        """Refuse: nothing listens."""
        raise RuntimeFailureError(_NOTHING_RUNS)


if TYPE_CHECKING:

    def _conforms(streams: NoStreams) -> StreamService:
        return streams
