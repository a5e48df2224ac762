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
from typing import Any

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.delivery import records
from leeward.delivery.audit.trail import append
from leeward.delivery.promotion import rollout
from leeward.delivery.promotion.lease import Lease
from leeward.delivery.promotion.patience import Patient
from leeward.delivery.promotion.rollout import Key, PromotionApi, Rollout, Where, restoring, without_values
from leeward.delivery.promotion.verification import Check, check_job, run_check
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj, format_time
from leeward.kube.status import AlreadyExistsError

RUNNING, SUCCEEDED, ROLLED_BACK = "Running", "Succeeded", "RolledBack"
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
    checks: Sequence[Check] = ()
    by: str  # as the cluster knows who asks
    diff_hash: str = ""
    variables_version: int = 0
    summary: Sequence[str] = ()
    rollback: bool = False
    reason: str = ""
    where: Where


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
            current = next((each for each in reversed(found) if not _is_over(each)), None)
            if current is not None and _step(current) == _FINISHING:  # it is good, and that is to be told
                current, runs = await self._finish(current), _name(current)
                if self._is_wanted(current):
                    return current
                current = None
            elif current is not None and not self._continues(current):
                self._show(f"undoing {current['metadata']['name']}, which did not end")
                await self._undo(current, _message(current) or "it was left unfinished")
                current = None
            if current is None:
                current = await self._begin(runs, records.number_of(_name(found[-1])) + 1 if found else 1)
            return await self._carry_out(current)

    async def _newest(self) -> tuple[str, list[Obj]]:
        """Return which promotion the environment runs, "" for none, and all from that one on."""
        live = await self._api.find(records.ENVIRONMENTS, self._hub, self._request.environment)
        runs = str(((live or {}).get("status") or {}).get("promotion") or "")
        number, found = records.number_of(runs) if runs else 1, list[Obj]()
        while (each := await self._promotion(number)) is not None:
            found.append(each)
            number += 1
        return runs, found

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
            "manifest": records.pack(without_values(wanted.objects), "the promotion"),
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
            await work.apply(wanted.objects)
            await self._verify(promotion)
            await self._enter(promotion, "Pruning")
            await work.prune(wanted.objects, keep=await self._needed_before(promotion))
        except OperationError as error:
            if not self._is_decided(error):
                raise
            await self._undo(promotion, str(error))
            raise PromotionFailedError(
                f"{self._request.environment} is as it was before: {error}", remedy=error.remedy
            ) from error
        return await self._finish(promotion)

    def _is_decided(self, error: OperationError) -> bool:
        """Tell whether an error is one of the release, which is undone then; a bad connection is none."""
        try:
            self._require_lease()
        except OperationError:
            return False
        return not isinstance(error, UnreachableError)

    async def _verify(self, promotion: Obj) -> None:
        wanted = self._request
        if wanted.checks:
            await self._enter(promotion, "Verifying")
        for check in wanted.checks:
            self._show(f"verifying: {check.service}")
            name = promotion["metadata"]["name"]
            job = check_job(check, wanted.where.namespace, name, wanted.where.project)
            await run_check(self._api, self._clock, job, check.service)

    async def _finish(self, promotion: Obj) -> Obj:
        await self._enter(promotion, _FINISHING)
        environment, release, name = self._request.environment, promotion["spec"]["release"], _name(promotion)
        live = await self._api.find(records.ENVIRONMENTS, self._hub, environment)
        old = (live or {}).get("status") or {}
        if old.get("promotion") != name:
            now = format_time(self._clock.now())
            others = [each for each in old.get("verified") or () if each["release"] != release]
            verified = [{"release": release, "at": now}, *others][:_VERIFIED_KEPT]
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
        before = await self._before(promotion)
        objects: list[Obj] = []
        where = self._request.where
        if before is not None:
            name = before["metadata"]["name"]
            objects = records.unpack(before["spec"]["manifest"], f"promotion {name}")
            where = restoring(where, before["spec"]["release"])
        work = Rollout(self._api, self._clock, where, self._show)
        if before is not None:
            await work.apply(objects)
        await work.prune(objects)
        await self._record(promotion, "rolled back", why=why)
        await self._set_phase(promotion, ROLLED_BACK, why)

    async def _before(self, promotion: Obj) -> Obj | None:
        name = promotion["spec"].get("previous")
        if not name:
            return None
        found = await self._api.find(records.PROMOTIONS, self._hub, name)
        if found is None:
            raise OperationError(
                f"promotion {name}, to which {promotion['metadata']['name']} would go back, is gone",
                remedy="Promote a release that is known to be good.",
            )
        return found

    async def _needed_before(self, promotion: Obj) -> set[Key]:
        """Return the Secrets and ConfigMaps with which the state before could come back."""
        before = await self._before(promotion)
        if before is None:
            return set()
        objects = records.unpack(before["spec"]["manifest"], f"promotion {before['metadata']['name']}")
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


def _is_over(promotion: Obj) -> bool:
    return _phase(promotion) in (SUCCEEDED, ROLLED_BACK)
