"""All kubelets of the embedded cluster, and the power switch of their machines.

One subscription serves all nodes. The annotation ``leeward.dev/power: off`` on a Node pulls its plug: the
kubelet falls silent and its containers vanish from the network and die, with nobody told. Taking the
annotation away, or setting it to ``on``, boots the machine again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from leeward.cluster.interface.client import Event, Reader, Unsubscribe
from leeward.cluster.interface.runtime import ContainerExit, RuntimeService
from leeward.cluster.kubelet.kubelet import Kubelet
from leeward.kube.nodes import is_without_power
from leeward.kube.objects import key_of

logger = logging.getLogger(__name__)
_SOURCES = ("configmaps", "secrets", "persistentvolumeclaims")


class Fleet:
    """Starts, stops and feeds kubelets.

    Args:
        kubelets: one a node.
        reader: where events come from.
        runtime: reports exits, cuts power.
    """

    def __init__(self, kubelets: Iterable[Kubelet], reader: Reader, runtime: RuntimeService) -> None:
        self._kubelets = {kubelet.node: kubelet for kubelet in kubelets}
        self._reader = reader
        self._runtime = runtime
        self._unsubscribe: Unsubscribe | None = None
        self._switching: set[asyncio.Task[None]] = set()
        self._changed: set[str] = set()

    def start(self) -> None:
        """Start every kubelet whose machine has power."""
        self._runtime.on_exit(self._exited)
        self._unsubscribe = self._reader.watch(("pods", "nodes", *_SOURCES), self._note)
        for kubelet in self._kubelets.values():
            node = self._reader.find("nodes", "", kubelet.node)
            if node is None or not is_without_power(node):
                kubelet.start()

    async def stop(self) -> None:
        """Stop every kubelet."""
        if self._unsubscribe:
            self._unsubscribe()
        for task in self._switching:
            task.cancel()
        await asyncio.gather(*(kubelet.stop() for kubelet in self._kubelets.values()))

    def _note(self, event: Event) -> None:
        if event.resource == "pods":
            self._note_pod(event)
        elif event.resource == "nodes":
            kubelet = self._kubelets.get(event.object["metadata"]["name"])
            if kubelet is None or event.type == "DELETED":
                return
            if is_without_power(event.object) == kubelet.powered:
                task = asyncio.ensure_future(self._switch(kubelet))
                self._switching.add(task)
                task.add_done_callback(self._switching.discard)
        elif event.type != "DELETED":
            namespace = key_of(event.object).namespace
            if not self._changed:
                asyncio.get_running_loop().call_soon(self._tell_changed)
            self._changed.add(namespace)

    def _note_pod(self, event: Event) -> None:
        node = event.object["spec"].get("nodeName")
        kubelet = self._kubelets.get(node) if node else None
        if kubelet is None:
            return
        tell = kubelet.pod_gone if event.type == "DELETED" else kubelet.pod_changed
        asyncio.get_running_loop().call_soon(tell, event.object)  # later, but in the order of the events

    def _tell_changed(self) -> None:
        changed, self._changed = self._changed, set()
        for namespace in changed:
            for kubelet in self._kubelets.values():
                kubelet.sources_changed(namespace)

    async def _switch(self, kubelet: Kubelet) -> None:
        """Bring a machine's power to what its node's annotation says."""
        node = self._reader.find("nodes", "", kubelet.node)
        if node is None or is_without_power(node) != kubelet.powered:
            return
        if kubelet.powered:
            logger.info("%s: power cut", kubelet.node)
            kubelet.power_off()
            await self._runtime.cut_power(kubelet.node)
        else:
            logger.info("%s: power is back", kubelet.node)
            kubelet.start()

    def _exited(self, exit_: ContainerExit) -> None:
        for kubelet in self._kubelets.values():
            kubelet.container_exited(exit_)
