"""Environment variables of containers, and the downward API.

Source: pkg/apis/core/validation/validation.go ValidateEnv, ValidateEnvFrom, validateObjectFieldSelector,
validateContainerResourceFieldSelector; pkg/apis/core/pods/helpers.go ConvertDownwardAPIFieldLabel
(Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Collection

from leeward.cluster.registry.failures import Failure, invalid, required, unsupported
from leeward.cluster.registry.validation.formats import (
    config_key,
    dns_subdomain,
    each_failure,
    env_name,
    qualified_name,
)
from leeward.cluster.registry.validation.resources import amount
from leeward.kube.objects import Obj

_OF_ENV = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
OF_VOLUMES = (
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
)  # fmt: skip
_KNOWN = frozenset(
    (
        "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
        "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
        "status.phase", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs", "spec.host",
    )
)  # fmt: skip
_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
_PAGES = ("limits.hugepages-", "requests.hugepages-")
_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SUBSCRIPT = re.compile(r"(.+)\['(.*)'\]")
_TOO_MANY = "may not have more than one field specified at a time"


def env_failures(container: Obj, field: str) -> list[Failure]:
    """Check ``env`` and ``envFrom``."""
    found: list[Failure] = []
    for index, variable in enumerate(container.get("env") or ()):
        place = f"{field}.env[{index}]"
        name = variable.get("name")
        if not name:
            found.append(required(f"{place}.name"))
        else:
            found += each_failure(env_name, name, f"{place}.name")
        if variable.get("valueFrom") is not None:
            found += _source(variable, f"{place}.valueFrom")
    for index, source in enumerate(container.get("envFrom") or ()):
        found += _env_from(source, f"{field}.envFrom[{index}]", f"{field}.envFrom")
    return found


def _source(variable: Obj, field: str) -> list[Failure]:
    source = variable["valueFrom"]
    found: list[Failure] = []
    count = 0
    if (ref := source.get("fieldRef")) is not None:
        count += 1
        found += field_ref_failures(ref, _OF_ENV, f"{field}.fieldRef")
    if (ref := source.get("resourceFieldRef")) is not None:
        count += 1
        found += resource_ref_failures(ref, f"{field}.resourceFieldRef", of_volume=False)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if (ref := source.get(kind)) is not None:
            count += 1
            found += _key_ref(ref, f"{field}.{kind}")
    if (ref := source.get("fileKeyRef")) is not None:
        count += 1
        found += [
            required(f"{field}.fileKeyRef.{key}") for key in ("volumeName", "path", "key") if not ref.get(key)
        ]
    if not count:
        kinds = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        found.append(invalid(field, "", f"must specify one of: {kinds}"))
    elif variable.get("value"):
        found.append(invalid(field, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        found.append(invalid(field, "", _TOO_MANY))
    return found


def _key_ref(ref: Obj, field: str) -> list[Failure]:
    found = each_failure(dns_subdomain, ref.get("name") or "", f"{field}.name")
    key = ref.get("key")
    return [*found, *(each_failure(config_key, key, f"{field}.key") if key else [required(f"{field}.key")])]


def _env_from(source: Obj, place: str, field: str) -> list[Failure]:
    found = each_failure(env_name, source["prefix"], f"{place}.prefix") if source.get("prefix") else []
    count = 0
    for kind in ("configMapRef", "secretRef"):
        if (ref := source.get(kind)) is not None:
            count += 1
            name = ref.get("name")
            if not name:
                found.append(required(f"{place}.{kind}.name"))
            else:
                found += each_failure(dns_subdomain, name, f"{place}.{kind}.name")
    if not count:
        found.append(invalid(field, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif count > 1:
        found.append(invalid(field, "", _TOO_MANY))
    return found


def field_ref_failures(ref: Obj, allowed: Collection[str], field: str) -> list[Failure]:
    """Check a reference to a field of the Pod."""
    version, path = ref.get("apiVersion") or "", ref.get("fieldPath") or ""
    if not version:
        return [required(f"{field}.apiVersion")]
    if not path:
        return [required(f"{field}.fieldPath")]
    subscripted = _SUBSCRIPT.fullmatch(path)
    if version != "v1":
        text = f"error converting fieldPath: unsupported pod version: {version}"
        return [invalid(f"{field}.fieldPath", path, text)]
    if subscripted is not None:
        base, key = subscripted[1], subscripted[2]
        if base in ("metadata.annotations", "metadata.labels"):
            key = key.lower() if base == "metadata.annotations" else key
            return each_failure(qualified_name, key, field)
        if base in _KNOWN:
            return [invalid(field, base, "does not support subscript")]
    if path not in _KNOWN:
        text = f"error converting fieldPath: field label not supported: {path}"
        return [invalid(f"{field}.fieldPath", path, text)]
    if path not in allowed:
        return [unsupported(f"{field}.fieldPath", path, sorted(allowed))]
    return []


def resource_ref_failures(ref: Obj, field: str, *, of_volume: bool) -> list[Failure]:
    """Check a reference to a request or limit."""
    name = ref.get("resource") or ""
    found: list[Failure] = []
    if of_volume and not ref.get("containerName"):
        found.append(required(f"{field}.containerName"))
    elif not name:
        found.append(required(f"{field}.resource"))
    elif name not in _RESOURCES and not name.startswith(_PAGES):
        found.append(unsupported(f"{field}.resource", name, _RESOURCES))
    return [*found, *_divisor_failures(name, str(ref.get("divisor") or "0"), field)]


def _divisor_failures(name: str, divisor: str, field: str) -> list[Failure]:
    if not amount(divisor):
        return []
    if name in ("limits.cpu", "requests.cpu"):
        if divisor in ("1m", "1"):
            return []
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
        return [invalid(f"{field}.divisor", name, text)]
    what = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(name.partition(".")[2])
    if what is None and name.startswith(_PAGES):
        what = "hugepages"
    if what is None or divisor in _DIVISORS:
        return []
    text = f"only divisor's values {', '.join(_DIVISORS)} are supported with the {what} resource"
    return [invalid(f"{field}.divisor", name, text)]
