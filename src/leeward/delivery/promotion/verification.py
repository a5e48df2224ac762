"""What must succeed before a release counts as good; here: a service of the Compose file, run once as a Job.

Invariant: a Job of the same name is the same attempt; whoever comes back after a crash waits for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.delivery.api import Creates, Finds, Lists
from leeward.delivery.health import WORKLOADS
from leeward.kube.fetching import Fetched
from leeward.kube.objects import Obj, find_condition, labels_of
from leeward.kube.status import AlreadyExistsError, StatusError
from leeward.kube.wellknown import APP_NAME, APP_PART_OF
from leeward.render.naming import dns_label

_JOBS = "jobs.batch"
_POLL = 0.3
_LINES = 10  # of its log, when it fails
CHECK_LABEL = "leeward.dev/check"  # of the Jobs
_NEEDED = ("ConfigMap", "Secret", "ServiceAccount", "NetworkPolicy", "Namespace")  # by the Job


class VerificationApi(Finds, Lists, Creates, Protocol):
    """What running Jobs needs of a Kubernetes API."""

    def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        tail_lines: int | None = None,
        previous: bool = False,
    ) -> AsyncIterator[str]:
        """Yield the lines of a container's log."""
        ...

    async def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET a path and return the answer, whatever it is; UnreachableError where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A promotion whose release is up and is to be found good."""

    api: VerificationApi
    clock: Clock
    namespace: str
    project: str  # as labels have it
    name: str  # of the promotion
    show: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be verified here."""

    message: str
    remedy: str


class Verifier(Protocol):
    """One thing that must succeed."""

    @property
    def title(self) -> str:
        """What it is, for people: a service's name, or ``GET web/healthz``."""
        ...

    @property
    def terms(self) -> Sequence[Any]:
        """All of it as plain values: what approvals are bound to."""
        ...

    @property
    def disrupts(self) -> bool:
        """Whether it harms what runs, so that nobody wants it when a release is taken back."""
        ...

    async def obstacle(self, api: Creates) -> Obstacle | None:
        """Return why it cannot be done here, asked before anything is applied."""
        ...

    async def verify(self, attempt: Attempt) -> None:
        """Return when it has succeeded; again for each attempt, also one that is taken up again.

        Raises:
            OperationError: it has not, or the cluster cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One service that is run to see whether a release is good; fulfils Verifier."""

    service: str
    template: Obj  # of its Pod
    timeout: float  # seconds
    disrupts = False

    @property
    def title(self) -> str:
        """The service."""
        return self.service

    @property
    def terms(self) -> Sequence[Any]:
        """What is run, and for how long."""
        return [self.service, self.template, self.timeout]

    async def obstacle(self, api: Creates) -> Obstacle | None:
        """Whoever promotes may run Jobs."""
        return None

    async def verify(self, attempt: Attempt) -> None:
        """Run it to its end."""
        job = check_job(self, attempt.namespace, attempt.name, attempt.project)
        await run_check(attempt.api, attempt.clock, job, self.service)


def split_checks(objects: Sequence[Obj], services: dict[str, float]) -> tuple[list[Obj], list[Check]]:
    """Return what is applied, and the checks among what was rendered.

    Args:
        objects: as rendered, with the services that are checks.
        services: the checks, with the seconds that each may take, in their order.

    Raises:
        OperationError: a check is no service of the release.
    """
    labels = {dns_label(name): name for name in services}
    applied: list[Obj] = []
    templates: dict[str, Obj] = {}
    for obj in objects:
        service = labels.get(labels_of(obj).get(APP_NAME, ""), "")
        if not service or obj["kind"] in _NEEDED:
            applied.append(obj)
        elif obj["kind"] in WORKLOADS and "template" in obj["spec"]:
            templates[service] = obj["spec"]["template"]
    if missing := [name for name in services if name not in templates]:
        raise OperationError(
            f"what shall verify the release is no service of it: {', '.join(missing)}",
            remedy="Correct `verify` in leeward.yaml, then: leeward env apply.",
        )
    return applied, [Check(name, templates[name], seconds) for name, seconds in services.items()]


def check_job(check: Check, namespace: str, attempt: str, project: str) -> Obj:
    """Return the Job of a check.

    Args:
        check: what to run.
        namespace: where.
        attempt: the promotion; one Job for each.
        project: as labels have it.
    """
    spec: dict[str, Any] = {**check.template["spec"], "restartPolicy": "Never"}
    labels = {APP_PART_OF: project, CHECK_LABEL: dns_label(check.service)}
    own = {key: value for key, value in labels_of(check.template).items() if key != APP_NAME}
    name = dns_label(f"{attempt}-{check.service}")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": max(int(check.timeout), 1),
            "ttlSecondsAfterFinished": 3600,
            "template": {**check.template, "metadata": {"labels": {**own, **labels}}, "spec": spec},
        },
    }


async def run_check(api: VerificationApi, clock: Clock, job: Obj, service: str) -> None:
    """Run a check to its end.

    Raises:
        OperationError: it failed; with the last lines that it said.
    """
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    live = await api.find(_JOBS, namespace, name)
    if live is None:
        with contextlib.suppress(AlreadyExistsError):
            await api.create(_JOBS, job)
    deadline = clock.monotonic() + job["spec"]["activeDeadlineSeconds"] + 60
    while True:
        live = await api.find(_JOBS, namespace, name)
        ended = live and (find_condition(live, "Complete") or find_condition(live, "Failed"))
        if ended and ended.get("status") == "True":
            break
        if clock.monotonic() > deadline:
            ended = {"type": "Failed", "message": "it did not end in time"}
            break
        await clock.sleep(_POLL)
    if ended["type"] == "Failed":
        said = await last_words(api, namespace, f"batch.kubernetes.io/job-name={name}")
        raise OperationError(f"{service} failed: {ended.get('message') or 'it ended with an error'}{said}")


async def last_words(api: VerificationApi, namespace: str, selector: str, *, troubled: bool = False) -> str:
    """Return the last lines that Pods said, a line each; "" when that cannot be told.

    Args:
        api: the cluster.
        namespace: of the Pods.
        selector: for their labels.
        troubled: only of the newest one whose containers ended again and again, or with an error.
    """
    lines: list[str] = []
    with contextlib.suppress(StatusError, OperationError):
        pods = await api.list("pods", namespace, label_selector=selector)
        pods = [pod for pod in pods if not troubled or _restarts(pod)]
        for pod in sorted(pods, key=lambda each: str(each["metadata"].get("creationTimestamp")))[-1:]:
            words = api.logs(
                namespace,
                pod["metadata"]["name"],
                tail_lines=_LINES,
                previous=troubled and _restarts(pod) > 0,
            )
            lines = [line async for line in words]
    return "".join(f"\n    {line}" for line in lines)


def _restarts(pod: Obj) -> int:
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return sum(each.get("restartCount", 0) for each in found)
