"""Requests and limits: names of resources, amounts, and how they relate.

Source: pkg/apis/core/validation/validation.go ValidateContainerResourceRequirements and its helpers,
pkg/apis/core/helper/helpers.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any

from leeward.cluster.registry.failures import Failure, duplicate, forbidden, invalid, not_found, required
from leeward.cluster.registry.validation.formats import NOT_NEGATIVE, qualified_name
from leeward.kube.objects import Obj
from leeward.kube.quantity import NOT_QUANTITY, parse_amount, parse_quantity

HUGE_PAGES = "hugepages-"
_STANDARD = frozenset(
    (
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services",
        "replicationcontrollers", "secrets", "persistentvolumeclaims", "storage", "requests.storage",
        "services.nodeports", "services.loadbalancers", "configmaps",
    )
)  # fmt: skip
_OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
_WHOLE = frozenset(
    (
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip


def amount(value: Any) -> Fraction | None:
    """Return a quantity; None where it is none."""
    try:
        return parse_quantity(value)
    except ValueError:
        return None


def canonical(value: Any) -> str:
    """Return a quantity as upstream shows it: no fraction, the largest suffix that needs none."""
    try:
        return str(parse_amount(value))
    except ValueError:
        return str(value)


def is_native(name: str) -> bool:
    """Tell whether a resource is Kubernetes' own."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Tell whether a resource is one that nodes advertise."""
    if is_native(name) or name.startswith("requests."):
        return False
    return not qualified_name(f"requests.{name}")


def is_overcommitable(name: str) -> bool:
    """Tell whether limits may be above requests."""
    return is_native(name) and not name.startswith(HUGE_PAGES)


def name_failures(name: str, field: str) -> list[Failure]:
    """Check a resource's name."""
    found = [invalid(field, name, detail) for detail in qualified_name(name)]
    if not found and "/" not in name and name not in _STANDARD and not name.startswith(HUGE_PAGES):
        found.append(invalid(field, name, "must be a standard resource type or fully qualified"))
    return found


def container_name_failures(name: str, field: str) -> list[Failure]:
    """Check a name of a resource that a container can ask for."""
    found = name_failures(name, field)
    if "/" not in name:
        if name not in _OF_CONTAINERS and not name.startswith(HUGE_PAGES):
            found.append(invalid(field, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        found.append(invalid(field, name, "doesn't follow extended resource name standard"))
    return found


def value_failures(name: str, value: Any, field: str) -> list[Failure]:
    """Check an amount of a resource."""
    number = amount(value)
    if number is None:
        return [invalid(field, value, NOT_QUANTITY)]
    found = [invalid(field, str(value), NOT_NEGATIVE)] if number < 0 else []
    if (name in _WHOLE or is_extended(name)) and number.denominator != 1:
        found.append(invalid(field, str(value), "must be an integer"))
    return found


def quantity_failures(value: Any, field: str, *, positive: bool = False) -> list[Failure]:
    """Check an amount of anything."""
    number = amount(value)
    if number is None:
        return [invalid(field, value, NOT_QUANTITY)]
    if positive and number <= 0:
        return [invalid(field, str(value), "must be greater than zero")]
    return [invalid(field, str(value), NOT_NEGATIVE)] if number < 0 else []


def requirement_failures(
    resources: Obj | None,
    field: str,
    claims: Collection[str] = (),
    check_name: Callable[[str, str], list[Failure]] = container_name_failures,
) -> list[Failure]:
    """Check what a container, or a Pod as a whole, asks for.

    Args:
        resources: ``limits``, ``requests``, ``claims``.
        field: their path.
        claims: names of the Pod's resource claims.
        check_name: which resources there can be.
    """
    if not resources:
        return []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: list[Failure] = []
    huge = usual = False
    for name, value in limits.items():
        place = f"{field}.limits[{name}]"
        found += check_name(name, place)
        found += value_failures(name, value, place)
        found += _page_failures(name, value, place)
        huge, usual = huge or name.startswith(HUGE_PAGES), usual or name in ("cpu", "memory")
    for name, value in requests.items():
        place = f"{field}.requests[{name}]"
        found += check_name(name, place)
        found += value_failures(name, value, place)
        found += _relation_failures(name, value, limits, field)
        huge, usual = huge or name.startswith(HUGE_PAGES), usual or name in ("cpu", "memory")
    if huge and not usual:
        found.append(forbidden(field, "HugePages require cpu or memory"))
    return [*found, *_claim_failures(resources.get("claims") or (), claims, f"{field}.claims")]


def _relation_failures(name: str, value: Any, limits: Mapping[str, Any], field: str) -> list[Failure]:
    place, number = f"{field}.requests", amount(value)
    if name not in limits:
        if is_overcommitable(name):
            return []
        return [required(f"{field}.limits", "Limit must be set for non overcommitable resources")]
    limit = amount(limits[name])
    if number is None or limit is None:
        return []
    if number != limit and not is_overcommitable(name):
        return [invalid(place, str(value), f"must be equal to {name} limit of {limits[name]}")]
    if number > limit:
        return [invalid(place, str(value), f"must be less than or equal to {name} limit of {limits[name]}")]
    return []


def _page_failures(name: str, value: Any, field: str) -> list[Failure]:
    if not name.startswith(HUGE_PAGES):
        return []
    size, number = amount(name.removeprefix(HUGE_PAGES)), amount(value)
    if size and number is not None and number % size:
        text = f"must be a positive integer multiple of the page size: {name.removeprefix(HUGE_PAGES)}"
        return [invalid(field, str(value), text)]
    return []


def _claim_failures(given: Any, known: Collection[str], field: str) -> list[Failure]:
    found: list[Failure] = []
    seen: set[tuple[str, str]] = set()
    for index, claim in enumerate(given):
        name, request = claim.get("name") or "", claim.get("request") or ""
        if not name:
            found.append(required(f"{field}[{index}].name"))
        elif (name, request) in seen:
            found.append(duplicate(f"{field}[{index}]", f"{name}/{request}" if request else name))
        elif name not in known:
            found.append(not_found(f"{field}[{index}].name", name))
        seen.add((name, request))
    return found
