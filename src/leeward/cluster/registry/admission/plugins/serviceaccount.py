"""ServiceAccount: every Pod runs as one, and finds its token in its containers.

Source: plugin/pkg/admission/serviceaccount/admission.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from leeward.base.ids import IdSource
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import Handler, PluginContext, PluginDescriptor
from leeward.cluster.registry.admission.references import secret_names
from leeward.kube.objects import Obj, annotations_of

MIRROR = "kubernetes.io/config.mirror"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_VOLUME = "kube-api-access-"
_EXPIRATION = 3607  # seconds; the odd number says that nobody asked for it
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


class ServiceAccount:
    """Knows the service accounts.

    Args:
        reader: where they are.
        ids: suffixes of volumes' names.
        bundles: (ConfigMap, key) of further certificates next to the token.
    """

    def __init__(self, reader: Reader, ids: IdSource, bundles: Collection[tuple[str, str]]) -> None:
        self._reader = reader
        self._ids = ids
        self._source = _token_source(bundles)

    def admit(self, write: Attributes) -> Obj:
        """Name the account and mount its token."""
        pod = write.obj
        if MIRROR in annotations_of(pod):
            self.validate(write)
            return pod
        spec = pod["spec"]
        if not spec.get("serviceAccountName"):
            spec = {**spec, "serviceAccountName": "default", "serviceAccount": "default"}
        account = self._account(write, spec["serviceAccountName"])
        automount = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken"))
        if automount is None or automount:
            spec = self._with_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            names = [{"name": each["name"]} for each in account["imagePullSecrets"] if each.get("name")]
            spec = {**spec, "imagePullSecrets": names}
        return {**pod, "spec": spec}

    def validate(self, write: Attributes) -> None:
        """Refuse a Pod without an account, or that uses what its account must not."""
        spec = write.obj["spec"]
        if MIRROR in annotations_of(write.obj):
            _check_mirror(write, spec)
            return
        problem = _beyond(self._account(write, spec.get("serviceAccountName") or ""), spec)
        if problem:
            raise write.forbidden(problem)

    def validate_ephemeral(self, write: Attributes) -> None:
        """Refuse ephemeral containers that use Secrets which the account must not."""
        spec = write.obj["spec"]
        account = self._account(write, spec.get("serviceAccountName") or "")
        if _is_limited(account):
            containers = spec.get("ephemeralContainers") or ()
            problem = _secret_variables(account, containers, "ephemeral container")
            if problem:
                raise write.forbidden(problem)

    def _account(self, write: Attributes, name: str) -> Obj:
        namespace = write.namespace
        if not name:
            pod = write.obj["metadata"].get("name") or ""
            raise write.forbidden(f"no service account specified for pod {namespace}/{pod}")
        found = self._reader.find("serviceaccounts", namespace, name)
        if found is None:
            raise write.forbidden(
                f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            )
        return found

    def _with_token(self, spec: Obj) -> Obj:
        volumes = spec.get("volumes") or ()
        names = [each.get("name") or "" for each in volumes]
        there = next((name for name in names if name.startswith(_VOLUME)), "")
        mount = {"name": there, "readOnly": True, "mountPath": _PATH}
        new, needed = dict(spec), False
        for field in ("initContainers", "containers"):
            if not spec.get(field):
                continue
            lacking = [not _is_mounted(container) for container in spec[field]]
            if any(lacking):
                if not mount["name"]:
                    mount["name"] = f"{_VOLUME}{self._ids.suffix()}"
                needed = True
                new[field] = [
                    {**each, "volumeMounts": [*(each.get("volumeMounts") or ()), dict(mount)]}
                    if lacks
                    else each
                    for each, lacks in zip(spec[field], lacking, strict=True)
                ]
        if needed and not there:
            new["volumes"] = [*volumes, {"name": mount["name"], "projected": self._source}]
        return new


def _is_mounted(container: Obj) -> bool:
    return any(each.get("mountPath") == _PATH for each in container.get("volumeMounts") or ())


def _token_source(bundles: Collection[tuple[str, str]]) -> Obj:
    """Return the source of the volume with a token, what to trust, and the namespace."""
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources: list[Any] = [
        {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
        _bundle("kube-root-ca.crt", "ca.crt"),
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
        *(_bundle(name, key) for name, key in bundles),
    ]
    return {"sources": sources, "defaultMode": 0o644}


def _bundle(name: str, key: str) -> Obj:
    return {"configMap": {"name": name, "items": [{"key": key, "path": key}]}}


def _check_mirror(write: Attributes, spec: Obj) -> None:
    """Refuse a mirror Pod that refers to what only the API knows."""
    if spec.get("serviceAccountName"):
        raise write.forbidden("a mirror pod may not reference service accounts")
    if any(True for _ in secret_names(spec)):
        raise write.forbidden("a mirror pod may not reference secrets")
    for volume in spec.get("volumes") or ():
        if any("serviceAccountToken" in s for s in (volume.get("projected") or {}).get("sources") or ()):
            raise write.forbidden("a mirror pod may not use ServiceAccountToken volume projections")


def _is_limited(account: Obj) -> bool:
    return annotations_of(account).get(_ENFORCE) in _TRUE


def _beyond(account: Obj, spec: Obj) -> str | None:
    """Return what a Pod uses that a limited account does not list."""
    if not _is_limited(account):
        return None
    own = account["metadata"]["name"]
    secrets = {each.get("name") for each in account.get("secrets") or ()}
    for volume in spec.get("volumes") or ():
        name = (volume.get("secret") or {}).get("secretName")
        if "secret" in volume and name not in secrets:
            return (
                f'volume with secret.secretName="{name}" is not allowed because service account {own} '
                "does not reference that secret"
            )
    for field, what in (("initContainers", "init container"), ("containers", "container")):
        problem = _secret_variables(account, spec.get(field) or (), what)
        if problem:
            return problem
    pulled = {each.get("name") for each in account.get("imagePullSecrets") or ()}
    for index, each in enumerate(spec.get("imagePullSecrets") or ()):
        if each.get("name") not in pulled:
            return (
                f'imagePullSecrets[{index}].name="{each.get("name")}" is not allowed because service account '
                f"{own} does not reference that imagePullSecret"
            )
    return None


def _secret_variables(account: Obj, containers: Sequence[Obj], what: str) -> str | None:
    secrets = {each.get("name") for each in account.get("secrets") or ()}
    for container in containers:
        for variable in container.get("env") or ():
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
            if reference and reference.get("name") not in secrets:
                return (
                    f"{what} {container['name']} with envVar {variable['name']} referencing "
                    f'secret.secretName="{reference.get("name")}" is not allowed because service account '
                    f"{account['metadata']['name']} does not reference that secret"
                )
    return None


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = ServiceAccount(context.reader, context.ids, context.options.extra_token_bundles)
    return (
        Handler(operations=("CREATE",), resources=("pods",), admit=plugin.admit, validate=plugin.validate),
        Handler(
            operations=("UPDATE",),
            resources=("pods",),
            subresources=("ephemeralcontainers",),
            validate=plugin.validate_ephemeral,
        ),
    )


DESCRIPTOR = PluginDescriptor(name="ServiceAccount", build=build)
