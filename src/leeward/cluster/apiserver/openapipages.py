"""Answers to GET ``/openapi``: documents with marks, so that clients keep what has not changed.

A document of v3 that is asked for with its hash, as the index names it, may be kept for ever; with an old
hash the client is sent to the new one.

Source: k8s.io/kube-openapi/pkg/{handler,handler3}/handler.go; net/http ServeContent.
"""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta

import orjson

from leeward.base.clock import PassiveClock
from leeward.cluster.apiserver.aggregation.aggregator import Aggregator
from leeward.cluster.apiserver.http import JSON, TEXT, Answer, Request, Response, text_response
from leeward.cluster.apiserver.negotiation import openapi_v2_type
from leeward.cluster.apiserver.openapi import OpenApi, url_of
from leeward.kube.status import NotAcceptableError

_INDEX, _WHOLE = "/openapi/v3", "/openapi/v2"
_YEAR = timedelta(days=365)


class OpenApiPages:
    """Serves OpenAPI documents.

    Args:
        openapi: makes them.
        aggregator: knows who has others.
        clock: when a kept document expires.
    """

    def __init__(self, openapi: OpenApi, aggregator: Aggregator, clock: PassiveClock) -> None:
        self._openapi = openapi
        self._aggregator = aggregator
        self._clock = clock

    async def answer(self, request: Request) -> Answer:
        """Answer a request below ``/openapi``."""
        path = request.path.rstrip("/")
        if path == _INDEX:
            return Response(orjson.dumps(self._openapi.index()), content_type=TEXT)  # as upstream has it
        if path == _WHOLE:
            return await self._whole(request)
        accept = request.headers.get("accept", "")
        if accept and not any(kind in accept for kind in (JSON, "*/*", "application/*")):
            raise NotAcceptableError("OpenAPI v3 is served as application/json")
        if not path.startswith(f"{_INDEX}/"):
            return text_response("404 page not found\n", status=404)
        return await self._document(request, path.removeprefix(f"{_INDEX}/"))

    async def _whole(self, request: Request) -> Response:
        media_type = openapi_v2_type(request.headers.get("accept", ""))
        mark = self._openapi.whole_mark()
        unchanged = _marked(request, mark)
        if unchanged is not None:
            return unchanged
        packed = await asyncio.to_thread(self._openapi.whole, protobuf=media_type != JSON)
        return _with_mark(_unpacked(request, packed, media_type), mark)

    async def _document(self, request: Request, key: str) -> Answer:
        parts = key.split("/")
        remote = self._aggregator.find(*parts[1:]) if parts[0] == "apis" and len(parts) == 3 else None
        if remote is not None:
            return await self._aggregator.answer(request, remote)
        mark, wanted = self._openapi.mark(key), request.query.text("hash")
        if mark is None:
            return Response(b"", status=404, content_type="")
        if wanted and wanted != mark:
            headers = [("location", url_of(key, mark)), ("etag", f'"{mark}"'), ("vary", "Accept")]
            return Response(b"", status=301, headers=headers)
        answer = _marked(request, mark)
        if answer is None:
            packed = await asyncio.to_thread(self._openapi.document, key)
            answer = _with_mark(_unpacked(request, packed or b"", JSON), mark)
        if wanted:
            expires = (self._clock.now() + _YEAR).strftime("%a, %d %b %Y %H:%M:%S UTC")
            answer.headers += [("cache-control", "public, immutable"), ("expires", expires)]
        return answer


def _marked(request: Request, mark: str) -> Response | None:
    """Return the answer to a client that has a document already; None: it has not."""
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if f'"{mark}"' not in known and "*" not in known:
        return None
    return _with_mark(Response(b"", status=304, content_type=""), mark)


def _with_mark(answer: Response, mark: str) -> Response:
    answer.headers += [("etag", f'"{mark}"'), ("vary", "Accept")]
    return answer


def _unpacked(request: Request, packed: bytes, media_type: str) -> Response:
    """Return a compressed document as the client can read it."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = [("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
        return Response(packed, content_type=media_type, headers=headers)
    return Response(gzip.decompress(packed), content_type=media_type)
