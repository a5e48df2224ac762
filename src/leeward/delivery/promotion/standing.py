"""How an environment stands before a promotion: changed by hand, owned by others, or as it was left.

All of it is found before anybody is asked and before anything is written. Whether others own a field that
would change, the API server says itself: what would be applied is sent as a dry run, for those objects alone
that somebody else has written to.

Invariant: what has a conflict stops a promotion before it begins, unless it takes over (``--force``, and
going back to what was good).

Source: kubernetes.io/docs, "Server-Side Apply", "Conflicts"; ".../api-concepts", "Dry-run".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leeward.delivery import records
from leeward.delivery.environments.environment import Environment
from leeward.delivery.live import KINDS, inhabitants, resource_name
from leeward.delivery.promotion.gates import Blocked
from leeward.delivery.promotion.manifests import find_manifest, without_values
from leeward.delivery.promotion.promoter import KEPT_TO_GO_BACK, is_over
from leeward.delivery.promotion.rollout import (
    APPLIED,
    Key,
    PromotionApi,
    Where,
    is_applied,
    is_of,
    is_stub,
    key_of_kind,
    owners_in,
    stamped,
)
from leeward.delivery.wording.additions import additions
from leeward.delivery.wording.drift import Drift, drift
from leeward.delivery.wording.leftovers import short
from leeward.kube.http import USER_AGENT
from leeward.kube.objects import Obj, is_terminating, key_of
from leeward.kube.status import ConflictError, ForbiddenError, StatusError

_AT_ONCE = 8  # requests at a time
_OURS = (USER_AGENT, "Apply")  # the field manager that promotions are
_SELECTED = re.compile(r'\[name="([^"]*)"\]')
_TAKE_OVER = "Let go of it there, or take it over with --force."
_OWN_NAMESPACE = "Give the environment a namespace of its own, or take it over with --force."


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody else did to an environment, a line each."""

    put_back: Sequence[str] = ()  # changed by hand, and as promoted afterwards
    taken: Sequence[str] = ()  # of others, which the promotion takes over
    blocked: Sequence[Blocked] = ()  # why it must not begin


@dataclass(frozen=True, slots=True)
class Difference:
    """What is otherwise in an environment than it was promoted."""

    drifted: Sequence[Drift]
    added: Sequence[Drift]
    hidden: Sequence[str]  # kinds that whoever asks may not look at


async def look_ahead(
    api: PromotionApi, environment: Environment, objects: Sequence[Obj], before: Sequence[Obj], where: Where
) -> Standing:
    """Return how an environment stands to what would be applied to it.

    Args:
        api: its cluster.
        environment: where to.
        objects: what would be applied, with the values of Secrets.
        before: what the last promotion applied.
        where: how it would be applied.
    """
    if (why := await _uninhabitable(api, environment)) is not None:
        return Standing(blocked=[why])
    live, hidden = await inhabitants(api, where.namespace)
    there = {key_of_kind(obj): obj for obj in live}
    wanted = [there[key] for obj in objects if (key := key_of_kind(obj)) in there]
    foreign = [obj for obj in wanted if not is_of(obj, environment.name)]
    mine = {key: obj for key, obj in there.items() if is_of(obj, environment.name)}
    conflicts = await _conflicts(api, objects, mine, where)
    changed = []
    if before and not await _is_unfinished(api, environment):
        changed = _changed(before, objects, live, hidden)
    by_field = {(each.kind, each.name, each.field): each.text for each in changed}
    lines = [each.line(by_field) for each in conflicts]
    owned = {(each.kind, each.name, field) for each in conflicts for field in each.fields}
    names = [" ".join(key_of_kind(obj)) for obj in foreign]
    back = [str(each) for each in changed if (each.kind, each.name, each.field) not in owned]
    if where.force:
        told = [f"{name}, which something else put there" for name in names]
        return Standing(back, [*told, *lines])
    blocked = [Blocked("conflict", line, _TAKE_OVER) for line in lines]
    if names:
        message = (
            f"{_some(names)} of {where.namespace} is not of {environment.name}: something else put it there"
        )
        blocked.insert(0, Blocked("foreign", message, _OWN_NAMESPACE))
    return Standing(back, (), blocked)


async def difference(api: PromotionApi, environment: Environment, applied: Sequence[Obj]) -> Difference:
    """Return what is otherwise in an environment than its last promotion left it.

    Args:
        api: its cluster.
        environment: that runs something.
        applied: what its last promotion applied.
    """
    live, hidden = await inhabitants(api, environment.namespace, {*KINDS, "Pod"})
    promotion = await api.find(records.PROMOTIONS, environment.hub, environment.promotion)
    if promotion is not None and promotion["spec"].get("rollback"):  # it runs no Jobs again
        applied = [obj for obj in applied if obj["kind"] != "Job"]
    seen = [obj for obj in applied if obj["kind"] not in hidden]
    kept = await kept_for(api, environment)
    return Difference(drift(seen, live, kept), additions(applied, live, kept), sorted(hidden))


