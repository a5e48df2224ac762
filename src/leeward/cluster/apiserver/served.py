"""What the API serves: every resource with its version, names, verbs and subresources.

Built from the shared resource table and the CustomResourceDefinitions of the moment; rebuilt only when
a definition changes.

Source: the discovery documents of kube-apiserver 1.36 (short names, categories, subresources).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.apiserver.decoding import fit_document
from leeward.cluster.apiserver.printers.custom import custom_printer
from leeward.cluster.apiserver.printers.table import Printer
from leeward.cluster.registry.custom.strategies import schema_of
from leeward.kube.objects import Obj
from leeward.kube.resources import ALL_VERBS, BUILT_IN, Resource, custom_resources
from leeward.kube.scale import ScalePaths, scale_paths
from leeward.kube.versions import version_priority

_log = logging.getLogger(__name__)

_UNSERVED_VERBS = {("namespaces", "deletecollection")}

# Groups in the order of discovery; others, of custom kinds, follow.
_GROUPS = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)

# What is asked and answered, never stored.
_REVIEWS = (
    Resource("selfsubjectreviews.authentication.k8s.io", "authentication.k8s.io", "SelfSubjectReview", False),
    Resource("tokenreviews.authentication.k8s.io", "authentication.k8s.io", "TokenReview", False),
    *(
        Resource(
            f"{kind.lower()}s.authorization.k8s.io",
            "authorization.k8s.io",
            kind,
            kind.startswith("Local"),
        )
        for kind in (
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        )
    ),
)

_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")

# subresource: (group, version, kind, verbs); absent ones are the parent's own kind
_SUBRESOURCES: Mapping[str, tuple[str, str, str, str]] = {
    "attach": ("", "v1", "PodAttachOptions", "create,get"),
    "binding": ("", "v1", "Binding", "create"),
    "ephemeralcontainers": ("", "v1", "Pod", "get,patch,update"),
    "eviction": ("policy", "v1", "Eviction", "create"),
    "exec": ("", "v1", "PodExecOptions", "create,get"),
    "finalize": ("", "v1", "Namespace", "update"),
    "log": ("", "v1", "Pod", "get"),
    "portforward": ("", "v1", "PodPortForwardOptions", "create,get"),
    "proxy": ("", "v1", "ProxyOptions", "create,delete,get,patch,update"),
    "resize": ("", "v1", "Pod", "get,patch,update"),
    "scale": ("autoscaling", "v1", "Scale", "get,patch,update"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", "create"),
}


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource; `verbs` are API verbs."""

    name: str
    group: str
    version: str
    kind: str
    verbs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Served:
    """One resource at one version."""

    name: str  # "deployments.apps", as stores know it
    group: str
    version: str
    plural: str
    singular: str
    kind: str
    list_kind: str
    namespaced: bool
    short_names: Sequence[str]
    categories: Sequence[str]
    subresources: Sequence[Subresource]
    verbs: Sequence[str] = ALL_VERBS
    custom: bool = False
    storage_version: str = ""
    schema: Mapping[str, Any] | None = field(default=None, compare=False)  # of a kind that Kubernetes has not
    selectable: Sequence[str] = ()  # fields by which a custom kind is selected
    printer: Printer | None = field(default=None, compare=False)  # of a custom kind
    scale: ScalePaths | None = None  # where a custom kind keeps its replicas
    deprecation: str = ""  # the warning that every answer carries
    converts: bool = False  # a webhook converts the versions of a custom kind

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def subresource(self, name: str) -> Subresource | None:
        """Return the subresource called `name`, if any."""
        return next((found for found in self.subresources if found.name == name), None)


def _subresource(name: str, group: str, version: str, kind: str) -> Subresource:
    if name not in _SUBRESOURCES:  # status, approval: the parent itself
        return Subresource(name, group, version, kind, ("get", "patch", "update"))
    own_group, own_version, own_kind, verbs = _SUBRESOURCES[name]
    if name == "proxy":
        own_kind = f"{kind}ProxyOptions"
    return Subresource(name, own_group, own_version, own_kind, verbs.split(","))


def _built_in(resource: Resource) -> Served:
    verbs = tuple(verb for verb in resource.verbs if (resource.name, verb) not in _UNSERVED_VERBS)
    return Served(
        name=resource.name,
        group=resource.group,
        version=resource.version,
        plural=resource.plural,
        singular=resource.singular,
        kind=resource.kind,
        list_kind=f"{resource.kind}List",
        namespaced=resource.namespaced,
        short_names=resource.short_names,
        categories=resource.categories,
        subresources=tuple(
            _subresource(name, resource.group, resource.version, resource.kind)
            for name in sorted(resource.subresources)
        ),
        verbs=verbs,
    )


