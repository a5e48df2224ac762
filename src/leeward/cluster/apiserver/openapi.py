"""OpenAPI v3, one document per group version, and v2, one of everything, made when somebody asks.

Invariant: nothing is read before the first request, and only the compressed answers are kept.

kubectl reads the paths to learn that the server validates fields itself (the ``fieldValidation``
parameter of PATCH) and to find a resource's kind (``kubectl explain``), and the schemas for the merge
keys of strategic patches.

Source: ``k8s.io/kube-openapi/pkg/handler3``; schemas from ``kubernetes-validate``.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

import leeward
from leeward.cluster.apiserver import gnostic
from leeward.cluster.apiserver.openapigroups import Page, make_page, pages
from leeward.cluster.apiserver.openapiv2 import to_v2
from leeward.cluster.apiserver.served import Catalog, Served
from leeward.kube import definitions as schemas
from leeward.kube.objects import Obj

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_DESCRIBED = "io.k8s.api.core.v1.ConfigMap"
_EXTRA_ROOTS = (f"{_META}.Status", f"{_META}.Patch", f"{_META}.DeleteOptions", f"{_META}.APIResourceList")
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "pretty")


class OpenApi:
    """Answers ``/openapi``.

    Args:
        catalog: tells what is served now.
        definitions: tells the CustomResourceDefinitions now.
        remote: tells the documents that other servers have: URL by ``apis/GROUP/VERSION``.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        definitions: Callable[[], Iterable[Obj]],
        remote: Callable[[], Mapping[str, str]],
    ) -> None:
        self._catalog = catalog
        self._definitions = definitions
        self._remote = remote
        self._documents: dict[str, tuple[str, bytes]] = {}  # by "api/v1", "v2.json"; mark, gzip
        self._marks: dict[str, tuple[Catalog, str]] = {}

    def index(self) -> dict[str, Any]:
        """Return the list of documents."""
        catalog = self._catalog()
        paths: dict[str, Any] = {}
        for group, versions in catalog.groups().items():
            for version in versions:
                key = f"apis/{group}/{version}" if group else f"api/{version}"
                paths[key] = {"serverRelativeURL": url_of(key, self._mark(catalog, group, version))}
        for key in _pages(catalog):
            paths[key] = {"serverRelativeURL": url_of(key, _PAGE_MARK)}
        paths |= {key: {"serverRelativeURL": url} for key, url in self._remote().items()}
        return {"paths": dict(sorted(paths.items()))}

    def mark(self, key: str) -> str | None:
        """Return what changes when the document ``apis/<group>/<version>`` does; None: unknown."""
        group, version = _parts(key)
        catalog = self._catalog()
        if key in _pages(catalog):
            return _PAGE_MARK
        return self._mark(catalog, group, version) if catalog.of(group, version) else None

    def whole_mark(self) -> str:
        """Return what changes when the document of OpenAPI v2 does."""
        catalog = self._catalog()
        marks = [
            self._mark(catalog, group, version)
            for group, versions in catalog.groups().items()
            for version in versions
        ]
        return _digest("".join(marks).encode())

    def _mark(self, catalog: Catalog, group: str, version: str) -> str:
        key = f"{group}/{version}"
        kept = self._marks.get(key)
        if kept is None or kept[0] is not catalog:
            names = [served.plural for served in catalog.of(group, version)]
            specs = [each["spec"] for each in self._definitions() if each["spec"]["group"] == group]
            text = orjson.dumps((schemas.VERSION, leeward.__version__, names, specs))
            kept = self._marks[key] = (catalog, _digest(text))
        return kept[1]

    def document(self, key: str) -> bytes | None:
        """Return the document called, for example, ``apis/apps/v1``, compressed; None if unknown.

        Takes tens of milliseconds the first time: call it on a worker thread.
        """
        group, version = _parts(key)
        catalog, mark = self._catalog(), self.mark(key)
        if mark is None:
            return None
        kept = self._documents.get(key)
        if kept is None or kept[0] != mark:
            page = _pages(catalog).get(key)
            document = make_page(key, page) if page else self._made(catalog.of(group, version))
            content = orjson.dumps(document)
            kept = self._documents[key] = (mark, gzip.compress(content, 5))
        return kept[1]

    def _made(self, resources: list[Served]) -> dict[str, Any]:
        return make_document(resources, list(self._definitions()))

    def whole(self, *, protobuf: bool) -> bytes:
        """Return the document of OpenAPI v2, compressed; as protobuf or JSON.

        Takes hundreds of milliseconds the first time: call it on a worker thread.
        """
        key, mark = "v2.protobuf" if protobuf else "v2.json", self.whole_mark()
        kept = self._documents.get(key)
        if kept is None or kept[0] != mark:
            document = to_v2(self._made(self._catalog().resources))
            content = gnostic.encode(document) if protobuf else orjson.dumps(document)
            kept = self._documents[key] = (mark, gzip.compress(content, 5))
        return kept[1]


