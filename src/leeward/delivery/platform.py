"""Brings what a whole cluster shares to it, in an order that works, and takes away what is no longer wanted.

Objects are applied on the server's side, as the field manager ``leeward``. First the server is asked,
without writing anything, whether it would take them: so conflicts and missing rights are told all at once.
Definitions are waited for before what they define, workloads before the webhooks that they serve.

Invariants: what is as it should be is not written; namespaces and definitions are never taken away.

Source: kubernetes.io/docs, "Server-Side Apply" (dry run, conflicts).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from leeward.base.clock import Clock, within
from leeward.base.errors import OperationError
from leeward.delivery.api import Applies, Deletes, Finds, Lists, Patches
from leeward.delivery.health import WORKLOADS, Health, judge
from leeward.delivery.live import resource_name
from leeward.kube.objects import Obj, is_condition_true
from leeward.kube.resources import BUILT_IN, CRDS
from leeward.kube.selectors import matches_selector
from leeward.kube.status import NotFoundError, StatusError
from leeward.kube.wellknown import APP_NAME

_FIRST = (
    "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ServiceAccount", "ClusterRole",
    "ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "Secret", "Service", "IngressClass",
    "PodDisruptionBudget", "Deployment", "DaemonSet",
)  # fmt: skip
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_KEPT = frozenset(("Namespace", "CustomResourceDefinition"))
_POLL = 0.5
_DEFINITION_SECONDS = 30.0
_SHOWN = 10
Key = tuple[str, str, str]  # kind, namespace, name
Show = Callable[[str], None]


class PlatformApi(Finds, Lists, Applies, Deletes, Patches, Protocol):
    """What it needs of a Kubernetes API."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done."""

    created: int
    changed: int
    unchanged: int
    removed: tuple[str, ...]  # "Kind name"


