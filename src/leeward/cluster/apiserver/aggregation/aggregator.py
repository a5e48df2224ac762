"""Looks after APIServices that name a Service: checks them, asks them what they serve, passes requests on.

Invariant: each is checked by one task at a time; what changes meanwhile is checked again after it.

Source: k8s.io/kube-aggregator/pkg/apiserver/{apiserver,handler_proxy,handler_discovery}.go,
pkg/controllers/status/remote, pkg/controllers/openapiv3 (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from leeward.base.clock import Clock, Timer
from leeward.cluster.apiserver.aggregation.availability import PASSED, Verdict, failed, obstacle
from leeward.cluster.apiserver.aggregation.merging import RemoteVersion, from_list, from_resources
from leeward.cluster.apiserver.aggregation.peers import UnansweredError, identity, server_name
from leeward.cluster.apiserver.aggregation.registration import API_SERVICES
from leeward.cluster.apiserver.discovery import AGGREGATED_TYPE
from leeward.cluster.apiserver.http import Answer, Request, text_response
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.store import Event, Unsubscribe
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.webhooks.targets import UnresolvedError
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, is_condition_true, labels_of
from leeward.kube.status import StatusError
from leeward.kube.wellknown import SERVICE_NAME

if TYPE_CHECKING:
    from leeward.cluster.apiserver.aggregation.backends import Backends

_log = logging.getLogger(__name__)
_SLICES = "endpointslices.discovery.k8s.io"
_AGAIN_SECONDS = 30.0  # after a check that passed, and at most after one that failed
_FIRST_SECONDS = 0.5
_FAILURES = 16  # after which the pause grows no more
_OK = 200
_ACCEPT = {"accept": f"{AGGREGATED_TYPE},application/json"}


@dataclass(slots=True)
class _Known:
    """What is known of one server."""

    entry: Any = None  # its APIVersionDiscovery
    stale: bool = False
    document: str = ""  # URL of its OpenAPI v3 document; "": none
    failures: int = 0
    task: asyncio.Task[None] | None = None
    again: bool = False
    timer: Timer | None = field(default=None)


class Aggregator:
    """The APIs that other servers serve.

    Args:
        client: reads objects and writes the status of APIServices.
        make_backends: makes what reaches the servers, once there is one.
        clock: when to check again.
    """

    def __init__(self, client: Client, make_backends: Callable[[], Backends], clock: Clock) -> None:
        self._client = client
        self._make_backends = make_backends
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._unsubscribe: Unsubscribe | None = None

    @cached_property
    def _backends(self) -> Backends:
        return self._make_backends()

    def start(self) -> None:
        """Check all, and what changes from now on."""
        self._unsubscribe = self._client.watch([API_SERVICES, "services", _SLICES], self._note)
        for each in self._client.list(API_SERVICES):
            self._mark(each["metadata"]["name"])

    async def stop(self) -> None:
        """Check no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        tasks = []
        for known in self._known.values():
            if known.timer is not None:
                known.timer.cancel()
            if known.task is not None:
                known.task.cancel()
                tasks.append(known.task)
        self._known.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        if "_backends" in vars(self):
            await self._backends.close()

    def _note(self, event: Event) -> None:
        obj = event.object
        if event.resource == API_SERVICES:
            if event.type == "DELETED" or event.previous is None or event.previous["spec"] != obj["spec"]:
                self._mark(obj["metadata"]["name"])
            return
        name = obj["metadata"]["name"] if event.resource == "services" else labels_of(obj).get(SERVICE_NAME)
        if not self._known:
            return
        for each in self._client.list(API_SERVICES):
            service = each["spec"].get("service")
            if service and (service["namespace"], service["name"]) == (obj["metadata"]["namespace"], name):
                self._mark(each["metadata"]["name"])

    def _mark(self, name: str) -> None:
        """Let a server be checked soon."""
        found = self._client.find(API_SERVICES, "", name)
        if found is None or not found["spec"].get("service"):
            known = self._known.pop(name, None)
            if known is not None and known.timer is not None:
                known.timer.cancel()
            return
        known = self._known.setdefault(name, _Known())
        if known.task is not None:
            known.again = True
            return
        if known.timer is not None:
            known.timer.cancel()
            known.timer = None
        known.task = asyncio.get_running_loop().create_task(self._check(name, known), name=f"check {name}")

    async def _check(self, name: str, known: _Known) -> None:
        try:
            found = self._client.find(API_SERVICES, "", name)
            if found is not None and found["spec"].get("service"):
                verdict = await self._verdict(found, known)
                known.failures = 0 if verdict is PASSED else known.failures + 1
                self._report(name, verdict)
        except StatusError as error:
            known.failures += 1
            _log.info("APIService %s: %s", name, error)
        finally:
            known.task = None
        if self._known.get(name) is known:
            self._continue(name, known)

    def _continue(self, name: str, known: _Known) -> None:
        if known.again:
            known.again = False
            self._mark(name)
            return
        seconds = _AGAIN_SECONDS
        if 0 < known.failures < _FAILURES:
            seconds = min(seconds, _FIRST_SECONDS * 2**known.failures)
        known.timer = self._clock.call_later(seconds, lambda: self._mark(name))

    async def _verdict(self, api_service: Obj, known: _Known) -> Verdict:
        reference, spec = api_service["spec"]["service"], api_service["spec"]
        namespace, name = reference["namespace"], reference["name"]
        service = self._client.find("services", namespace, name)
        slices = [
            each
            for each in self._client.list(_SLICES, namespace)
            if labels_of(each).get(SERVICE_NAME) == name
        ]
        verdict = obstacle(reference, service, slices)
        if verdict is None:
            verdict = await self._asked(api_service, f"/apis/{spec['group']}/{spec['version']}")
        if verdict is PASSED:
            await self._learn(api_service, known)
        else:
            known.stale = True
        return verdict

    async def _asked(self, api_service: Obj, path: str) -> Verdict:
        try:
            answer = await self._backends.get(api_service, path, {}, checked=False)
        except UnansweredError as error:
            return failed(str(error))
        if not 200 <= answer.status_code < 300:
            url = str(answer.request.url)
            return failed(
                f"failing or missing response from {url}: bad status from {url}: {answer.status_code}"
            )
        return PASSED

    async def _learn(self, api_service: Obj, known: _Known) -> None:
        """Ask a server what it serves."""
        spec = api_service["spec"]
        group, version = spec["group"], spec["version"]
        try:
            entry = from_list(await self._document(api_service, "/apis", _ACCEPT)).get((group, version))
            if entry is None:
                listed = await self._document(api_service, f"/apis/{group}/{version}", {})
                entry = from_resources(version, listed)
            known.entry, known.stale = entry, False
        except (UnansweredError, ValueError, KeyError, TypeError, AttributeError) as error:
            known.stale = True
            _log.info("APIService %s.%s: discovery: %s", version, group, error)
            return
        try:
            paths = (await self._document(api_service, "/openapi/v3", {})).get("paths") or {}
            known.document = paths[f"apis/{group}/{version}"]["serverRelativeURL"]
        except (UnansweredError, ValueError, KeyError, TypeError, AttributeError):
            known.document = ""

    async def _document(self, api_service: Obj, path: str, headers: dict[str, str]) -> Any:
        answer = await self._backends.get(api_service, path, headers)
        if answer.status_code != _OK:
            return {}
        return orjson.loads(answer.content)

    def _report(self, name: str, verdict: Verdict) -> None:
        found = self._client.find(API_SERVICES, "", name)
        if found is None:
            return
        new = with_condition(found, verdict.condition(), self._clock.now())
        if new is not found:
            self._client.update_status(API_SERVICES, new)

    def remotes(self) -> list[RemoteVersion]:
        """Return the group versions that are served elsewhere."""
        if not self._known:
            return []
        return [
            RemoteVersion(
                spec["group"],
                spec["version"],
                spec["groupPriorityMinimum"],
                spec["versionPriority"],
                known.entry,
                known.stale,
            )
            for name, known in self._known.items()
            if (found := self._client.find(API_SERVICES, "", name)) is not None
            for spec in (found["spec"],)
        ]

    def documents(self) -> dict[str, str]:
        """Return the OpenAPI v3 documents that are served elsewhere: URL by ``apis/GROUP/VERSION``."""
        return {
            f"apis/{group}/{version}": known.document
            for name, known in self._known.items()
            if known.document
            for version, _, group in (name.partition("."),)
        }

    def find(self, group: str, version: str) -> Obj | None:
        """Return the APIService of a group version that is served elsewhere."""
        if not group or not self._known:
            return None
        found = self._client.find(API_SERVICES, "", f"{version}.{group}")
        return found if found is not None and found["spec"].get("service") else None

    async def get(self, api_service: Obj, path: str, user: User) -> tuple[int, bytes]:
        """Ask the server of an APIService on behalf of a component; returns status and body.

        Raises:
            UnansweredError: it is not available, or does not answer in time.
        """
        if not is_condition_true(api_service, "Available"):
            raise UnansweredError("service unavailable")
        answer = await self._backends.get(api_service, path, {"accept": "application/json"}, user=user)
        return answer.status_code, answer.content

    async def answer(self, request: Request, api_service: Obj) -> Answer:
        """Pass a request on to the server of an APIService."""
        from leeward.cluster.apiserver.streaming.passing import pass_on

        if not is_condition_true(api_service, "Available"):
            return text_response("service unavailable\n", status=503)
        try:
            location = self._backends.location(api_service)
        except UnresolvedError:
            return text_response("service unavailable\n", status=503)
        try:
            transport = self._backends.transport(api_service)
        except ValueError as error:
            return text_response(f"{error}\n", status=500)
        try:
            return await pass_on(
                request,
                location,
                request.uri,
                transport,
                identity=identity(request.user),
                name=server_name(api_service),
            )
        except StatusError as error:
            return text_response(f"{error.message}\n", status=503)
