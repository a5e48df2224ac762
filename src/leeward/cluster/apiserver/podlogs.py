"""``pods/NAME/log``: which container's log, and what is answered when there is none.

Source: ``k8s.io/kubernetes/pkg/registry/core/pod`` (LogLocation), ValidatePodLogOptions (1.36).
"""

from __future__ import annotations

from pathlib import Path

from leeward.base.clock import Clock
from leeward.cluster.apiserver.http import TEXT, Answer, Query, Request, Response, StreamResponse
from leeward.cluster.apiserver.logs import LogOptions, LogSource, read_log, since_moment
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import Client
from leeward.cluster.registry.failures import Failure, forbidden, invalid, raise_if_any
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource
from leeward.kube.status import BadRequestError

_KINDS = ("initContainers", "containers", "ephemeralContainers")
_OPTIONS = Resource("podlogoptions", "", "PodLogOptions", namespaced=True)
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def option_failures(query: Query) -> list[Failure]:
    """Check what is asked of a log."""
    found: list[Failure] = []
    lines, size, seconds = (query.number(name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    if lines is not None and lines < 0:
        found.append(invalid("tailLines", lines, "must be greater than or equal to 0"))
    if size is not None and size < 1:
        found.append(invalid("limitBytes", size, "must be greater than 0"))
    if seconds is not None and query.text("sinceTime"):
        text = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        found.append(forbidden("", text))
    elif seconds is not None and seconds < 1:
        found.append(invalid("sinceSeconds", seconds, "must be greater than 0"))
    return found


def choose_container(pod: Obj, wanted: str) -> str:
    """Return the container whose log is meant.

    Raises:
        BadRequestError: there is no such container, or several and none was named.
    """
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [item["name"] for item in spec.get("containers") or ()]
    inits = [item["name"] for item in spec.get("initContainers") or ()]
    if not wanted:
        if len(names) == 1:
            return str(names[0])
        shown = f"[{' '.join(names)}]"
        extra = f" or one of the init containers: [{' '.join(inits)}]" if inits else ""
        raise BadRequestError(
            f"a container name must be specified for pod {name}, choose one of: {shown}{extra}"
        )
    if not any(item["name"] == wanted for kind in _KINDS for item in spec.get(kind) or ()):
        raise BadRequestError(f"container {wanted} is not valid for pod {name}")
    return wanted


def _status(pod: Obj, container: str) -> Obj:
    for kind in _STATUSES:
        for found in (pod.get("status") or {}).get(kind) or ():
            if found["name"] == container:
                return dict(found)
    return {}


def is_running(pod: Obj | None, container: str) -> bool:
    """Tell whether more may be written to the container's log."""
    if pod is None:
        return False
    state = _status(pod, container).get("state") or {}
    if state.get("running") is not None or state.get("waiting") is not None:
        return True
    if any(each["name"] == container for each in pod["spec"].get("ephemeralContainers") or ()):
        return False  # it runs once
    always = (pod["spec"].get("restartPolicy") or "Always") == "Always"
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return always and not finished and not pod["metadata"].get("deletionTimestamp")


class PodLogs:
    """Serves logs.

    Args:
        client: reads Pods.
        clock: "since", and the pace of following.
        source: finds the files.
    """

    def __init__(self, client: Client, clock: Clock, source: LogSource) -> None:
        self._client = client
        self._clock = clock
        self._source = source

    async def log(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer GET on ``pods/NAME/log``."""
        query = request.query
        raise_if_any(_OPTIONS, path.name, option_failures(query))
        pod = self._client.get(served.name, path.namespace, path.name)
        container = choose_container(pod, query.text("container"))
        options = LogOptions(
            follow=query.flag("follow"),
            timestamps=query.flag("timestamps"),
            tail_lines=query.number("tailLines"),
            since=since_moment(query.number("sinceSeconds"), query.text("sinceTime"), self._clock.now()),
            limit_bytes=query.number("limitBytes"),
        )
        previous = query.flag("previous")
        file = self._source(pod, container, previous=previous)
        if file is None or not file.exists():
            return self._absent(pod, container, previous=previous)
        uid = pod["metadata"].get("uid")
        chunks = read_log(
            file,
            options,
            self._clock,
            lambda: not previous and is_running(self._current(path, uid), container),
            lambda: None if previous else self._path(path, uid, container),
        )
        return StreamResponse(chunks, request, content_type=TEXT)

    def _current(self, path: ResourcePath, uid: str | None) -> Obj | None:
        pod = self._client.find("pods", path.namespace, path.name)
        return pod if pod is not None and pod["metadata"].get("uid") == uid else None

    def _path(self, path: ResourcePath, uid: str | None, container: str) -> Path | None:
        pod = self._current(path, uid)
        found = None if pod is None else self._source(pod, container, previous=False)
        return found if found is not None and found.exists() else None

    def _absent(self, pod: Obj, container: str, *, previous: bool) -> Answer:
        name = pod["metadata"]["name"]
        if previous:
            raise BadRequestError(f'previous terminated container "{container}" in pod "{name}" not found')
        if not pod["spec"].get("nodeName"):
            return Response(b"", status=204, content_type="")
        state = (_status(pod, container).get("state") or {}).get("waiting") or {}
        reason = state.get("reason") or "ContainerCreating"
        raise BadRequestError(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
