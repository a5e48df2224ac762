"""Which container runtimes there are, and which one serves a cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.base.ids import IdSource
from leeward.base.registry import Registry
from leeward.cluster.interface.network import AddressPlan, PodNetwork
from leeward.cluster.interface.runtime import ImageService, RuntimeService


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeContext:
    """What a runtime may use."""

    directory: Path  # for its own files
    images: Path  # the image store
    clock: Clock
    ids: IdSource
    plan: AddressPlan
    make_network: Callable[[AddressPlan], PodNetwork]


Built = tuple[RuntimeService, ImageService]
Factory = Callable[[RuntimeContext], Built]


def _process(context: RuntimeContext) -> Built:
    from leeward.cluster.runtimes.process.images import ImageStore
    from leeward.cluster.runtimes.process.isolation import find_isolation
    from leeward.cluster.runtimes.process.runtime import ProcessRuntime

    if sys.platform not in ("linux", "darwin"):
        raise OperationError(
            f"the process runtime does not work on {sys.platform}",
            remedy="On Windows, use leeward inside WSL 2.",
        )
    images = ImageStore(context.images)
    network = context.make_network(context.plan) if context.plan.isolated else None
    runtime = ProcessRuntime(
        directory=context.directory,
        images=images,
        network=network,
        isolation=find_isolation(),
        ids=context.ids,
    )
    return runtime, images


def in_tree_runtimes() -> Registry[Factory]:
    """Return a fresh registry of runtimes; "auto" chooses the best, which is "process" so far."""
    registry: Registry[Factory] = Registry("runtime")
    registry.register("process", _process)
    return registry


def build_runtime(name: str, context: RuntimeContext) -> Built:
    """Return the runtime called `name` ("auto": the best one here) and its images.

    Raises:
        OperationError: it does not work on this machine.
    """
    return in_tree_runtimes().get("process" if name == "auto" else name)(context)
