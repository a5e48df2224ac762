"""The Pod's name to itself and to others: hostname, hosts, DNS settings, labels, annotations.

Where there is one Pod, its hostname is the service's name, so that ``/etc/hosts`` maps it to the Pod's own
address: programs that bind to or probe their own service name work as in Compose, and before they are
ready. Several Pods keep names of their own, as Compose's containers do, unless ``ownname`` says otherwise.

Source: ``pkg/kubelet/kubelet_pods.go`` (managed hosts file); the Compose Specification, "labels".
"""

from __future__ import annotations

import json
from typing import Any

from leeward.kube.wellknown import ALIAS_PREFIX, NETWORK_PREFIX
from leeward.render import naming
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.plan import Kind
from leeward.render.renderers.ownname import is_called_like_its_service


def _metadata(context: ServiceContext, draft: PodDraft) -> None:
    service, labels, annotations = context.service, draft.labels, draft.annotations
    for key, value in {**service.labels, **(service.deploy.labels if service.deploy else {})}.items():
        if not naming.is_label_key(key):
            context.warn(
                ("labels", key), "invalid-label", f"{key!r} cannot be a label or annotation and is left out."
            )
        elif naming.is_label_value(value) and not key.startswith("app.kubernetes.io/"):
            labels[key] = value
        else:
            annotations[key] = value
    for key, value in service.annotations.items():
        if naming.is_label_key(key):
            annotations[key] = value
        else:
            context.warn(
                ("annotations", key),
                "invalid-annotation",
                f"{key!r} cannot be an annotation and is left out.",
            )
    labels |= context.selector | context.project.labels()
    for network in context.plan.networks:
        labels[
            NETWORK_PREFIX + context.project.plan.network_names.get(network, naming.dns_label(network))
        ] = "true"
    for alias in context.plan.aliases:
        labels[ALIAS_PREFIX + alias] = "true"


def _hosts(context: ServiceContext) -> list[dict[str, Any]]:
    by_address: dict[str, list[str]] = {}
    for host, addresses in context.service.extra_hosts.items():
        for address in addresses:
            if address == "host-gateway":
                context.warn(
                    ("extra_hosts", host),
                    "host-gateway",
                    f"{host} would be the machine itself, which a cluster has not; it is left out.",
                    "Point it at a Service or a fixed address.",
                )
            else:
                by_address.setdefault(address.strip("[]"), []).append(host)
    return [{"ip": address, "hostnames": hosts} for address, hosts in by_address.items()]


def _dns(context: ServiceContext) -> dict[str, Any]:
    service = context.service
    config: dict[str, Any] = {}
    if service.dns:
        config["nameservers"] = list(service.dns)
    searches = [name for name in (*service.dns_search, service.domainname) if name and name != "."]
    if searches:
        config["searches"] = searches
    if service.dns_opt:
        pairs = [option.partition(":") for option in service.dns_opt]
        config["options"] = [
            {"name": name, **({"value": value} if value else {})} for name, _, value in pairs
        ]
    return config


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    service = context.service
    _metadata(context, draft)
    named = context.plan.kind is not Kind.STATEFUL_SET and is_called_like_its_service(
        context, service.healthcheck
    )
    if service.hostname or named:
        draft.spec["hostname"] = naming.dns_label(service.hostname or context.plan.name)
    draft.spec["enableServiceLinks"] = False
    draft.spec["automountServiceAccountToken"] = False
    if service.network_mode == "host":
        draft.spec["dnsPolicy"] = "ClusterFirstWithHostNet"
        draft.spec.pop("hostname", None)
    if hosts := _hosts(context):
        draft.spec["hostAliases"] = hosts
    if config := _dns(context):
        draft.spec["dnsConfig"] = config
    if service.runtime and service.runtime not in ("runc", "io.containerd.runc.v2"):
        draft.spec["runtimeClassName"] = naming.dns_label(service.runtime)
    if draft.annotations:
        draft.annotations = json.loads(json.dumps(draft.annotations, sort_keys=True))


DESCRIPTOR = Renderer(name="identity", pod=_pod)
