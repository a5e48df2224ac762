"""What a rendering takes and gives, and what renderers share while it runs.

Invariants: nothing here reads a file, a clock or the environment; :class:`PodDraft` is the only
thing that changes, and only until its service is done.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.findings import path_text
from leeward.compose.project import Project, Service
from leeward.kube.objects import Obj
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF, ORIGIN
from leeward.render.files import DiskFiles, Files
from leeward.render.plan import ProjectPlan, ServicePlan

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How to render.

    Attributes:
        environment: "local" gives ingress hosts under ``localhost``; others need ``x-leeward`` hosts.
        namespace: None: the project's name, with ``-<environment>`` unless local.
        embedded: the target is leeward's own cluster: short drains, no storage class assumptions;
            None: when the environment is local.
        local_domain: what the hosts of services end with on leeward's own cluster.
        images: Compose service → image reference, such as a digest; wins over the file.
        include_secret_values: False leaves Secret objects out (their names stay, from their content).
        files: where the bytes of bind mounts, configs and secrets come from.
    """

    environment: str = LOCAL
    namespace: str | None = None
    embedded: bool | None = None
    local_domain: str = "localhost"
    images: Mapping[str, str] = field(default_factory=dict)
    include_secret_values: bool = True
    files: Files = field(default_factory=DiskFiles)

    @property
    def on_embedded(self) -> bool:
        """Whether the target is leeward's own cluster."""
        return self.environment == LOCAL if self.embedded is None else self.embedded


@dataclass(frozen=True, slots=True)
class RenderResult:
    """The objects in the order to apply them, and every finding on the way."""

    objects: list[Obj]
    diagnostics: list[Diagnostic]
    origins: Mapping[tuple[str, str], Location] = field(default_factory=dict)  # by kind and name


class ProjectContext:
    """One rendering of one project.

    Args:
        project: what to render.
        options: how.
        plan: what was decided about every service beforehand.
        namespace: where everything goes.
    """

    def __init__(self, project: Project, options: RenderOptions, plan: ProjectPlan, namespace: str) -> None:
        self.project = project
        self.options = options
        self.plan = plan
        self.namespace = namespace
        self.findings: list[Diagnostic] = []
        self.origins: dict[tuple[str, str], Location] = {}  # by kind and name
        self._places: dict[str, str] = {}
        self.drafts: dict[str, PodDraft] = {}  # by Compose service, complete when services are rendered

    def report(
        self, path: Sequence[str | int], code: str, severity: Severity, message: str, remedy: str = ""
    ) -> None:
        """Take note of a finding about the value at `path`."""
        self.findings.append(
            Diagnostic(
                path=path_text(tuple(path)),
                location=self.project.locations.find(*path),
                code=code,
                severity=severity,
                message=message,
                remedy=remedy,
            )
        )

    def labels(self) -> dict[str, str]:
        """Return the labels of everything in the project."""
        return {APP_PART_OF: self.plan.part_of, APP_MANAGED_BY: "leeward"}

    def object(
        self,
        api_version: str,
        kind: str,
        name: str,
        *path: str | int,
        annotations: Mapping[str, str] | None = None,
    ) -> Obj:
        """Return the head of an object that comes from the value at `path`.

        Its annotation names file and key; the line, which changes with every line above it, is kept apart.
        """
        found = self.project.locations.find(*path)
        notes = dict(annotations or {})
        if found is not None:
            self.origins[kind, name] = origin = replace(found, file=self._place(found.file))
            notes = {ORIGIN: f"{origin.file} {path_text(path)}".rstrip(), **notes}
        meta: Obj = {"name": name, "namespace": self.namespace, "labels": self.labels()}
        if notes:
            meta["annotations"] = notes
        return {"apiVersion": api_version, "kind": kind, "metadata": meta}

    def _place(self, file: str) -> str:
        """Return `file` of a location relative to the project: the same, wherever leeward is run."""
        if not file or file.startswith("<"):
            return file
        if file not in self._places:
            here = self.project.invoked_in / file
            self._places[file] = os.path.relpath(here, self.project.working_dir)
        return self._places[file]