class PlatformRollout:
    """One set of objects on its way to a cluster.

    Args:
        api: of the cluster.
        clock: when to look again.
        mine: the label selector of everything that is of the platform, and of nothing else.
        show: told what is going on.
        force: take over fields that others own.
    """

    def __init__(self, api: PlatformApi, clock: Clock, mine: str, show: Show, *, force: bool = False) -> None:
        self._api = api
        self._clock = clock
        self._mine = mine
        self._show = show
        self._force = force
        self._counts = {"created": 0, "changed": 0, "unchanged": 0}

    async def run(self, objects: Sequence[Obj], *, timeout: float) -> Outcome:
        """Apply `objects`, wait until all workloads are up, and remove what else is of the platform.

        Args:
            objects: in any order.
            timeout: seconds until the workloads have to be up.

        Raises:
            OperationError: the API would refuse objects, and nothing is written; or workloads do not come up.
        """
        if not self._force:
            self._show("asking whether the cluster would take it")
            await self._rehearse(objects)
        for obj in _ordered(objects, _FIRST):
            await self._apply(obj)
            if obj["kind"] == "CustomResourceDefinition":
                await self._until_served(obj["metadata"]["name"])
        workloads = [obj for obj in objects if obj["kind"] in WORKLOADS]
        await self._until_up(workloads, timeout)
        for obj in _ordered(objects, _LAST):
            await self._apply(obj)
        return Outcome(**self._counts, removed=tuple(await self._prune(objects)))

    async def _rehearse(self, objects: Iterable[Obj]) -> None:
        """Ask whether objects would be taken; those whose namespace is not there yet are not asked about.

        Raises:
            OperationError: some would not; says which and why.
        """
        refused: list[str] = []
        for obj in in_platform_order(objects):
            meta = obj["metadata"]
            place = (resource_name(obj), meta.get("namespace") or "", meta["name"])
            try:
                await self._api.patch(*place, obj, patch_type="apply", dry_run=True)
            except NotFoundError:
                continue
            except StatusError as error:
                refused.append(f"{obj['kind']} {meta['name']}: {error}")
        if refused:
            more = [f"and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
            raise OperationError(
                "nothing was applied, because the cluster would refuse:\n  "
                + "\n  ".join([*refused[:_SHOWN], *more]),
                remedy="Remove what else manages them, such as a Helm release, or take over with --force.",
            )

    async def _apply(self, obj: Obj) -> None:
        resource, meta = resource_name(obj), obj["metadata"]
        self._show(f"applying {obj['kind']} {meta['name']}")
        before = await self._api.find(resource, meta.get("namespace") or "", meta["name"])
        try:
            after = await self._api.apply(resource, obj, force=self._force)
        except StatusError as error:
            raise OperationError(
                f"{obj['kind']} {meta['name']} cannot be applied: {error}",
                remedy="What was applied before it stays; run it again when this is mended.",
            ) from error
        if before is None:
            done = "created"
        else:
            same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
            done = "unchanged" if same else "changed"
        self._counts[done] += 1

    async def _until_served(self, name: str) -> None:
        async def served() -> None:
            while not is_condition_true(await self._api.find(CRDS, "", name) or {}, "Established"):
                await self._clock.sleep(_POLL)

        try:
            await within(self._clock, _DEFINITION_SECONDS, served())
        except TimeoutError:
            raise OperationError(
                f"the cluster does not serve {name} after {_DEFINITION_SECONDS:.0f} s",
                remedy=f"See what is against it: kubectl describe crd {name}",
            ) from None

    async def _until_up(self, workloads: Sequence[Obj], seconds: float) -> None:
        last: list[Health] = []

        async def up() -> None:
            while True:
                last[:] = [each for each in [await self._health(obj) for obj in workloads] if not each.done]
                lost = next((each for each in last if each.hopeless), None)
                if lost is not None:
                    raise OperationError(
                        f"{lost.service} does not come up: {lost.problem}", remedy=_look_at(lost, workloads)
                    )
                if not last:
                    return
                self._show("waiting for " + ", ".join(f"{e.service} {e.ready}/{e.wanted}" for e in last))
                await self._clock.sleep(_POLL)

        try:
            await within(self._clock, seconds, up())
        except TimeoutError:
            late = ", ".join(f"{e.service} ({e.problem or f'{e.ready} of {e.wanted} ready'})" for e in last)
            raise OperationError(
                f"not up after {seconds:.0f} s: {late}", remedy=_look_at(last[0], workloads)
            ) from None

    async def _health(self, obj: Obj) -> Health:
        meta = obj["metadata"]
        live = await self._api.find(WORKLOADS[obj["kind"]], meta["namespace"], meta["name"])
        pods = await self._api.list("pods", meta["namespace"])
        own = [
            pod
            for pod in pods
            if matches_selector(obj["spec"]["selector"], pod["metadata"].get("labels") or {})
        ]
        return judge(live or obj, own)

    async def _prune(self, objects: Iterable[Obj]) -> list[str]:
        wanted = {_key(obj) for obj in objects}
        removed = []
        kinds = [kind for kind in (*_LAST, *reversed(_FIRST)) if kind not in _KEPT]
        for resource in (row for kind in kinds for row in BUILT_IN if row.kind == kind):
            for live in await self._api.list(resource.name, "", label_selector=self._mine):
                if _key(live) in wanted:
                    continue
                meta = live["metadata"]
                await _gone(self._api.delete(
                    resource.name, meta.get("namespace") or "", meta["name"], propagation="Background"
                ))  # fmt: skip
                removed.append(f"{live['kind']} {meta['name']}")
        return removed


async def _gone(deletion: Awaitable[None]) -> None:
    try:
        await deletion
    except NotFoundError:
        return


def in_platform_order(objects: Iterable[Obj]) -> list[Obj]:
    """Return objects in the order in which they are applied."""
    return _ordered(objects, (*_FIRST, *_LAST))


def _ordered(objects: Iterable[Obj], kinds: Sequence[str]) -> list[Obj]:
    found = [obj for obj in objects if obj["kind"] in kinds]
    return sorted(found, key=lambda obj: (kinds.index(obj["kind"]), *_key(obj)))


def _key(obj: Obj) -> Key:
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace") or "", meta["name"]


def _look_at(health: Health, workloads: Iterable[Obj]) -> str:
    found = next(obj for obj in workloads if obj["metadata"]["name"] == health.service)
    meta = found["metadata"]
    return f"See what its Pods say: kubectl -n {meta['namespace']} describe pods -l {APP_NAME}={meta['name']}"
