"""OpenAPI documents are sent to who has not got them."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import orjson

from leeward.base.clock import VirtualClock
from leeward.cluster.apiserver.http import Request, Response
from leeward.cluster.apiserver.openapi import OpenApi
from leeward.cluster.apiserver.openapipages import OpenApiPages
from leeward.cluster.apiserver.served import Catalog
from leeward.kube.objects import Obj


class _Nobody:
    """An aggregator without any servers."""

    def find(self, group: str, version: str) -> None:
        return None


def _definition(kind: str, group: str, **schema: Any) -> Obj:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": f"{kind.lower()}s", "kind": kind}
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}
    return {"metadata": {"name": kind}, "spec": spec}


class World:
    def __init__(self, *definitions: Obj) -> None:
        self.definitions = list(definitions)
        self.catalog = Catalog(self.definitions)
        openapi = OpenApi(lambda: self.catalog, lambda: self.definitions, dict)
        nobody: Any = _Nobody()
        self._pages = OpenApiPages(openapi, nobody, VirtualClock())

    def define(self, *definitions: Obj) -> None:
        self.definitions = list(definitions)
        self.catalog = Catalog(self.definitions)

    def get(self, url: str, **headers: str) -> Response:
        path, _, query = url.partition("?")
        sent = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        scope = {"raw_path": path.encode(), "query_string": query.encode(), "headers": sent}

        async def receive() -> Any:
            raise AssertionError

        answer = asyncio.run(self._pages.answer(Request(scope, receive)))
        assert isinstance(answer, Response)
        return answer

    def url(self, key: str) -> str:
        return str(orjson.loads(self.get("/openapi/v3").body)["paths"][key]["serverRelativeURL"])


def _tag(answer: Response) -> str:
    return dict(answer.headers)["etag"]


ONE = _definition("One", "one.example.com", type="object")
TWO = _definition("Two", "two.example.com", type="object")


def test_who_has_the_whole_document_is_told_that_it_has_not_changed() -> None:
    world = World()
    tag = _tag(world.get("/openapi/v2"))

    again = world.get("/openapi/v2", if_none_match=f'"other", {tag}')
    assert (again.status, again.body, _tag(again)) == (304, b"", tag)
    world.define(ONE)
    assert world.get("/openapi/v2", if_none_match=tag).status == 200


def test_a_document_that_is_asked_for_with_its_hash_may_be_kept() -> None:
    answer = World().get(World().url("apis/apps/v1"))
    headers = dict(answer.headers)

    assert answer.status == 200
    assert headers["cache-control"] == "public, immutable"
    assert headers["expires"] == "Wed, 01 Jan 2031 00:00:00 UTC"
    assert "cache-control" not in dict(World().get("/openapi/v3/apis/apps/v1").headers)


def test_the_cache_header_is_sent_once() -> None:
    answer = Response(b"", headers=[("cache-control", "public, immutable")])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(answer.send(send))
    assert [value for key, value in sent[0]["headers"] if key == b"cache-control"] == [b"public, immutable"]


def test_an_old_hash_leads_to_the_new_document() -> None:
    world = World()
    answer = world.get("/openapi/v3/apis/apps/v1?hash=OLD")
    assert (answer.status, dict(answer.headers)["location"]) == (301, world.url("apis/apps/v1"))


def test_a_definition_changes_the_hash_of_its_own_group_alone() -> None:
    world = World(ONE, TWO)
    before = [world.url(f"apis/{name}.example.com/v1") for name in ("one", "two")]
    world.define(_definition("One", "one.example.com", type="object", description="new"), TWO)
    after = [world.url(f"apis/{name}.example.com/v1") for name in ("one", "two")]

    assert before[0] != after[0]
    assert before[1] == after[1]
    assert world.get(before[0]).status == 301
    assert b'"description":"new"' in world.get(after[0]).body


def test_a_document_of_a_group_that_is_not_served_is_not_found() -> None:
    assert World().get("/openapi/v3/apis/nosuch.group/v1").status == 404


def test_what_has_no_resources_has_a_document_too() -> None:
    world = World(ONE)
    for key in ("api", "apis", "apis/apps", "version", "openid/v1/jwks"):
        document = orjson.loads(gzip.decompress(world.get(world.url(key), accept_encoding="gzip").body))
        assert list(document["paths"]) == [f"/{key}/"]
    assert world.get("/openapi/v3/apis/one.example.com").status == 404
