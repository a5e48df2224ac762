"""Requests about field managers: who writes, and configurations to apply.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers`` (patch.go, fieldmanager; 1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.apiserver import decoding
from leeward.cluster.apiserver.bodies import APPLY
from leeward.cluster.apiserver.http import Request
from leeward.cluster.apiserver.options import invalid_options
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import Fit
from leeward.cluster.registry.failures import shown
from leeward.cluster.registry.managedfields.manager import check_typed
from leeward.cluster.registry.managedfields.types import built_in_type
from leeward.kube.objects import Obj
from leeward.kube.scale import SCALE_VERSION, with_replicas
from leeward.kube.status import BadRequestError, InvalidError

__all__ = ["APPLY", "checker", "field_manager", "force_refused", "read_configuration"]

MAX_MANAGER = 128  # characters


def field_manager(request: Request, kind: str) -> str:
    """Return who writes: the parameter ``fieldManager``, else the beginning of the user agent.

    Raises:
        InvalidError: the name is too long or unprintable, or an apply has none.
    """
    given = request.query.text("fieldManager")
    causes: list[dict[str, str]] = []
    if len(given) > MAX_MANAGER:
        text = f"Too long: may not be more than {MAX_MANAGER} bytes"
        causes.append({"reason": "FieldValueTooLong", "message": text, "field": "fieldManager"})
    bad = next((each for each in given if not each.isprintable()), None)
    if bad is not None:
        where = f"invalid character U+{ord(bad):04X} (at position {given.index(bad)})"
        text = f"Invalid value: {shown(given)}: {where}"
        causes.append({"reason": "FieldValueInvalid", "message": text, "field": "fieldManager"})
    if not given and request.content_type == APPLY:
        text = "Required value: is required for apply patch"
        causes.append({"reason": "FieldValueRequired", "message": text, "field": "fieldManager"})
    if causes:
        raise invalid_options(kind, causes)
    return given or request.headers.get("user-agent", "").partition("/")[0][:MAX_MANAGER] or "unknown"


def force_refused() -> InvalidError:
    """Return the refusal of ``force`` for a patch that is no apply."""
    text = "Forbidden: may not be specified for non-apply patch"
    cause = {"reason": "FieldValueForbidden", "message": text, "field": "force"}
    return invalid_options("PatchOptions", [cause])


def read_configuration(data: bytes, request: Request, path: ResourcePath, served: Served) -> Obj:
    """Return the configuration to apply, with the name and namespace of the URL.

    Raises:
        BadRequestError: it cannot be parsed, or contradicts the URL.
    """
    from leeward.cluster.apiserver.yamls import loaded

    try:
        config: Any = loaded(data)
    except ValueError as error:
        raise BadRequestError(f"error decoding YAML: error converting YAML to JSON: yaml: {error}") from None
    if not isinstance(config, dict):
        raise BadRequestError("error decoding YAML: json: cannot unmarshal value into Go value of type map")
    version, kind = _text(config.get("apiVersion")), _text(config.get("kind"))
    if config.get("metadata") is not None:  # they are the same of all kinds
        naming = {"kind": kind, "metadata": config["metadata"]}
        check_typed(built_in_type("v1", "ConfigMap"), naming, version)
    if path.subresource == "scale" and (version, kind) == (SCALE_VERSION, "Scale"):
        config = _of_parent(config, served)
        version, kind = served.api_version, served.kind
    if (version, kind) != (served.api_version, served.kind):
        group, _, short = version.rpartition("/")
        raise BadRequestError(f"invalid object type: {group}/{short}, Kind={kind}")
    meta = config.get("metadata") or {}
    name = meta.get("name") or path.name
    if name != path.name:
        raise BadRequestError(
            f"the name of the object ({name}) does not match the name on the URL ({path.name})"
        )
    meta = {**meta, "name": name}
    if served.namespaced and meta.get("namespace", path.namespace) != path.namespace:
        raise BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta.pop("resourceVersion", None)
    return {**config, "metadata": meta}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _of_parent(config: Obj, served: Served) -> Obj:
    """Return the configuration of an object that sets the replicas of a Scale."""
    check_typed(built_in_type(SCALE_VERSION, "Scale"), config, SCALE_VERSION)
    scale, _ = decoding.fit_object(config, SCALE_VERSION, "Scale")
    rest = {key: value for key, value in config.items() if key not in ("spec", "status")}
    parent = {**rest, "apiVersion": served.api_version, "kind": served.kind}
    if "replicas" not in (config.get("spec") or {}):
        return parent
    return with_replicas(parent, (scale.get("spec") or {}).get("replicas", 0), served.scale)


def checker(served: Served) -> Fit:
    """Return what makes an applied object one of its type: numbers fit, and there are no nulls.

    Raises, when called:
        BadRequestError: it is none.
    """
    return lambda obj: decoding.fit_object(obj, served.api_version, served.kind).document