def _parts(key: str) -> tuple[str, str]:
    """Return the group and version of a document; version "" when it names none."""
    parts = key.strip("/").split("/")
    if parts[:1] == ["api"] and len(parts) == 2:
        return "", parts[1]
    return (parts[1], parts[2]) if parts[:1] == ["apis"] and len(parts) == 3 else ("", "")


def _pages(catalog: Catalog) -> dict[str, Page]:
    return pages({served.group for served in catalog.resources if served.group and not served.custom})


def _digest(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest().upper()


_PAGE_MARK = _digest(f"{schemas.VERSION} {leeward.__version__}".encode())


def url_of(key: str, mark: str) -> str:
    """Return the URL of a document as it is now."""
    return f"/openapi/v3/{key}?hash={mark}"


def make_document(resources: list[Served], custom: list[Obj]) -> dict[str, Any]:
    """Return the OpenAPI v3 document of some resources, such as those of one group version."""
    definitions = schemas.read_definitions()
    names = schemas.kinds(definitions)
    for served in resources:
        if served.custom:
            name = f"{'.'.join(reversed(served.group.split('.')))}.{served.version}.{served.kind}"
            definitions[name] = _custom_schema(served, custom, definitions)
            names[(served.group, served.version, served.kind)] = name
        elif served.schema is not None:
            names |= _described(served, definitions)
    roots: list[str] = list(_EXTRA_ROOTS)
    paths: dict[str, Any] = {}
    for served in resources:
        kind = names.get((served.group, served.version, served.kind))
        if kind is None:
            continue
        roots.append(kind)
        listing = names.get((served.group, served.version, served.list_kind))
        roots.extend([listing] if listing else [])
        roots.extend(_subresource_roots(served, names))
        paths |= _paths(served, kind, listing or kind)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.closure(definitions, roots)},
    }


def _described(served: Served, definitions: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """Add the types of a kind that comes with its schema; returns their names."""
    prefix = f"{'.'.join(reversed(served.group.split('.')))}.{served.version}"
    name, listing = f"{prefix}.{served.kind}", f"{prefix}.{served.list_kind}"
    group = {"group": served.group, "version": served.version}
    definitions[name] = {
        **(served.schema or {}),
        "x-kubernetes-group-version-kind": [{**group, "kind": served.kind}],
    }
    definitions[listing] = {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": f"#/$defs/{_META}.ListMeta"},
            "items": {"type": "array", "items": {"$ref": f"#/$defs/{name}"}},
        },
        "required": ["items"],
        "x-kubernetes-group-version-kind": [{**group, "kind": served.list_kind}],
    }
    return {
        (served.group, served.version, served.kind): name,
        (served.group, served.version, served.list_kind): listing,
    }


def _subresource_roots(served: Served, names: dict[tuple[str, str, str], str]) -> list[str]:
    kinds = ((found.group, found.version, found.kind) for found in served.subresources)
    return [names[kind] for kind in kinds if kind in names]


