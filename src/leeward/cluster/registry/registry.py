"""The one way into the store: lookup, defaults, admission, validation, metadata, write.

Everything that writes goes through here, requests over HTTPS and the cluster's own components alike,
so they get the same rules and the same errors.

Source: k8s.io/apiserver/pkg/registry/generic/registry/store.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import IPv4Network
from itertools import chain
from typing import Any, TypeVar

from leeward.base.clock import PassiveClock
from leeward.base.ids import IdSource
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.interface.client import Fit, PatchType
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.chain import Admission
from leeward.cluster.registry.admission.plugin import AdmissionOptions, PluginContext, Settle
from leeward.cluster.registry.admission.policies.webhooks import conditions_of_webhook
from leeward.cluster.registry.admission.requests import attributes_of
from leeward.cluster.registry.admission.webhooks.calls import HookCaller
from leeward.cluster.registry.admission.webhooks.dispatch import Webhooks
from leeward.cluster.registry.client import RegistryClient
from leeward.cluster.registry.conversion.catalog import version_of
from leeward.cluster.registry.conversion.webhook import WebhookConversion
from leeward.cluster.registry.conversion.writing import Versions
from leeward.cluster.registry.custom.cleanup import CLEANUP, check_creatable, going, released, resource_of
from leeward.cluster.registry.custom.definitions import established, initial_status
from leeward.cluster.registry.custom.strategies import CustomStrategies
from leeward.cluster.registry.deletion import check_preconditions, is_ready_to_go, plan_deletion
from leeward.cluster.registry.events import EventNames
from leeward.cluster.registry.failures import raise_if_any, required
from leeward.cluster.registry.identity import (
    SERVER_OWNED,
    check_is_object,
    check_meant,
    check_same,
    conflict,
    in_place,
    name_of,
    new_metadata,
    status_metadata,
    still,
    substance,
    with_type,
)
from leeward.cluster.registry.ipallocator import IpAllocator
from leeward.cluster.registry.kinds.catalog import in_tree_strategies
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.cluster.registry.ownership import Ownership
from leeward.cluster.registry.patching import patched_object, patched_scale
from leeward.cluster.registry.scaling import kept_scale
from leeward.cluster.registry.steps import Stepper, Steps
from leeward.cluster.registry.tokens import Tokens
from leeward.cluster.registry.validation.metadata import meta_failures, meta_update_failures
from leeward.cluster.registry.warnings.catalog import warnings_about
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, format_time, is_terminating, key_of
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources
from leeward.kube.status import AlreadyExistsError, NotFoundError

_SERVICE_NETWORK = IPv4Network("10.96.0.0/16")
_PLAIN = Strategy()
T = TypeVar("T")


class Registry:
    """Reads and writes objects by the rules.

    Args:
        store: where they are.
        clock: timestamps.
        ids: uids and name suffixes.
        service_network: where cluster IPs come from.
        options: flags of admission.
        hooks: asks admission webhooks; None: nobody can.
        tokens: signs tokens of service accounts; None: there are none.
    """

    def __init__(
        self,
        store: MemoryStore,
        *,
        clock: PassiveClock,
        ids: IdSource,
        service_network: IPv4Network = _SERVICE_NETWORK,
        options: AdmissionOptions | None = None,
        hooks: HookCaller | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.store = store
        self.tokens = tokens
        self._clock = clock
        self._ids = ids
        self.event_names = EventNames(clock)
        self._resources = {row.name: row for row in BUILT_IN}
        self._custom = CustomStrategies()
        self._strategies = dict(in_tree_strategies().items())
        self.ownership = Ownership(clock, lambda: store.list(CRDS), self._resources.__contains__)
        reader = self.client("system:apiserver")
        webhooks = WebhookConversion(lambda name: store.get(CRDS, "", name), reader, ids)
        self._versions = Versions(self.ownership, webhooks)
        self.rbac = Rbac(reader)
        self._addresses = IpAllocator(reader, service_network)
        context = PluginContext(
            reader=reader,
            clock=clock,
            ids=ids,
            options=options or AdmissionOptions(),
            update=store.update,
            rbac=self.rbac,
        )
        conditions = conditions_of_webhook(reader, self.rbac)
        asked = Webhooks(context, self._versions_of, conditions, self._versions.shown)
        self.admission = Admission(context, asked, self._versions_of, self.ownership.type_of)
        self._stepper = Stepper(hooks)

    def client(self, user: str, *, dry_run: bool = False, manager: str = "") -> RegistryClient:
        """Return a client of the component `user`.

        Args:
            user: who it is.
            dry_run: it answers as if it had written.
            manager: the name under which ``metadata.managedFields`` remembers it; "": it does not.
        """
        return RegistryClient(
            self, User(user), self._clock, dry_run=dry_run, field_manager=manager, component=True
        )

    def now(self) -> datetime:
        """Return the time that writes are stamped with."""
        return self._clock.now()

    def resource(self, name: str) -> Resource:
        """Return the resource called `name`, built in or custom.

        Raises:
            NotFoundError: there is none.
        """
        if name == "events.events.k8s.io":
            name = "events"
        found = self._resources.get(name)
        if found is None:
            rows = custom_resources(self.store.list(CRDS))
            found = next((row for row in rows if row.name == name), None)
        if found is None:
            raise NotFoundError("the server could not find the requested resource")
        return found

    def strategy(self, resource: Resource, api_version: str = "") -> Strategy:
        """Return how `resource` is written in `api_version`; "": in the one that is stored."""
        if resource.name in self._resources:
            return self._strategies.get(resource.name, _PLAIN)
        return self._custom.find(self.store.list(CRDS), resource.name, api_version or resource.api_version)

    def _versions_of(self, name: str) -> Sequence[str]:
        """Return the versions in which a custom resource is served; () for a built-in one."""
        definition = None if name in self._resources else self.store.get(CRDS, "", name)
        versions = ((definition or {}).get("spec") or {}).get("versions") or ()
        return [each["name"] for each in versions if each.get("served")]

    def carry_out(
        self, make: Callable[[], Steps[T]], options: WriteOptions | DeleteOptions, what: Sequence[Any]
    ) -> T:
        """Return what a write returns.

        Args:
            make: begins it.
            options: of the write.
            what: it is, as JSON values.

        Raises:
            WaitingError: it waits for webhooks.
            StatusError: it is refused.
        """
        return self._stepper.finish(make, options.attended, (options.user.name, *what))

    def shown(
        self, name: str, objects: Sequence[Obj], api_version: str, options: WriteOptions
    ) -> Sequence[Obj]:
        """Return stored objects in a version of a custom resource that a webhook converts.

        Raises:
            WaitingError: the webhook has to be asked.
            StatusError: it cannot be done.
        """
        what = ("show", name, api_version, objects)
        resource = self.resource(name)
        return self.carry_out(lambda: self._versions.shown(resource, objects, api_version), options, what)

    def create(self, name: str, obj: Obj, options: WriteOptions) -> Obj:
        """Create an object; returns what was stored, or would have been.

        Raises:
            StatusError: it is refused.
        """
        return self.carry_out(lambda: self._create(name, obj, options), options, ("create", name, obj))

    def _create(self, name: str, obj: Obj, options: WriteOptions) -> Steps[Obj]:
        resource = self.resource(name)
        strategy = self.strategy(resource, options.api_version)
        version = version_of(resource.name, options.api_version)
        obj, options = yield from self._versions.new(resource, strategy, obj, options)
        strategy = self.strategy(resource, options.api_version)
        obj = with_type(resource, obj)
        if resource.name not in self._resources:
            check_creatable(
                self.store.get(CRDS, "", resource.name), resource, obj["metadata"].get("name", "")
            )
        obj = strategy.default(obj)
        if strategy.has_status and not strategy.brings_status:
            obj = {key: value for key, value in obj.items() if key != "status"}
        obj = self.ownership.created(resource, strategy, obj, options)
        write = attributes_of("CREATE", resource, obj, None, options)
        write.complete = strategy.default
        yield from self.admission.admit(write)
        obj = in_place(resource, write.obj, obj["metadata"].get("namespace") or "")
        obj = self._prepared(resource, strategy, obj)
        rules = (version and version.validate_create) or strategy.validate_create or strategy.validate
        failures = [*meta_failures(resource, obj), *rules(obj)] or strategy.validate_rules(obj, None)
        raise_if_any(resource, obj["metadata"]["name"], failures)
        write.obj = obj
        _warn(write, options)
        settle = yield from self.admission.validate(write)
        if options.dry_run or settle:
            self._check_free(resource, obj)
        if options.dry_run:
            return obj
        for each in settle:
            each()
        stored = self._store_new(resource, obj)
        if resource.name == CRDS:
            yield from self._establish(stored)
        return stored

    def _prepared(self, resource: Resource, strategy: Strategy, obj: Obj) -> Obj:
        """Return a new object with what only the server decides."""
        name = self._name_for(resource, obj["metadata"])
        stamp = format_time(self._clock.now())
        obj = {**obj, "metadata": new_metadata(strategy, obj["metadata"], name, self._ids.uid(), stamp)}
        if strategy.has_status and not strategy.brings_status:
            obj = {key: value for key, value in obj.items() if key != "status"}
            if strategy.initial_status is not None:
                obj["status"] = dict(strategy.initial_status)
        if resource.name == CRDS:
            obj["status"] = initial_status(obj)
        obj = strategy.stamp(strategy.prepare_create(obj), None, obj["metadata"]["creationTimestamp"])
        return self._addresses.assign(resource, obj, None) if resource.name == "services" else obj

    def _name_for(self, resource: Resource, meta: Obj) -> str:
        """Return the name of a new object."""
        namespace = (meta.get("namespace") or "") if resource.namespaced else ""
        name = name_of(
            meta, self._ids, is_free=lambda name: self.store.get(resource.name, namespace, name) is None
        )
        if not name:
            text = "name or generateName is required"
            raise_if_any(resource, "", [required("metadata.name", text)])
        return name

    def _store_new(self, resource: Resource, obj: Obj) -> Obj:
        self._check_free(resource, obj)
        return self.store.create(resource.name, obj)

    def _check_free(self, resource: Resource, obj: Obj) -> None:
        """Say that a name is taken, and, should it be so, that it is so no longer soon."""
        key = key_of(obj)
        found = self.store.get(resource.name, *key)
        if found is not None:
            details = {"name": key.name, "kind": resource.plural}
            if resource.group:
                details["group"] = resource.group
            text = f'{resource.name} "{key.name}" already exists'
            going = "object is being deleted: " if is_terminating(found) else ""
            raise AlreadyExistsError(f"{going}{text}", details=details)

    def _establish(self, definition: Obj) -> Steps[None]:
        """Say in the status of a definition that it is served now, and under which names."""
        done = established(definition, self.now())
        if done != definition:
            options = WriteOptions(field_manager="kube-apiserver", api_version=definition["apiVersion"])
            yield from self._replace(self.resource(CRDS), definition, done, options, "status")

    def update(self, name: str, obj: Obj, options: WriteOptions, *, subresource: str = "") -> Obj:
        """Replace an object, or only its status.

        Raises:
            StatusError: it is refused.
        """
        what = ("update", name, subresource, obj)
        return self.carry_out(lambda: self._update(name, obj, options, subresource), options, what)

    def _update(self, name: str, obj: Obj, options: WriteOptions, subresource: str) -> Steps[Obj]:
        resource = self.resource(name)
        meta = obj["metadata"]
        old = self.current(resource, meta.get("namespace") or "", meta["name"])
        strategy = self.strategy(resource, options.api_version)
        old = yield from self._versions.as_stored(resource, old)
        obj, options = yield from self._versions.changed(resource, strategy, old, obj, options, subresource)
        return (yield from self._replace(resource, old, obj, options, subresource))

    def _replace(
        self, resource: Resource, old: Obj, obj: Obj, options: WriteOptions, subresource: str
    ) -> Steps[Obj]:
        check_meant(resource, old, obj)
        strategy = self.strategy(resource, options.api_version)
        if subresource == "status":
            status = strategy.fill_status(obj.get("status") or {}, old.get("status") or {})
            new = {**old, "status": status}
            new["metadata"] = status_metadata(strategy, old, obj, heard=options.is_heard)
            new = strategy.stamp(new, old, format_time(self.now()))
            if resource.name not in self._resources:
                new = strategy.default(new)
                failures = [*meta_failures(resource, new), *strategy.validate(new)]
                raise_if_any(resource, new["metadata"]["name"], failures)
            new = self.ownership.updated(resource, strategy, old, new, None, options, "status")
            write = attributes_of("UPDATE", resource, new, old, options, "status")
            yield from self.admission.admit(write)
            if write.obj is not new:  # nothing but status is written here
                made = still(resource, write.obj, old)
                new = {**new, "metadata": made["metadata"], "status": made.get("status") or {}}
            raise_if_any(resource, new["metadata"]["name"], strategy.validate_status(new, old))
        elif subresource in strategy.parts:
            write = attributes_of("UPDATE", resource, obj, old, options, subresource)
            new = yield from self._new_part(resource, strategy, write, options, subresource)
        else:
            write = attributes_of("UPDATE", resource, obj, old, options, subresource)
            new = yield from self._new_state(resource, strategy, write, options)
        write.obj = new
        if not subresource:
            _warn(write, options)
        settle = yield from self.admission.validate(write)
        if options.dry_run:
            return new
        return (yield from self.store_next(resource, old, new, settle, subresource))

    def store_next(
        self, resource: Resource, old: Obj, new: Obj, settle: Sequence[Settle], subresource: str
    ) -> Steps[Obj]:
        """Store the next state of an object, or delete it where it waited for this only."""
        key, version = key_of(old), old["metadata"]["resourceVersion"]
        now = self.store.get(resource.name, *key)
        if now is not old and (now is None or now["metadata"]["resourceVersion"] != version):
            raise conflict(resource, old)
        for each in settle:
            each()
        if is_ready_to_go(resource, new):
            self.store.delete(resource.name, *key, expected=version)
            self._release_definition(resource.name)
            return new
        stored = self.store.update(resource.name, new)
        if resource.name == CRDS and subresource != "status" and not is_terminating(stored):
            yield from self._establish(stored)
        return stored

    def _new_state(
        self, resource: Resource, strategy: Strategy, write: Attributes, options: WriteOptions
    ) -> Steps[Obj]:
        """Return the next state of all but status: checked, counted, with what the server owns kept."""
        obj, old = write.obj, write.old or {}
        meta = {key: value for key, value in obj["metadata"].items() if value not in (None, {}, [])}
        for key in (*SERVER_OWNED, "resourceVersion", "selfLink", "managedFields"):
            meta.pop(key, None)
        meta = {**{key: old["metadata"][key] for key in SERVER_OWNED if key in old["metadata"]}, **meta}
        new = {**obj, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        if resource.namespaced:
            meta["namespace"] = old["metadata"]["namespace"]
        new = strategy.default(new)
        if strategy.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        new = self.ownership.updated(
            resource,
            strategy,
            old,
            new,
            obj["metadata"].get("managedFields"),
            options,
            write.subresource,
        )
        write.obj, write.complete = new, strategy.default
        yield from self.admission.admit(write)
        new = strategy.prepare_update(still(resource, write.obj, old), old)
        if resource.name == "services":
            new = self._addresses.assign(resource, new, old)
        if strategy.has_generation and substance(new) != substance(old):
            new["metadata"] = {**new["metadata"], "generation": old["metadata"].get("generation", 0) + 1}
        checks = [strategy.validate(new), strategy.validate_update(new, old)]
        failures = [*chain.from_iterable(checks[::-1] if strategy.update_first else checks)]
        of_meta = [
            *meta_failures(resource, new),
            *meta_update_failures(new, old),
            *meta_update_failures(new, old),
        ]
        found = [*of_meta, *failures] or strategy.validate_rules(new, old)
        raise_if_any(resource, meta["name"], found)
        version = old["metadata"]["resourceVersion"]
        return {**new, "metadata": {**new["metadata"], "resourceVersion": version}}

    def _new_part(
        self,
        resource: Resource,
        strategy: Strategy,
        write: Attributes,
        options: WriteOptions,
        subresource: str,
    ) -> Steps[Obj]:
        """Return the object with a new part; nothing else of what is written counts."""
        part, old = strategy.parts[subresource], write.old or {}
        given = {"spec": write.obj.get("spec") or {}, "status": write.obj.get("status") or {}}
        new = strategy.stamp(part.take(strategy.default({**old, **given}), old), old, format_time(self.now()))
        write.obj = self.ownership.updated(resource, strategy, old, new, None, options, subresource)
        yield from self.admission.admit(write)
        new = still(resource, write.obj, old)
        raise_if_any(resource, new["metadata"]["name"], part.validate(new, old))
        if strategy.has_generation and substance(new) != substance(old):
            generation = old["metadata"].get("generation", 0) + 1
            new = {**new, "metadata": {**new["metadata"], "generation": generation}}
        return new

    def patch(
        self,
        name: str,
        namespace: str,
        object_name: str,
        patch: Any,
        options: WriteOptions,
        *,
        patch_type: PatchType = "strategic",
        subresource: str = "",
        fit: Fit | None = None,
    ) -> Obj:
        """Patch an object, its status or its scale; `fit` makes the result one of its type.

        Raises:
            StatusError: it is refused.
        """

        def steps() -> Steps[Obj]:
            resource = self.resource(name)
            old = self.current(resource, namespace, object_name)
            old = yield from self._versions.as_stored(resource, old)
            if subresource == "scale":
                scale = self.strategy(resource).scale
                new = patched_scale(resource, old, patch, patch_type, scale, fit)
                return (yield from self._replace(resource, old, new, options, subresource))
            asked = yield from self._versions.as_asked(resource, old, options)
            patched = patched_object(resource, asked, patch, patch_type)
            check_is_object(patched)
            patched = fit(patched) if fit is not None else patched
            check_same(resource, patched["metadata"], old["metadata"])
            strategy = self.strategy(resource, options.api_version)
            new, decided = yield from self._versions.changed(
                resource, strategy, old, patched, options, subresource
            )
            return (yield from self._replace(resource, old, new, decided, subresource))

        what = ("patch", name, subresource, namespace, object_name, patch_type, patch)
        return self.carry_out(steps, options, what)

    def apply(
        self,
        name: str,
        config: Obj,
        options: WriteOptions,
        *,
        namespace: str = "",
        force: bool = False,
        subresource: str = "",
        fit: Fit | None = None,
    ) -> tuple[Obj, bool]:
        """Apply a configuration; returns the object and whether it was made; `fit` checks it.

        Raises:
            StatusError: it is refused; a ConflictError names the fields that others own.
        """

        def steps() -> Steps[tuple[Obj, bool]]:
            resource = self.resource(name)
            strategy = self.strategy(resource, options.api_version)
            meta = config["metadata"]
            place = namespace or meta.get("namespace") or ""
            old = self.store.get(resource.name, place, meta["name"])
            if old is None and subresource:
                self.current(resource, place, meta["name"])
            asked = None
            if old is not None:
                old = yield from self._versions.as_stored(resource, old)
                asked = yield from self._versions.as_asked(resource, old, options)
            new = self.ownership.applied(
                resource, strategy, asked, config, options, force=force, subresource=subresource
            )
            new = fit(new) if fit is not None else new
            new = kept_scale(asked, new, strategy.scale) if subresource == "scale" else new
            new, decided = yield from self._versions.applied(resource, strategy, new, asked, options)
            if old is None:
                new = {**new, "metadata": {**new["metadata"], "namespace": place}} if place else new
                return (yield from self._create(name, new, decided)), True
            return (yield from self._replace(resource, old, new, decided, subresource)), False

        return self.carry_out(steps, options, ("apply", name, subresource, force, config))

    def delete(self, name: str, namespace: str, object_name: str, options: DeleteOptions) -> Obj:
        """Delete an object, or set it on its way out; returns its last or its new state.

        Raises:
            StatusError: it is refused.
        """
        what = ("delete", name, namespace, object_name, options.uid)
        return self.carry_out(lambda: self.delete_steps(name, namespace, object_name, options), options, what)

    def delete_steps(self, name: str, namespace: str, object_name: str, options: DeleteOptions) -> Steps[Obj]:
        """Delete an object as a part of another write."""
        resource = self.resource(name)
        obj = self.current(resource, namespace, object_name)
        check_preconditions(resource, obj, options)
        write = attributes_of("DELETE", resource, {}, obj, options)
        yield from self.admission.admit(write)
        yield from self.admission.validate(write)
        if self.current(resource, namespace, object_name) is not obj:
            raise conflict(resource, obj)
        return self._remove(resource, obj, options)

    def _remove(self, resource: Resource, obj: Obj, options: DeleteOptions) -> Obj:
        """Delete an object, nobody being asked."""
        deletion = plan_deletion(resource, obj, options, self._clock.now())
        if options.dry_run:
            return deletion.obj
        if resource.name == CRDS:
            return self._delete_definition(obj)
        if deletion.remove:
            if deletion.obj is not obj:
                self.store.update(resource.name, deletion.obj)
            gone = self.store.delete(resource.name, *key_of(obj))
            self._release_definition(resource.name)
            return gone
        return self.store.update(resource.name, deletion.obj)

    def _delete_definition(self, definition: Obj) -> Obj:
        """Delete the objects of a definition, then it, unless something holds one of them."""
        leaving = definition
        if CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            leaving = self.store.update(CRDS, going(definition, self.now()))
        name = definition["metadata"]["name"]
        resource = resource_of(definition)
        for obj in self.store.list(name):
            if self.store.get(name, *key_of(obj)) is obj:
                self._remove(resource, obj, DeleteOptions())
        self._release_definition(name)
        return leaving

    def _release_definition(self, name: str) -> None:
        """Let the definition of a custom resource go, if it waited for the last object only."""
        if name in self._resources:
            return
        definition = self.store.get(CRDS, "", name)
        if definition is None or not is_terminating(definition) or self.store.list(name):
            return
        stored = self.store.update(CRDS, released(definition))
        if not stored["metadata"]["finalizers"]:
            self.store.delete(CRDS, "", name)

    def current(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Return what is stored.

        Raises:
            NotFoundError: it is not there.
        """
        found = self.store.get(resource.name, namespace if resource.namespaced else "", name)
        if found is None:
            details = {"name": name, "kind": resource.plural}
            if resource.group:
                details["group"] = resource.group
            raise NotFoundError(f'{resource.name} "{name}" not found', details=details)
        return found


def _warn(write: Attributes, options: WriteOptions) -> None:
    """Tell a client that listens what is odd about what it writes."""
    if options.is_heard:
        for each in warnings_about(write.resource.name, write.obj, write.old):
            options.warn(each)
