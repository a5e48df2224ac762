"""What the Job controller does to Pods, and tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from leeward.cluster.controllers.framework.slowstart import is_namespace_ending
from leeward.cluster.controllers.job.tally import TRACKING, is_tracked
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, key_of, without_finalizer
from leeward.kube.status import NotFoundError, StatusError


class Hands:
    """Makes, deletes and tracks Pods.

    Args:
        client: writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def tell(self, job: Obj, kind: Any, reason: str, message: str) -> None:
        """Record an Event."""
        self._client.record(job, event_type=kind, reason=reason, message=message)

    def create(self, job: Obj, pod: Obj) -> None:
        """Make a Pod.

        Raises:
            StatusError: it cannot be made, for another reason than that the namespace is going.
        """
        try:
            made = self._client.create("pods", pod)
        except StatusError as error:
            self.tell(job, "Warning", "FailedCreate", f"Error creating: {error}")
            if is_namespace_ending(error):
                return
            raise
        self.tell(job, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def delete(self, job: Obj, pods: Sequence[Obj], *, uncounted: bool = False) -> StatusError | None:
        """Delete Pods; returns the first failure, and those after it are left.

        Args:
            job: the Job.
            pods: of it.
            uncounted: they are to be counted as nothing.
        """
        for pod in pods:
            if uncounted:
                self.untrack(pod)
            name = pod["metadata"]["name"]
            try:
                self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"])
            except NotFoundError:
                continue
            except StatusError as error:
                self.tell(job, "Warning", "FailedDelete", f"Error deleting: {error}")
                return error
            self.tell(job, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
        return None

    def track(self, pod: Obj) -> Obj:
        """Give a Pod the finalizer that keeps it until it is counted."""
        if is_tracked(pod):
            return pod
        finalizers = [*(pod["metadata"].get("finalizers") or ()), TRACKING]
        return self._client.update("pods", {**pod, "metadata": {**pod["metadata"], "finalizers": finalizers}})

    def untrack(self, pod: Obj) -> None:
        """Take it away."""
        live = self._client.find("pods", *key_of(pod))
        if live is not None and live["metadata"]["uid"] == pod["metadata"]["uid"] and is_tracked(live):
            with suppress(NotFoundError):
                self._client.update("pods", without_finalizer(live, TRACKING))
