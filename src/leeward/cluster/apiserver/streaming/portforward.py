"""``pods/NAME/portforward``: connections to ports of a Pod's "localhost" through a WebSocket.

kubectl tunnels SPDY through it. Python clients take two channels for each port of the query: channel 2n has
the data of the n-th port, 2n+1 errors, and both begin with the port's number, little endian.

Source: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go, k8s.io/apiserver/pkg/util/proxy/
streamtunnel.go, pkg/registry/core/pod/strategy.go (PortForwardLocation) (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

from leeward.cluster.apiserver.http import Answer, Query, Request
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.apiserver.streaming import channels
from leeward.cluster.apiserver.streaming.channels import Channels
from leeward.cluster.apiserver.streaming.connecting import admitted
from leeward.cluster.apiserver.streaming.remotecommand import (
    choose_protocol,
    require_node,
    require_websocket,
)
from leeward.cluster.apiserver.streaming.tunnel import PATIENCE, Forward, Tunnel, TunnelEnd, read_port, stuck
from leeward.cluster.apiserver.streaming.waiting import Waiting
from leeward.cluster.apiserver.streaming.websocket import ClientGoneError, Upgrade, WebSocket
from leeward.cluster.interface.client import TrackingClient
from leeward.cluster.interface.runtime import RuntimeFailureError, StreamService
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError

TUNNEL = "SPDY/3.1+portforward.k8s.io"
PROTOCOLS = (TUNNEL, channels.V4, channels.V4_BASE64)
_MAX_PORTS = 127  # two channels each, in one byte
_CHUNK = 1 << 15  # bytes


class PortForward:
    """Serves port-forwarding.

    Args:
        client: reads Pods, and asks admission.
        runtime: reaches their ports.
    """

    def __init__(self, client: TrackingClient, runtime: StreamService) -> None:
        self._client = client
        self._runtime = runtime

    async def forward(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer ``pods/NAME/portforward``."""
        texts = [text for value in request.query.all("ports") for text in value.split(",")]
        fields = {"ports": [read_port(text) for text in texts if read_port(text)]}
        await admitted(self._client, request, path, served, fields)
        pod = self._client.get(served.name, path.namespace, path.name)
        require_node(pod)
        require_websocket(request)
        protocol = choose_protocol(request, PROTOCOLS)
        connect = self._forward_to(pod)
        if protocol == TUNNEL:
            return Upgrade(request, protocol, lambda socket: Tunnel(socket, connect).serve())
        ports = read_ports(request.query)
        return Upgrade(request, protocol, lambda socket: Ports(socket, protocol, ports).serve(connect))

    def _forward_to(self, pod: Obj) -> Forward:
        meta = pod["metadata"]
        shown = f"{meta['name']}_{meta['namespace']}"

        async def forward(port: int, end: TunnelEnd) -> str:
            try:
                reader, writer = await self._runtime.open_port(meta["uid"], port)
            except RuntimeFailureError as error:
                return f"error forwarding port {port} to pod {shown}, uid {meta['uid']}: {error}"
            sending = asyncio.create_task(_send_to(writer, end))
            try:
                while data := await reader.read(_CHUNK):
                    await end.send(data)
            except OSError as error:  # the program there broke the connection off
                return f"error forwarding port {port} to pod {shown}, uid {meta['uid']}: {error}"
            finally:
                sending.cancel()
                writer.close()
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
            return ""

        return forward


async def _send_to(writer: asyncio.StreamWriter, end: TunnelEnd) -> None:
    """Carry what the client sends to the Pod, and the end of it."""
    with contextlib.suppress(OSError):
        while data := await end.receive():
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def read_ports(query: Query) -> list[int]:
    """Return the ports that channels are wanted for.

    Raises:
        BadRequestError: there are none, or one is no port.
    """
    texts = [text for value in query.all("ports") for text in value.split(",")]
    if not texts:
        raise BadRequestError('query parameter "port" is required')
    ports = []
    for text in texts:
        if not read_port(text):
            raise BadRequestError(f'unable to parse "{text}" as a port')
        ports.append(read_port(text))
    if len(ports) > _MAX_PORTS:
        raise BadRequestError(f"at most {_MAX_PORTS} ports can be forwarded at a time")
    return ports


class Ports:
    """A WebSocket with two channels for each port."""

    def __init__(
        self, socket: WebSocket, protocol: str, ports: list[int], *, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._socket = socket
        self._framing = Channels(protocol)
        self._ports = ports
        self._arrived = [Waiting() for _ in ports]

    async def serve(self, forward: Forward) -> None:
        """Connect to every port, and carry data until the client goes or all connections have ended."""
        for index, port in enumerate(self._ports):
            for channel in (2 * index, 2 * index + 1):
                await self._say(channel, struct.pack("<H", port))
        forwarding = [asyncio.create_task(self._run(index, forward)) for index in range(len(self._ports))]
        listening = asyncio.create_task(self._listen(forwarding))
        ended = asyncio.ensure_future(asyncio.wait(forwarding))
        try:
            await asyncio.wait((listening, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, ended, *forwarding):
                task.cancel()
            results = await asyncio.gather(listening, *forwarding, ended, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ClientGoneError):
                raise result

    async def _run(self, index: int, forward: Forward) -> None:
        end = TunnelEnd(self._arrived[index].get, lambda data: self._say(2 * index, data))
        try:
            problem = await forward(self._ports[index], end)
            if problem:
                await self._say(2 * index + 1, problem.encode())
        except ClientGoneError:  # which whoever listens notices too
            return
        finally:
            self._arrived[index].close()

    async def _listen(self, forwarding: list[asyncio.Task[None]]) -> None:
        while (message := await self._socket.receive()) is not None:
            received = self._framing.unpack(message)
            if received is None or received.channel % 2 or received.channel // 2 >= len(self._ports):
                continue
            index = received.channel // 2
            if not received.data:
                continue
            if await self._arrived[index].room(self._patience):
                self._arrived[index].put(received.data)
            else:
                await self._say(2 * index + 1, stuck(self._ports[index]).encode())
                forwarding[index].cancel()

    async def _say(self, channel: int, data: bytes) -> None:
        await self._socket.send(self._framing.pack(channel, data), text=self._framing.text)
