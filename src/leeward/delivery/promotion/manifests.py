"""What promotions applied, Secrets without values: kept where it was applied, for who may look there.

A ConfigMap a promotion, in the environment's namespace: the hub is read by people of other environments too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Protocol

from leeward.base.errors import OperationError
from leeward.delivery.api import Creates, Finds
from leeward.delivery.records import ENVIRONMENT_LABEL, pack, unpack
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, NotFoundError

_CONFIG_MAPS = "configmaps"


class ManifestApi(Finds, Creates, Protocol):
    """What keeping manifests needs of a Kubernetes API."""


def without_values(objects: Iterable[Obj]) -> list[Obj]:
    """Return objects with Secrets that only stand for themselves: what a promotion remembers."""
    return [
        {key: value for key, value in obj.items() if key not in ("data", "stringData")}
        if obj["kind"] == "Secret"
        else obj
        for obj in objects
    ]


def _name(promotion: str) -> str:
    return f"leeward-promotion-{promotion}"


async def keep_manifest(
    api: ManifestApi, namespace: str, environment: str, promotion: str, objects: Iterable[Obj]
) -> None:
    """Keep what a promotion applies; one that is kept already stays.

    Raises:
        OperationError: the namespace is not there, or it is too much.
    """
    meta = {"name": _name(promotion), "namespace": namespace, "labels": {ENVIRONMENT_LABEL: environment}}
    made: Obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "immutable": True,
        "data": {"manifest": pack(without_values(objects), f"promotion {promotion}")},
    }
    try:
        with contextlib.suppress(AlreadyExistsError):
            await api.create(_CONFIG_MAPS, made)
    except NotFoundError as error:
        raise OperationError(
            f"the namespace {namespace} of {environment} is not there",
            remedy=f"Make it again: leeward env apply {environment}",
        ) from error


async def find_manifest(api: ManifestApi, namespace: str, promotion: str) -> list[Obj] | None:
    """Return what a promotion applied; None when that is not known, nothing for the promotion "".

    Raises:
        OperationError: it is damaged.
    """
    if not promotion:
        return []
    found = await api.find(_CONFIG_MAPS, namespace, _name(promotion))
    if found is None:
        return None
    objects: list[Obj] = unpack(found["data"]["manifest"], f"promotion {promotion}")
    return objects
