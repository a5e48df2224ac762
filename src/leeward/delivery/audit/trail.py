"""Who did what, when: records that only ever grow, each with the hash of the one before.

A record's name is its number, so that of two writers one is refused and goes on behind the other. A
ConfigMap tells the newest number and hash. It is written after the record: a crash between the two leaves it
one behind, which is no fault. The next record goes on where the ConfigMap says that the chain ends, so that a
gap at the end stays a gap.

Values of secrets have no place here; whoever appends gives names only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from leeward.base.clock import PassiveClock
from leeward.base.errors import OperationError
from leeward.delivery.api import Creates, Finds, Lists, Updates
from leeward.delivery.audit.chain import HEAD, Mark, beginning, hash_of, mark_of, place_of, record_name
from leeward.delivery.records import AUDIT_RECORDS, ENVIRONMENT_LABEL, GROUP, hub_of, record
from leeward.kube.objects import Obj, format_time
from leeward.kube.status import AlreadyExistsError, ConflictError
from leeward.render.naming import label_value

PROMOTION_LABEL = f"{GROUP}/promotion"
_CONFIG_MAPS = "configmaps"
_ATTEMPTS = 200  # each is lost to another writer, who is then done


class AuditApi(Finds, Lists, Creates, Updates, Protocol):
    """What the trail needs of a Kubernetes API."""


async def append(
    api: AuditApi,
    app: str,
    *,
    who: str,
    action: str,
    environment: str = "",
    release: str = "",
    promotion: str = "",
    result: str = "",
    details: Mapping[str, Any] | None = None,
    clock: PassiveClock,
    once: bool = False,
) -> Obj:
    """Write what was done at the end of the trail; returns the record.

    Args:
        api: the hub's cluster.
        app: the application's name.
        who: as the cluster knows who asks; it refuses another name.
        action: such as "promote" or "env-set".
        environment: where, "" for nowhere.
        release: its id.
        promotion: its name.
        result: such as "succeeded".
        details: JSON; names, never values of secrets.
        clock: when.
        once: return the record of the same action and result of `promotion` where there is one.

    Raises:
        OperationError: others wrote all the time.
        StatusError: it may not be written.
    """
    hub = hub_of(app)
    same = {"by": who, "action": action, "environment": environment, "release": release, "result": result}
    if once and (found := await _same(api, hub, promotion, same)) is not None:
        await _advance(api, hub, place_of(found))
        return found
    labels = {ENVIRONMENT_LABEL: environment, PROMOTION_LABEL: label_value(promotion)}
    labels = {key: value for key, value in labels.items() if value}
    end = await _end(api, hub, app)
    for _ in range(_ATTEMPTS):
        spec: Obj = {
            "sequence": end.sequence + 1,
            "time": format_time(clock.now()),
            "by": who,
            "action": action,
            "environment": environment,
            "release": release,
            "promotion": promotion,
            "result": result,
            "details": _plain(details or {}),
            "previous": end.hash,
        }
        spec["hash"] = hash_of(spec)
        obj = record("AuditRecord", app, record_name(spec["sequence"]), spec, **labels)
        try:
            written = await api.create(AUDIT_RECORDS, obj)
        except AlreadyExistsError:
            end = await _after(api, hub, end)
            continue
        await _advance(api, hub, Mark(spec["sequence"], spec["hash"]))
        return written
    raise OperationError(
        "the audit trail could not be written, because others wrote to it all the time",
        remedy="Run the command again.",
    )


def _plain(value: Any) -> Any:
    """Return JSON that reads the same from every API server: no nulls, and no numbers but whole ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value if each is not None]
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    return value


async def _same(api: AuditApi, hub: str, promotion: str, wanted: Mapping[str, str]) -> Obj | None:
    found = await api.list(AUDIT_RECORDS, hub, label_selector=f"{PROMOTION_LABEL}={label_value(promotion)}")
    return next(
        (each for each in found if all(each["spec"].get(key) == value for key, value in wanted.items())),
        None,
    )


async def _end(api: AuditApi, hub: str, app: str) -> Mark:
    """Return where the chain ends, as far as can be told; who is told otherwise goes on from there."""
    told = mark_of(await api.find(_CONFIG_MAPS, hub, HEAD))
    if told is not None:
        return told
    return max(map(place_of, await api.list(AUDIT_RECORDS, hub)), default=beginning(app))


async def _after(api: AuditApi, hub: str, end: Mark) -> Mark:
    """Return the newest place known behind `end`, where there is a record."""
    told = mark_of(await api.find(_CONFIG_MAPS, hub, HEAD))
    if told is not None and told.sequence > end.sequence:
        return told
    found = await api.find(AUDIT_RECORDS, hub, record_name(end.sequence + 1))
    return end if found is None else Mark(end.sequence + 1, place_of(found).hash)


async def _advance(api: AuditApi, hub: str, mark: Mark) -> None:
    """Tell the newest place, unless a later one is told already."""
    data = {"sequence": str(mark.sequence), "hash": mark.hash}
    while True:
        live = await api.find(_CONFIG_MAPS, hub, HEAD)
        told = mark_of(live)
        if told is not None and told.sequence >= mark.sequence:
            return
        try:
            if live is None:
                meta = {"namespace": hub, "name": HEAD}
                head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
                await api.create(_CONFIG_MAPS, head)
            else:
                await api.update(_CONFIG_MAPS, {**live, "data": data})
        except (AlreadyExistsError, ConflictError):
            continue  # somebody else told a place: look again
        return