async def kept_for(api: PromotionApi, environment: Environment) -> list[Obj]:
    """Return what of the promotion before is still there on purpose: so that it can come back."""
    current = await api.find(records.PROMOTIONS, environment.hub, environment.promotion)
    before = str(((current or {}).get("spec") or {}).get("previous") or "")
    objects = await find_manifest(api, environment.namespace, before) or []
    return [obj for obj in objects if obj["kind"] in KEPT_TO_GO_BACK]


async def _uninhabitable(api: PromotionApi, environment: Environment) -> Blocked | None:
    """Return why nothing can be applied to an environment's namespace, as far as that can be seen."""
    namespace, again = environment.namespace, f"leeward env apply {environment.name}"
    try:
        live = await api.find("namespaces", "", namespace)
    except ForbiddenError:
        return None
    if live is None:
        return Blocked("namespace", f"the namespace {namespace} is not there", f"Make it again: {again}")
    if is_terminating(live):
        message = f"the namespace {namespace} is being deleted"
        return Blocked("namespace", message, f"Wait until it is gone, then make it again: {again}")
    return None


# -- what was changed by hand


async def _is_unfinished(api: PromotionApi, environment: Environment) -> bool:
    """Tell whether a promotion after the one that runs did not end, so that what is there is of both."""
    return await unfinished(api, environment) is not None


async def unfinished(api: PromotionApi, environment: Environment) -> Obj | None:
    """Return the promotion after the one that runs that did not end, if any."""
    number = records.number_of(environment.promotion) + 1 if environment.promotion else 1
    while True:
        name = records.promotion_name(environment.name, number)
        found = await api.find(records.PROMOTIONS, environment.hub, name)
        if found is None or not is_over(found):
            return found
        number += 1


def _changed(
    before: Sequence[Obj], after: Sequence[Obj], live: Sequence[Obj], hidden: Iterable[str]
) -> list[Drift]:
    """Return what is otherwise than it was applied, and will be made otherwise again."""
    blind = frozenset((*hidden, "Job"))  # whether Jobs run again, the difference of releases says
    seen = [obj for obj in before if obj["kind"] not in blind]
    found = [each for each in drift(seen, live) if not each.is_extra]
    if not found:
        return []
    new = [obj for obj in without_values(after) if obj["kind"] not in blind]
    again = {(each.kind, each.name, each.field) for each in drift(new, live)}
    return [each for each in found if (each.kind, each.name, each.field) in again]


# -- what others own


@dataclass(frozen=True, slots=True)
class _Conflict:
    kind: str
    name: str
    owners: Sequence[str]
    fields: Sequence[str]

    def line(self, changed: Mapping[tuple[str, str, str], str]) -> str:
        """Return it in words; `changed` says what became of fields that differ from the last promotion."""
        texts = [changed.get((self.kind, self.name, field)) or short(field) for field in self.fields]
        owners = ", ".join(self.owners)
        return f"{self.kind} {self.name}: {', '.join(texts) or 'something'}, owned by {owners}"


async def _conflicts(
    api: PromotionApi, objects: Sequence[Obj], there: Mapping[Key, Obj], where: Where
) -> list[_Conflict]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(desired: Obj) -> _Conflict | None:
        async with turns:
            return await _conflict(api, desired, where)

    touched = [
        obj
        for obj in objects
        if (live := there.get(key_of_kind(obj))) is not None and _may_conflict(obj, live, where)
    ]
    return [found for found in await asyncio.gather(*map(ask, touched)) if found is not None]


def _may_conflict(desired: Obj, live: Obj, where: Where) -> bool:
    """Tell whether an object would be applied onto one that somebody else has written to."""
    if desired["kind"] == "Job" or is_stub(desired) or is_terminating(live):
        return False
    others = (
        each
        for each in live["metadata"].get("managedFields") or ()
        if (each.get("manager"), each.get("operation")) != _OURS and each.get("subresource") != "status"
    )
    if not any(others):
        return False
    return not is_applied(desired, live, stamped(desired, where)["metadata"]["annotations"][APPLIED], where)


async def _conflict(api: PromotionApi, desired: Obj, where: Where) -> _Conflict | None:
    """Return who owns fields of an object that would change."""
    namespace, name = key_of(desired)
    try:
        await api.patch(
            resource_name(desired), namespace, name, stamped(desired, where), patch_type="apply", dry_run=True
        )
    except ConflictError as error:
        if owners := owners_in(error):
            return _Conflict(desired["kind"], name, owners, _fields(error))
    except StatusError:
        pass  # whatever else is wrong, applying tells
    return None


def _fields(error: ConflictError) -> list[str]:
    causes = (error.details or {}).get("causes") or ()
    named = (str(each.get("field") or "").lstrip(".") for each in causes)
    return list(dict.fromkeys(_SELECTED.sub(r"[\1]", each) for each in named if each))


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{' and more' if names[3:] else ''}"
