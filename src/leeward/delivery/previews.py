"""Previews: an application once more, in a namespace of its own for some time, such as one per pull request.

All that is known of a preview is written on its namespace: labels say whose it is, an annotation until when.
Nothing of leeward runs on the cluster: who brings up or prunes previews removes those whose time is over.

Invariants: a namespace without every mark of a preview of this application, under the very name that these
marks give, is neither changed nor deleted; what goes because its time is over is what was read, so that a
preview that is renewed meanwhile stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from leeward.base.clock import Clock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.api import Finds, Lists
from leeward.delivery.environments.access import access_objects
from leeward.delivery.environments.environment import Environment
from leeward.delivery.live import POLL_SECONDS
from leeward.delivery.records import APP_LABEL, GROUP
from leeward.kube.objects import Obj, annotations_of, format_time, is_terminating, labels_of, parse_time
from leeward.kube.status import ConflictError, NotFoundError
from leeward.kube.wellknown import APP_MANAGED_BY
from leeward.render.naming import MAX_LABEL, digest, dns_label

PREVIEW_LABEL = f"{GROUP}/preview"
NAME, EXPIRES, MADE_BY = f"{GROUP}/preview-name", f"{GROUP}/preview-expires", f"{GROUP}/preview-by"
GONE_SECONDS = 900.0  # that a namespace may take to be gone
_MIDDLE = "-preview-"
_MOST_OF_APP = 32  # characters of an application's name in a namespace; the preview's has the rest
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_TRIES = 3


class PreviewApi(Finds, Lists, Protocol):
    """What looking after previews needs of a Kubernetes API."""

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        propagation: str | None = None,
        preconditions: Mapping[str, str] | None = None,
    ) -> None:
        """Delete an object that has this uid and resourceVersion; ConflictError when it has others."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview that is on a cluster."""

    label: str  # its name there
    name: str  # as it was asked for
    namespace: str
    expires: datetime | None  # None when what is written is no time; such a one is never pruned
    by: str
    made: str  # RFC 3339
    uid: str
    version: str  # resourceVersion of the namespace
    leaving: bool  # it is being deleted

    def is_over(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires is not None and self.expires <= now


def label_of(app: str, name: str) -> str:
    """Return what the preview `name` is called on clusters, such as ``feature-abc-1-5a1c0f3e``.

    A name that may be a part of a host's and the namespace's is kept; another one gets a digest.

    Raises:
        UserInputError: there is no letter and no digit in it.
    """
    room = MAX_LABEL - len(namespace_of(app, ""))
    if _LABEL.fullmatch(name) and len(name) <= room:
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not plain:
        raise UserInputError(
            f"{name!r} is no name for a preview", remedy="Use letters and digits, such as --preview pr-12."
        )
    return f"{plain[: room - 9].rstrip('-')}-{digest(name)}"


def namespace_of(app: str, label: str) -> str:
    """Return the namespace of a preview, a DNS label: ``storefront-preview-pr-12``."""
    return f"{dns_label(app, limit=_MOST_OF_APP)}{_MIDDLE}{label}"


def marked(namespace: Obj, app: str, name: str, *, expires: datetime, by: str) -> Obj:
    """Return a rendered Namespace that says whose preview it is, until when, and who brought it up."""
    meta = namespace["metadata"]
    labels = {**labels_of(namespace), APP_LABEL: dns_label(app), PREVIEW_LABEL: label_of(app, name)}
    notes = {**annotations_of(namespace), NAME: name, EXPIRES: format_time(expires), MADE_BY: by}
    return {**namespace, "metadata": {**meta, "labels": labels, "annotations": notes}}


def read_preview(namespace: Obj, app: str) -> Preview | None:
    """Return the preview of an application that a live Namespace is; None when it is none."""
    labels, notes, meta = labels_of(namespace), annotations_of(namespace), namespace["metadata"]
    label = labels.get(PREVIEW_LABEL, "")
    known = labels.get(APP_MANAGED_BY) == "leeward" and labels.get(APP_LABEL) == dns_label(app)
    if not (known and label and EXPIRES in notes and meta["name"] == namespace_of(app, label)):
        return None
    expires = None
    with suppress(ValueError):
        expires = parse_time(notes[EXPIRES])
    return Preview(
        label=label,
        name=notes.get(NAME, label),
        namespace=meta["name"],
        expires=expires,
        by=notes.get(MADE_BY, ""),
        made=meta.get("creationTimestamp", ""),
        uid=meta["uid"],
        version=meta["resourceVersion"],
        leaving=is_terminating(namespace),
    )


async def list_previews(api: Lists, app: str) -> list[Preview]:
    """Return the previews of an application, those that end first first."""
    selector = f"{APP_LABEL}={dns_label(app)},{PREVIEW_LABEL}"
    found = [read_preview(each, app) for each in await api.list("namespaces", label_selector=selector)]
    return sorted(filter(None, found), key=lambda each: (str(each.expires or "~"), each.label))


async def find_preview(api: Finds, app: str, name: str) -> Preview | None:
    """Return a preview by its name, or None.

    Raises:
        UserInputError: the namespace is there, but is somebody else's.
    """
    namespace = namespace_of(app, label_of(app, name))
    live = await api.find("namespaces", "", namespace)
    if live is None:
        return None
    found = read_preview(live, app)
    if found is None:
        raise UserInputError(
            f"namespace {namespace} is there already, and is no preview of {app}",
            remedy="Choose another name for the preview; what others made is left alone.",
        )
    return found


async def remove(api: PreviewApi, preview: Preview) -> bool:
    """Delete the namespace of a preview with all that is in it; False when it went before.

    Raises:
        ConflictError: there is another one of that name now.
    """
    try:
        await api.delete("namespaces", "", preview.namespace, preconditions={"uid": preview.uid})
    except NotFoundError:
        return False
    return True


async def remove_expired(api: PreviewApi, app: str, preview: Preview, now: datetime) -> bool:
    """Delete a preview if, when it is deleted, its time is still over; tells whether it did."""
    for _ in range(_TRIES):
        if preview.leaving or not preview.is_over(now):
            return False
        same = {"uid": preview.uid, "resourceVersion": preview.version}
        try:
            await api.delete("namespaces", "", preview.namespace, preconditions=same)
        except NotFoundError:
            return False
        except ConflictError:  # somebody wrote to it: perhaps it was renewed
            live = await api.find("namespaces", "", preview.namespace)
            read = read_preview(live, app) if live is not None else None
            if read is None:
                return False
            preview = read
        else:
            return True
    return False


async def wait_until_gone(api: Finds, clock: Clock, previews: Sequence[Preview]) -> None:
    """Wait until the namespaces of previews that were deleted are gone.

    Raises:
        OperationError: some are not; says what Kubernetes says of them.
    """
    deadline = clock.monotonic() + GONE_SECONDS
    left = list(previews)
    while True:
        live = [(each, await api.find("namespaces", "", each.namespace)) for each in left]
        there = {each.namespace: obj for each, obj in live if obj and obj["metadata"]["uid"] == each.uid}
        if not there:
            return
        if clock.monotonic() > deadline:
            raise OperationError(
                f"not gone {GONE_SECONDS:.0f} s after deletion: "
                + "; ".join(f"{name}{_why(obj)}" for name, obj in there.items()),
                remedy="A finalizer holds it; `kubectl get namespace NAME -o yaml` tells which.",
            )
        left = [each for each in left if each.namespace in there]
        await clock.sleep(POLL_SECONDS)


def _why(namespace: Mapping[str, Any]) -> str:
    conditions = (namespace.get("status") or {}).get("conditions") or ()
    messages = [each.get("message", "") for each in conditions if each.get("status") == "True"]
    return f" ({' '.join(filter(None, messages))})" if any(messages) else ""


def access_of(app: str, label: str, groups: Mapping[str, str]) -> list[Obj]:
    """Return the Roles and bindings in a preview's namespace, those of an environment.

    Args:
        app: whose preview it is.
        label: of the preview.
        groups: group → level.
    """
    namespace = namespace_of(app, label)
    environment = Environment(name=f"preview-{label}", app=app, namespace=namespace, access=groups)
    return [obj for obj in access_objects(environment) if obj["metadata"]["namespace"] == namespace]


def end_of(now: datetime, seconds: float) -> datetime:
    """Return when a preview that is brought up now ends."""
    return now + timedelta(seconds=seconds)
