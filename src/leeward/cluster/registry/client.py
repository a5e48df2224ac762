"""The in-process client: implements ``interface.client.Client`` on the registry."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from leeward.base.clock import PassiveClock
from leeward.cluster.interface.client import Fit, Handler, PatchType, Propagation, TrackingClient, Unsubscribe
from leeward.cluster.interface.user import User
from leeward.cluster.registry import subresources
from leeward.cluster.registry.events import EventRecorder, Fact
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.cluster.registry.tokenrequests import request_token
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError, StatusError

if TYPE_CHECKING:
    from leeward.cluster.registry.registry import Registry

logger = logging.getLogger(__name__)


class RegistryClient:
    """Reads and writes as one user.

    Args:
        registry: the way in.
        user: whose identity.
        clock: event times.
        dry_run: check everything, write nothing.
        field_manager: who owns what is written; "": it is not tracked.
        api_version: of the objects that are sent; "": the stored one.
        listens: keep the warnings that writes cause.
        component: it is a component of the cluster's, not somebody who asks over the API.
    """

    def __init__(
        self,
        registry: Registry,
        user: User,
        clock: PassiveClock,
        *,
        dry_run: bool = False,
        field_manager: str = "",
        api_version: str = "",
        listens: bool = False,
        component: bool = False,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._warnings: builtins.list[str] = []
        self._options = WriteOptions(
            user=user,
            dry_run=dry_run,
            field_manager=field_manager,
            api_version=api_version,
            component=component,
        )
        if listens:
            self._options = replace(self._options, warn=self._warnings.append, attended=True)
        self._dry_run = dry_run
        self._recorder = EventRecorder(self, user.name, clock, registry.event_names)

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self._registry.store.get(_stored(resource), namespace, name)

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        found = self.find(resource, namespace, name)
        if found is None:
            plural, _, group = resource.partition(".")
            details = {"name": name, **({"group": group} if group else {}), "kind": plural}
            raise NotFoundError(f'{resource} "{name}" not found', details=details)
        return found

    def list(self, resource: str, namespace: str = "") -> builtins.list[Obj]:
        return self._registry.store.list(_stored(resource), namespace)

    def controlled_by(self, resource: str, uid: str) -> builtins.list[Obj]:
        return self._registry.store.controlled_by(resource, uid)

    def uncontrolled(self, resource: str, namespace: str) -> builtins.list[Obj]:
        return self._registry.store.uncontrolled(resource, namespace)

    def pods_on(self, node: str) -> builtins.list[Obj]:
        return self._registry.store.pods_on(node)

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        stored = None if resources is None else {_stored(resource) for resource in resources}
        return self._registry.store.subscribe(stored, handler)

    def shown(self, resource: str, objects: Sequence[Obj], api_version: str) -> Sequence[Obj]:
        options = replace(self._options, attended=True)
        return self._registry.shown(resource, objects, api_version, options)

    def create(self, resource: str, obj: Obj) -> Obj:
        return self._registry.create(resource, obj, self._options)

    def update(self, resource: str, obj: Obj) -> Obj:
        return self._registry.update(resource, obj, self._options)

    def update_status(self, resource: str, obj: Obj) -> Obj:
        return self._registry.update(resource, obj, self._options, subresource="status")

    def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        patch_type: PatchType = "strategic",
        subresource: str = "",
        fit: Fit | None = None,
    ) -> Obj:
        return self._registry.patch(
            resource,
            namespace,
            name,
            patch,
            self._options,
            patch_type=patch_type,
            subresource=subresource,
            fit=fit,
        )

    def tracked(self, manager: str, api_version: str, user: User | None = None) -> RegistryClient:
        return RegistryClient(
            self._registry,
            user or self._options.user,
            self._clock,
            dry_run=self._dry_run,
            field_manager=manager,
            api_version=api_version,
            listens=True,
        )

    def apply(
        self,
        resource: str,
        config: Obj,
        *,
        namespace: str = "",
        force: bool = False,
        subresource: str = "",
        fit: Fit | None = None,
    ) -> tuple[Obj, bool]:
        return self._registry.apply(
            resource,
            config,
            self._options,
            namespace=namespace,
            force=force,
            subresource=subresource,
            fit=fit,
        )

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation: Propagation | None = None,
    ) -> Obj:
        options = DeleteOptions(
            uid=uid,
            grace_period_seconds=grace_period_seconds,
            propagation=propagation,
            dry_run=self._dry_run,
            user=self._options.user,
            warn=self._options.warn,
            attended=self._options.attended,
        )
        return self._registry.delete(resource, namespace, name, options)

    def bind(self, namespace: str, pod: str, node: str) -> None:
        subresources.bind(self._registry, namespace, pod, node, self._options)

    def evict(self, namespace: str, pod: str, *, grace_period_seconds: int | None = None) -> None:
        subresources.evict(self._registry, namespace, pod, self._options, grace_period_seconds)

    def connect(self, resource: str, namespace: str, name: str, subresource: str, asked: Obj) -> Obj:
        place = subresources.ConnectPlace(namespace, name, subresource)
        return subresources.connect(self._registry, resource, asked, place, self._options)

    def request_token(self, namespace: str, account: str, request: Obj) -> Obj:
        return request_token(self._registry, namespace, account, request, self._options)

    def secret_token(self, account: Obj, secret: Obj) -> str:
        if self._registry.tokens is None:
            raise NotFoundError("the server could not find the requested resource")
        return self._registry.tokens.sign_for_secret(account, secret)

    def finalize_namespace(self, obj: Obj) -> Obj:
        """Replace a namespace's ``spec.finalizers`` through the finalize subresource."""
        return subresources.finalize_namespace(self._registry, obj, self._options)

    def record(
        self,
        involved: Obj,
        *,
        event_type: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        action: str = "",
        related: Obj | None = None,
    ) -> None:
        fact = Fact(involved, event_type, reason, message, action, related)
        try:
            self._recorder.record(fact)
        except StatusError as error:
            logger.debug("event %s %s not recorded: %s", reason, message, error)


def _stored(resource: str) -> str:
    """Events have two API groups and one home."""
    return "events" if resource == "events.events.k8s.io" else resource


if TYPE_CHECKING:

    def _conforms(client: RegistryClient) -> TrackingClient:
        return client
