"""Where a Pod may run: node selectors, affinity, tolerations, topology spread.

Source: pkg/apis/core/validation/validation.go validateAffinity, ValidateNodeSelector, ValidateTolerations,
validateTopologySpreadConstraints (Kubernetes 1.36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    dns_label,
    dns_subdomain,
    each_failure,
    label_selector_failures,
    label_value,
    qualified_name,
)
from leeward.kube.objects import Obj

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EMPTY_KEY = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
_SPREADS = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSIONS = ("Honor", "Ignore")


def affinity_failures(affinity: Obj | None, field: str) -> list[Failure]:
    """Check ``spec.affinity``."""
    if not affinity:
        return []
    found: list[Failure] = []
    of_node = affinity.get("nodeAffinity")
    if of_node:
        if of_node.get(_REQUIRED) is not None:
            found += node_selector_failures(of_node[_REQUIRED], f"{field}.nodeAffinity.{_REQUIRED}")
        for index, term in enumerate(of_node.get(_PREFERRED) or ()):
            place = f"{field}.nodeAffinity.{_PREFERRED}[{index}]"
            found += _weight(term, place)
            found += _node_term(term.get("preference") or {}, f"{place}.preference", values=False)
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind) or {}
        for index, term in enumerate(terms.get(_REQUIRED) or ()):
            found += _pod_term(term, f"{field}.{kind}.{_REQUIRED}[{index}]")
        for index, each in enumerate(terms.get(_PREFERRED) or ()):
            place = f"{field}.{kind}.{_PREFERRED}[{index}]"
            found += _weight(each, place)
            found += _pod_term(each.get("podAffinityTerm") or {}, f"{place}.podAffinityTerm")
    return found


def _weight(term: Obj, field: str) -> list[Failure]:
    weight = term.get("weight") or 0
    return [] if 0 < weight <= 100 else [invalid(f"{field}.weight", weight, "must be in the range 1-100")]


def node_selector_failures(selector: Obj, field: str) -> list[Failure]:
    """Check a NodeSelector: terms of which one has to match."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{field}.nodeSelectorTerms", "must have at least one node selector term")]
    return [
        failure
        for index, term in enumerate(terms)
        for failure in _node_term(term, f"{field}.nodeSelectorTerms[{index}]", values=True)
    ]


def _node_term(term: Obj, field: str, *, values: bool) -> list[Failure]:
    found: list[Failure] = []
    for index, each in enumerate(term.get("matchExpressions") or ()):
        found += _node_requirement(each, f"{field}.matchExpressions[{index}]", values=values)
    for index, each in enumerate(term.get("matchFields") or ()):
        found += _node_field(each, f"{field}.matchFields[{index}]")
    return found


def _node_requirement(each: Obj, field: str, *, values: bool) -> list[Failure]:
    operator, given = each.get("operator") or "", each.get("values") or ()
    found: list[Failure] = []
    if operator in ("In", "NotIn"):
        if not given:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            found.append(required(f"{field}.values", text))
    elif operator in ("Exists", "DoesNotExist"):
        if given:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden(f"{field}.values", text))
    elif operator in ("Gt", "Lt"):
        if len(given) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            found.append(required(f"{field}.values", text))
    else:
        found.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    found += each_failure(qualified_name, each.get("key") or "", f"{field}.key")
    for index, value in enumerate(given if values else ()):
        found += each_failure(label_value, value, f"{field}.values[{index}]")
    return found


def _node_field(each: Obj, field: str) -> list[Failure]:
    operator, given, key = each.get("operator") or "", each.get("values") or (), each.get("key") or ""
    found: list[Failure] = []
    if operator not in ("In", "NotIn"):
        found.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    elif len(given) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        found.append(required(f"{field}.values", text))
    if key != "metadata.name":
        return [*found, invalid(f"{field}.key", key, "not a valid field selector key")]
    for index, value in enumerate(given):
        found += each_failure(dns_subdomain, value, f"{field}.values[{index}]")
    return found


def _pod_term(term: Obj, field: str) -> list[Failure]:
    found = label_selector_failures(term.get("labelSelector"), f"{field}.labelSelector")
    found += label_selector_failures(term.get("namespaceSelector"), f"{field}.namespaceSelector")
    for name in term.get("namespaces") or ():
        found += each_failure(dns_label, name, f"{field}.namespace")
    found += _label_keys(term, field)
    key = term.get("topologyKey") or ""
    if not key:
        found.append(required(f"{field}.topologyKey", "can not be empty"))
    return found + each_failure(qualified_name, key, f"{field}.topologyKey")


def _label_keys(term: Obj, field: str) -> list[Failure]:
    matching, mismatching = term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or ()
    if not matching and not mismatching:
        return []
    selector = term.get("labelSelector")
    if selector is None:
        names = [name for name in ("matchLabelKeys", "mismatchLabelKeys") if term.get(name)]
        return [
            forbidden(f"{field}.{name}", "must not be specified when labelSelector is not set")
            for name in names
        ]
    found = label_key_failures(term, field, "matchLabelKeys")
    found += label_key_failures(term, field, "mismatchLabelKeys")
    seen = {*(selector.get("matchLabels") or {})}
    for each in selector.get("matchExpressions") or ():  # a key that was merged is there once
        key = each.get("key")
        if key in matching and key in seen:
            place = f"{field}[{list(matching).index(key)}]"
            found.append(invalid(place, key, "exists in both matchLabelKeys and labelSelector"))
        seen.add(key)
    for index, key in enumerate(matching):
        if key in mismatching:
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            found.append(invalid(f"{field}.matchLabelKeys[{index}]", key, text))
    return found


