"""Request bodies: JSON, YAML or protobuf into plain objects, and what a path adds to them.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers`` (create.go, update.go; 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from leeward.cluster.apiserver import decoding
from leeward.cluster.apiserver.fitting import judged
from leeward.cluster.apiserver.http import JSON, Request
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import PatchType
from leeward.cluster.registry.failures import invalid, raise_if_any
from leeward.kube.gojson import json_error
from leeward.kube.objects import Obj
from leeward.kube.resources import BUILT_IN, Resource
from leeward.kube.status import BadRequestError, UnsupportedMediaTypeError

_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_OLD_APPS = {"extensions/v1beta1", "apps/v1beta2"}
_FORMER: Mapping[str, set[str]] = {  # versions of earlier releases that are still understood, not served
    "Deployment": {*_OLD_APPS, "apps/v1beta1"},
    "DaemonSet": _OLD_APPS,
    "ReplicaSet": _OLD_APPS,
    "StatefulSet": {"apps/v1beta1", "apps/v1beta2"},
    "Ingress": {"extensions/v1beta1", "networking.k8s.io/v1beta1"},
    "NetworkPolicy": {"extensions/v1beta1"},
    "CronJob": {"batch/v1beta1"},
    "PodDisruptionBudget": {"policy/v1beta1"},
    "HorizontalPodAutoscaler": {"autoscaling/v1", "autoscaling/v2beta1", "autoscaling/v2beta2"},
    "Event": {"events.k8s.io/v1", "events.k8s.io/v1beta1"},
}
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"
APPLY = "application/apply-patch+yaml"
_PATCHES: Mapping[str, PatchType] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}


def parse_document(data: bytes, content_type: str) -> Any:
    """Return the document in a body; None when it is empty.

    Raises:
        BadRequestError: it cannot be parsed.
        UnsupportedMediaTypeError: the media type is not understood.
    """
    if not data.strip():
        return None
    if content_type == JSON:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"the object provided is unrecognized: {error}") from None
    if content_type == PROTOBUF:
        from leeward.cluster.apiserver import protobuf

        return protobuf.decode(data)
    if content_type in _YAML:
        from leeward.cluster.apiserver.yamls import loaded

        try:
            return loaded(data)
        except ValueError as error:
            raise BadRequestError(f"the object provided is unrecognized: {error}") from None
    raise UnsupportedMediaTypeError(
        f"the body of the request was in an unknown format - accepted media types include: "
        f"{JSON}, application/yaml (sent: {content_type})"
    )


async def read_object(request: Request, kind: str = "Object") -> Obj:
    """Return the object in the body of a create or update.

    Args:
        request: the request.
        kind: what is expected.

    Raises:
        BadRequestError: there is none, or it is no object.
    """
    body = await request.body()
    document = parse_document(body, request.content_type)
    if not isinstance(document, dict):
        raise BadRequestError(f"the object provided is unrecognized (must be of type {kind})")
    for field in ("apiVersion", "kind"):
        _check_text(field, document.get(field))
    version = document.get("apiVersion")
    if isinstance(version, str) and version.count("/") > 1:
        start = body[:30].decode(errors="replace")
        raise BadRequestError(
            f"the object provided is unrecognized (must be of type {kind}): unexpected GroupVersion string: "
            f"{version} ({start} ...)"
        )
    return document


async def read_typed(
    request: Request, api_version: str, kind: str, level: str = "Ignore"
) -> tuple[Obj, list[str]]:
    """Return the body of a subresource that has a kind of its own, and warnings about unknown fields.

    Args:
        request: the request.
        api_version: of the kind.
        kind: what the body is.
        level: of the field validation.

    Raises:
        BadRequestError: it is something else, or a value in it has the wrong type.
    """
    body = await read_object(request, kind)
    given = body.get("kind") or kind
    if given != kind:
        short = (body.get("apiVersion") or api_version).rpartition("/")[2]
        internal = api_version.partition("/")[0].partition(".")[0] if "/" in api_version else "core"
        raise BadRequestError(
            f'{given} in version "{short}" cannot be handled as a {kind}: converting ({short}.{given}) to '
            f"({internal}.{kind}): unknown conversion"
        )
    fitted, unknown = decoding.fit_object(body, api_version, kind)
    return fitted, judged(unknown, api_version, kind, level)


async def read_delete_options(request: Request) -> Obj:
    """Return the DeleteOptions in a body; {} when it is empty.

    Raises:
        BadRequestError: it is something else, or a value in it has the wrong type.
    """
    document = parse_document(await request.body(), request.content_type)
    if document is None:
        return {}
    try:
        fitted: Obj = decoding.fit_document(document, "v1", "DeleteOptions", whole=True).document
    except decoding.WrongTypeError as error:
        raise BadRequestError(str(error)) from None
    if fitted.get("kind") not in (None, "", "DeleteOptions"):
        raise BadRequestError("decoded object cannot be converted to DeleteOptions")
    return fitted


async def read_patch(request: Request, *, custom: bool) -> tuple[PatchType, Any]:
    """Return (patch type, patch).

    Raises:
        UnsupportedMediaTypeError: not a patch type that is served here.
    """
    patch_type = _PATCHES.get(request.content_type)
    if patch_type is None or (custom and patch_type == "strategic"):
        accepted = [name for name, kind in _PATCHES.items() if not (custom and kind == "strategic")]
        accepted.append(APPLY)
        raise UnsupportedMediaTypeError(
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(accepted)
        )
    data = await request.body()
    try:
        return patch_type, orjson.loads(data)
    except orjson.JSONDecodeError as error:
        problem = json_error(data) or str(error)
        raise BadRequestError(
            problem if patch_type == "strategic" else f"error decoding patch: {problem}"
        ) from None


def _check_text(field: str, value: Any) -> None:
    if value is None or isinstance(value, str):
        return
    names = {bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    problem = f"json: cannot unmarshal {names[type(value)]} into Go struct field .{field} of type string"
    raise BadRequestError(f"couldn't get version/kind; json parse error: {problem}")


def fitted(obj: Obj, served: Served, path: ResourcePath) -> Obj:
    """Return `obj` with the type and namespace that the path implies.

    Raises:
        BadRequestError: they contradict the path.
    """
    version, kind = obj.get("apiVersion") or served.api_version, obj.get("kind") or served.kind
    meta = obj.get("metadata") or {}
    if not isinstance(meta, dict):
        raise BadRequestError("metadata must be an object")
    if (version, kind) != (served.api_version, served.kind):
        if served.custom and version == served.api_version:
            refused = invalid("kind", kind, f"must be {served.kind}")
            given = Resource(f"{kind.lower()}.{served.group}", served.group, kind, served.namespaced)
            raise_if_any(given, meta.get("name", ""), [refused])
        raise BadRequestError(_mismatch(version, kind, served))
    if served.namespaced:
        namespace = meta.get("namespace") or path.namespace
        if namespace != path.namespace:
            raise BadRequestError(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta = {**meta, "namespace": namespace}
    elif "namespace" in meta:
        meta = {key: value for key, value in meta.items() if key != "namespace"}
    if path.name and not path.subresource:
        meta = named(meta, path.name)
    return {**obj, "apiVersion": version, "kind": kind, "metadata": meta}


def _mismatch(version: str, kind: str, served: Served) -> str:
    """Say what is wrong with an object of another kind or version than the path's."""
    group = version.rpartition("/")[0]
    known = {row.api_version for row in BUILT_IN if row.kind == kind} | _FORMER.get(kind, set())
    if served.custom or (kind == served.kind and (version in known or group == served.group != "")):
        return (
            f"the API version in the data ({version}) does not match the expected API version "
            f"({served.api_version})"
        )
    short = version.rpartition("/")[2]
    head = f'{kind} in version "{short}" cannot be handled as a {served.kind}: '
    if version not in known:
        return f'{head}no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"'
    internal = served.group.partition(".")[0] or "core"
    return f"{head}converting ({short}.{kind}) to ({internal}.{served.kind}): unknown conversion"


def named(meta: dict[str, Any], name: str) -> dict[str, Any]:
    """Return `meta` with the name of the URL.

    Raises:
        BadRequestError: it has another name.
    """
    if not meta.get("name"):
        raise BadRequestError(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if meta["name"] != name:
        raise BadRequestError(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    return {**meta, "name": name}
