"""Applying one object without doing it: what would be there afterwards, or why the API would refuse.

The API itself is asked with ``dryRun=All``, so that its defaults, admission and rules on fields that cannot
change have their say. Where it may not or cannot be asked, the outlook is foretold from what is live. What
would be created is shown as rendered, because the API invents addresses and names for it each time.

Source: kubernetes.io/docs/reference/using-api/api-concepts, Dry-run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from leeward.delivery.apply import plan_change
from leeward.delivery.outlook import applied
from leeward.kube.objects import Obj, key_of
from leeward.kube.status import ForbiddenError, InvalidError, StatusError


class DryApi(Protocol):
    """Reads objects and rehearses writes; ``leeward.kube.client`` fulfils it over HTTPS."""

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        ...

    async def create(self, resource: str, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Create an object."""
        ...

    async def patch(
        self,
        resource: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        patch_type: str = "strategic",
        dry_run: bool = False,
    ) -> Obj:
        """Patch an object."""
        ...


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One object before and after; `refusal` is what the API has against it, "" for nothing."""

    before: Obj | None
    after: Obj
    refusal: str = ""


async def rehearse(api: DryApi, resource: str, desired: Obj) -> Rehearsed:
    """Return what applying `desired` would come to; reads, and asks for dry runs of what would change."""
    namespace, name = key_of(desired)
    live = await api.find(resource, namespace, name)
    after = desired if live is None else applied(live, desired)
    change = plan_change(desired, live)
    try:
        if change.verb == "create":
            await api.create(resource, change.desired, dry_run=True)
        elif change.verb == "patch":
            after = await api.patch(resource, namespace, name, change.patch, patch_type="merge", dry_run=True)
    except (InvalidError, ForbiddenError) as error:
        return Rehearsed(live, after, "" if _lacks_permission(error) else error.message)
    except StatusError:  # such as a namespace that is not there yet, or a webhook that cannot rehearse
        pass
    return Rehearsed(live, after)


def _lacks_permission(error: StatusError) -> bool:
    """Tell whether the writer may not write, rather than what is written being refused."""
    return isinstance(error, ForbiddenError) and 'User "' in error.message and " cannot " in error.message
