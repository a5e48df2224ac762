"""How the objects of a CustomResourceDefinition are written, by version; remade when the definition changes.

Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/strategy.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leeward.cluster.registry.custom.rules import ruled
from leeward.cluster.registry.custom.structure import Schema, default, prune
from leeward.cluster.registry.custom.validation import list_failures, schema_failures
from leeward.cluster.registry.failures import Failure
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.scaling import scale_failures
from leeward.kube.objects import Obj
from leeward.kube.scale import scale_paths


class CustomStrategies:
    """Strategies of custom resources."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[str, Strategy]] = {}

    def find(self, definitions: Iterable[Obj], name: str, api_version: str) -> Strategy:
        """Return the strategy of the resource `name` ("widgets.example.com"), written as `api_version`."""
        version = api_version.rpartition("/")[2]
        for definition in definitions:
            if definition["metadata"]["name"] == name:
                meta = definition["metadata"]
                known = self._made.get((meta["uid"], version))
                if known is None or known[0] != meta["resourceVersion"]:
                    known = (meta["resourceVersion"], _strategy(definition["spec"], version))
                    self._made[meta["uid"], version] = known
                return known[1]
        return Strategy(has_generation=True, status_metadata=())


def _strategy(spec: Obj, version: str) -> Strategy:
    found = version_of(spec, version)
    has_status, scale = "status" in (found.get("subresources") or {}), scale_paths(found)
    schema = schema_of(spec, version)
    if schema is None:
        return Strategy(has_status=has_status, has_generation=True, status_metadata=(), scale=scale)

    def complete(obj: Obj) -> Obj:
        filled = default(prune(obj, schema)[0], schema)
        return {**filled, "metadata": obj["metadata"]}

    rules, stored = ruled(schema), schema_of(spec, "")

    def as_stored(obj: Obj) -> Obj:
        """Return an object that another version than the stored one brought, as that one has it."""
        if stored is None or stored is schema:
            return obj
        return {**default(prune(obj, stored)[0], stored), "metadata": obj["metadata"]}

    def validate(obj: Obj) -> list[Failure]:
        return [*schema_failures(obj, schema), *scale_failures(obj, scale), *list_failures(obj, schema)]

    def validate_rules(obj: Obj, old: Obj | None) -> list[Failure]:
        return [] if rules is None else list(rules.failures(obj, old, ""))

    return Strategy(
        has_status=has_status,
        has_generation=True,
        status_metadata=(),
        scale=scale,
        default=complete,
        prepare_create=as_stored,
        prepare_update=lambda new, old: as_stored(new),
        validate=validate,
        validate_rules=validate_rules,
        validate_status=validate_rules,
    )


def version_of(spec: Obj, version: str) -> dict[str, Any]:
    """Return a version of a definition, else the one that is stored."""
    versions: list[dict[str, Any]] = spec.get("versions") or []
    named = next((each for each in versions if each["name"] == version), None)
    return named or next((each for each in versions if each.get("storage")), {})


def schema_of(spec: Obj, version: str) -> Schema | None:
    """Return the schema of a version; None: it has none, and anything may be stored."""
    schema: Schema | None = (version_of(spec, version).get("schema") or {}).get("openAPIV3Schema")
    if not schema or spec.get("preserveUnknownFields"):
        return None
    return schema