def _custom_schema(served: Served, custom: list[Obj], known: Mapping[str, Any]) -> dict[str, Any]:
    mark = [{"group": served.group, "version": served.version, "kind": served.kind}]
    for definition in custom:
        if (
            definition["spec"]["group"] != served.group
            or definition["spec"]["names"]["plural"] != served.plural
        ):
            continue
        for version in definition["spec"].get("versions") or ():
            schema = (version.get("schema") or {}).get("openAPIV3Schema")
            if version["name"] == served.version and schema:
                meta = {"$ref": f"#/$defs/{_META}.ObjectMeta"}
                common = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": meta}
                said = known[_DESCRIBED]["properties"]  # upstream describes them as of any kind
                described = {key: {**common[key], "description": said[key]["description"]} for key in common}
                properties = {**(schema.get("properties") or {}), **described}
                return {**schema, "properties": properties, "x-kubernetes-group-version-kind": mark}
    return {"type": "object", "x-kubernetes-group-version-kind": mark}


def _query(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _content(name: str, media_types: tuple[str, ...] = ("application/json",)) -> dict[str, Any]:
    reference = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    return dict.fromkeys(media_types, reference)


_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    _STRATEGIC,
    "application/apply-patch+yaml",
)
_CUSTOM_PATCHES = tuple(kind for kind in _PATCHES if kind != _STRATEGIC)  # kubectl apply decides by it


def _operation(served: Served, action: str, schema: str, *, body: str = "") -> dict[str, Any]:
    scope = f"{served.group.title().replace('.', '')}{served.version.title()}"
    operation: dict[str, Any] = {
        "tags": [f"{served.group or 'core'}_{served.version}"],
        "operationId": f"{action}{scope}{served.kind}",
        "responses": {"200": {"description": "OK", "content": _content(schema)}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": served.group,
            "version": served.version,
            "kind": served.kind,
        },
    }
    if action in ("post", "put", "patch"):
        operation["parameters"] = [_query(name) for name in _WRITE_PARAMETERS]
    if action == "delete":
        operation["parameters"] = [_query("dryRun"), _query("gracePeriodSeconds", "integer")]
    if body:
        patches = _CUSTOM_PATCHES if served.custom else _PATCHES
        media_types = patches if action == "patch" else ("application/json",)
        operation["requestBody"] = {"required": True, "content": _content(body, media_types)}
    return operation


def _paths(served: Served, kind: str, listing: str) -> dict[str, Any]:
    root = f"/apis/{served.group}/{served.version}" if served.group else f"/api/{served.version}"
    scope = f"{root}/namespaces/{{namespace}}" if served.namespaced else root
    shared = [{"name": "namespace", "in": "path", "required": True, "schema": {"type": "string"}}]
    shared = shared if served.namespaced else []
    named = [*shared, {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    paths: dict[str, Any] = {
        f"{scope}/{served.plural}": {
            "parameters": shared,
            "get": _operation(served, "list", listing),
            "post": _operation(served, "post", kind, body=kind),
        },
        f"{scope}/{served.plural}/{{name}}": {
            "parameters": named,
            "get": _operation(served, "get", kind),
            "put": _operation(served, "put", kind, body=kind),
            "patch": _operation(served, "patch", kind, body=f"{_META}.Patch"),
            "delete": _operation(served, "delete", f"{_META}.Status"),
        },
    }
    if set(served.verbs) <= {"get", "list"}:
        paths = {path: {key: each[key] for key in ("parameters", "get")} for path, each in paths.items()}
    if served.namespaced:
        paths[f"{root}/{served.plural}"] = {"get": _operation(served, "list", listing)}
    if served.subresource("status"):
        paths[f"{scope}/{served.plural}/{{name}}/status"] = {
            "parameters": named,
            "get": _operation(served, "get", kind),
            "put": _operation(served, "put", kind, body=kind),
            "patch": _operation(served, "patch", kind, body=f"{_META}.Patch"),
        }
    return paths
