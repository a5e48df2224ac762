"""Binding and eviction of Pods, finalizing of namespaces.

Source: pkg/registry/core/pod/storage/{storage,eviction}.go, pkg/registry/core/namespace (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.requests import attributes_of
from leeward.cluster.registry.identity import check_meant, finalized, still
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.cluster.registry.steps import Steps
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, is_condition_true, is_terminating, labels_of
from leeward.kube.selectors import matches_selector
from leeward.kube.status import ConflictError, InvalidError, NotFoundError, StatusError, TooManyRequestsError

if TYPE_CHECKING:
    from leeward.cluster.registry.registry import Registry

_BUDGETS = "poddisruptionbudgets.policy"
_RETRY_SECONDS = 10  # while a budget is new to its controller


class ConnectPlace(NamedTuple):
    """What somebody wants to talk to."""

    namespace: str
    name: str  # as in the URL: the proxies' has a scheme and a port
    subresource: str


def bind(registry: Registry, namespace: str, name: str, node: str, options: WriteOptions) -> None:
    """Assign a Pod to a node.

    Raises:
        ConflictError: it is terminating, gated or assigned already.
        NotFoundError: there is no such Pod.
    """
    registry.carry_out(
        lambda: _bind(registry, namespace, name, node, options), options, ("bind", namespace, name, node)
    )


def _bind(registry: Registry, namespace: str, name: str, node: str, options: WriteOptions) -> Steps[None]:
    meta: Obj = {"name": name, "namespace": namespace}
    binding = {"metadata": meta, "target": {"kind": "Node", "name": node}}
    write = _write(registry, "Binding", binding, options, "binding")
    yield from registry.admission.admit(write)
    yield from registry.admission.validate(write)
    pod = _pod(registry, namespace, name)
    if not node:
        raise InvalidError(f'Binding "{name}" is invalid: target.name: Required value')
    problem = ""
    if is_terminating(pod):
        problem = f"pod {name} is being deleted, cannot be assigned to a host"
    elif pod["spec"].get("nodeName"):
        problem = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
    elif pod["spec"].get("schedulingGates"):
        problem = f"pod {name} has non-empty .spec.schedulingGates"
    if problem:
        raise ConflictError(
            f'Operation cannot be fulfilled on pods/binding "{name}": {problem}',
            details={"name": name, "kind": "pods/binding"},
        )
    if options.dry_run:
        return
    bound = {**_with_metadata(pod, write.obj), "spec": {**pod["spec"], "nodeName": node}}
    condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
    registry.store.update("pods", with_condition(bound, condition, registry.now()))


def _with_metadata(pod: Obj, binding: Obj) -> Obj:
    """Return a Pod with the labels and annotations of its Binding."""
    meta, given = pod["metadata"], binding["metadata"]
    added = {
        field: {**(meta.get(field) or {}), **given[field]}
        for field in ("labels", "annotations")
        if given.get(field)
    }
    return {**pod, "metadata": {**meta, **added}} if added else pod


def _write(registry: Registry, kind: str, obj: Obj, options: WriteOptions, subresource: str) -> Attributes:
    """Return what admission is told about the creation of a Pod's subresource."""
    group = "policy" if kind == "Eviction" else ""
    typed = {"kind": kind, "apiVersion": f"{group}/v1" if group else "v1", **obj}
    write = attributes_of("CREATE", registry.resource("pods"), typed, None, options, subresource)
    write.kind = {"group": group, "version": "v1", "kind": kind}
    return write


def connect(registry: Registry, resource: str, asked: Obj, place: ConnectPlace, options: WriteOptions) -> Obj:
    """Ask admission about a conversation with an object, or a request to it; returns what it made of `asked`.

    Raises:
        StatusError: it is refused.
    """
    what = ("connect", resource, *place, asked)
    return registry.carry_out(lambda: _connect(registry, resource, asked, place, options), options, what)


def _connect(
    registry: Registry, resource: str, asked: Obj, place: ConnectPlace, options: WriteOptions
) -> Steps[Obj]:
    write = Attributes(
        operation="CONNECT",
        resource=registry.resource(resource),
        obj=asked,
        subresource=place.subresource,
        namespace=place.namespace,
        name=place.name,
        user=options.user,
        kind={"group": "", "version": "v1", "kind": asked["kind"]},
        version=options.api_version.rpartition("/")[2],
        warn=options.warn,
    )
    yield from registry.admission.admit(write)
    yield from registry.admission.validate(write)
    return write.obj


