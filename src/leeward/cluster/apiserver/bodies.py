"""Request bodies: JSON, YAML or protobuf into plain objects, and what a path adds to them.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers`` (create.go, update.go; 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from leeward.cluster.apiserver.http import JSON, Request
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import PatchType
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, UnsupportedMediaTypeError

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
        import yaml

        try:
            return yaml.safe_load(data)
        except yaml.YAMLError as error:
            raise BadRequestError(f"the object provided is unrecognized: {error}") from None
    raise UnsupportedMediaTypeError(
        f"the body of the request was in an unknown format - accepted media types include: "
        f"{JSON}, application/yaml (sent: {content_type})"
    )


async def read_object(request: Request) -> Obj:
    """Return the object in the body of a create or update.

    Raises:
        BadRequestError: there is none, or it is no object.
    """
    document = parse_document(await request.body(), request.content_type)
    if not isinstance(document, dict):
        raise BadRequestError("the object provided is unrecognized (must be of type Object)")
    return document


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
        raise BadRequestError(f"error decoding patch: {error}") from None


def fitted(obj: Obj, served: Served, path: ResourcePath) -> Obj:
    """Return `obj` with the type and namespace that the path implies.

    Raises:
        BadRequestError: they contradict the path.
    """
    version, kind = obj.get("apiVersion") or served.api_version, obj.get("kind") or served.kind
    if (version, kind) != (served.api_version, served.kind):
        raise BadRequestError(
            f"{kind} in version {version!r} cannot be handled as a {served.kind} in {served.api_version}"
        )
    meta = obj.get("metadata") or {}
    if not isinstance(meta, dict):
        raise BadRequestError("metadata must be an object")
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


def named(meta: dict[str, Any], name: str) -> dict[str, Any]:
    """Return `meta` with the name of the URL.

    Raises:
        BadRequestError: it has another name.
    """
    if meta.get("name") not in (None, "", name):
        raise BadRequestError(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )
    return {**meta, "name": name}
