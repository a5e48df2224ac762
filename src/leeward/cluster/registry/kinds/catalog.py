"""Which strategy each resource has; others are stored as they come."""

from __future__ import annotations

from base64 import b64encode

from leeward.base.registry import Registry
from leeward.cluster.registry.custom import definitions
from leeward.cluster.registry.kinds import defaults, pods, services, storage, workloads
from leeward.cluster.registry.kinds.fill import fill
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation import objects, policies
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


def in_tree_strategies() -> Registry[Strategy]:
    """Return a fresh registry of strategies by resource."""
    registry: Registry[Strategy] = Registry("strategy")
    for name, strategy in (
        ("pods", pods.POD),
        (
            "namespaces",
            Strategy(
                default=_default_namespace,
                validate=objects.namespace_failures,
                has_status=True,
                initial_status={"phase": "Active"},
            ),
        ),
        (
            "nodes",
            Strategy(
                validate=objects.node_failures,
                validate_update=objects.node_update_failures,
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
            Strategy(validate=policies.autoscaler_failures, has_status=True),
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
                validate=objects.signing_request_failures,
                validate_update=objects.signing_request_update_failures,
                has_status=True,
                initial_status={},
            ),
        ),
        *defaults.STRATEGIES.items(),
    ):
        registry.register(name, strategy)
    return registry
