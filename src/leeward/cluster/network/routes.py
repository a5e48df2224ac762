"""Which Service an HTTP request is for: Ingress rules first, then ``<service>.localhost``.

Pure but for the objects it reads.

Source: networking.k8s.io/v1 Ingress: exact host before wildcard, longest path first, Exact before
Prefix; Prefix matches whole path elements. Of two Ingresses that claim the same, the older has it, as with
ingress-nginx.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward.cluster.interface.client import Reader
from leeward.cluster.network.endpoints import ServicePort, ServiceView
from leeward.cluster.network.table import ServiceTable
from leeward.kube.objects import Obj
from leeward.kube.wellknown import SYSTEM_NAMESPACES

INGRESS_CLASS = "leeward"


class Route(NamedTuple):
    """Where a request goes."""

    service: ServiceView
    port: ServicePort


class _Match(NamedTuple):
    """How well a rule fits; the largest wins."""

    exact_host: bool
    path_length: int
    exact_path: bool


def find_route(reader: Reader, table: ServiceTable, host: str, path: str) -> Route | None:
    """Return the route of a request, or None when nothing serves `host`.

    Args:
        reader: where Ingresses come from.
        table: the Services.
        host: the Host header without port, lower case.
        path: the path without query.
    """
    best: tuple[_Match, str, dict[str, Any]] | None = None
    for ingress in sorted(reader.list("ingresses.networking.k8s.io"), key=_age):  # the oldest keeps its host
        if _is_ours(ingress):
            for match, backend in _matches(ingress, host, path):
                if best is None or match > best[0]:
                    best = (match, ingress["metadata"]["namespace"], backend)
    if best is not None:
        return _backend_route(table, best[1], best[2])
    return _name_route(table, host)


def _age(ingress: Obj) -> tuple[str, str, str]:
    meta = ingress["metadata"]
    return meta.get("creationTimestamp") or "", meta.get("namespace") or "", meta["name"]


def _is_ours(ingress: Obj) -> bool:
    return bool((ingress.get("spec") or {}).get("ingressClassName", INGRESS_CLASS) == INGRESS_CLASS)


def _matches(ingress: Obj, host: str, path: str) -> list[tuple[_Match, dict[str, Any]]]:
    """List the rules of one Ingress that fit, with how well."""
    spec = ingress.get("spec") or {}
    found: list[tuple[_Match, dict[str, Any]]] = []
    for rule in spec.get("rules") or ():
        rule_host = rule.get("host") or ""
        if not _host_fits(rule_host, host):
            continue
        for entry in (rule.get("http") or {}).get("paths") or ():
            exact = entry.get("pathType") == "Exact"
            if _path_fits(entry.get("path") or "/", path, exact):
                match = _Match(rule_host == host, len(entry.get("path") or "/"), exact)
                found.append((match, entry["backend"]))
    return found


def _host_fits(rule: str, host: str) -> bool:
    if rule.startswith("*."):
        return "." in host and host.split(".", 1)[1] == rule[2:]
    return rule in ("", host)


def _path_fits(rule: str, path: str, exact: bool) -> bool:
    if exact:
        return path == rule
    prefix = rule.rstrip("/")
    return path == prefix or path.startswith(prefix + "/")


def _backend_route(table: ServiceTable, namespace: str, backend: dict[str, Any]) -> Route | None:
    service = backend.get("service") or {}
    view = table.find(namespace, service.get("name") or "")
    if view is None:
        return None
    wanted = service.get("port") or {}
    port = (
        view.port_named(wanted["name"]) if wanted.get("name") else view.port_numbered(wanted.get("number", 0))
    )
    return Route(view, port) if port else None


def _name_route(table: ServiceTable, host: str) -> Route | None:
    """Serve ``<service>.localhost`` and ``<service>.<namespace>.localhost``: the first TCP port."""
    labels = host.split(".")
    if labels[-1] != "localhost" or len(labels) not in (2, 3):
        return None
    for view in table.views():
        fits = view.name == labels[0] and (len(labels) == 2 or view.namespace == labels[1])
        if fits and view.namespace not in SYSTEM_NAMESPACES[1:]:
            port = next((port for port in view.ports if port.protocol == "TCP"), None)
            if port is not None:
                return Route(view, port)
    return None
