"""Writes an environment of ``leeward.yaml`` to its cluster, with the Roles that its ``access`` means.

What is there as it should be is left alone, so that applying again is cheap, and who administers one
environment needs no right to change others. A namespace is that of one environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from leeward.base.clock import PassiveClock
from leeward.base.errors import OperationError
from leeward.delivery.api import Deletes, Finds, Lists
from leeward.delivery.audit.trail import AuditApi, append
from leeward.delivery.environments.access import BINDINGS, LEVELS, ROLES, access_objects, role_name
from leeward.delivery.environments.changes import Change, changes
from leeward.delivery.environments.environment import Environment, read_environment
from leeward.delivery.installing import InstallApi, ensure_definitions, ensure_namespace, holds
from leeward.delivery.previews import PREVIEW_LABEL
from leeward.delivery.records import APP_LABEL, ENVIRONMENT_LABEL, ENVIRONMENTS, hub_of
from leeward.kube.objects import Obj, labels_of
from leeward.kube.status import ForbiddenError, NotFoundError
from leeward.render.naming import dns_label


class ClaimApi(Finds, Lists, Protocol):
    """What finding out whose a namespace is needs of a Kubernetes API."""


class ApplyApi(AuditApi, InstallApi, Deletes, Protocol):
    """What applying environments needs of a Kubernetes API."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying an environment would change."""

    obj: Obj  # the environment as it will be
    before: Environment | None
    after: Environment
    changes: Sequence[Change]
    access: Sequence[Obj]  # Roles and bindings that are not there, or otherwise
    has_namespace: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not self.changes and not self.access and self.has_namespace


async def plan_environment(api: ApplyApi, obj: Obj) -> Plan:
    """Return what would change; `obj` is the environment as it should be.

    Raises:
        OperationError: its namespace is that of another environment, or of something else of leeward's.
    """
    after = read_environment(obj)
    await _refuse_claimed(api, after)
    live = await api.find(ENVIRONMENTS, after.hub, after.name)
    before = None
    if live is not None:
        with contextlib.suppress(OperationError):  # what is damaged is written again
            before = read_environment(live)
    access = [each for each in access_objects(after) if not await _is_there(api, each)]
    return Plan(obj, before, after, changes(before, after), access, await _has_namespace(api, after))


async def _has_namespace(api: ApplyApi, after: Environment) -> bool:
    try:
        return await api.find("namespaces", "", after.namespace) is not None
    except ForbiddenError:  # then it is the business of others
        return True


async def _refuse_claimed(api: ApplyApi, after: Environment) -> None:
    """Refuse a namespace that another environment has, a preview, or the trail of an application."""
    claimants = await _claimants(api, after.namespace)
    what = ""
    for app in sorted({dns_label(after.app), *(app for app, _ in claimants)}):
        if after.namespace == hub_of(app):
            what = f"where the releases and the audit trail of {app} are"
    for app, name in await others_in(api, after):
        what = what or f"that of the environment {name} of {app}"
    with contextlib.suppress(ForbiddenError):  # whoever may not see namespaces makes none
        live = await api.find("namespaces", "", after.namespace)
        if live is not None and PREVIEW_LABEL in labels_of(live):
            what = what or f"that of the preview {labels_of(live)[PREVIEW_LABEL]}, and goes with it"
    if what:
        raise OperationError(
            f"the namespace {after.namespace} is {what}",
            remedy=f"Give {after.name} another namespace in leeward.yaml.",
        )


async def others_in(api: ClaimApi, environment: Environment) -> list[tuple[str, str]]:
    """Return (application, name) of the other environments that have the namespace of an environment.

    Each environment has bindings in its namespace, which say whose they are; whether that still holds, its
    object says.
    """
    claimants = await _claimants(api, environment.namespace)
    found = []
    for app, name in sorted(claimants - {(dns_label(environment.app), environment.name)}):
        try:
            other = await api.find(ENVIRONMENTS, hub_of(app), name)
        except ForbiddenError:  # who may not look at another application's must not write over it either
            found.append((app, name))
        else:
            if other is not None and other["spec"].get("namespace") == environment.namespace:
                found.append((app, name))
    return found


async def _claimants(api: ClaimApi, namespace: str) -> set[tuple[str, str]]:
    return {_claimant(each) for each in await api.list(BINDINGS, namespace)} - {("", "")}


def _claimant(binding: Obj) -> tuple[str, str]:
    labels = labels_of(binding)
    return labels.get(APP_LABEL, ""), labels.get(ENVIRONMENT_LABEL, "")


async def _is_there(api: ApplyApi, desired: Obj) -> bool:
    meta = desired["metadata"]
    live = await api.find(_resource(desired), meta["namespace"], meta["name"])
    keys = ("rules", "roleRef", "subjects")
    return live is not None and all(holds(live.get(key), desired[key]) for key in keys if key in desired)


async def apply_environment(api: ApplyApi, plan: Plan, who: str, clock: PassiveClock) -> None:
    """Carry out a plan, and write it to the audit trail.

    Raises:
        ForbiddenError: the caller may not change something of it.
    """
    after, before = plan.after, plan.before
    await ensure_definitions(api)
    for namespace in (after.hub, after.namespace):
        await ensure_namespace(api, namespace)
    if plan.changes:
        await api.apply(ENVIRONMENTS, plan.obj, force=True)
    for each in plan.access:
        await api.apply(_resource(each), each, force=True)
    if before is not None and before.namespace != after.namespace:
        await _withdraw(api, before)
    details = {
        "changes": [each.field for each in plan.changes],
        "access": dict(after.access),
    }
    await append(
        api,
        after.app,
        who=who,
        action="env-apply",
        environment=after.name,
        result="succeeded",
        details=details,
        clock=clock,
    )


async def _withdraw(api: ApplyApi, before: Environment) -> None:
    """Remove the bindings from the namespace that an environment had before."""
    for level in LEVELS:
        with contextlib.suppress(NotFoundError):
            await api.delete(BINDINGS, before.namespace, role_name(before.name, level))


def _resource(obj: Obj) -> str:
    return ROLES if obj["kind"] == "Role" else BINDINGS
