"""What a request asks for: verb, resource, name.

Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go, endpoints/filters/authorization.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.apiserver.http import Request
from leeward.cluster.apiserver.paths import parse_resource_path
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.interface.user import User

_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_MANY = {"get": "list", "delete": "deletecollection"}
_NAME_FIELD = "metadata.name="


def attributes_of(request: Request, user: User) -> Attributes:
    """Return what authorization is asked about a request."""
    path = parse_resource_path(request.path)
    if path is None or not path.resource:
        return Attributes(user=user, verb=request.method.lower(), path=request.path)
    verb, name = _VERBS.get(request.method, ""), path.name
    if not name:
        verb = _OF_MANY.get(verb, verb)
        name = _selected_name(request) if verb in ("list", "deletecollection") else ""
    if verb in ("get", "list") and (path.legacy_watch or (verb == "list" and request.query.flag("watch"))):
        verb = "watch"
    namespace = path.namespace
    if path.resource == "namespaces" and not namespace:
        namespace = path.name
    return Attributes(
        user=user,
        verb=verb,
        group=path.group,
        version=path.version,
        resource=path.resource,
        subresource=path.subresource,
        namespace=namespace,
        name=name,
    )


def _selected_name(request: Request) -> str:
    """Return the one name that a field selector asks for, or ""."""
    for term in request.query.text("fieldSelector").split(","):
        if term.startswith(_NAME_FIELD):
            return term.removeprefix(_NAME_FIELD).removeprefix("=")
    return ""