def _custom(definition: Obj) -> Iterable[Served]:
    spec = definition["spec"]
    names, group = spec["names"], spec["group"]
    for version in sorted(spec.get("versions") or (), key=lambda each: version_priority(each["name"])):
        if not version.get("served", True):
            continue
        subs = [name for name in ("status", "scale") if name in (version.get("subresources") or {})]
        yield Served(
            name=f"{names['plural']}.{group}",
            group=group,
            version=version["name"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            kind=names["kind"],
            list_kind=names.get("listKind") or f"{names['kind']}List",
            namespaced=spec.get("scope") == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(_subresource(sub, group, version["name"], names["kind"]) for sub in subs),
            verbs=_CUSTOM_VERBS,
            custom=True,
            schema=schema_of(spec, version["name"]),
            printer=custom_printer(version.get("additionalPrinterColumns") or ()),
            selectable=tuple(
                each["jsonPath"].removeprefix(".") for each in version.get("selectableFields") or ()
            ),
            scale=scale_paths(version),
            deprecation=_deprecation(version, spec),
            converts=(spec.get("conversion") or {}).get("strategy") == "Webhook",
        )


class SoundDefinitions:
    """Leaves out definitions of wrong types, as an earlier release stored them: they stop nobody else."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Obj, bool]] = {}

    def __call__(self, definitions: Iterable[Obj]) -> list[Obj]:
        """Return the definitions that can be served; those that cannot are logged, once."""
        judged: dict[str, tuple[Obj, bool]] = {}
        for each in definitions:
            name = each["metadata"]["name"]
            known = self._known.get(name)
            judged[name] = known if known is not None and known[0] is each else (each, _is_sound(each))
        self._known = judged
        return [each for each, sound in judged.values() if sound]


def _is_sound(definition: Obj) -> bool:
    try:
        fit_document(definition, "apiextensions.k8s.io/v1", "CustomResourceDefinition", whole=True)
        tuple(_custom(definition))
        return bool(custom_resources([definition]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        name = definition["metadata"]["name"]
        _log.warning("CustomResourceDefinition %s cannot be served: %s", name, error)
        return False


def _deprecation(version: Obj, spec: Obj) -> str:
    """Return the warning of a version of a custom kind; "": none.

    Source: k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go
    """
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return str(version["deprecationWarning"])
    group, kind, name = spec["group"], spec["names"]["kind"], version["name"]
    newer = sorted(
        (each["name"] for each in spec["versions"] if each.get("served") and not each.get("deprecated")),
        key=version_priority,
    )
    text = f"{group}/{name} {kind} is deprecated"
    if newer and version_priority(newer[0]) < version_priority(name):
        return f"{text}; use {group}/{newer[0]} {kind}"
    return text


class Catalog:
    """Everything served, by URL.

    Args:
        definitions: the CustomResourceDefinitions.
        more: resources that are no objects in the store.
    """

    def __init__(self, definitions: Iterable[Obj] = (), more: Iterable[Served] = ()) -> None:
        rows = [*BUILT_IN, *(row._replace(version="v1") for row in BUILT_IN if row.group == "autoscaling")]
        rows += [row._replace(verbs=("create",)) for row in _REVIEWS]
        self.resources: list[Served] = [
            _built_in(row) for row in sorted(rows, key=lambda row: _GROUPS.index(row.group))
        ]
        for definition in definitions:
            self.resources.extend(_custom(definition))
        self.resources.extend(more)
        self._by_url = {(found.group, found.version, found.plural): found for found in self.resources}
        self._versions = {(found.group, found.version) for found in self.resources}

    def has(self, group: str, version: str) -> bool:
        """Tell whether a group version is served."""
        return (group, version) in self._versions

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """Return the resource of a URL, if it is served."""
        return self._by_url.get((group, version, plural))

    def groups(self) -> dict[str, list[str]]:
        """Return the versions of each group, "" first, in the order of registration."""
        found: dict[str, list[str]] = {}
        for resource in self.resources:
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found

    def of(self, group: str, version: str) -> list[Served]:
        """Return the resources of a group version, ordered by name."""
        found = [item for item in self.resources if (item.group, item.version) == (group, version)]
        return sorted(found, key=lambda item: item.plural)
