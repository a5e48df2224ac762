"""A release enters an environment: applied, up, verified, or everything is as it was before.

Every step can be repeated, and where a promotion stands is written before the step is done: whoever runs the
command again after a crash goes on from there. A promotion that did not end is finished when the same is
asked for again, and undone before another one begins, so that two releases never mix.

Order at the end: the environment says what runs and that it is good, then the audit trail, then the promotion
itself says that it is over; each is done again after a crash, and none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.base.clock import Clock
from leeward.base.errors import LeewardError, OperationError
from leeward.delivery import records
from leeward.delivery.audit.trail import append
from leeward.delivery.promotion import rollout
from leeward.delivery.promotion.lease import Lease
from leeward.delivery.promotion.manifests import find_manifest, keep_manifest
from leeward.delivery.promotion.patience import Patient
from leeward.delivery.promotion.rollout import Key, PromotionApi, Rollout, Where, restoring
from leeward.delivery.promotion.verification import Attempt, Verifier, last_words
from leeward.kube.http import may_pass
from leeward.kube.objects import Obj, format_time
from leeward.kube.status import AlreadyExistsError
from leeward.kube.wellknown import APP_PART_OF

RUNNING, SUCCEEDED, ROLLED_BACK, SUPERSEDED = "Running", "Succeeded", "RolledBack", "Superseded"
ROLLING_BACK, _FINISHING = "RollingBack", "Finishing"  # steps
_VERIFIED_KEPT = 50
KEPT_TO_GO_BACK = ("Secret", "ConfigMap")  # of the promotion before
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A release on its way into an environment, as decided."""

    app: str
    environment: str
    release: str  # its id
    objects: Sequence[Obj]  # with the values of Secrets
    checks: Sequence[Verifier] = ()
    by: str  # as the cluster knows who asks
    diff_hash: str = ""
    variables_version: int = 0
    summary: Sequence[str] = ()
    rollback: bool = False
    reason: str = ""
    where: Where
    runs: str | None = None  # the promotion that was there when this was decided; None: whichever
    generation: int | None = None  # of the environment then
    shut: Callable[[datetime], str] = lambda _: ""  # why it may not begin at a time, "" when it may


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on an environment, and whether others that did are known to be dead."""

    identity: str
    is_dead: Callable[[str], bool] = lambda _: False


class PromotionFailedError(OperationError):
    """The environment is as it was before; the message says why."""


class Promoter:
    """Carries out promotions of one environment."""

    def __init__(self, api: PromotionApi, clock: Clock, request: Request, show: Show) -> None:
        self._unguarded = Patient(api, clock, lambda: None)
        self._api = Patient(api, clock, self._require_lease)
        self._clock = clock
        self._request = request
        self._show = show
        self._hub = records.hub_of(request.app)
        self._lease: Lease | None = None
        self._live: Obj = {}  # the environment

    async def run(self, holder: Holder) -> Obj:
        """Carry the request out; returns the promotion when the release runs and is verified.

        Raises:
            PromotionFailedError: it was not good; everything is as it was before.
            OperationError: somebody else is at work, or the cluster cannot be reached: nothing is decided
                yet, and doing it again goes on.
        """
        name = f"leeward-{self._request.environment}"
        self._lease = Lease(self._unguarded, self._clock, self._hub, name, holder.identity)
        async with self._lease.held(holder.is_dead, self._show):
            runs, found = await self._newest()
            self._stop_if_changed(found)
            current = next((each for each in reversed(found) if not is_over(each)), None)
            if current is not None and _step(current) == _FINISHING:  # it is good, and that is to be told
                current, runs = await self._finish(current), _name(current)
                if self._is_wanted(current):
                    return current
                current = None
            elif current is not None and not self._continues(current):
                await self._undo_unfinished(current)
                current = None
            if current is None:
                self._stop_if_shut()
                current = await self._begin(runs, records.number_of(_name(found[-1])) + 1 if found else 1)
            return await self._carry_out(current)

    async def _newest(self) -> tuple[str, list[Obj]]:
        """Return which promotion the environment runs, "" for none, and all from that one on."""
        self._live = await self._api.find(records.ENVIRONMENTS, self._hub, self._request.environment) or {}
        runs = str((self._live.get("status") or {}).get("promotion") or "") or await self._last_good()
        number, found = records.number_of(runs) if runs else 1, list[Obj]()
        while (each := await self._promotion(number)) is not None:
            found.append(each)
            number += 1
        return runs, found

    async def _last_good(self) -> str:
        """Return the promotion that an environment runs whose object was written anew since."""
        label = f"{records.ENVIRONMENT_LABEL}={self._request.environment}"
        every = await self._api.list(records.PROMOTIONS, self._hub, label_selector=label)
        return max((_name(each) for each in every if _phase(each) == SUCCEEDED), default="")

    def _stop_if_changed(self, found: Sequence[Obj]) -> None:
        """Refuse to do what was decided about another state of the environment.

        Raises:
            OperationError: it is another.
        """
        wanted, status = self._request, self._live.get("status") or {}
        runs = status.get("promotion") or ""
        is_own = any(self._is_wanted(each) for each in found)
        generation = (self._live.get("metadata") or {}).get("generation")
        if (wanted.runs not in (None, runs) and not is_own) or wanted.generation not in (None, generation):
            raise OperationError(
                f"{wanted.environment} was changed by somebody else since you looked",
                remedy="Run the command again, and see what is different now.",
            )
        if wanted.runs is not None and (lock := status.get("lock")):
            raise OperationError(f"{wanted.environment} was locked by {lock.get('by')}: {lock.get('reason')}")

    def _stop_if_shut(self) -> None:
        """Refuse what may not begin any more, such as for want of an approval that has ended meanwhile.

        Raises:
            OperationError: with every reason.
        """
        wanted = self._request
        if why := wanted.shut(self._clock.now()):
            raise OperationError(
                f"{wanted.release} may not enter {wanted.environment} any more: {why}",
                remedy="Run the command again, which tells what helps.",
            )

    async def _undo_unfinished(self, promotion: Obj) -> None:
        """Undo what did not end; what cannot be undone is superseded by what comes now."""
        self._show(f"undoing {_name(promotion)}, which did not end")
        try:
            await self._undo(promotion, _message(promotion) or "it was left unfinished")
        except LeewardError as error:
            if not self._is_decided(error):
                raise
            why = f"it could not be undone ({error}), and another took its place"
            self._show(f"{_name(promotion)}: {why}")
            await self._record(promotion, "superseded", why=why)
            await self._set_phase(promotion, SUPERSEDED, why)

    async def _promotion(self, number: int) -> Obj | None:
        name = records.promotion_name(self._request.environment, number)
        return await self._api.find(records.PROMOTIONS, self._hub, name)

    def _continues(self, promotion: Obj) -> bool:
        """Tell whether an unfinished promotion is what is asked for now, and not on its way back."""
        return self._is_wanted(promotion) and _step(promotion) != ROLLING_BACK

    def _is_wanted(self, promotion: Obj) -> bool:
        spec, wanted = promotion["spec"], self._request
        return (spec["release"], spec.get("diffHash", "")) == (wanted.release, wanted.diff_hash)

    async def _begin(self, runs: str, number: int) -> Obj:
        """Write that a promotion begins, under the first number from `number` on that is free."""
        wanted = self._request
        spec: Obj = {
            "environment": wanted.environment,
            "release": wanted.release,
            "previous": runs,
            "by": wanted.by,
            "reason": wanted.reason,
            "rollback": wanted.rollback,
            "diffHash": wanted.diff_hash,
            "variablesVersion": wanted.variables_version,
            "summary": list(wanted.summary),
        }
        labels = {records.ENVIRONMENT_LABEL: wanted.environment}
        while True:
            name = records.promotion_name(wanted.environment, number)
            try:
                made = records.record("Promotion", wanted.app, name, spec, **labels)
                return await self._api.create(records.PROMOTIONS, made)
            except AlreadyExistsError:  # one before it is gone
                number += 1

    async def _carry_out(self, promotion: Obj) -> Obj:
        try:
            await self._enter(promotion, "Applying")
            wanted = self._request
            work = Rollout(self._api, self._clock, wanted.where, self._show)
            await work.begin(wanted.objects)
            place = wanted.where.namespace
            await keep_manifest(self._api, place, wanted.environment, _name(promotion), wanted.objects)
            await work.apply(wanted.objects)
            await self._verify(promotion)
            await self._enter(promotion, "Pruning")
            await work.prune(wanted.objects, keep=await self._needed_before(promotion))
        except LeewardError as error:
            if not self._is_decided(error):
                raise
            where = self._request.where
            selector = f"{APP_PART_OF}={where.project}"
            said = await last_words(self._api, where.namespace, selector, troubled=True)
            await self._undo(promotion, str(error))
            raise PromotionFailedError(
                f"{self._request.environment} is as it was before: {error}{said}",
                remedy=getattr(error, "remedy", ""),
            ) from error
        return await self._finish(promotion)

    def _is_decided(self, error: LeewardError) -> bool:
        """Tell whether an error is one of the release, which is undone then; a bad connection is none."""
        try:
            self._require_lease()
        except OperationError:
            return False
        return not may_pass(error)

    async def _verify(self, promotion: Obj) -> None:
        wanted = self._request
        if wanted.checks:
            await self._enter(promotion, "Verifying")
        attempt = Attempt(
            api=self._api,
            clock=self._clock,
            namespace=wanted.where.namespace,
            project=wanted.where.project,
            name=_name(promotion),
            show=self._show,
        )
        for check in wanted.checks:
            self._show(f"verifying: {check.title}")
            await check.verify(attempt)

    async def _finish(self, promotion: Obj) -> Obj:
        await self._enter(promotion, _FINISHING)
        environment, release, name = self._request.environment, promotion["spec"]["release"], _name(promotion)
        live = await self._api.find(records.ENVIRONMENTS, self._hub, environment)
        old = (live or {}).get("status") or {}
        if old.get("promotion") != name:
            now = format_time(self._clock.now())
            verified = [{"release": release, "at": now}, *(old.get("verified") or ())][:_VERIFIED_KEPT]
            status = {"release": release, "promotion": name, "verifiedAt": now, "verified": verified}
            await self._set_status(records.ENVIRONMENTS, environment, status)
        await self._record(promotion, "succeeded")
        return await self._set_phase(promotion, SUCCEEDED, "")

    # -- going back

    async def _undo(self, promotion: Obj, why: str) -> None:
        """Bring back what was there before a promotion.

        Raises:
            OperationError: it could not be; running the command again goes on with it.
        """
        await self._enter(promotion, ROLLING_BACK, why)
        before = str(promotion["spec"].get("previous") or "")
        objects = await self._manifest(before)
        where = self._request.where
        if before:
            there = await self._api.find(records.PROMOTIONS, self._hub, before)
            where = restoring(where, str(((there or {}).get("spec") or {}).get("release") or ""))
        work = Rollout(self._api, self._clock, where, self._show)
        if before:
            await work.begin(objects)
            await work.apply(objects)
        await work.prune(objects)
        await self._record(promotion, "rolled back", why=why)
        await self._set_phase(promotion, ROLLED_BACK, why)

    async def _manifest(self, promotion: str) -> list[Obj]:
        """Return what a promotion applied.

        Raises:
            OperationError: it is not known any more.
        """
        found = await find_manifest(self._api, self._request.where.namespace, promotion)
        if found is None:
            raise OperationError(
                f"what {promotion} applied is not known any more, so that it cannot come back",
                remedy="Promote a release that is known to be good.",
            )
        return found

    async def _needed_before(self, promotion: Obj) -> set[Key]:
        """Return the Secrets and ConfigMaps with which the state before could come back."""
        before = str(promotion["spec"].get("previous") or "")
        objects = await find_manifest(self._api, self._request.where.namespace, before) or []
        return {rollout.key_of_kind(obj) for obj in objects if obj["kind"] in KEPT_TO_GO_BACK}

    # -- writing

    def _require_lease(self) -> None:
        if self._lease is not None:
            self._lease.require()

    async def _enter(self, promotion: Obj, step: str, message: str = "") -> None:
        """Write that a step begins."""
        self._show(f"{promotion['metadata']['name']}: {_STEPS[step]}")
        status: Obj = {"phase": RUNNING, "step": step, "message": message}
        if not (promotion.get("status") or {}).get("startedAt"):
            status["startedAt"] = format_time(self._clock.now())
        promotion["status"] = await self._set_status(
            records.PROMOTIONS, promotion["metadata"]["name"], status
        )

    async def _set_phase(self, promotion: Obj, phase: str, message: str) -> Obj:
        status = {
            "phase": phase,
            "step": "",
            "message": message,
            "finishedAt": format_time(self._clock.now()),
        }
        live = await self._set_status(records.PROMOTIONS, promotion["metadata"]["name"], status)
        return {**promotion, "status": live}

    async def _set_status(self, resource: str, name: str, status: Obj) -> Obj:
        written = await self._api.patch(
            resource, self._hub, name, {"status": status}, patch_type="merge", subresource="status"
        )
        found: Obj = written.get("status") or {}
        return found

    async def _record(self, promotion: Obj, result: str, **details: Any) -> None:
        spec = promotion["spec"]
        await append(
            self._api,
            self._request.app,
            who=self._request.by,
            action="rollback" if spec.get("rollback") else "promote",
            environment=spec["environment"],
            release=spec["release"],
            promotion=promotion["metadata"]["name"],
            result=result,
            details={"diffHash": spec.get("diffHash", ""), "reason": spec.get("reason", ""), **details},
            clock=self._clock,
            once=True,
        )


_STEPS = {
    "Applying": "applying, and waiting until it is up",
    "Verifying": "verifying",
    "Pruning": "removing what left",
    _FINISHING: "finishing",
    ROLLING_BACK: "going back to what was there before",
}


def _name(promotion: Obj) -> str:
    return str(promotion["metadata"]["name"])


def _phase(promotion: Obj) -> str:
    return str((promotion.get("status") or {}).get("phase") or "")


def _step(promotion: Obj) -> str:
    return str((promotion.get("status") or {}).get("step") or "")


def _message(promotion: Obj) -> str:
    return str((promotion.get("status") or {}).get("message") or "")


def goes_on(promotion: Obj) -> bool:
    """Tell whether a promotion that did not end would go on when it is asked for again."""
    return not is_over(promotion) and _step(promotion) != ROLLING_BACK


def is_over(promotion: Obj) -> bool:
    """Tell whether a promotion has ended, whichever way."""
    return _phase(promotion) in (SUCCEEDED, ROLLED_BACK, SUPERSEDED)