def evict(
    registry: Registry, namespace: str, name: str, options: WriteOptions, grace: int | None = None
) -> None:
    """Delete a Pod, unless a disruption budget forbids it now; `grace` as of a deletion, in seconds.

    Raises:
        TooManyRequestsError: a budget has no disruption left.
        NotFoundError: there is no such Pod.
    """
    registry.carry_out(
        lambda: _evict(registry, namespace, name, options, grace), options, ("evict", namespace, name)
    )


def _evict(
    registry: Registry, namespace: str, name: str, options: WriteOptions, grace: int | None
) -> Steps[None]:
    eviction = {"metadata": {"name": name, "namespace": namespace}}
    write = _write(registry, "Eviction", eviction, options, "eviction")
    yield from registry.admission.admit(write)
    yield from registry.admission.validate(write)
    pod = _pod(registry, namespace, name)
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending")
    if not finished and not is_terminating(pod):
        _take_from_budget(registry, namespace, pod, options)
    if not options.dry_run and not is_terminating(pod):
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        registry.store.update("pods", with_condition(pod, condition, registry.now()))
    deletion = DeleteOptions(
        dry_run=options.dry_run, user=options.user, warn=options.warn, grace_period_seconds=grace
    )
    yield from registry.delete_steps("pods", namespace, name, deletion)


def _take_from_budget(registry: Registry, namespace: str, pod: Obj, options: WriteOptions) -> None:
    budgets = [
        each
        for each in registry.store.list(_BUDGETS, namespace)
        if matches_selector((each.get("spec") or {}).get("selector"), labels_of(pod))
    ]
    if len(budgets) > 1:
        raise StatusError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    if not budgets:
        return
    budget = budgets[0]
    status = budget.get("status") or {}
    if not is_condition_true(pod, "Ready") and _spares_unready(budget):
        return
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        text = f"The disruption budget {name} is still being processed by the server."
        raise _refused(text, retryAfterSeconds=_RETRY_SECONDS)
    if status.get("disruptionsAllowed", 0) <= 0:
        healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        raise _refused(
            f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        )
    if not options.dry_run:
        left = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1}
        registry.store.update(_BUDGETS, {**budget, "status": left})


def _refused(text: str, **more: object) -> TooManyRequestsError:
    causes = [{"reason": "DisruptionBudget", "message": text}]
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return TooManyRequestsError(message, details={"causes": causes, **more})


def _spares_unready(budget: Obj) -> bool:
    """Tell whether a Pod that is not ready may go without a disruption: nothing that works is lost."""
    status = budget.get("status") or {}
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    always = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return always or 0 < wanted <= healthy


def _pod(registry: Registry, namespace: str, name: str) -> Obj:
    pod = registry.store.get("pods", namespace, name)
    if pod is None:
        raise NotFoundError(f'pods "{name}" not found', details={"name": name, "kind": "pods"})
    return pod


def finalize_namespace(registry: Registry, obj: Obj, options: WriteOptions) -> Obj:
    """Replace metadata and ``spec.finalizers`` of a namespace; one on its way out without any goes.

    Raises:
        StatusError: it is refused.
    """

    def steps() -> Steps[Obj]:
        resource = registry.resource("namespaces")
        old = registry.current(resource, "", obj["metadata"]["name"])
        check_meant(resource, old, obj)
        strategy = registry.strategy(resource)
        new = finalized(strategy.default(obj), old)
        given = obj["metadata"].get("managedFields")
        new = registry.ownership.updated(resource, strategy, old, new, given, options, "finalize")
        write = attributes_of("UPDATE", resource, new, old, options, "finalize")
        yield from registry.admission.admit(write)
        write.obj = still(resource, write.obj, old)
        yield from registry.admission.validate(write)
        if options.dry_run:
            return write.obj
        return (yield from registry.store_next(resource, old, write.obj, (), "finalize"))

    return registry.carry_out(steps, options, ("finalize", obj))
