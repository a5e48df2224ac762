"""Brings the objects of a promotion to their namespace, waits until they are up, and takes away what left.

Objects are applied on the server's side, as the field manager ``leeward``: what others own is a conflict,
which is told and not overridden unless asked. What is as it was applied last is left alone, so that doing it
again after a crash, or for nothing, is cheap and safe. Jobs run once for each template, and again when they
have failed.

Invariant: nothing is deleted before everything new is up, and volumes never.

Source: kubernetes.io/docs, "Server-Side Apply".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from leeward.base.clock import Clock, within
from leeward.base.errors import OperationError
from leeward.delivery.api import Api, Applies
from leeward.delivery.apply import has_drifted, in_order
from leeward.delivery.live import (
    POLL_SECONDS,
    delete_and_wait,
    delete_quietly,
    owned,
    resource_name,
    unwanted,
)
from leeward.delivery.promotion.lease import LeaseApi
from leeward.delivery.promotion.verification import VerificationApi
from leeward.delivery.records import ENVIRONMENT_LABEL, digest_of
from leeward.delivery.startup import Show, Startup
from leeward.kube.http import UnreachableError, may_pass
from leeward.kube.objects import Obj, annotations_of, is_condition_true, is_terminating, labels_of
from leeward.kube.status import ConflictError, ForbiddenError, StatusError
from leeward.kube.wellknown import APP_NAME

APPLIED, RELEASE = "leeward.dev/applied", "leeward.dev/release"
_AT_ONCE = 8  # requests at a time
_OWNER = re.compile(r'conflicts? with "([^"]+)"')
Key = tuple[str, str]  # kind and name


class PromotionApi(Api, LeaseApi, VerificationApi, Applies, Protocol):
    """What promotions need of a Kubernetes API; ``leeward.kube.client`` fulfils it over HTTPS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a promotion goes, and how long it may take."""

    project: str  # as labels have it
    namespace: str
    environment: str
    release: str  # both are written onto every object
    timeout: float = 600.0  # seconds until everything is up
    force: bool = False  # take over fields that others own
    runs_jobs: bool = True  # False when what was there is restored: Jobs have run already
    restores: bool = False  # what was not touched meanwhile stays, whoever changed it


def key_of_kind(obj: Obj) -> Key:
    """Return the kind and name of an object."""
    return obj["kind"], obj["metadata"]["name"]


def is_stub(obj: Obj) -> bool:
    """Tell whether an object only stands for a Secret that has to be there already."""
    return obj["kind"] == "Secret" and not (obj.get("data") or obj.get("stringData"))


class Rollout:
    """One set of objects on its way into a namespace."""

    def __init__(self, api: PromotionApi, clock: Clock, where: Where, show: Show) -> None:
        self._api = api
        self._clock = clock
        self._where = where
        self._show = show
        self._live: dict[Key, Obj] = {}

    async def begin(self, objects: Sequence[Obj]) -> None:
        """See what is there, and make the namespace.

        Raises:
            OperationError: something is in the way that is not of this environment.
        """
        where = self._where
        self._live = {
            key_of_kind(obj): obj for _, obj in await owned(self._api, where.project, where.namespace)
        }
        self._refuse_foreign(objects)
        for obj in objects:
            if obj["kind"] == "Namespace":
                await self._apply_namespace(obj)

    async def apply(self, objects: Sequence[Obj]) -> None:
        """Apply `objects` in their order, after :meth:`begin`, and wait until every workload is up.

        Raises:
            OperationError: others own a field, the API refuses an object, a workload does not come up, or not
                in time; says which and why.
        """
        where = self._where
        first, workloads = in_order(list(objects))
        settled = frozenset[str]()
        if not where.runs_jobs:
            jobs = [obj for obj in workloads if obj["kind"] == "Job"]
            workloads = [obj for obj in workloads if obj["kind"] != "Job"]
            settled = frozenset(labels_of(obj).get(APP_NAME) or obj["metadata"]["name"] for obj in jobs)
        await self._at_once([obj for obj in first if obj["kind"] != "Namespace"])
        startup = Startup(
            self._api, self._clock, where.project, where.namespace, workloads,
            apply=self._apply_one, show=self._show, settled=settled,
        )  # fmt: skip
        try:
            await within(self._clock, where.timeout, startup.run())
        except TimeoutError as error:
            raise OperationError(
                f"not up after {where.timeout:.0f} s: {startup.unfinished()}",
                remedy="Look at what its Pods say, or give it more time with --timeout.",
            ) from error

    async def prune(self, objects: Iterable[Obj], keep: Collection[Key] = ()) -> int:
        """Delete what this environment has and is not among `objects`, nor to be kept; returns how many."""
        where = self._where
        mine = await owned(self._api, where.project, where.namespace)
        gone = [
            (resource, live)
            for resource, live in unwanted(mine, objects)
            if key_of_kind(live) not in keep and self._is_ours(live)
        ]
        for resource, live in gone:
            await delete_quietly(self._api, resource, live)
        return len(gone)

    def _is_ours(self, live: Obj) -> bool:
        return is_of(live, self._where.environment)

    def _refuse_foreign(self, objects: Iterable[Obj]) -> None:
        """Refuse, before anything is written, to lay hands on what somebody else put there.

        Raises:
            OperationError: there is such a thing, and it is not to be taken over.
        """
        there = [self._live.get(key_of_kind(obj)) for obj in objects]
        foreign = [" ".join(key_of_kind(live)) for live in there if live and not self._is_ours(live)]
        if foreign and not self._where.force:
            raise OperationError(
                f"{', '.join(foreign[:3])}{' and more' if foreign[3:] else ''} of {self._where.namespace} "
                f"is not of {self._where.environment}: something else put it there",
                remedy="Give the environment a namespace of its own, or take it over with --force.",
            )

    async def _apply_namespace(self, desired: Obj) -> None:
        """Apply the labels of the namespace where that is allowed; it is the business of administrators."""
        name = desired["metadata"]["name"]
        live = await self._api.find("namespaces", "", name)
        if live is not None and not has_drifted(desired, live):
            return
        try:
            await self._api.apply("namespaces", desired, force=True)
        except ForbiddenError as error:
            if live is None:
                raise _refused(desired, error) from error
            self._show(
                f"the labels of the namespace {name} stay as they are, which only an administrator changes"
            )

    async def _at_once(self, objects: Sequence[Obj]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(obj: Obj) -> None:
            async with turns:
                await self._apply_one(obj)

        await gather_all(one(obj) for obj in objects)

    async def _apply_one(self, desired: Obj) -> None:
        live = self._live.get(key_of_kind(desired))
        if is_stub(desired):
            await self._require(desired, live)
            return
        marked = stamped(desired, self._where)
        digest = marked["metadata"]["annotations"][APPLIED]
        resource, meta = resource_name(desired), desired["metadata"]
        while live is not None and is_terminating(live):  # an earlier one is still going
            await self._clock.sleep(POLL_SECONDS)
            live = await self._api.find(resource, meta.get("namespace") or "", meta["name"])
        is_same = live is not None and annotations_of(live).get(APPLIED) == digest
        if live is not None and is_applied(desired, live, digest, self._where):
            return
        if live is not None and desired["kind"] == "Job" and (not is_same or _has_failed(live)):
            await delete_and_wait(self._api, self._clock, resource, meta["namespace"], meta["name"])
        try:
            await self._api.apply(resource, marked, force=self._where.force)
        except StatusError as error:
            if may_pass(error):
                raise UnreachableError(
                    f"the cluster does not take {' '.join(key_of_kind(desired))}: {error}"
                ) from error
            raise _refused(desired, error) from error

    async def _require(self, stub: Obj, live: Obj | None) -> None:
        meta = stub["metadata"]
        if live is None and await self._api.find("secrets", meta["namespace"], meta["name"]) is None:
            raise OperationError(
                f"Secret {meta['name']} is gone, and its values are not kept with the promotion",
                remedy="Promote the release again, which makes it from `leeward env`.",
            )


def stamped(desired: Obj, where: Where) -> Obj:
    """Return an object as it is applied: with what it is of, and the digest of what it is."""
    notes = {
        **annotations_of(desired),
        APPLIED: digest_of(desired),
        RELEASE: where.release,
        ENVIRONMENT_LABEL: where.environment,
    }
    return {**desired, "metadata": {**desired["metadata"], "annotations": notes}}


def is_applied(desired: Obj, live: Obj, digest: str, where: Where) -> bool:
    """Tell whether a live object is left alone, because it is what would be applied."""
    notes = annotations_of(live)
    if notes.get(APPLIED) != digest or notes.get(RELEASE) != where.release:
        return False
    if desired["kind"] == "Job":
        return not _has_failed(live)
    return where.restores or not has_drifted(desired, live)


def is_of(live: Obj, environment: str) -> bool:
    """Tell whether a promotion to an environment applied a live object."""
    return annotations_of(live).get(ENVIRONMENT_LABEL) == environment


def _has_failed(job: Obj) -> bool:
    return is_condition_true(job, "Failed")


async def gather_all(work: Iterable[Awaitable[Any]]) -> None:
    """Wait for all of `work`; raises the first error when everything has ended, so that nothing goes on."""
    results = await asyncio.gather(*work, return_exceptions=True)
    errors = [found for found in results if isinstance(found, BaseException)]
    if errors:
        raise next((each for each in errors if not isinstance(each, Exception)), errors[0])


def owners_in(error: ConflictError) -> list[str]:
    """Return the field managers whose fields a refused object has."""
    return sorted(set(_OWNER.findall(str(error))))


def _refused(obj: Obj, error: StatusError) -> OperationError:
    """Return what the API has against an object, in words."""
    name = f"{obj['kind']} {obj['metadata']['name']}"
    if isinstance(error, ConflictError) and (owners := owners_in(error)):
        return OperationError(
            f"{name}: {', '.join(owners)} changed what leeward would write: {error}",
            remedy="Let go of it there, or take it over with --force.",
        )
    return OperationError(f"{name} is refused: {error}", remedy="Correct it in the Compose file.")


def restoring(where: Where, release: str) -> Where:
    """Return where an earlier promotion's objects are restored, where they were touched; Jobs run no more."""
    return replace(where, release=release, force=True, runs_jobs=False, restores=True)
