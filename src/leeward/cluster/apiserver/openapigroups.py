"""The OpenAPI documents of what has no resources: lists of groups and versions, the version, OpenID. Pure.

Source: the documents of kube-apiserver 1.36 (``/openapi/v3/apis``, ``/openapi/v3/version``, …).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leeward.kube import definitions as schemas

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"


class Page(NamedTuple):
    """One path that is read."""

    tag: str
    operation: str
    description: str
    schema: str = ""  # what it answers; "": text


_VERSIONS = "get available API versions"
_ALWAYS: Mapping[str, Page] = {
    "api": Page("core", "getCoreAPIVersions", _VERSIONS, f"{_META}.APIVersions"),
    "apis": Page("apis", "getAPIVersions", _VERSIONS, f"{_META}.APIGroupList"),
    "version": Page(
        "version", "getCodeVersion", "get the version of this server", "io.k8s.apimachinery.pkg.version.Info"
    ),
    ".well-known/openid-configuration": Page(
        "WellKnown",
        "getServiceAccountIssuerOpenIDConfiguration",
        "get the OpenID configuration of the issuer",
    ),
    "openid/v1/jwks": Page(
        "openid", "getServiceAccountIssuerOpenIDKeyset", "get the keys that check tokens of service accounts"
    ),
}


def pages(groups: Iterable[str]) -> dict[str, Page]:
    """Return the pages that have a document of their own, by its name.

    Args:
        groups: built-in ones, without the core group.
    """
    found = dict(_ALWAYS)
    for group in groups:
        words = group.removesuffix(".k8s.io").split(".")
        name = "".join(word[:1].upper() + word[1:] for word in words)
        tag = name[:1].lower() + name[1:]
        text = "get information of a group"
        found[f"apis/{group}"] = Page(tag, f"get{name}APIGroup", text, f"{_META}.APIGroup")
    return found


def make_page(key: str, page: Page) -> dict[str, Any]:
    """Return the OpenAPI v3 document of a page."""
    schema: dict[str, Any] = {"type": "string", "default": ""}
    if page.schema:
        schema = {"$ref": f"#/components/schemas/{page.schema}"}
    answers = {
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
        "401": {"description": "Unauthorized"},
    }
    operation = {
        "tags": [page.tag],
        "description": page.description,
        "operationId": page.operation,
        "responses": answers,
    }
    definitions = schemas.read_definitions() if page.schema else {}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": {f"/{key}/": {"get": operation}},
        "components": {"schemas": schemas.closure(definitions, [page.schema]) if page.schema else {}},
    }
