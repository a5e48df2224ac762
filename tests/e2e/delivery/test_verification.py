"""Releases that are verified by requests and drills, and go back by themselves when these do not hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leeward.delivery import records
from leeward.delivery.environments.verifications import Verification
from leeward.delivery.promotion.httpcheck import HttpCheck, Served
from leeward.delivery.promotion.promoter import PromotionFailedError
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from tests.e2e.delivery.shop import KilledError, Mortal, objects_of, releases_live, request
from tests.e2e.delivery.test_promotions import HUB, make_environment, on_cluster, promote, status_of
from tests.live import NEEDS_PODS, Leeward

pytestmark = pytest.mark.e2e


class Page:
    """A web server of this machine, which says what it is told to and counts requests."""

    def __init__(self) -> None:
        self.answers = [b"HTTP/1.1 200 OK"]
        self.requests = 0
        self.url = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve while inside."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/healthz"
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        head = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(head + b"\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    def check(self, namespace: str, **wanted: float | str) -> HttpCheck:
        """Return the check that requests it."""
        return HttpCheck(Verification(http=self.url, **{"timeout": 20.0, **wanted}), namespace, None)  # type: ignore[arg-type]  # by name


def test_a_release_is_good_when_a_url_is_answered_as_wanted_and_else_goes_back(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me, page = await make_environment(api, "asked"), Page()
        namespace = "shop-asked"
        async with page.served():
            page.answers = [b"HTTP/1.1 503 Unavailable", b"HTTP/1.1 200 OK"]
            good = request(
                "asked", "1", objects_of(namespace, "1"), me, checks=[page.check(namespace, contains="ok")]
            )
            assert (await promote(api, good))["status"]["phase"] == "Succeeded"
            assert page.requests == 2
            page.answers = [b"HTTP/1.1 302 Found\r\nlocation: /login"]
            bad = request(
                "asked", "2", objects_of(namespace, "2"), me, checks=[page.check(namespace, timeout=1.0)]
            )
            with pytest.raises(PromotionFailedError, match="status 302 to /login: ok"):
                await promote(api, bad)
        assert await releases_live(api, namespace) == {good.release}
        assert (await status_of(api, "asked"))["release"] == good.release
        found = await api.get(records.PROMOTIONS, HUB, "asked-00002")
        assert found["status"]["phase"] == "RolledBack"
        assert "was not answered as wanted (status 200) within 1 s" in found["status"]["message"]

    on_cluster(access, story)


def test_a_path_of_a_service_that_does_not_answer_is_told_as_the_api_server_tells_it(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me = await make_environment(api, "silent")
        wanted = Verification(http="/healthz", timeout=1.0, status=("200-599",))
        check = HttpCheck(wanted, "shop-silent", Served("web", 80))
        bad = request("silent", "1", objects_of("shop-silent", "1"), me, checks=[check])
        with pytest.raises(PromotionFailedError, match='the Kubernetes API says: services "web" not found'):
            await promote(api, bad)
        assert await releases_live(api, "shop-silent") == set()

    on_cluster(access, story)


def test_who_takes_up_a_promotion_verifies_again(access: Access) -> None:
    async def story(api: KubeClient) -> None:
        me, page = await make_environment(api, "retaken"), Page()
        async with page.served():
            mortal = Mortal(api)
            first = request(
                "retaken", "1", objects_of("shop-retaken", "1"), me, checks=[page.check("shop-retaken")]
            )
            with pytest.raises(KilledError):
                await promote(_Dying(mortal, page), first)
            assert page.requests == 1
            assert (await promote(api, first))["metadata"]["name"] == "retaken-00001"
            assert page.requests == 2

    on_cluster(access, story)


class _Dying:
    """An API whose user dies at the first write after a page was requested."""

    def __init__(self, mortal: Mortal, page: Page) -> None:
        self._mortal = mortal
        self._page = page

    def __getattr__(self, name: str) -> object:
        if self._page.requests and name in ("create", "update", "patch", "apply", "delete"):
            raise KilledError
        return getattr(self._mortal, name)


_COMPOSE = """\
name: pages
services:
  web:
    image: python:3.12
    command: [python, -c, {program}]
    environment: {{VERSION: "{version}"}}
    expose: ["8000"]
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
    stop_grace_period: 2s
    deploy: {{replicas: {replicas}}}
"""
_PROGRAM = """\
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = f"{os.environ['VERSION']} for {self.headers['host']}".encode()
        self.send_response(200 if self.path == '/healthz' else 404)
        self.send_header('content-length', str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *said):
        pass
http.server.ThreadingHTTPServer(('', 8000), Page).serve_forever()
"""
_CONFIG = """\
app: pages
environments:
  ci:
    verify: [{http: /healthz, host: pages.example.com, contains: good for pages.example.com, timeout: 4s}]
  qa:
    from: ci
    verify: [{drill: zone, http: /healthz, rate: 20, for: 12s}]
"""


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Leeward]:
    (tmp_path / "work").mkdir()
    leeward = Leeward(tmp_path / "home", tmp_path / "work")
    leeward.write("leeward.yaml", _CONFIG)
    yield leeward
    leeward.run("cluster", "delete", "--yes")


def _release(tool: Leeward, version: str, replicas: int = 3) -> None:
    text = _COMPOSE.format(program=json.dumps(_PROGRAM), version=version, replicas=replicas)
    tool.write("compose.yaml", text)
    tool.ok("release", "create", "--version", version)


@pytest.mark.root
@NEEDS_PODS[-1]
def test_requests_and_a_drill_let_a_good_release_in_and_a_bad_one_goes_back(tool: Leeward) -> None:
    tool.ok("cluster", "start", "--nodes-per-zone", "1")
    tool.write("compose.yaml", _COMPOSE.format(program=json.dumps(_PROGRAM), version="good", replicas=3))
    tool.ok("env", "apply", "--yes")
    _release(tool, "good")
    shown = tool.ok("promote", "--to", "ci", "--yes")
    assert "then verified by: GET web:8000/healthz (status 200, with" in shown
    assert "up and verified after" in shown
    drilled = tool.run("promote", "--to", "qa", "--yes")
    assert drilled.returncode == 0, drilled.stdout + drilled.stderr
    assert "then verified by: drill: a zone is lost under GET /healthz (20 requests/s)" in drilled.stdout
    assert "drill passed: 240 requests, none failed" in drilled.stderr

    _release(tool, "bad")
    failed = tool.run("promote", "bad", "--to", "ci", "--yes")
    assert failed.returncode == 1
    assert "ci is as it was before: GET web:8000/healthz was not answered as wanted" in failed.stderr
    assert "the last answer lacks the text: status 200: bad for pages.example.com" in failed.stderr
    assert "good" in tool.ok("history", "ci")
    dark = [
        node
        for node in json.loads(tool.kubectl("local", "get", "nodes", "-o", "json").stdout)["items"]
        if "leeward.dev/power" in node["metadata"].get("annotations", {})
    ]
    assert dark == []


def test_a_drill_that_cannot_be_done_is_refused_before_anything_is_applied(tool: Leeward) -> None:
    tool.ok("cluster", "start", "--runtime", "simulated")
    tool.write("leeward.yaml", _CONFIG.replace("from: ci", "approvals: 0"))
    tool.write("compose.yaml", _COMPOSE.format(program="x", version="good", replicas=3))
    tool.ok("env", "apply", "--yes")
    _release(tool, "good")
    refused = tool.run("promote", "good", "--to", "qa", "--yes")
    assert refused.returncode == 1
    assert "nothing answers requests on a simulated cluster" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert tool.ok("history", "qa").count("qa-0") == 0
