"""ResourceQuota: nothing is made or grows beyond what a quota of its namespace leaves.

What is used is read from the quotas' status and added to it when the write is certain; the quota controller
corrects it. So a quota that it has not looked at yet admits nothing.

Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go CheckRequest (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import EVERY, Handler, PluginContext, PluginDescriptor, Settle
from leeward.kube.objects import Obj
from leeward.kube.quantity import Amount
from leeward.kube.quota.evaluators import IGNORED, Evaluator, evaluator_of
from leeward.kube.quota.scopes import requirements
from leeward.kube.resourcelists import ResourceList, add, only, read, rest, written

_QUOTAS = "resourcequotas"


class ResourceQuota:
    """Charges the quotas.

    Args:
        reader: where they are.
        update: writes what is used.
    """

    def __init__(self, reader: Reader, update: Callable[[str, Obj], Obj]) -> None:
        self._reader = reader
        self._update = update

    def charge(self, write: Attributes) -> Settle | None:
        """Refuse what is too much; returns how to charge it."""
        if not write.namespace or write.resource.name == "namespaces" or write.resource.name in IGNORED:
            return None
        quotas = self._reader.list(_QUOTAS, write.namespace)
        if not quotas:
            return None
        evaluator = evaluator_of(write.resource.name)
        if not _handles(evaluator, write):
            return None
        charged = _charge(evaluator, write, quotas)
        if not charged or write.dry_run:
            return None

        def settle() -> None:
            for quota in charged:
                self._update(_QUOTAS, quota)

        return settle


def _handles(evaluator: Evaluator, write: Attributes) -> bool:
    if write.operation == "CREATE":
        return not write.subresource
    return write.subresource in evaluator.updates


def _charge(evaluator: Evaluator, write: Attributes, quotas: Sequence[Obj]) -> list[Obj]:
    """Return the quotas that the write uses of, with what is used then.

    Raises:
        ForbiddenError: one has too little left.
    """
    concerned = [quota for quota in quotas if _matches(evaluator, quota, write.obj)]
    for quota in concerned:
        _check_constraints(evaluator, write, quota)
    if not concerned:
        return []
    usage = evaluator.usage(write.obj, None)
    negative = sorted(name for name, amount in usage.items() if amount.value < 0)
    if negative:
        raise write.forbidden(f"quota usage is negative for resource(s): {','.join(negative)}")
    charged = []
    for quota in concerned:
        more = usage
        if write.old is not None and _matches(evaluator, quota, write.old):
            more = rest(usage, evaluator.usage(write.old, None))
        added = {name: amount for name, amount in more.items() if amount.value}
        if added:
            charged.append(_charged(write, quota, added))
    return [new for new, old in charged if new is not old]


def _matches(evaluator: Evaluator, quota: Obj, obj: Obj) -> bool:
    """Tell whether a quota is about an object."""
    hard = (quota.get("status") or {}).get("hard") or {}
    return bool(evaluator.matching(hard)) and all(
        evaluator.in_scope(requirement, obj) for requirement in requirements(quota)
    )


def _check_constraints(evaluator: Evaluator, write: Attributes, quota: Obj) -> None:
    status, name = quota.get("status") or {}, quota["metadata"]["name"]
    concerned = evaluator.matching(status.get("hard") or {})
    missing = evaluator.demand(concerned, write.obj)
    if missing:
        raise write.forbidden(f"failed quota: {name}: {missing}")
    used = status.get("used") or {}
    if any(resource not in used for resource in concerned):
        raise write.forbidden(f"status unknown for quota: {name}, resources: {','.join(sorted(concerned))}")


def _charged(write: Attributes, quota: Obj, added: ResourceList) -> tuple[Obj, Obj]:
    """Return a quota with more used, and as it was; the same where nothing of it is used."""
    status = quota["status"]
    hard, used = read(status.get("hard")), read(status.get("used"))
    wanted = only(added, hard)
    total = add(used, wanted)
    if write.subresource != "status":
        exceeded = [name for name in wanted if total[name].value > hard[name].value]
        if exceeded:
            raise write.forbidden(
                f"exceeded quota: {quota['metadata']['name']}, requested: {_listed(wanted, exceeded)}, "
                f"used: {_listed(used, exceeded)}, limited: {_listed(hard, exceeded)}"
            )
    if not wanted:
        return quota, quota
    return {**quota, "status": {**status, "used": written(total)}}, quota


def _listed(amounts: Mapping[str, Amount], names: Collection[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in sorted(names) if name in amounts)


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = ResourceQuota(context.reader, context.update)
    return (
        Handler(operations=("CREATE",), charge=plugin.charge),
        Handler(
            operations=("UPDATE",),
            resources=("pods", "services", "persistentvolumeclaims", "resourceclaims.resource.k8s.io"),
            subresources=(EVERY,),
            charge=plugin.charge,
        ),
    )


DESCRIPTOR = PluginDescriptor(name="ResourceQuota", build=build)
