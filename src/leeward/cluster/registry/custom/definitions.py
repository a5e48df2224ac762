"""CustomResourceDefinitions themselves: defaults, rules, and the status that says they are served.

Invariant: a definition is established as soon as it is stored, in a second write as upstream's naming
controller does it; names are not compared with those of other definitions.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults,validation/validation}.go and
pkg/controller/{status,establish} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from leeward.cluster.registry.custom.ruledefinitions import rule_definition_failures
from leeward.cluster.registry.custom.schemas import definition_schema_failures
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import Failure, GoStruct, forbidden, invalid, required, unsupported
from leeward.cluster.registry.kinds.fill import fill, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation.admissionregistration import REVIEW_VERSIONS, client_failures
from leeward.cluster.registry.validation.formats import name_failures
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj

_APPROVAL = "api-approved.kubernetes.io"
_PROTECTED = ("k8s.io", "kubernetes.io")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def _default(obj: Obj) -> Obj:
    spec: dict[str, Any] = obj.get("spec") or {}
    names: dict[str, Any] = spec.get("names") or {}
    if names.get("kind"):
        names = fill(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    spec = fill({**spec, "names": names}, conversion={"strategy": "None"})
    if not all("name" in each for each in spec.get("versions") or ()):
        spec["versions"] = [{"name": "", **each} for each in spec["versions"]]
    return {**obj, "spec": update(spec, "conversion", _default_conversion)}


def _default_conversion(conversion: Obj) -> Obj:
    def client(given: Obj) -> Obj:
        return update(given, "service", lambda service: fill(service, port=443))

    return update(conversion, "webhook", lambda webhook: update(webhook, "clientConfig", client))


def initial_status(definition: Obj) -> Obj:
    """Return the status of a definition that was just made."""
    stored = [each["name"] for each in definition["spec"].get("versions") or () if each.get("storage")]
    return {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def established(definition: Obj, now: datetime) -> Obj:
    """Return a definition whose names are accepted and that is served."""
    names = definition["spec"]["names"]
    accepted = {key: names[key] for key in names if key in _ACCEPTED and names[key]}
    stored = list((definition.get("status") or {}).get("storedVersions") or ())
    for version in definition["spec"].get("versions") or ():
        if version.get("storage") and version["name"] not in stored:
            stored.append(version["name"])
    status = {**(definition.get("status") or {}), "acceptedNames": accepted, "storedVersions": stored}
    done = {**definition, "status": status}
    for kind, reason, message in (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ):
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        done = with_condition(done, condition, now)
    return done


_ACCEPTED = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


def _validate(obj: Obj) -> list[Failure]:
    return list(_failures(obj))


def _validate_create(obj: Obj) -> list[Failure]:
    spec, name = obj["spec"], obj["metadata"]["name"]
    if name == f"{spec['names'].get('plural', '')}.{spec.get('group') or ''}":
        return _validate(obj)
    return [invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'), *_validate(obj)]


def _prepare_update(new: Obj, old: Obj) -> Obj:
    """Remember the version that is stored from now on among those that ever were."""
    stored = (new.get("status") or {}).get("storedVersions") or []
    more = [
        each["name"]
        for each in new["spec"].get("versions") or ()
        if each.get("storage") and each["name"] not in stored
    ]
    return (
        {**new, "status": {**(new.get("status") or {}), "storedVersions": [*stored, *more]}} if more else new
    )


def _failures(obj: Obj) -> Iterator[Failure]:
    spec = obj["spec"]
    names, group = spec["names"], spec.get("group") or ""
    annotations = obj["metadata"].get("annotations") or {}
    protected = any(group == each or group.endswith(f".{each}") for each in _PROTECTED)
    if protected and not annotations.get(_APPROVAL):
        text = (
            f'protected groups must have approval annotation "{_APPROVAL}", '
            "see https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield required(f"metadata.annotations[{_APPROVAL}]", text)
    if not group:
        yield required("spec.group")
    elif bad := name_failures(group, "spec.group", "subdomain"):
        yield from bad
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    if not spec.get("scope"):
        yield required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", spec["scope"], ["Cluster", "Namespaced"])
    yield from _versions(spec)
    yield from _names(names)
    yield from _conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        text = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield invalid("spec.preserveUnknownFields", True, text)


def _versions(spec: Obj) -> Iterator[Failure]:
    versions = spec.get("versions") or []
    shared = len(versions) == 1  # what all versions have in common is told as the definition's own
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        for failure in name_failures(version["name"], f"{path}.name", "dns1035"):
            yield failure
            if index == 0:  # which is the definition's own, former version too
                yield replace(failure, field="spec.version")
        if version["name"] in seen:
            yield invalid("spec.versions", version["name"], "must contain unique version names")
        seen.add(version["name"])
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(f"{path}.schema.openAPIV3Schema")
            continue
        where = "spec.validation" if shared else f"{path}.schema"
        broken = list(definition_schema_failures(schema, f"{where}.openAPIV3Schema"))
        yield from broken
        if not broken:
            yield from rule_definition_failures(schema, f"{where}.openAPIV3Schema", root=True)
            yield from _selectable(version, schema, "spec" if shared else path)
        yield from _columns(version, "spec" if shared else path)
        yield from _scale(version, "spec" if shared else path)
    if sum(bool(each.get("storage")) for each in versions) != 1:
        text = "must have exactly one version marked as storage version"
        yield invalid("spec.versions", [_as_go(each) for each in versions], text)
        yield invalid("status.storedVersions", None, "must have at least one stored version")


def _as_go(version: Obj) -> dict[str, Any]:
    """Return a version as Go prints it, without what all versions share."""
    empty = dict.fromkeys(
        ("DeprecationWarning", "Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields")
    )
    flags = {key.title(): bool(version.get(key)) for key in ("served", "storage", "deprecated")}
    return GoStruct({"Name": version["name"], **flags, **empty})


def _selectable(version: Obj, schema: Schema, path: str) -> Iterator[Failure]:
    for index, each in enumerate(version.get("selectableFields") or ()):
        json_path, found = each.get("jsonPath") or "", schema
        for name in json_path.split(".")[1:]:
            found = (found.get("properties") or {}).get(name) or {}
        where = f"{path}.selectableFields[{index}].jsonPath"
        if not found.get("type"):
            detail = "is an invalid path: does not refer to a valid field"
            yield invalid(where, json_path, detail)
        elif found["type"] not in ("string", "boolean", "integer"):
            detail = "is an invalid path: must refer to a field of type string, boolean or integer"
            yield invalid(where, json_path, detail)


def _columns(version: Obj, path: str) -> Iterator[Failure]:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        where = f"{path}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            yield required(f"{where}.name")
        if not column.get("type"):
            yield required(f"{where}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif column["type"] not in _COLUMN_TYPES:
            yield invalid(f"{where}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}")
        json_path = column.get("jsonPath") or ""
        if not json_path:
            yield required(f"{where}.JSONPath")
        elif not json_path.startswith("."):
            yield invalid(f"{where}.JSONPath", json_path, "must be a simple json path starting with .")


def _scale(version: Obj, path: str) -> Iterator[Failure]:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return
    for key, root in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        value = scale.get(key) or ""
        if not value:
            yield required(f"{path}.subresources.scale.{key}")
        elif not value.startswith(f"{root}."):
            text = f"should be a json path under {root}"
            yield invalid(f"{path}.subresources.scale.{key}", value, text)


def _names(names: Obj) -> Iterator[Failure]:
    for key in ("plural", "singular", "kind", "listKind"):
        value = names.get(key) or ""
        field = f"spec.names.{key}"
        if not value:
            yield required(field)
        else:
            checked = value if key in ("plural", "singular") else value.lower()
            yield from name_failures(checked, field, "dns1035")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _conversion(conversion: Obj) -> Iterator[Failure]:
    webhook = conversion.get("webhook") or {}
    place, versions = "spec.conversion.webhookClientConfig", "spec.conversion.conversionReviewVersions"
    client, accepted = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if conversion.get("strategy") != "Webhook":
        told = "should not be set when strategy is not set to Webhook"
        yield from (forbidden(place, told),) if client else ()
        yield from (forbidden(versions, told),) if accepted else ()
        return
    if not client:
        yield required(place, "required when strategy is set to Webhook")
    else:
        yield from client_failures(client, place)
    if not accepted:
        yield required(versions)
    elif not any(each in REVIEW_VERSIONS for each in accepted):
        yield invalid(versions, accepted, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")


def _validate_update(new: Obj, old: Obj) -> list[Failure]:
    failures = [
        invalid(f"spec.{key}", new["spec"].get(key), "field is immutable")
        for key in ("group", "scope")
        if new["spec"].get(key) != old["spec"].get(key)
    ]
    versions = {each["name"] for each in new["spec"].get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in versions:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and "
                f"removes {name} from status.storedVersions"
            )
            failures.append(invalid(f"status.storedVersions[{index}]", name, text))
    return failures


DEFINITION = Strategy(
    status_metadata=(),
    has_status=True,
    has_generation=True,
    default=_default,
    validate=_validate,
    validate_create=_validate_create,
    prepare_update=_prepare_update,
    validate_update=_validate_update,
)
