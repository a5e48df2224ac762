"""Resources of a Pod as a whole, beside those of its containers.

Source: pkg/apis/core/validation/validation.go validatePodResources, k8s.io/component-helpers/resource
AggregateContainerRequests (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import Any

from leeward.cluster.registry.failures import Failure, forbidden, invalid, unsupported
from leeward.cluster.registry.validation.resources import (
    HUGE_PAGES,
    amount,
    canonical,
    name_failures,
    requirement_failures,
)
from leeward.kube.objects import Obj
from leeward.kube.quantity import Amount


def is_of_pods(name: str) -> bool:
    """Tell whether a Pod as a whole can have a resource."""
    return name in ("cpu", "memory") or name.startswith(HUGE_PAGES)


def pod_resource_failures(spec: Obj, field: str, claims: Collection[str]) -> list[Failure]:
    """Check ``spec.resources``."""
    resources = spec["resources"]
    found: list[Failure] = []
    if resources.get("claims") is not None:
        found.append(forbidden(f"{field}.claims", "claims cannot be set for Resources at pod-level"))
    found += requirement_failures(resources, field, claims, _name)
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, wanted in sorted(aggregate_requests(spec).items()):
        given = amount(requests.get(name, "0"))
        if is_of_pods(name) and given is not None and wanted > given:
            shown = Amount(wanted, name != "cpu")
            text = f"must be greater than or equal to aggregate container requests of {shown}"
            found.append(invalid(f"{field}.requests[{name}]", canonical(requests.get(name, "0")), text))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in _limits(container).items():
            number, most = amount(limit), amount(limits[name]) if name in limits else None
            if number is not None and most is not None and number > most:
                place = f"{field}.containers[{index}][{name}].limits"
                text = f"must be less than or equal to pod limits of {canonical(limits[name])}"
                found.append(invalid(place, canonical(limit), text))
    return found


def _name(name: str, field: str) -> list[Failure]:
    found = name_failures(name, field)
    if not found and not is_of_pods(name):
        found.append(unsupported(field, name, ("cpu", HUGE_PAGES, "memory")))
    return found


def _limits(container: Obj) -> dict[str, Any]:
    return (container.get("resources") or {}).get("limits") or {}


def _requests(container: Obj) -> dict[str, Fraction]:
    given = (container.get("resources") or {}).get("requests") or {}
    return {name: number for name, value in given.items() if (number := amount(value)) is not None}


def aggregate_requests(spec: Obj) -> dict[str, Fraction]:
    """Return what the containers need at most at one time; sidecars run beside all that start after them."""
    total: dict[str, Fraction] = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    sidecars: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for container in spec.get("initContainers") or ():
        requests = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, requests)
            _add(sidecars, requests)
            requests = dict(sidecars)
        else:
            _add(requests, sidecars)
        for name, number in requests.items():
            peak[name] = max(number, peak.get(name, number))
    return {name: max(total.get(name, Fraction()), peak.get(name, Fraction())) for name in {**total, **peak}}


def _add(total: dict[str, Fraction], requests: dict[str, Fraction]) -> None:
    for name, number in requests.items():
        total[name] = total.get(name, Fraction()) + number
