"""What applying would come to, before it is done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leeward.delivery.apply import LAST_APPLIED, plan_change
from leeward.delivery.outlook import applied, substance
from leeward.delivery.rehearsal import rehearse
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ForbiddenError, InvalidError, NotFoundError, StatusError


def deployment(image: str, replicas: int = 1) -> Obj:
    pod = {"containers": [{"name": "web", "image": image}]}
    spec = {"replicas": replicas, "template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def live(desired: Obj) -> Obj:
    there: Obj = {**plan_change(desired, None).desired, "status": {"replicas": 1}}
    there["metadata"] = {**there["metadata"], "uid": "1", "resourceVersion": "7"}
    there["spec"] = {**there["spec"], "revisionHistoryLimit": 10}
    return there


class Api:
    """An API with one object at most, which answers dry runs or refuses them."""

    def __init__(self, there: Obj | None = None, error: StatusError | None = None) -> None:
        self.there, self.error = there, error
        self.asked: list[str] = []

    async def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self.there

    async def create(self, resource: str, obj: Obj, *, dry_run: bool = False) -> Obj:
        return self._answer("create", dry_run)

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
        return self._answer(f"patch {patch_type}", dry_run)

    def _answer(self, what: str, dry_run: bool) -> Obj:
        assert dry_run
        self.asked.append(what)
        if self.error:
            raise self.error
        return {"kind": "Deployment", "metadata": {"name": "as the API says"}}


def test_what_is_as_it_should_be_asks_nothing() -> None:
    api = Api(live(deployment("x")))
    found = asyncio.run(rehearse(api, "deployments.apps", deployment("x")))
    assert found.before == found.after == api.there
    assert api.asked == []


def test_the_api_says_what_a_change_comes_to() -> None:
    api = Api(live(deployment("x")))
    found = asyncio.run(rehearse(api, "deployments.apps", deployment("y")))
    assert api.asked == ["patch merge"]
    assert found.after["metadata"]["name"] == "as the API says"


def test_what_would_be_created_is_shown_as_rendered() -> None:
    api = Api()
    found = asyncio.run(rehearse(api, "deployments.apps", deployment("y")))
    assert api.asked == ["create"]
    assert (found.before, found.after, found.refusal) == (None, deployment("y"), "")


@pytest.mark.parametrize("error", [InvalidError("field is immutable"), ForbiddenError("exceeded quota")])
def test_what_the_api_would_refuse_is_told(error: StatusError) -> None:
    found = asyncio.run(rehearse(Api(live(deployment("x")), error), "deployments.apps", deployment("y")))
    assert found.refusal == error.message


@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError('deployments.apps "web" is forbidden: User "me" cannot patch resource "deployments"'),
        BadRequestError("admission webhook does not support dry run"),
        NotFoundError("namespaces not found"),
    ],
)
def test_where_the_api_cannot_be_asked_the_outlook_is_foretold(error: StatusError) -> None:
    there = live(deployment("x", 4))
    found = asyncio.run(rehearse(Api(there, error), "deployments.apps", deployment("y")))
    assert found.refusal == ""
    assert found.after == applied(there, deployment("y"))
    assert found.after["spec"]["replicas"] == 1
    assert found.after["spec"]["revisionHistoryLimit"] == 10


def test_the_substance_of_an_object_has_no_bookkeeping() -> None:
    found = substance(live(deployment("x")))
    assert found["metadata"] == {"name": "web"}
    assert "status" not in found
    assert LAST_APPLIED not in str(found)


def test_the_substance_of_a_secret_that_kubectl_applied_does_not_repeat_its_values() -> None:
    note = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}'}
    secret = {"kind": "Secret", "metadata": {"name": "s", "annotations": {**note, "mine": "kept"}}}
    assert substance(secret)["metadata"]["annotations"] == {"mine": "kept"}
