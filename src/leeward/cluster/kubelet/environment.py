"""The environment, command and arguments of a container. Pure, but for the objects it reads.

Source: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), third_party/forked/golang/expansion.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.quantity import parse_quantity, to_units

_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; $$ is a dollar; unknown names stay as they are."""

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return variables.get(match.group(1), match.group())

    return _REFERENCE.sub(value, text)


def make_environment(reader: Reader, pod: Obj, container: Obj, facts: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a container, in order.

    Args:
        reader: ConfigMaps, Secrets and Services.
        pod: the Pod.
        container: the container.
        facts: "status.podIP", "status.hostIP" and other fields only the kubelet knows.

    Raises:
        RuntimeFailureError: something that is referred to is missing.
    """
    namespace = pod["metadata"]["namespace"]
    result = service_variables(reader, namespace, links=pod["spec"].get("enableServiceLinks", True))
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for key, value in _all_keys(reader, namespace, source).items():
            result[prefix + key] = value
    for entry in container.get("env") or ():
        name = entry["name"]
        if source := entry.get("valueFrom"):
            found = _value_from(reader, pod, container, source, facts)
            if found is not None:
                result[name] = found
        else:
            result[name] = expand(entry.get("value") or "", result)
    return result


def _all_keys(reader: Reader, namespace: str, source: Obj) -> dict[str, str]:
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        if field in source:
            found = find_source(reader, resource, namespace, source[field])
            return {k: v.decode(errors="replace") for k, v in contents(found).items()} if found else {}
    return {}


def find_source(reader: Reader, resource: str, namespace: str, reference: Obj) -> Obj | None:
    """Return a ConfigMap or Secret; None when it is absent and optional.

    Raises:
        RuntimeFailureError: it is absent and needed.
    """
    name = reference.get("name") or reference.get("secretName") or ""
    found = reader.find(resource, namespace, name)
    if found is None and not reference.get("optional"):
        kind = resource.removesuffix("s")
        raise RuntimeFailureError(f'{kind} "{name}" not found', reason="CreateContainerConfigError")
    return found


def contents(obj: Obj) -> dict[str, bytes]:
    """Return the data of a ConfigMap or Secret by key."""
    secret = obj["kind"] == "Secret"
    result = {
        key: base64.b64decode(value) if secret else str(value).encode()
        for key, value in (obj.get("data") or {}).items()
    }
    result.update({key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()})
    return result


def _value_from(
    reader: Reader, pod: Obj, container: Obj, source: Obj, facts: Mapping[str, str]
) -> str | None:
    namespace = pod["metadata"]["namespace"]
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in source:
            reference = source[field]
            found = find_source(reader, resource, namespace, reference)
            data = contents(found) if found else {}
            if reference["key"] in data:
                return data[reference["key"]].decode(errors="replace")
            if reference.get("optional"):
                return None
            kind = "ConfigMap" if resource == "configmaps" else "Secret"
            text = f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}"
            raise RuntimeFailureError(text, reason="CreateContainerConfigError")
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"], facts)
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"], facts)
    return None


def field_value(pod: Obj, path: str, facts: Mapping[str, str]) -> str:
    """Return a field of the downward API."""
    if path in facts:
        return facts[path]
    meta = pod["metadata"]
    if match := _KEYED.fullmatch(path):
        source = labels_of(pod) if match.group(1) == "labels" else annotations_of(pod)
        return source.get(match.group(2), "")
    if path in ("metadata.labels", "metadata.annotations"):
        source = labels_of(pod) if path.endswith("labels") else annotations_of(pod)
        return "\n".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(source.items())
        )
    section, _, name = path.partition(".")
    value: Any = {"metadata": meta, "spec": pod["spec"]}.get(section, {}).get(name, "")
    return str(value)


def resource_value(pod: Obj, container: Obj, reference: Obj, facts: Mapping[str, str]) -> str:
    """Return a resource of the downward API, in units of its divisor, rounded up."""
    name = reference.get("containerName") or container.get("name")
    target = next((c for c in pod["spec"]["containers"] if c["name"] == name), container)
    kind, _, resource = reference["resource"].partition(".")
    resources = target.get("resources") or {}
    unset = facts.get(f"allocatable.{resource}", "0") if kind == "limits" else "0"
    amount = (resources.get(kind) or {}).get(resource) or unset
    divisor = reference.get("divisor") or "1"
    scale = parse_quantity(divisor)
    value = parse_quantity(amount) / (scale or 1)
    return str(to_units(str(float(value))) if value.denominator != 1 else value.numerator)


def service_variables(reader: Reader, namespace: str, *, links: bool) -> dict[str, str]:
    """Return the variables about the API's own Service and, with `links`, about those of the namespace.

    Source: pkg/kubelet/envvars/envvars.go.
    """
    own = reader.find("services", "default", "kubernetes")
    services = [own] if own is not None else []
    services += [each for each in reader.list("services", namespace) if each is not own] if links else []
    result: dict[str, str] = {}
    for service in services:
        address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or []
        if address and address != "None" and ports:
            base = service["metadata"]["name"].upper().replace("-", "_")
            result[f"{base}_SERVICE_HOST"] = address
            result[f"{base}_SERVICE_PORT"] = str(ports[0]["port"])
            for port in ports:
                if port.get("name"):
                    result[f"{base}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(
                        port["port"]
                    )
            result |= _link_variables(base, address, ports)
    return result


def _link_variables(base: str, address: str, ports: list[Any]) -> dict[str, str]:
    """Return what Docker's old links set: BASE_PORT_80_TCP and its parts."""
    result: dict[str, str] = {}
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{address}:{port['port']}"
        prefix = f"{base}_PORT_{port['port']}_{protocol}"
        if index == 0:
            result[f"{base}_PORT"] = url
        result |= {
            prefix: url,
            f"{prefix}_PROTO": protocol.lower(),
            f"{prefix}_PORT": str(port["port"]),
            f"{prefix}_ADDR": address,
        }
    return result
