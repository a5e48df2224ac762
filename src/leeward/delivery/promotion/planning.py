"""What becomes of a release in an environment, and whether it may: decided before anything is changed.

The release and the environment's object say everything; the machine of whoever asks has no part in it. What
approvals are bound to is the hash of exactly what would be applied and removed.

Invariant: everything that is against a promotion is told at once, also when it cannot be rendered.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError, OperationError
from leeward.delivery import records
from leeward.delivery.environments.environment import Environment, find_environment
from leeward.delivery.environments.variables import Version, find_version, newest_version
from leeward.delivery.promotion import gates
from leeward.delivery.promotion.exposure import exposures
from leeward.delivery.promotion.manifests import find_manifest, without_values
from leeward.delivery.promotion.promoter import SUCCEEDED, Request, goes_on
from leeward.delivery.promotion.rollout import PromotionApi, Where
from leeward.delivery.promotion.standing import Standing, look_ahead, unfinished
from leeward.delivery.promotion.verification import Check, split_checks
from leeward.delivery.promotion.verifying import Drills, look_at, verifiers_of
from leeward.delivery.releases.bundle import Bundle, bundle_of
from leeward.delivery.releases.opening import open_bundle
from leeward.delivery.wording.differences import Line, Side, diff_hash, differences, summary
from leeward.kube.objects import Obj, labels_of, parse_time
from leeward.kube.status import StatusError
from leeward.kube.wellknown import APP_PART_OF
from leeward.render.render import render

_SHORT = 4  # characters; what is shorter is no secret, and would be found everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody wants a release in an environment."""

    app: str
    environment: str
    release: Obj
    by: str
    reason: str = ""
    rollback: bool = False
    override: str = ""
    timeout: float = 600.0  # seconds until everything is up
    force: bool = False  # take over fields that others own


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen."""

    environment: Environment
    request: Request
    before: Sequence[Obj]  # what runs now, Secrets without values
    after: Sequence[Obj]
    lines: Sequence[Line]  # what would be different, in Compose's words
    verdict: gates.Verdict
    standing: Standing
    exposed: Sequence[str] = ()  # secrets that everybody sees who may look

    @property
    def blocked(self) -> list[gates.Blocked]:
        """Every reason why it must not begin."""
        return [*self.verdict.blocked, *self.standing.blocked]


async def plan_promotion(
    api: PromotionApi,
    origin: PromotionApi | None,
    wish: Wish,
    now: datetime,
    drills: Drills | None = None,
) -> Plan:
    """Decide what a wish comes to.

    Args:
        api: the cluster of the environment.
        origin: that of the environment that releases come from; None when it is the same.
        wish: what is wanted.
        now: by the cluster's clock.
        drills: makes verifications that are drills.

    Raises:
        DiagnosticsError: the release cannot be rendered for the environment, such as for want of secrets;
            what else is against it is told, too.
        OperationError: the environment is not known there, or something is damaged.
    """
    environment = await find_environment(api, wish.app, wish.environment)
    name, bundle = str(wish.release["metadata"]["name"]), bundle_of(wish.release)
    back = await _came_before(api, environment, name) if wish.rollback else None
    version = await _version(api, environment, back)
    entry = await _entry(api, origin, wish, environment)
    try:
        objects, jobs = render_for(bundle, environment, version)
    except DiagnosticsError as error:
        raise DiagnosticsError([*error.diagnostics, *_told(entry, now)]) from error
    before = await find_manifest(api, environment.namespace, environment.promotion) or []
    after = without_values(objects)
    is_same = back is not None and _are_same(await _applied(api, environment, back), after)
    checks = verifiers_of(environment, objects, jobs, drills)
    tests = [each.terms for each in checks]
    found = records.digest_of({"objects": diff_hash(before, after, version.number), "tests": tests})
    begun = await _begun(api, environment, name, found)
    entry = replace(entry, diff_hash=found, rollback=wish.rollback and is_same, begun=begun)
    verdict, restores = gates.check_entry(entry, now), gates.is_restoring(entry)
    anew = replace(entry, begun="")  # what begins needs it all, also when what did not end has meanwhile
    verifying = await look_at(api, checks, restores=restores)
    verdict = replace(
        verdict,
        blocked=[*verdict.blocked, *verifying.blocked],
        notes=[*verdict.notes, *verifying.notes],
    )
    there = await api.find(records.RELEASES, environment.hub, environment.release) if before else None
    lines = differences(side_of(before, there), side_of(after, wish.release), runs_jobs=not restores)
    where = Where(
        project=project_of(objects),
        namespace=environment.namespace,
        environment=environment.name,
        release=name,
        timeout=wish.timeout,
        force=wish.force or restores,
        runs_jobs=not restores,
    )
    request = Request(
        app=wish.app,
        environment=wish.environment,
        release=name,
        objects=objects,
        checks=verifying.checks,
        by=wish.by,
        diff_hash=found,
        variables_version=version.number,
        summary=_masked(summary(lines), version),
        rollback=wish.rollback,
        reason=wish.reason or wish.override,
        where=where,
        runs=environment.promotion,
        generation=environment.generation,
        shut=lambda at: "; ".join(each.message for each in gates.check_entry(anew, at).blocked),
    )
    return Plan(
        environment=environment,
        request=request,
        before=before,
        after=after,
        lines=lines,
        verdict=verdict,
        standing=await look_ahead(api, environment, objects, before, where),
        exposed=exposures(objects, version.texts, {each.name for each in bundle.secrets}),
    )


async def _entry(
    api: PromotionApi, origin: PromotionApi | None, wish: Wish, environment: Environment
) -> gates.Entry:
    """Return what gates are told of a wish before it is known what it changes."""
    name = str(wish.release["metadata"]["name"])
    return gates.Entry(
        environment=environment,
        release=name,
        author=str(wish.release["spec"].get("createdBy") or ""),
        origin=await _origin(origin or api, environment, name) if environment.origin else None,
        approvals=await _approvals(api, environment, wish.release),
        by=wish.by,
        rollback=wish.rollback,
        override=wish.override,
    )


async def _begun(api: PromotionApi, environment: Environment, release: str, diff_hash: str) -> str:
    """Return the promotion that would go on, and not begin: of this, let in, and not on its way back."""
    found = await unfinished(api, environment)
    if found is None or not goes_on(found):
        return ""
    asked = (found["spec"]["release"], found["spec"].get("diffHash"))
    return str(found["metadata"]["name"]) if asked == (release, diff_hash) else ""


def _told(entry: gates.Entry, now: datetime) -> list[Diagnostic]:
    """Return what gates have against a release that cannot be rendered, and so cannot be approved yet."""
    return [
        Diagnostic(
            path="",
            location=None,
            code=f"gate-{each.code}",
            severity=Severity.ERROR,
            message=each.message,
            remedy=each.remedy,
        )
        for each in gates.check_entry(entry, now).blocked
    ]


def render_for(bundle: Bundle, environment: Environment, version: Version) -> tuple[list[Obj], list[Check]]:
    """Return the objects of a release in an environment, and what is run to see whether it is good.

    Raises:
        DiagnosticsError: it cannot be rendered there.
    """
    checks = {each.run: each.timeout for each in environment.verify if each.run}
    project, options = open_bundle(
        bundle,
        environment.overlay,
        {},
        version.values,
        environment.name,
        environment.namespace,
        embedded=environment.embedded,
        services=tuple(checks),
    )
    result = render(project, options)
    if errors := [each for each in result.diagnostics if each.severity is Severity.ERROR]:
        raise DiagnosticsError(errors)
    return split_checks(list(result.objects), checks)


def side_of(objects: Sequence[Obj], release: Obj | None) -> Side:
    """Return objects as one side of a difference; `release` is the one they are of, where it is known."""
    spec = (release or {}).get("spec") or {}
    version = str(spec.get("version") or "")
    return Side(
        objects=objects, version=version, images=dict.fromkeys((spec.get("images") or {}).values(), version)
    )


async def _came_before(api: PromotionApi, environment: Environment, release: str) -> Obj | None:
    """Return the newest promotion with which a release was good in an environment, if any."""
    label = f"{records.ENVIRONMENT_LABEL}={environment.name}"
    every = await api.list(records.PROMOTIONS, environment.hub, label_selector=label)
    good = [each for each in every if (each.get("status") or {}).get("phase") == SUCCEEDED]
    mine = [each for each in good if each["spec"]["release"] == release]
    return max(mine, key=lambda each: str(each["metadata"]["name"]), default=None)


async def _version(api: PromotionApi, environment: Environment, back: Obj | None) -> Version:
    """Return the values that a release gets: the newest, or those that it had before, where they are kept."""
    if back is not None:
        there = await find_version(api, environment, int(back["spec"].get("variablesVersion") or 0))
        if there is not None:
            return there
    return await newest_version(api, environment)


async def _applied(api: PromotionApi, environment: Environment, promotion: Obj) -> list[Obj]:
    return await find_manifest(api, environment.namespace, str(promotion["metadata"]["name"])) or []


def _are_same(one: Sequence[Obj], other: Sequence[Obj]) -> bool:
    return sorted(map(records.digest_of, one)) == sorted(map(records.digest_of, other))


def _masked(lines: Sequence[str], version: Version) -> list[str]:
    """Return lines without values of the environment, which people of other environments may read."""
    values = sorted((each for each in version.texts.values() if len(each) >= _SHORT), key=len, reverse=True)
    return [functools.reduce(lambda text, value: text.replace(value, "…"), values, line) for line in lines]


async def _origin(api: PromotionApi, environment: Environment, release: str) -> gates.Origin:
    """Return what is known of the environment that releases come from."""
    try:
        found = await find_environment(api, environment.app, environment.origin)
        arrived = None
        if found.release != release and not any(each.release == release for each in found.verified):
            label = f"{records.ENVIRONMENT_LABEL}={environment.origin}"
            every = await api.list(records.PROMOTIONS, found.hub, label_selector=label)
            mine = [each for each in every if each["spec"]["release"] == release]
            arrived = max((parse_time(each["metadata"]["creationTimestamp"]) for each in mine), default=None)
    except (OperationError, StatusError) as error:
        return gates.Origin(unreadable=str(error))
    return gates.Origin(verified=found.verified, arrived=arrived)


async def _approvals(api: PromotionApi, environment: Environment, release: Obj) -> list[gates.Approval]:
    """Return the approvals that may count: not those of who brought the release here."""
    if not environment.approvals:
        return []
    label = f"{records.ENVIRONMENT_LABEL}={environment.name}"
    found = await api.list(records.APPROVALS, environment.hub, label_selector=label)
    copied = release["spec"].get("copiedBy")
    return [read for each in found if (read := gates.read_approval(each)).by != copied]


def project_of(objects: Sequence[Obj]) -> str:
    """Return the project that objects belong to, as their labels have it."""
    return next((labels_of(each)[APP_PART_OF] for each in objects if APP_PART_OF in labels_of(each)), "")
