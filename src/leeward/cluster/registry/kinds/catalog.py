"""Which strategy each resource has; others are stored as they come."""

from __future__ import annotations

from base64 import b64encode

from leeward.base.registry import Registry
from leeward.cluster.registry.custom import definitions
from leeward.cluster.registry.failures import Failure, forbidden
from leeward.cluster.registry.kinds import defaults, pods, services, storage, workloads
from leeward.cluster.registry.kinds.fill import fill
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj


def _default_namespace(obj: Obj) -> Obj:
    meta = obj["metadata"]
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    return {
        **obj,
        "metadata": {**meta, "labels": labels},
        "spec": fill(obj.get("spec"), finalizers=["kubernetes"]),
    }


def _default_secret(obj: Obj) -> Obj:
    """Secrets are written with ``stringData`` for convenience; it is stored as data, which it overrides."""
    obj = fill(obj, type="Opaque")
    texts = obj.pop("stringData", None)
    if texts:
        encoded = {key: b64encode(str(text).encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    return obj


def _keep_immutable(new: Obj, old: Obj) -> list[Failure]:
    """A ConfigMap or Secret marked immutable keeps its data."""
    if old.get("immutable") is not True:
        return []
    failures = [] if new.get("immutable") is True else [forbidden("immutable", _FROZEN)]
    return failures + [
        forbidden(field, _FROZEN) for field in ("data", "binaryData") if new.get(field) != old.get(field)
    ]


_FROZEN = "field is immutable when `immutable` is set"
_STATUS_ONLY = Strategy(has_status=True)
_SPEC_AND_STATUS = Strategy(has_status=True, has_generation=True)


def in_tree_strategies() -> Registry[Strategy]:
    """Return a fresh registry of strategies by resource."""
    registry: Registry[Strategy] = Registry("strategy")
    for name, strategy in (
        ("pods", pods.POD),
        (
            "namespaces",
            Strategy(default=_default_namespace, has_status=True, initial_status={"phase": "Active"}),
        ),
        ("nodes", Strategy(has_status=True, brings_status=True)),
        ("services", services.SERVICE),
        ("configmaps", Strategy(validate_update=_keep_immutable)),
        ("secrets", Strategy(default=_default_secret, validate_update=_keep_immutable)),
        ("persistentvolumeclaims", storage.CLAIM),
        ("persistentvolumes", storage.VOLUME),
        ("replicationcontrollers", workloads.REPLICATION_CONTROLLER),
        ("resourcequotas", _STATUS_ONLY),
        ("deployments.apps", workloads.DEPLOYMENT),
        ("replicasets.apps", workloads.REPLICA_SET),
        ("statefulsets.apps", workloads.STATEFUL_SET),
        ("daemonsets.apps", workloads.DAEMON_SET),
        ("controllerrevisions.apps", workloads.CONTROLLER_REVISION),
        ("jobs.batch", workloads.JOB),
        ("cronjobs.batch", workloads.CRON_JOB),
        ("horizontalpodautoscalers.autoscaling", _SPEC_AND_STATUS),
        ("poddisruptionbudgets.policy", services.BUDGET),
        ("ingresses.networking.k8s.io", services.INGRESS),
        ("networkpolicies.networking.k8s.io", services.NETWORK_POLICY),
        ("endpointslices.discovery.k8s.io", services.ENDPOINT_SLICE),
        ("storageclasses.storage.k8s.io", storage.STORAGE_CLASS),
        ("customresourcedefinitions.apiextensions.k8s.io", definitions.DEFINITION),
        ("certificatesigningrequests.certificates.k8s.io", _STATUS_ONLY),
        *defaults.STRATEGIES.items(),
    ):
        registry.register(name, strategy)
    return registry
