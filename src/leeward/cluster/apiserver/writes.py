"""POST, PUT, PATCH and DELETE on resources.

Decides the shape of requests and answers only; defaulting, validation and admission are the
registry's, behind :class:`leeward.cluster.interface.client.TrackingClient`.

Source: ``k8s.io/apiserver/pkg/endpoints/handlers`` (1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from leeward.cluster.apiserver import bodies
from leeward.cluster.apiserver.admission import attended
from leeward.cluster.apiserver.apply import APPLY, checker, field_manager, force_refused, read_configuration
from leeward.cluster.apiserver.fitting import decoded, fitted_patch, fitter
from leeward.cluster.apiserver.http import Answer, Request
from leeward.cluster.apiserver.negotiation import negotiate, respond
from leeward.cluster.apiserver.options import (
    check_field_validation,
    check_propagation,
    is_dry_run,
    read_list_options,
)
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.reads import Reads, make_list
from leeward.cluster.apiserver.selection import matcher_for
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import TrackingClient
from leeward.kube.objects import Obj, is_terminating
from leeward.kube.scale import SCALE_VERSION, scale_of
from leeward.kube.status import BadRequestError, ConflictError, InvalidError, NotFoundError, StatusError

_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

_JOBS = "jobs.batch"
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
    "them or set propagationPolicy=Orphan to suppress this warning"
)

# Kinds whose deletion answers with the object itself, not a Status.
_ANSWERED_WITH_OBJECT = frozenset(
    (
        "customresourcedefinitions.apiextensions.k8s.io",  # which waits for its objects
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    )
)


_PARTS = ("ephemeralcontainers", "resize", "approval")  # of an object that have rules of their own

# Kinds that PUT makes when they are not there.
_MADE_BY_PUT = frozenset(
    (
        "endpoints",
        "events",
        "limitranges",
        "podtemplates",
        "services",
        "leases.coordination.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
    )
)


class Writes:
    """Serves the writing verbs.

    Args:
        client: writes objects.
        dry: answers writes with ``dryRun=All`` without storing; None: they are refused.
        reads: representations.
    """

    def __init__(self, client: TrackingClient, dry: TrackingClient | None, reads: Reads) -> None:
        self._client = client
        self._dry = dry
        self._reads = reads

    def _writer(self, request: Request, served: Served, kind: str) -> TrackingClient:
        client = self._rehearsal() if is_dry_run(request.query.all("dryRun"), kind) else self._client
        return client.tracked(field_manager(request, kind), served.api_version, request.user)

    def _rehearsal(self) -> TrackingClient:
        if self._dry is None:
            raise BadRequestError("dryRun is not served by this cluster's API")
        return self._dry

    async def _answer(
        self,
        request: Request,
        served: Served,
        obj: Obj,
        status: int = 200,
        warnings: Sequence[str] = (),
    ) -> Answer:
        representation = negotiate(request.headers.get("accept", ""))
        include = request.query.text("includeObject", "Metadata")
        (obj,) = await self._reads.as_asked(served, [obj])
        shown = self._reads.shown_alone(served, obj, representation, include)
        return respond(shown, representation, status=status, warnings=tuple(warnings))

    async def _scale_answer(
        self, request: Request, served: Served, obj: Obj, warnings: Sequence[str] = ()
    ) -> Answer:
        """Return the Scale of what was written; in a rehearsal it is one already."""
        if obj.get("kind") != "Scale":
            (obj,) = await self._reads.as_asked(served, [obj])
            obj = scale_of(obj, served.scale)
        return respond(obj, negotiate(request.headers.get("accept", "")), warnings=tuple(warnings))

    @staticmethod
    def _decode(request: Request, served: Served, body: Obj, kind: str) -> tuple[Obj, list[str]]:
        """Return the body as its type has it, and warnings about fields that the type has not."""
        return decoded(body, served, check_field_validation(request.query, kind))

    async def create(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer POST on a collection."""
        client = self._writer(request, served, "CreateOptions")
        obj = bodies.fitted(await bodies.read_object(request, served.kind), served, path)
        obj, warnings = self._decode(request, served, obj, "CreateOptions")
        with _warned(warnings):
            made = await attended(lambda: client.create(served.name, obj))
        return await self._answer(request, served, made, 201, [*warnings, *client.warnings])

    @staticmethod
    async def _read(
        request: Request, api_version: str, kind: str, options: str = "CreateOptions"
    ) -> tuple[Obj, list[str]]:
        """Return the body of a subresource, and warnings about unknown fields."""
        level = check_field_validation(request.query, options)
        return await bodies.read_typed(request, api_version, kind, level)

    @staticmethod
    def _created(request: Request, obj: Obj, warnings: Sequence[str]) -> Answer:
        accept = request.headers.get("accept", "")
        return respond(obj, negotiate(accept), status=201, warnings=tuple(warnings))

    async def bind(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer POST on ``pods/NAME/binding``."""
        client = self._writer(request, served, "CreateOptions")
        body, warnings = await self._read(request, "v1", "Binding")
        node = (body.get("target") or {}).get("name", "")
        await attended(lambda: client.bind(path.namespace, path.name, node))
        return self._created(request, _CREATED, warnings)

    async def evict(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer POST on ``pods/NAME/eviction``."""
        client = self._writer(request, served, "CreateOptions")
        body, warnings = await self._read(request, "policy/v1", "Eviction")
        if ((body.get("metadata") or {}).get("name") or path.name) != path.name:
            raise BadRequestError("name in URL does not match name in Eviction object")
        options: Mapping[str, Any] = body.get("deleteOptions") or {}
        if is_dry_run(options.get("dryRun") or (), "DeleteOptions"):
            client = self._rehearsal().tracked("", served.api_version, request.user)
        evict, grace = client.evict, options.get("gracePeriodSeconds")
        await attended(lambda: evict(path.namespace, path.name, grace_period_seconds=grace))
        return self._created(request, _CREATED, warnings)

    async def request_token(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer POST on ``serviceaccounts/NAME/token``."""
        client = self._writer(request, served, "CreateOptions")
        body, warnings = await self._read(request, "authentication.k8s.io/v1", "TokenRequest")
        return self._created(request, client.request_token(path.namespace, path.name, body), warnings)

    async def finalize(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer PUT on ``namespaces/NAME/finalize``."""
        client = self._writer(request, served, "UpdateOptions")
        obj = bodies.fitted(await bodies.read_object(request, served.kind), served, path)
        obj, warnings = self._decode(request, served, obj, "UpdateOptions")
        obj = {**obj, "metadata": bodies.named(obj["metadata"], path.name)}
        finalized = await attended(lambda: client.finalize_namespace(obj))
        return await self._answer(request, served, finalized, warnings=warnings)

    async def update(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer PUT on an object, its status or its scale."""
        client = self._writer(request, served, "UpdateOptions")
        if path.subresource == "scale":
            return await self._scale(request, path, served, client)
        obj = bodies.fitted(await bodies.read_object(request, served.kind), served, path)
        meta = bodies.named(obj["metadata"], path.name)
        obj, warnings = self._decode(request, served, {**obj, "metadata": meta}, "UpdateOptions")
        _check_versioned(obj, served)
        if path.subresource == "status":
            updated = await attended(lambda: client.update_status(served.name, obj))
            return await self._answer(request, served, updated, warnings=[*warnings, *client.warnings])
        if path.subresource in _PARTS:
            part = _as_patch(obj)
            updated = await attended(
                lambda: client.patch(
                    served.name,
                    path.namespace,
                    path.name,
                    part,
                    patch_type="json",
                    subresource=path.subresource,
                )
            )
            return await self._answer(request, served, updated, warnings=[*warnings, *client.warnings])
        if served.name in _MADE_BY_PUT and client.find(served.name, path.namespace, path.name) is None:
            made = {**obj, "metadata": {k: v for k, v in meta.items() if k not in ("resourceVersion", "uid")}}
            created = await attended(lambda: client.create(served.name, made))
            return await self._answer(request, served, created, 201, [*warnings, *client.warnings])
        with _warned(warnings):
            updated = await attended(lambda: client.update(served.name, obj))
        return await self._answer(request, served, updated, warnings=[*warnings, *client.warnings])

    async def _scale(
        self, request: Request, path: ResourcePath, served: Served, client: TrackingClient
    ) -> Answer:
        scale, warnings = await self._read(request, SCALE_VERSION, "Scale", "UpdateOptions")
        meta = bodies.named(scale.get("metadata") or {}, path.name)
        patch: Obj = {"spec": {"replicas": (scale.get("spec") or {}).get("replicas", 0)}}
        if meta.get("resourceVersion"):
            patch["metadata"] = {"resourceVersion": meta["resourceVersion"]}
        updated = await attended(
            lambda: client.patch(
                served.name, path.namespace, path.name, patch, patch_type="merge", subresource="scale"
            )
        )
        return await self._scale_answer(request, served, updated, warnings)

    async def patch(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer PATCH on an object, its status or its scale."""
        client = self._writer(request, served, "PatchOptions")
        if request.content_type == APPLY:
            return await self._apply(request, path, served, client)
        if request.query.all("force"):
            raise force_refused()
        patch_type, patch = await bodies.read_patch(request, custom=served.custom)
        subresource = path.subresource if path.subresource in ("status", "scale", *_PARTS) else ""
        level = check_field_validation(request.query, "PatchOptions")
        warnings: list[str] = []
        strategic = patch_type == "strategic"
        if patch_type != "json":
            patch, warnings = fitted_patch(patch, served, subresource, level, strategic=strategic)
        patched = await attended(
            lambda: client.patch(
                served.name,
                path.namespace,
                path.name,
                patch,
                patch_type=patch_type,
                subresource=subresource,
                fit=fitter(served, subresource),
            )
        )
        if subresource == "scale":
            return await self._scale_answer(request, served, patched, warnings)
        return await self._answer(request, served, patched, warnings=[*warnings, *client.warnings])

    async def _apply(
        self, request: Request, path: ResourcePath, served: Served, client: TrackingClient
    ) -> Answer:
        """Answer PATCH with a configuration to apply."""
        config = read_configuration(await request.body(), request, path, served)
        force = request.query.flag("force")
        applied, made = await attended(
            lambda: client.apply(
                served.name,
                config,
                namespace=path.namespace,
                force=force,
                subresource=path.subresource,
                fit=checker(served),
            )
        )
        if path.subresource == "scale":
            return await self._scale_answer(request, served, applied)
        return await self._answer(request, served, applied, 201 if made else 200, client.warnings)

    async def delete(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer DELETE on an object."""
        options = await self._delete_options(request)
        dry = is_dry_run(options.get("dryRun") or (), "DeleteOptions")
        warnings = _keep_pods_of_jobs(served, options)
        before = self._client.get(served.name, path.namespace, path.name)
        _check_preconditions(before, served, options.get("preconditions") or {})
        client = (self._rehearsal() if dry else self._client).tracked("", served.api_version, request.user)
        after = await self._remove(client, served, before, options)
        warnings = (*warnings, *client.warnings)
        representation = negotiate(request.headers.get("accept", ""))
        meta, found = after["metadata"], self._client.find(served.name, path.namespace, path.name)
        stays = found is not None and found["metadata"].get("uid") == meta.get("uid")
        if dry:
            held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
            stays = is_terminating(after) and bool(held)
        if stays or served.name in _ANSWERED_WITH_OBJECT or served.name == "namespaces":
            (after,) = await self._reads.as_asked(served, [after])
            return respond(after, representation, warnings=warnings)
        return respond(_deleted(before, served), representation, warnings=warnings)

    async def delete_collection(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer DELETE on a collection."""
        list_options = read_list_options(request.query, watch=False)
        options = await self._delete_options(request)
        dry = is_dry_run(options.get("dryRun") or (), "DeleteOptions")
        matcher = matcher_for(list_options.label_selector, list_options.field_selector, served)
        chosen = list(await self._reads.select(path, served, list_options, matcher))
        client = (self._rehearsal() if dry else self._client).tracked("", served.api_version, request.user)
        for obj in chosen:
            try:
                await self._remove(client, served, obj, options)
            except NotFoundError:
                continue  # an owner's deletion took it along
        representation = negotiate(request.headers.get("accept", ""))
        return respond(make_list(served, chosen, {"resourceVersion": self._reads.revision}), representation)

    @staticmethod
    async def _remove(client: TrackingClient, served: Served, obj: Obj, options: Mapping[str, Any]) -> Obj:
        propagation = options.get("propagationPolicy") or None
        if options.get("orphanDependents") is not None and not propagation:
            propagation = "Orphan" if options["orphanDependents"] else "Background"
        meta = obj["metadata"]
        return await attended(
            lambda: client.delete(
                served.name,
                meta.get("namespace") or "",
                meta["name"],
                uid=meta.get("uid"),
                grace_period_seconds=options.get("gracePeriodSeconds"),
                propagation=propagation,
            )
        )

    async def _delete_options(self, request: Request) -> dict[str, Any]:
        query = request.query
        options: dict[str, Any] = {}
        grace = query.number("gracePeriodSeconds")
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if query.text("propagationPolicy"):
            options["propagationPolicy"] = query.text("propagationPolicy")
        if query.all("dryRun"):
            options["dryRun"] = query.all("dryRun")
        options |= await bodies.read_delete_options(request)
        check_propagation(options.get("propagationPolicy"))
        return options


def _as_patch(obj: Obj) -> list[Obj]:
    """Return the change that puts spec and status in the place of the old ones, if it is the object meant."""
    version = obj["metadata"].get("resourceVersion")
    change = [{"op": "add", "path": f"/{part}", "value": obj.get(part) or {}} for part in ("spec", "status")]
    return (
        [*change, {"op": "replace", "path": "/metadata/resourceVersion", "value": version}]
        if version
        else change
    )


@contextmanager
def _warned(warnings: Sequence[str]) -> Iterator[None]:
    """Tell warnings beside a failure too."""
    try:
        yield
    except StatusError as error:
        error.warnings = tuple(warnings)
        raise


def _check_preconditions(obj: Obj, served: Served, wanted: Mapping[str, Any]) -> None:
    meta = obj["metadata"]
    for field, label, fate in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        if wanted.get(field) and wanted[field] != meta.get(field):
            what = f"{served.kind}.{served.group}" if served.group else served.kind
            details = {**_details(obj, served, uid=False), "kind": served.kind}
            raise ConflictError(
                f'Operation cannot be fulfilled on {what} "{meta["name"]}": '
                f"the {label} in the precondition ({wanted[field]}) does not match "
                f"the {label} in record ({meta.get(field)}). The object might have been {fate}",
                details=details,
            )


def _keep_pods_of_jobs(served: Served, options: dict[str, Any]) -> tuple[str, ...]:
    """Say in `options` that a Job leaves its Pods, where a request says nothing; returns a warning then."""
    said = options.get("propagationPolicy") or options.get("orphanDependents") is not None
    if served.name != _JOBS or said:
        return ()
    options["propagationPolicy"] = "Orphan"
    return (_JOB_WARNING,)


def _check_versioned(obj: Obj, served: Served) -> None:
    """Refuse a custom object that does not say which version it replaces."""
    if not served.custom or obj["metadata"].get("resourceVersion"):
        return
    name, text = obj["metadata"]["name"], "Invalid value: 0: must be specified for an update"
    field = "metadata.resourceVersion"
    cause = {"reason": "FieldValueInvalid", "message": text, "field": field}
    details = {"name": name, "group": served.group, "kind": served.plural, "causes": [cause]}
    what = f"{served.plural}.{served.group}"
    raise InvalidError(f'{what} "{name}" is invalid: {field}: {text}', details=details)


def _details(obj: Obj, served: Served, *, uid: bool = True) -> dict[str, Any]:
    meta = obj["metadata"]
    details: dict[str, Any] = {"name": meta["name"]}
    if served.group:
        details["group"] = served.group
    details["kind"] = served.plural
    if uid and meta.get("uid"):
        details["uid"] = meta["uid"]
    return details


def _deleted(obj: Obj, served: Served) -> Obj:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": _details(obj, served),
    }
