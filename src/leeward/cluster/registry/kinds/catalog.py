"""Which strategy each resource has; others are stored as they come."""

from __future__ import annotations

from base64 import b64encode

from leeward.base.registry import Registry
from leeward.cluster.registry.custom import definitions
from leeward.cluster.registry.kinds import (
    apiservices,
    autoscaling,
    defaults,
    pods,
    services,
    storage,
    workloads,
)
from leeward.cluster.registry.kinds.fill import fill, update
from leeward.cluster.registry.kinds.strategy import Part, Strategy
from leeward.cluster.registry.validation import certificates, objects, policies
from leeward.kube.objects import Obj


def _default_namespace(obj: Obj) -> Obj:
    obj = {**obj, "spec": obj.get("spec") or {}}
    return _labelled(obj) if obj["metadata"].get("name") else obj  # a generated name comes later


def _labelled(obj: Obj) -> Obj:
    meta = obj["metadata"]
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    return {**obj, "metadata": {**meta, "labels": labels}}


def _prepare_namespace(obj: Obj) -> Obj:
    """What holds a namespace until it is empty."""
    finalizers = list(obj["spec"].get("finalizers") or ())
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    return _labelled({**obj, "spec": {**obj["spec"], "finalizers": finalizers}})


def _keep_finalizers(new: Obj, old: Obj) -> Obj:
    """Only the finalize subresource changes them."""
    return {**new, "spec": {**new["spec"], "finalizers": old["spec"].get("finalizers")}}


def _keep_spec(new: Obj, old: Obj) -> Obj:
    """Nothing but metadata changes; what else was meant is ignored."""
    return {**new, "spec": old["spec"]}


def _default_node(obj: Obj) -> Obj:
    """What a node has can be used, and its one network is the first of its networks."""
    spec, status = fill(obj.get("spec")), obj.get("status") or {}
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    info = fill(status.get("nodeInfo"), **_NODE_INFO)
    status = fill(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = status["capacity"]
    return {**obj, "spec": spec, "status": _timed({**status, "nodeInfo": info}, {})}


def _timed(status: Obj, old: Obj) -> Obj:
    """Conditions of nodes say so when they have no time."""
    times = dict.fromkeys(("lastHeartbeatTime", "lastTransitionTime"))
    return update(status, "conditions", lambda items: [{**times, **each} for each in items])


def _timed_namespace(status: Obj, old: Obj) -> Obj:
    """The same for conditions of namespaces."""
    untimed = {"lastTransitionTime": None}
    return update(status, "conditions", lambda items: [{**untimed, **each} for each in items])


_NODE_INFO = dict.fromkeys(
    (
        "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
        "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture",
    ),
    "",
)  # fmt: skip


def _default_secret(obj: Obj) -> Obj:
    """Secrets are written with ``stringData`` for convenience; it is stored as data, which it overrides."""
    obj = fill(obj, type="Opaque")
    texts = obj.pop("stringData", None)
    if texts:
        encoded = {key: b64encode(str(text).encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    return obj


def in_tree_strategies() -> Registry[Strategy]:
    """Return a fresh registry of strategies by resource."""
    registry: Registry[Strategy] = Registry("strategy")
    for name, strategy in (
        ("pods", pods.POD),
        (
            "namespaces",
            Strategy(
                default=_default_namespace,
                prepare_create=_prepare_namespace,
                prepare_update=_keep_finalizers,
                validate=objects.namespace_failures,
                fill_status=_timed_namespace,
                has_status=True,
                initial_status={"phase": "Active"},
            ),
        ),
        (
            "nodes",
            Strategy(
                default=_default_node,
                validate=objects.node_failures,
                validate_update=objects.node_update_failures,
                fill_status=_timed,
                has_status=True,
                brings_status=True,
            ),
        ),
        ("services", services.SERVICE),
        (
            "configmaps",
            Strategy(
                validate=objects.config_map_failures, validate_update=objects.config_map_update_failures
            ),
        ),
        (
            "secrets",
            Strategy(
                default=_default_secret,
                validate=objects.secret_failures,
                validate_update=objects.secret_update_failures,
            ),
        ),
        ("persistentvolumeclaims", storage.CLAIM),
        ("persistentvolumes", storage.VOLUME),
        ("replicationcontrollers", workloads.REPLICATION_CONTROLLER),
        (
            "resourcequotas",
            Strategy(
                validate=policies.quota_failures,
                validate_update=policies.quota_update_failures,
                has_status=True,
                initial_status={},
            ),
        ),
        ("deployments.apps", workloads.DEPLOYMENT),
        ("replicasets.apps", workloads.REPLICA_SET),
        ("statefulsets.apps", workloads.STATEFUL_SET),
        ("daemonsets.apps", workloads.DAEMON_SET),
        ("controllerrevisions.apps", workloads.CONTROLLER_REVISION),
        ("jobs.batch", workloads.JOB),
        ("cronjobs.batch", workloads.CRON_JOB),
        (
            "horizontalpodautoscalers.autoscaling",
            Strategy(
                default=autoscaling.default_autoscaler,
                validate=policies.autoscaler_failures,
                has_status=True,
                initial_status={"currentMetrics": None, "desiredReplicas": 0},
            ),
        ),
        ("poddisruptionbudgets.policy", services.BUDGET),
        ("ingresses.networking.k8s.io", services.INGRESS),
        ("networkpolicies.networking.k8s.io", services.NETWORK_POLICY),
        ("endpointslices.discovery.k8s.io", services.ENDPOINT_SLICE),
        ("storageclasses.storage.k8s.io", storage.STORAGE_CLASS),
        ("customresourcedefinitions.apiextensions.k8s.io", definitions.DEFINITION),
        (
            "certificatesigningrequests.certificates.k8s.io",
            Strategy(
                prepare_update=_keep_spec,
                stamp=certificates.stamped,
                validate=objects.signing_request_failures,
                validate_status=certificates.status_failures,
                parts={
                    "approval": Part(take=certificates.take_approval, validate=certificates.approval_failures)
                },
                tracks_spec=False,
                has_status=True,
                initial_status={},
            ),
        ),
        ("apiservices.apiregistration.k8s.io", apiservices.API_SERVICE),
        *defaults.STRATEGIES.items(),
    ):
        registry.register(name, strategy)
    return registry
