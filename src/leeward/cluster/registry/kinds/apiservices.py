"""How APIServices are written: a port by default, and availability at once where this server is meant.

Source: k8s.io/kube-aggregator/pkg/apis/apiregistration/validation, pkg/registry/apiservice/strategy.go,
pkg/apis/apiregistration/v1/defaults.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, invalid, required
from leeward.cluster.registry.kinds.fill import update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation.formats import dns_1035, dns_subdomain, each_failure
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, parse_time

_LOCAL = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}


def _default(obj: Obj) -> Obj:
    spec = {key: value for key, value in (obj.get("spec") or {}).items() if value is not None}
    spec = update(spec, "service", lambda service: {"port": 443, **service})
    return {**obj, "spec": spec}


def _stamped(new: Obj, old: Obj | None, now: str) -> Obj:
    return new if new["spec"].get("service") else with_condition(new, _LOCAL, parse_time(now))


def _failures(obj: Obj) -> list[Failure]:
    spec, name = obj["spec"], obj["metadata"]["name"]
    group, version = spec.get("group") or "", spec.get("version") or ""
    found: list[Failure] = []
    if name != f"{version}.{group}":
        text = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        found.append(invalid("metadata.name", name, text))
    if not group and version != "v1":
        text = "only v1 may have an empty group and it better be legacy kube"
        found.append(required("spec.group", text))
    found += each_failure(dns_subdomain, group, "spec.group") if group else []
    found += each_failure(dns_1035, version, "spec.version")
    for field, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field) or 0
        if not 0 < value <= limit:
            found.append(invalid(f"spec.{field}", value, f"must be positive and less than {limit}"))
    return found + (_remote(spec) if spec.get("service") else _local(spec))


def _local(spec: Obj) -> list[Failure]:
    found = []
    if spec.get("caBundle"):
        text = "local APIServices may not have a caBundle"
        found.append(invalid("spec.caBundle", f"{len(spec['caBundle'])} bytes", text))
    if spec.get("insecureSkipTLSVerify"):
        text = "local APIServices may not have insecureSkipTLSVerify"
        found.append(invalid("spec.insecureSkipTLSVerify", True, text))
    return found


def _remote(spec: Obj) -> list[Failure]:
    service = spec["service"]
    found = [required(f"spec.service.{key}") for key in ("namespace", "name") if not service.get(key)]
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        text = "may not be true if caBundle is present"
        found.append(invalid("spec.insecureSkipTLSVerify", True, text))
    return found


API_SERVICE = Strategy(
    default=_default,
    stamp=_stamped,
    validate=_failures,
    has_status=True,
    initial_status={},
)
