"""A small application of three objects a release, and an API that dies in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leeward.delivery import records
from leeward.delivery.promotion.lease import LEASES
from leeward.delivery.promotion.promoter import Request
from leeward.delivery.promotion.rollout import RELEASE, Where
from leeward.delivery.promotion.verification import Check
from leeward.kube.client import KubeClient
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF, DEPENDS_ON

WRITES = ("create", "update", "patch", "apply", "delete")


class KilledError(BaseException):
    """The process that promotes ends here."""


class Mortal:
    """An API whose user dies at one of its writes; renewals of a lease are not counted, they depend on time.

    Args:
        api: the real one.
        at: the number of the write, from 1.
        done: whether that one is still carried out.
    """

    def __init__(self, api: KubeClient, at: int = 0, *, done: bool = False) -> None:
        self._api = api
        self._at = at
        self._done = done
        self._leased = False
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._api, name)
        return self._mortal(found) if name in WRITES else found

    def fail(self) -> None:
        """End at a write."""
        raise KilledError

    def _mortal(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def write(*args: Any, **named: Any) -> Any:
            if self._renews(args) and not self.is_dead:
                return await call(*args, **named)
            self.writes += 1
            if self.is_dead or (self.writes == self._at and not self._done):
                self.fail()
            result = await call(*args, **named)
            if self.writes == self._at:
                self.fail()
            return result

        return write

    def _renews(self, args: tuple[Any, ...]) -> bool:
        """Tell whether a write only says that the lease, which is held, is held still."""
        if args[0] != LEASES:
            return False
        had, self._leased = self._leased, bool(args[1]["spec"].get("holderIdentity"))
        return had and self._leased

    @property
    def is_dead(self) -> bool:
        """Whether no write is carried out any more."""
        return bool(self._at) and self.writes > self._at


class Shaky(Mortal):
    """An API whose connection breaks at one of the writes, and comes back."""

    is_dead = False

    def fail(self) -> None:
        """Break the connection."""
        raise UnreachableError("the connection is lost")


def objects_of(namespace: str, version: str, *, image: str = "", fails: bool = False) -> list[Obj]:
    """Return the objects of a version: configuration, a migration, and a service that waits for it."""

    def labelled(service: str) -> Obj:
        labels = {APP_PART_OF: "shop", APP_MANAGED_BY: "leeward"}
        return {**labels, APP_NAME: service} if service else labels

    def head(api: str, kind: str, name: str, service: str = "", **notes: str) -> Obj:
        meta = {"name": name, "namespace": namespace, "labels": labelled(service), "annotations": notes}
        return {"apiVersion": api, "kind": kind, "metadata": meta}

    def template(service: str, command: list[str]) -> Obj:
        container: Obj = {"name": service, "image": image or f"shop:{version}", "command": command}
        if service == "web":
            container["readinessProbe"] = {"exec": {"command": ["true"]}}
        if fails:
            container["env"] = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "x"}}}]
        return {"metadata": {"labels": labelled(service)}, "spec": {"containers": [container]}}

    job = template("migrate", ["exit", "0"])
    job["spec"]["restartPolicy"] = "Never"
    waits = {DEPENDS_ON: '{"migrate":"service_completed_successfully"}'}
    selector = {"matchLabels": labelled("web")}
    namespaced = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {}}}
    return [
        namespaced,
        {**head("v1", "ConfigMap", f"config-{version}"), "immutable": True, "data": {"version": version}},
        {**head("v1", "Secret", f"secret-{version}"), "immutable": True, "data": {"key": "eA=="}},
        {**head("batch/v1", "Job", "migrate", "migrate"), "spec": {"template": job}},
        {
            **head("apps/v1", "Deployment", "web", "web", **waits),
            "spec": {"replicas": 2, "selector": selector, "template": template("web", ["serve"])},
        },
    ]


def request(environment: str, version: str, objects: list[Obj], by: str, **more: Any) -> Request:
    """Return a request for a version; its id is made of it."""
    namespace = f"shop-{environment}"
    release = records.release_name("shop", records.digest_of(version))
    where = Where(
        project="shop",
        namespace=namespace,
        environment=environment,
        release=release,
        timeout=more.pop("timeout", 20.0),
    )
    return Request(
        app="shop",
        environment=environment,
        release=release,
        objects=objects,
        by=by,
        diff_hash=records.digest_of(objects),
        where=where,
        **more,
    )


def check_of(code: int) -> Check:
    """Return a check that ends with `code`."""
    container = {"name": "test", "image": "test", "command": ["exit", str(code)]}
    return Check("test", {"metadata": {"labels": {}}, "spec": {"containers": [container]}}, 20.0)


async def releases_live(api: KubeClient, namespace: str) -> set[str]:
    """Return the releases that live objects of the shop say they are of, Jobs and what is kept left out."""
    selector = f"{APP_PART_OF}=shop,{APP_MANAGED_BY}=leeward"
    found: set[str] = set()
    for resource in ("deployments.apps", "services"):
        for obj in await api.list(resource, namespace, label_selector=selector):
            found.add(annotations_of(obj).get(RELEASE, ""))
    return found