class ServiceContext:
    """One service of a rendering."""

    def __init__(self, project: ProjectContext, plan: ServicePlan) -> None:
        self.project = project
        self.plan = plan
        self.service: Service = plan.service
        self.options = project.options

    def report(
        self, path: Sequence[str | int], code: str, severity: Severity, message: str, remedy: str = ""
    ) -> None:
        """Take note of a finding about a value inside the service."""
        self.project.report(("services", self.service.name, *path), code, severity, message, remedy)

    def error(self, path: Sequence[str | int], code: str, message: str, remedy: str = "") -> None:
        """Report an error."""
        self.report(path, code, Severity.ERROR, message, remedy)

    def warn(self, path: Sequence[str | int], code: str, message: str, remedy: str = "") -> None:
        """Report a warning."""
        self.report(path, code, Severity.WARNING, message, remedy)

    def note(self, path: Sequence[str | int], code: str, message: str, remedy: str = "") -> None:
        """Report a note."""
        self.report(path, code, Severity.NOTE, message, remedy)

    @property
    def selector(self) -> dict[str, str]:
        """The labels that pick this service's Pods, which are another's when it runs in them."""
        owner = self.project.plan.owner(self.plan)
        return {APP_NAME: owner.name, APP_PART_OF: self.project.plan.part_of}

    def object(
        self,
        api_version: str,
        kind: str,
        name: str,
        *path: str | int,
        annotations: Mapping[str, str] | None = None,
    ) -> Obj:
        """Return the head of an object that belongs to this service."""
        obj = self.project.object(
            api_version, kind, name, "services", self.service.name, *path, annotations=annotations
        )
        obj["metadata"]["labels"] = {APP_NAME: self.plan.name, **obj["metadata"]["labels"]}
        return obj


class PodDraft:
    """A Pod template in the making: every concern adds its part."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.annotations: dict[str, str] = {}
        self.spec: dict[str, Any] = {}
        self.security: dict[str, Any] = {}  # the Pod's securityContext
        self.container: dict[str, Any] = {}
        self.init_containers: list[dict[str, Any]] = []  # finished ones, in the order they run
        self.sidecars: list[dict[str, Any]] = []  # finished containers beside the service's own
        self.volumes: dict[str, dict[str, Any]] = {}  # by name
        self.mounts: list[dict[str, Any]] = []
        self.claims: list[Obj] = []  # volumeClaimTemplates of a StatefulSet
        self.objects: list[Obj] = []  # ConfigMaps, Secrets that the Pod refers to

    def add(self, obj: Obj | None) -> None:
        """Add an object that is named after its content, unless it is there already; None: there is none."""
        if obj is not None and not any(
            (each["kind"], each["metadata"]["name"]) == (obj["kind"], obj["metadata"]["name"])
            for each in self.objects
        ):
            self.objects.append(obj)

    def mount(self, volume: str, path: str, *, sub_path: str | None = None, read_only: bool = False) -> None:
        """Mount `volume` at `path`; of two mounts at one place the later stands, as in Compose."""
        path = posixpath.normpath(path)
        self.mounts = [mount for mount in self.mounts if mount["mountPath"] != path]
        entry: dict[str, Any] = {"name": volume, "mountPath": path}
        if sub_path:
            entry["subPath"] = sub_path
        if read_only:
            entry["readOnly"] = True
        self.mounts.append(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """One concern: what it adds to a Pod, which objects it makes for a service and for the project."""

    name: str
    pod: Callable[[ServiceContext, PodDraft], None] | None = None
    service: Callable[[ServiceContext, PodDraft], list[Obj]] | None = None
    project: Callable[[ProjectContext], list[Obj]] | None = None
