"""The process of one embedded cluster: starts it, tells its starter, runs until SIGTERM.

Run as ``python -m leeward.cluster.daemon STATE_DIR [FD]``. JSON lines go to file descriptor FD until the
cluster is ready: ``{"step": "…"}``, then ``{"ready": true}`` or ``{"error": "…", "remedy": "…"}``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from leeward.base.collector import collect_seldom, collection_paused
from leeward.base.errors import LeewardError
from leeward.cluster.statedir import StateDir

logger = logging.getLogger(__name__)


class Messenger:
    """Tells the starter what is going on; silent once it has gone.

    Args:
        descriptor: a pipe to write to, or None to print for a person.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def send(self, **message: object) -> None:
        """Send one message."""
        line = (json.dumps(message) + "\n").encode()
        try:
            os.write(2 if self._descriptor is None else self._descriptor, line)
        except OSError:
            logger.debug("the starter has gone")

    def close(self) -> None:
        """No more messages."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


async def serve(state: StateDir, messenger: Messenger) -> None:
    """Run the cluster of `state` until SIGTERM or SIGINT.

    Raises:
        LeewardError: it could not start; everything is stopped again.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    collect_seldom()
    with collection_paused():
        from leeward.cluster.build import build_cluster

        cluster = build_cluster(state)
        starting = asyncio.ensure_future(cluster.start(lambda step: messenger.send(step=step)))
        interrupted = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((starting, interrupted), return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            starting.result()
            messenger.send(ready=True)
            messenger.close()
            await interrupted
    finally:
        starting.cancel()
        interrupted.cancel()
        await asyncio.gather(starting, interrupted, return_exceptions=True)
        await cluster.stop()


def run(state: StateDir, descriptor: int | None) -> int:
    """Run the cluster in this process; returns the exit code."""
    messenger = Messenger(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with state.acquire():
            _runner()(serve(state, messenger))
    except LeewardError as error:
        messenger.send(error=str(error), remedy=getattr(error, "remedy", ""))
        logger.error("%s", error)
        return error.exit_code
    except Exception as error:
        logger.exception("the cluster failed")
        messenger.send(error=f"the cluster's process failed: {error!r}", remedy=f"See {state.daemon_log}.")
        return 1
    return 0


def _runner() -> Callable[..., None]:
    """Return uvloop's runner where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run_on_uvloop: Callable[..., None] = uvloop.run
    return run_on_uvloop


if __name__ == "__main__":
    sys.exit(run(StateDir(Path(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else None))
