"""Token requests: the ``token`` subresource of service accounts.

Source: pkg/registry/core/serviceaccount/storage/token.go, pkg/apis/authentication/validation
(Kubernetes 1.36).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeward.cluster.registry.failures import Failure, invalid, raise_if_any
from leeward.cluster.registry.managedfields.manager import STATUS, Writer, track_create
from leeward.cluster.registry.managedfields.types import built_in_type
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.tokens import ISSUER
from leeward.kube.objects import Obj, format_time
from leeward.kube.resources import Resource
from leeward.kube.status import BadRequestError, ConflictError, NotFoundError

if TYPE_CHECKING:
    from leeward.cluster.registry.registry import Registry

TOKEN_REQUEST = Resource("tokenrequests.authentication.k8s.io", "authentication.k8s.io", "TokenRequest", True)
_VERSION = "authentication.k8s.io/v1"
_MIN_SECONDS = 600
_BOUND = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


def request_token(registry: Registry, namespace: str, name: str, request: Obj, options: WriteOptions) -> Obj:
    """Return a TokenRequest with its token.

    Raises:
        NotFoundError: there is no such account, or nothing of the kind it is to be bound to.
        InvalidError: it would be valid for too short or too long.
        BadRequestError: it cannot be bound to that.
    """
    tokens = registry.tokens
    account = registry.store.get("serviceaccounts", namespace, name)
    if account is None:
        raise _missing("serviceaccounts", name)
    if tokens is None:
        raise NotFoundError("the server could not find the requested resource")
    spec = request.get("spec") or {}
    seconds = spec.get("expirationSeconds") or 3600
    raise_if_any(TOKEN_REQUEST, "", _failures(seconds))
    bound, node = _bound(registry, namespace, name, spec.get("boundObjectRef"))
    audiences = spec.get("audiences") or []
    token, until = tokens.sign(account, audiences=audiences, seconds=seconds, bound=bound, node=node)
    meta: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": account["metadata"]["uid"],
        "creationTimestamp": format_time(registry.now()),
    }
    if options.field_manager:
        given = {**spec, "expirationSeconds": seconds}
        writer = Writer(
            name=options.field_manager,
            operation="Update",
            api_version=_VERSION,
            time=meta["creationTimestamp"],
            subresource="token",
        )
        asked = {"kind": "TokenRequest", "apiVersion": _VERSION, "metadata": meta, "spec": given}
        meta = track_create(built_in_type(_VERSION, "TokenRequest"), asked, writer, STATUS)["metadata"]
    return {
        "kind": "TokenRequest",
        "apiVersion": _VERSION,
        "metadata": meta,
        "spec": {
            "audiences": audiences or [ISSUER],
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": format_time(until)},
    }


def _failures(seconds: int) -> list[Failure]:
    place = "spec.expirationSeconds"
    if seconds < _MIN_SECONDS:
        return [invalid(place, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > 1 << 32:
        return [invalid(place, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _missing(resource: str, name: str) -> NotFoundError:
    return NotFoundError(f'{resource} "{name}" not found', details={"name": name, "kind": resource})


def _bound(registry: Registry, namespace: str, account: str, reference: Any) -> tuple[Obj | None, Obj | None]:
    """Return what a token is bound to, and the node of a Pod."""
    if not reference:
        return None, None
    version, kind, name = (reference.get(key) or "" for key in ("apiVersion", "kind", "name"))
    if version != "v1" or kind not in _BOUND:
        group, _, plain = version.rpartition("/")
        raise BadRequestError(f"cannot bind token to object of type {group}/{plain}, Kind={kind}")
    found = registry.store.get(_BOUND[kind], "" if kind == "Node" else namespace, name)
    if found is None:
        raise _missing(_BOUND[kind], name)
    uid = reference.get("uid")
    if uid and uid != found["metadata"]["uid"]:
        raise ConflictError(
            f'Operation cannot be fulfilled on {_BOUND[kind]} "{name}": the UID in the bound object '
            f"reference ({uid}) does not match the UID in record. The object might have been deleted and "
            "then recreated",
            details={"name": name, "kind": _BOUND[kind]},
        )
    if kind == "Pod" and (found["spec"].get("serviceAccountName") or "default") != account:
        raise BadRequestError(
            f'cannot bind token for serviceaccount "{account}" to pod running with different '
            "serviceaccount name."
        )
    node = found["spec"].get("nodeName") if kind == "Pod" else None
    return found, registry.store.get("nodes", "", node) if node else None
