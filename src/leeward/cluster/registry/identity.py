"""What an object is: its type, whose its metadata is, and whether a write means another object. Pure.

Source: k8s.io/apiserver/pkg/registry/rest/{create,meta}.go, pkg/endpoints/handlers/{patch,update}.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.base.ids import IdSource
from leeward.cluster.registry.failures import invalid, raise_if_any
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj, key_of
from leeward.kube.resources import Resource
from leeward.kube.status import BadRequestError, ConflictError, UnreadableVersionError

SERVER_OWNED = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
_MAX_NAME_BASE = 58  # of generateName, so that the suffix fits a DNS label
_NAME_TRIES = 8
_NEW = (*SERVER_OWNED, "name", "generateName", "namespace")
_NOT_FOR_NEW = (*SERVER_OWNED, "resourceVersion", "selfLink", "managedFields", "namespace")
_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
_BY_COMPONENTS = {  # what a component may change with a status
    **dict.fromkeys(("Node", "Pod"), ("labels", "annotations")),
    "Deployment": ("annotations",),
}
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def with_type(resource: Resource, obj: Obj) -> Obj:
    """Return a new object with its type, and metadata without what is the server's.

    Raises:
        BadRequestError: it has a resourceVersion.
    """
    given = obj.get("metadata") or {}
    if given.get("resourceVersion"):
        raise BadRequestError("resourceVersion should not be set on objects to be created")
    meta = {key: value for key, value in given.items() if value and key not in _NOT_FOR_NEW}
    if resource.namespaced:
        meta["namespace"] = given.get("namespace") or "default"
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta, **rest}


def name_of(meta: Obj, ids: IdSource, is_free: Callable[[str], bool]) -> str:
    """Return the name of a new object; one made of ``generateName`` is a free one, if chance allows.

    Source: k8s.io/apiserver/pkg/registry/generic/registry/store.go (RetryGenerateName).
    """
    if meta.get("name") or not meta.get("generateName"):
        return meta.get("name") or ""
    base, tries = meta["generateName"][:_MAX_NAME_BASE], _NAME_TRIES
    name: str = base + ids.suffix()
    while tries > 1 and not is_free(name):
        name, tries = base + ids.suffix(), tries - 1
    return name


def new_metadata(strategy: Strategy, given: Obj, name: str, uid: str, now: str) -> Obj:
    """Return the metadata of a new object with what the server owns."""
    meta: Obj = {"name": name}
    for key in ("generateName", "namespace"):
        if given.get(key):
            meta[key] = given[key]
    meta["uid"] = uid
    if strategy.has_generation:
        meta["generation"] = 1
    meta["creationTimestamp"] = now
    meta.update((key, value) for key, value in given.items() if key not in _NEW)
    return meta


def conflict(resource: Resource, obj: Obj, why: str = _MODIFIED) -> ConflictError:
    """Return the refusal of a write that another one was faster than."""
    name = obj["metadata"]["name"]
    return ConflictError(
        f'Operation cannot be fulfilled on {resource.name} "{name}": {why}',
        details={
            "name": name,
            "kind": resource.plural,
            **({"group": resource.group} if resource.group else {}),
        },
    )


def check_meant(resource: Resource, old: Obj, obj: Obj) -> None:
    """Refuse a next state of another object, or of an older state.

    Raises:
        ConflictError: it is one.
    """
    expected = obj["metadata"].get("resourceVersion") or None
    if expected is not None and not str(expected).isdigit():
        raise UnreadableVersionError(f'strconv.ParseUint: parsing "{expected}": invalid syntax')
    if expected is not None and expected != old["metadata"]["resourceVersion"]:
        raise conflict(resource, old)
    uid = obj["metadata"].get("uid")
    if uid and uid != old["metadata"]["uid"]:
        raise conflict(resource, old, _other_uid(resource, old, uid))


def _other_uid(resource: Resource, old: Obj, uid: str) -> str:
    """Say that an object is meant that is there no more."""
    key = key_of(old)
    path = "/".join(filter(None, ("/registry", resource.plural, key.namespace, key.name)))
    return (
        f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
    )


def check_is_object(patched: Any) -> None:
    """Refuse a patch that leaves no object.

    Raises:
        BadRequestError: it does.
    """
    if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
        raise BadRequestError("the patch leaves no object")


def check_same(resource: Resource, meta: Obj, old: Obj) -> None:
    """Refuse a patch that makes another object of one.

    Raises:
        BadRequestError: it has another name or namespace.
        InvalidError: it has another uid.
    """
    name = meta.get("name") or ""
    if name != old["name"]:
        raise BadRequestError(
            f"the name of the object ({name}) does not match the name on the URL ({old['name']})"
        )
    if resource.namespaced and meta.get("namespace") not in (None, "", old.get("namespace")):
        raise BadRequestError(_OTHER_NAMESPACE)
    uid = meta.get("uid")
    if uid and uid != old["uid"]:
        raise_if_any(resource, name, [invalid("metadata.uid", uid, "field is immutable")] * 2)


def in_place(resource: Resource, obj: Obj, namespace: str) -> Obj:
    """Return what policies and webhooks made of an object; it is in the namespace that it was sent to.

    Raises:
        BadRequestError: they moved it to another one.
    """
    given = obj["metadata"].get("namespace") or ""
    if given == namespace:
        return obj
    if given and resource.namespaced:
        raise BadRequestError(_OTHER_NAMESPACE)
    meta = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return {**obj, "metadata": {**meta, "namespace": namespace} if namespace else meta}


def still(resource: Resource, obj: Obj, old: Obj) -> Obj:
    """Return what policies and webhooks made of the next state of an object; what the server owns stays.

    Raises:
        BadRequestError: it has another namespace.
        InvalidError: it has another name or uid.
    """
    obj, was = in_place(resource, obj, old["metadata"].get("namespace") or ""), old["metadata"]
    meta = obj["metadata"]
    if all(meta.get(key) == was.get(key) for key in ("name", *SERVER_OWNED)):
        return obj
    failures = []
    for key in ("name", "uid"):
        value = meta.get(key) or ""
        if value != was.get(key) and (value or key == "name"):
            failures += [invalid(f"metadata.{key}", value, "field is immutable")] * 2
    raise_if_any(resource, meta.get("name") or "", failures)
    rest = {key: value for key, value in meta.items() if key not in SERVER_OWNED}
    return {**obj, "metadata": {**rest, **{key: was[key] for key in SERVER_OWNED if key in was}}}


def substance(obj: Obj) -> Obj:
    """Return what counts for metadata.generation: all but metadata (a status of its own was kept)."""
    return {key: value for key, value in obj.items() if key != "metadata"}


def status_metadata(strategy: Strategy, old: Obj, obj: Obj, *, heard: bool) -> dict[str, Any]:
    """Return the metadata of an object whose status is written: some of it may change with it.

    Components write what they read a while ago, so of theirs only what kubelets say of Pods and nodes counts,
    and the revision of a Deployment.
    """
    fields = strategy.status_metadata if heard else _BY_COMPONENTS.get(old["kind"], ())
    changed = {field: obj["metadata"].get(field) for field in fields}
    if not heard:
        changed = {field: value for field, value in changed.items() if field in obj["metadata"]}
    meta = {key: value for key, value in old["metadata"].items() if key not in changed}
    return {**meta, **{field: value for field, value in changed.items() if value}}


def finalized(obj: Obj, old: Obj) -> Obj:
    """Return a namespace with metadata and finalizers of `obj`; status and what is the server's stay."""
    given = {key: value for key, value in obj["metadata"].items() if value not in (None, {}, [])}
    for key in (*SERVER_OWNED, "resourceVersion", "selfLink", "managedFields"):
        given.pop(key, None)
    kept = (*SERVER_OWNED, "resourceVersion")
    owned = {key: old["metadata"][key] for key in kept if key in old["metadata"]}
    finalizers = (obj.get("spec") or {}).get("finalizers")
    spec = {"finalizers": finalizers} if finalizers else {}
    return {**old, "metadata": {**given, **owned}, "spec": spec}
