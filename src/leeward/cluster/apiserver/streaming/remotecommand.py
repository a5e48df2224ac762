"""``pods/NAME/exec`` and ``pods/NAME/attach``: a WebSocket with a channel for each stream.

Channel 3 gets a Status in the end: Success, NonZeroExitCode with the code as a cause, or what went wrong. To
clients of v5 that is told also when nothing can be started at all; older ones get an HTTP answer then.

Input waits for a program within a bound. When there is no room, the client has to wait; as nothing is read
from it then, it is sent nothing now and again, which fails when it has gone. That ends the command.

Source: k8s.io/kubelet/pkg/cri/streaming/remotecommand (exec.go, websocket.go),
k8s.io/apiserver/pkg/util/proxy/streamtranslator.go, pkg/registry/core/pod/strategy.go (streamLocation),
pkg/kubelet/kubelet_pods.go (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from leeward.cluster.apiserver.http import Answer, Query, Request, text_response
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.podlogs import choose_container
from leeward.cluster.apiserver.served import Served
from leeward.cluster.apiserver.streaming import channels
from leeward.cluster.apiserver.streaming.channels import Channels
from leeward.cluster.apiserver.streaming.connecting import admitted
from leeward.cluster.apiserver.streaming.waiting import Waiting
from leeward.cluster.apiserver.streaming.websocket import ClientGoneError, Upgrade, WebSocket
from leeward.cluster.interface.client import TrackingClient
from leeward.cluster.interface.runtime import RuntimeFailureError, StreamService
from leeward.cluster.interface.streams import Output, Streams, StreamsWanted
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ForbiddenError, StatusError

PROTOCOLS = (channels.V5, channels.V4, channels.V4_BASE64, channels.V1, channels.V1_BASE64)
SUCCESS = {"metadata": {}, "status": "Success"}
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_OUTPUTS: tuple[tuple[Output, int], ...] = (("stdout", channels.STDOUT), ("stderr", channels.STDERR))

_PROBE = 5.0  # seconds without room for input before the client is looked for

Open = Callable[[str], Awaitable[Streams]]


class RemoteCommands:
    """Serves exec and attach.

    Args:
        client: reads Pods, and asks admission.
        runtime: runs their containers.
    """

    def __init__(self, client: TrackingClient, runtime: StreamService) -> None:
        self._client = client
        self._runtime = runtime

    async def exec(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer ``pods/NAME/exec``."""
        query = request.query
        fields = {**stream_fields(query), "command": query.all("command")}
        options = await admitted(self._client, request, path, served, fields)
        command = read_command(options)

        def start(wanted: StreamsWanted) -> Open:
            return lambda container: self._runtime.open_exec(container, command, wanted)

        answer = self._answer(request, path, served, options, start, "error executing command in container")
        if not command:
            raise BadRequestError("missing required command")  # as containerd has it
        return answer

    async def attach(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer ``pods/NAME/attach``."""
        options = await admitted(self._client, request, path, served, stream_fields(request.query))

        def start(wanted: StreamsWanted) -> Open:
            return lambda container: self._runtime.open_attach(container, wanted)

        return self._answer(request, path, served, options, start, "error attaching to container")

    def _answer(
        self,
        request: Request,
        path: ResourcePath,
        served: Served,
        options: Obj,
        start: Callable[[StreamsWanted], Open],
        failing: str,
    ) -> Answer:
        pod = self._client.get(served.name, path.namespace, path.name)
        name = choose_container(pod, str(options.get("container") or ""))
        require_node(pod)
        require_websocket(request)
        wanted = read_wanted(options)
        protocol = choose_protocol(request, PROTOCOLS)
        container = running_container(pod, name)
        if not container and protocol != channels.V5:
            return text_response(f'container not found ("{name}")', status=500)

        async def talk(socket: WebSocket) -> None:
            speaker = Speaker(socket, Channels(protocol), wanted)
            await speaker.greet()
            if not container:
                text = f'unable to upgrade connection: container not found ("{name}")'
                await speaker.conclude(internal_error(text))
                return
            try:
                streams = await start(wanted)(container)
            except RuntimeFailureError as error:
                await speaker.conclude(internal_error(f"{failing}: {error}"))
                return
            try:
                await speaker.converse(streams)
            finally:
                await streams.close()

        return Upgrade(request, protocol, talk)


class Speaker:
    """One conversation between a client and a program.

    Args:
        socket: the client's.
        framing: how its messages look.
        wanted: the streams that it wants.
        probe: seconds without room for its input before it is looked for.
    """

    def __init__(
        self, socket: WebSocket, framing: Channels, wanted: StreamsWanted, *, probe: float = _PROBE
    ) -> None:
        self._socket = socket
        self._framing = framing
        self._wanted = wanted
        self._probe = probe
        self._input = Waiting()

    async def _say(self, channel: int, data: bytes) -> None:
        await self._socket.send(self._framing.pack(channel, data), text=self._framing.text)

    async def greet(self) -> None:
        """Say nothing on the first channel that can be written, which tells that the connection is there."""
        wanted = self._wanted
        first = channels.STDOUT if wanted.stdout else channels.STDERR if wanted.stderr else channels.ERROR
        await self._say(first, b"")

    async def conclude(self, status: dict[str, Any]) -> None:
        """Say how it ended."""
        if self._framing.has_status:
            await self._say(channels.ERROR, orjson.dumps(status))
        elif status["status"] != "Success":
            await self._say(channels.ERROR, status["message"].encode())

    async def converse(self, streams: Streams) -> None:
        """Carry data both ways until the program ends or the client goes."""
        listening = asyncio.create_task(self._listen(streams))
        feeding = asyncio.create_task(self._feed(streams))
        telling = asyncio.create_task(self._tell(streams))
        try:
            await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            for task in (listening, feeding, telling):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ClientGoneError):
                    await task

    async def _tell(self, streams: Streams) -> None:
        async with asyncio.TaskGroup() as group:
            for output, channel in _OUTPUTS:
                group.create_task(self._copy(streams, output, channel))
        code = await streams.exit_code()
        await self.conclude(exit_status(code) if code else SUCCESS)

    async def _copy(self, streams: Streams, output: Output, channel: int) -> None:
        try:
            while data := await streams.read(output):
                await self._say(channel, data)
        except ClientGoneError:  # which whoever listens notices too
            return

    async def _listen(self, streams: Streams) -> None:
        while (message := await self._socket.receive()) is not None:
            received = self._framing.unpack(message)
            if received is None:
                continue
            if received.channel == channels.STDIN and (received.closed or received.data):
                await self._take(b"" if received.closed else received.data)
            elif received.channel == channels.RESIZE and not received.closed:
                size = read_size(received.data)
                if size is not None:
                    streams.resize(*size)

    async def _take(self, data: bytes) -> None:
        """Let input wait for the program, when there is room for it.

        Raises:
            ClientGoneError: the client has gone before that.
        """
        while not await self._input.room(self._probe):
            await self.greet()
        self._input.put(data)

    async def _feed(self, streams: Streams) -> None:
        """Give the program its input, as it takes it."""
        try:
            while data := await self._input.get():
                await streams.write(data)
            await streams.end_input()
        finally:
            self._input.close()


def require_websocket(request: Request) -> None:
    """Refuse whoever does not want to talk.

    Raises:
        BadRequestError: this is a plain request.
    """
    if not request.is_websocket:
        raise BadRequestError("Upgrade request required")


def require_node(pod: Obj) -> None:
    """Refuse Pods that are nowhere yet.

    Raises:
        BadRequestError: it has no node.
    """
    if not pod["spec"].get("nodeName"):
        raise BadRequestError(f"pod {pod['metadata']['name']} does not have a host assigned")


def choose_protocol(request: Request, known: tuple[str, ...]) -> str:
    """Return the protocol of a WebSocket, "" when the client offers none.

    Raises:
        ForbiddenError: none of those offered is known.
    """
    found = channels.choose(request.protocols, known)
    if found is None:
        offered, served = " ".join(request.protocols), " ".join(known)
        raise ForbiddenError(f"requested protocol(s) are not supported: [{offered}]; supports [{served}]")
    return found


def stream_fields(query: Query) -> dict[str, Any]:
    """Return what PodExecOptions and PodAttachOptions have in common."""
    flags = {name: query.flag(name) for name in ("stdin", "stdout", "stderr", "tty")}
    return {**flags, "container": query.text("container")}


def read_command(options: Obj) -> list[str]:
    """Return the command of PodExecOptions.

    Raises:
        StatusError: admission made something else of it.
    """
    command = options.get("command") or []
    if not isinstance(command, list) or not all(isinstance(each, str) for each in command):
        raise StatusError("Internal error occurred: the command that admission left is no list of strings")
    return command


def read_wanted(options: Mapping[str, Any]) -> StreamsWanted:
    """Return which streams a client wants.

    Raises:
        BadRequestError: none.
    """
    stdin, stdout, stderr, tty = (bool(options.get(name)) for name in ("stdin", "stdout", "stderr", "tty"))
    wanted = StreamsWanted(stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty)
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise BadRequestError("you must specify at least 1 of stdin, stdout, stderr")
    return wanted


def running_container(pod: Obj, name: str) -> str:
    """Return the id of a Pod's container that runs; "" when it does not."""
    for kind in _STATUSES:
        for status in (pod.get("status") or {}).get(kind) or ():
            if status["name"] == name and (status.get("state") or {}).get("running") is not None:
                return str(status.get("containerID") or "")
    return ""


def read_size(data: bytes) -> tuple[int, int] | None:
    """Return columns and rows of a terminal from a message of channel 4; None for what says none."""
    try:
        size = orjson.loads(data)
        columns, rows = int(size["Width"]), int(size["Height"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return (columns, rows) if 0 < columns < 1 << 16 and 0 < rows < 1 << 16 else None


def exit_status(code: int) -> dict[str, Any]:
    """Return the Status of a command that failed."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def internal_error(text: str) -> dict[str, Any]:
    """Return the Status of what did not work here."""
    status = StatusError(
        f"Internal error occurred: {text}", details={"causes": [{"message": text}]}
    ).to_status()
    return {key: value for key, value in status.items() if key not in ("kind", "apiVersion")}
