from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from leeward.cluster.apiserver.bodies import fitted, read_object
from leeward.cluster.apiserver.http import Request
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Catalog
from leeward.kube.status import BadRequestError


@pytest.mark.parametrize(("value", "word"), [([], "array"), ({}, "object"), (1, "number"), (True, "bool")])
@pytest.mark.parametrize("field", ["apiVersion", "kind"])
def test_a_type_that_is_no_text_is_refused(field: str, value: Any, word: str) -> None:
    body = orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", field: value})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    with pytest.raises(BadRequestError, match=f"cannot unmarshal {word} into Go struct field .{field}"):
        asyncio.run(read_object(Request(scope, receive)))


def test_metadata_that_is_no_object_is_refused_whatever_the_kind() -> None:
    served = next(each for each in Catalog().resources if each.name == "configmaps")
    path = ResourcePath("", "v1", "default", "configmaps", "", "", "")

    for served_as in (served, replace(served, custom=True)):
        with pytest.raises(BadRequestError, match="metadata must be an object"):
            fitted({"apiVersion": "v1", "kind": "Other", "metadata": ["x"]}, served_as, path)
