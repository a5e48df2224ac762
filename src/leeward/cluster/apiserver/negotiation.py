"""Which representation to answer with: JSON or YAML, whole objects, Tables or metadata only.

Invariant: the first acceptable clause of ``Accept`` wins, in the client's order (upstream ignores
``q`` for Kubernetes clients in the same way); protobuf is not produced, so a client that also accepts
JSON gets JSON.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers/negotiation`` (1.36).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from leeward.cluster.apiserver.http import JSON, Response, warning_headers
from leeward.kube.status import NotAcceptableError

YAML = "application/yaml"
_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_REPRESENTATIONS = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, "
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)


@dataclass(frozen=True, slots=True)
class Representation:
    """What the client gets."""

    media_type: Literal["application/json", "application/yaml"] = "application/json"
    transform: str = ""  # "", "Table", "PartialObjectMetadata" or "PartialObjectMetadataList"
    version: str = "v1"  # of meta.k8s.io, for what is transformed


PLAIN = Representation()


def negotiate(accept: str) -> Representation:
    """Return the representation for an ``Accept`` header ("" accepts anything).

    Raises:
        NotAcceptableError: nothing it names can be produced.
    """
    if not accept:
        return PLAIN
    known = False
    for clause in accept.split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        media_type = JSON if media_type == "*/*" else media_type.lower()
        if media_type not in (JSON, YAML):
            continue
        known = True
        options = dict(part.split("=", 1) for part in rest if "=" in part)
        transform = options.get("as", "")
        if transform and not _can_transform(transform, options):
            continue
        return Representation(
            "application/yaml" if media_type == YAML else "application/json",
            transform,
            options.get("v", "v1"),
        )
    if known:
        raise NotAcceptableError(
            "only the following media types are accepted: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    raise NotAcceptableError(
        f"406: Not Acceptable\n\nAvailable representations: {_REPRESENTATIONS}", details={}
    )


def _can_transform(transform: str, options: dict[str, str]) -> bool:
    return (
        transform in _TRANSFORMS
        and options.get("g") == "meta.k8s.io"
        and options.get("v") in ("v1", "v1beta1")
    )


def wants_aggregated_discovery(accept: str) -> str:
    """Return the apidiscovery version asked for first ("v2", "v2beta1"), or "" for none."""
    for clause in accept.split(","):
        parts = [part.strip() for part in clause.split(";")]
        options = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
        if parts[0] in (JSON, "*/*"):
            if options.get("as") == "APIGroupDiscoveryList" and options.get("v") == "v2":
                return "v2"
            if not options.get("as"):
                return ""
    return ""


def openapi_v2_type(accept: str) -> str:
    """Return the media type of the OpenAPI v2 document for an ``Accept`` header.

    Raises:
        NotAcceptableError: it is served in none that the header names.
    """
    for clause in (accept or "*/*").split(","):
        media_type = clause.partition(";")[0].strip()
        if media_type in (JSON, "*/*", "application/*"):
            return JSON
        if media_type in (_OPENAPI_V2, _OPENAPI_V2.replace("v2.v1.0", "v2@v1.0")):
            return _OPENAPI_V2
    raise NotAcceptableError("406 page not found", details={})


def encode(document: Any, media_type: str) -> bytes:
    """Return `document` in `media_type`."""
    if media_type == YAML:
        from leeward.cluster.apiserver.yamls import dumped

        return dumped(document).encode()
    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)


def respond(
    document: Any,
    representation: Representation,
    *,
    status: int = 200,
    warnings: tuple[str, ...] = (),
    pretty: bool = False,
) -> Response:
    """Return the answer that carries `document`."""
    if pretty and representation.media_type == JSON:
        body = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    else:
        body = encode(document, representation.media_type)
    headers = warning_headers(warnings)
    return Response(body, status=status, content_type=representation.media_type, headers=headers)