def label_key_failures(term: Obj, field: str, name: str) -> list[Failure]:
    """Check a list of keys of labels."""
    found: list[Failure] = []
    for index, key in enumerate(term.get(name) or ()):
        found += each_failure(qualified_name, key, f"{field}.{name}[{index}]")
    return found


def toleration_failures(tolerations: Sequence[Obj], field: str) -> list[Failure]:
    """Check ``spec.tolerations``."""
    found: list[Failure] = []
    for index, each in enumerate(tolerations):
        place = f"{field}[{index}]"
        key, operator = each.get("key") or "", each.get("operator") or ""
        value, effect = each.get("value") or "", each.get("effect") or ""
        if key:
            found += each_failure(qualified_name, key, f"{place}.key")
        elif operator != "Exists":
            found.append(invalid(f"{place}.operator", operator, _EMPTY_KEY))
        if each.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(invalid(f"{place}.effect", effect, text))
        found += _toleration_value(operator, value, f"{place}.operator")
        if effect and effect not in EFFECTS:
            found.append(unsupported(f"{place}.effect", effect, EFFECTS))
    return found


def _toleration_value(operator: str, value: str, field: str) -> list[Failure]:
    if operator in ("Equal", ""):
        wrong = label_value(value)
        return [invalid(field, value, ";".join(wrong))] if wrong else []
    if operator == "Exists":
        return [invalid(field, value, "value must be empty when `operator` is 'Exists'")] if value else []
    return [unsupported(field, operator, ("Equal", "Exists"))]


def spread_failures(constraints: Sequence[Obj], field: str) -> list[Failure]:
    """Check ``spec.topologySpreadConstraints``."""
    found: list[Failure] = []
    for index, each in enumerate(constraints):
        place = f"{field}[{index}]"
        found += _spread(each, place)
        pair = (each.get("topologyKey") or "", each.get("whenUnsatisfiable") or "")
        for other in constraints[index + 1 :]:
            if pair == (other.get("topologyKey") or "", other.get("whenUnsatisfiable") or ""):
                text = "{" + ", ".join(pair) + "}"
                found.append(duplicate(f"{place}.{{topologyKey, whenUnsatisfiable}}", text))
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if each.get(name) is not None and each[name] not in _INCLUSIONS:
                found.append(unsupported(f"{place}.{name}", each[name], _INCLUSIONS))
        found += _spread_keys(each, place)
        found += label_selector_failures(each.get("labelSelector"), f"{place}.labelSelector")
    return found


def _spread(each: Obj, place: str) -> list[Failure]:
    skew, action, domains = (
        each.get("maxSkew") or 0,
        each.get("whenUnsatisfiable") or "",
        each.get("minDomains"),
    )
    key = each.get("topologyKey") or ""
    found: list[Failure] = []
    if skew <= 0:
        found.append(invalid(f"{place}.maxSkew", skew, "must be greater than zero"))
    if not key:
        found.append(required(f"{place}.topologyKey", "can not be empty"))
    else:
        found += each_failure(qualified_name, key, f"{place}.topologyKey")
    if action not in _SPREADS:
        found.append(unsupported(f"{place}.whenUnsatisfiable", action, _SPREADS))
    if domains is not None:
        if domains <= 0:
            found.append(invalid(f"{place}.minDomains", domains, "must be greater than zero"))
        if action != "DoNotSchedule":
            text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            found.append(invalid(f"{place}.minDomains", domains, text))
    return found


def _spread_keys(each: Obj, place: str) -> list[Failure]:
    keys, selector = each.get("matchLabelKeys") or (), each.get("labelSelector")
    if not keys:
        return []
    found: list[Failure] = []
    if selector is None:
        text = "must not be specified when labelSelector is not set"
        found.append(forbidden(f"{place}.matchLabelKeys", text))
    given = (expression.get("key") for expression in (selector or {}).get("matchExpressions") or ())
    used = Counter([*((selector or {}).get("matchLabels") or {}), *given])
    for index, key in enumerate(keys):
        found += each_failure(qualified_name, key, f"{place}.matchLabelKeys[{index}]")
        if used[key] > _merged(key, selector):
            text = "exists in both matchLabelKeys and labelSelector"
            found.append(invalid(f"{place}.matchLabelKeys[{index}]", key, text))
    return found


def _merged(key: str, selector: Obj | None) -> int:
    """Return how often a key is there because it was merged: at most once, as the one value of "In"."""
    return any(
        each.get("key") == key and each.get("operator") == "In" and len(each.get("values") or ()) == 1
        for each in (selector or {}).get("matchExpressions") or ()
    )
