"""Digests, asked of a real registry over HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from email.utils import format_datetime

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.images.challenges import challenge_of
from leeward.delivery.images.credentials import Credentials
from leeward.delivery.images.references import parse_reference
from leeward.delivery.images.registry import Registry
from tests.registryserver import RegistryServer, Scripted, digest_of, serving


class Hasty(VirtualClock):
    """A clock whose sleepers wake at once."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


class Login:
    """The same credentials for every registry."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.found = credentials

    async def credentials(self, registry: str) -> Credentials | None:
        return self.found


@pytest.fixture(name="server")
def _server() -> Iterator[RegistryServer]:
    with serving() as server:
        yield server


@pytest.fixture(name="clock")
def _clock() -> Hasty:
    return Hasty()


def ask(server: RegistryServer, clock: Hasty, image: str = "web:1", login: Credentials | None = None) -> str:
    async def run() -> str:
        async with Registry(Login(login), clock, timeout_seconds=5) as registry:
            return await registry.digest(parse_reference(f"{server.host}/{image}"))

    return asyncio.run(run())


def test_head_is_enough(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    assert ask(server, clock) == digest
    assert server.methods() == ["HEAD"]


def test_a_digest_is_not_asked_for(server: RegistryServer, clock: Hasty) -> None:
    digest = digest_of(b"any")
    assert ask(server, clock, f"web:1@{digest}") == digest
    assert server.asked == []


def test_get_is_asked_where_head_says_nothing(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    server.tells_digest = False
    assert ask(server, clock) == digest
    server.tells_digest, server.answers_head = True, False
    assert ask(server, clock) == digest
    assert server.methods() == ["HEAD", "GET"] * 2


def test_a_body_that_is_not_what_the_header_says_is_refused(server: RegistryServer, clock: Hasty) -> None:
    server.put("web", "1")
    server.answers_head, server.wrong_digest = False, digest_of(b"other")
    with pytest.raises(OperationError, match="but what it sends is sha256:"):
        ask(server, clock)


def test_an_image_that_is_not_there_is_the_users_matter(server: RegistryServer, clock: Hasty) -> None:
    with pytest.raises(UserInputError, match=r"has no image 127\.0\.0\.1:\d+/web:1") as caught:
        ask(server, clock)
    assert caught.value.remedy.startswith("Is the tag right")


@pytest.mark.parametrize(
    "kind", ["text/html; charset=utf-8", "application/vnd.docker.distribution.manifest.v1+prettyjws"]
)
def test_what_is_no_manifest_is_not_pinned(server: RegistryServer, clock: Hasty, kind: str) -> None:
    server.put("web", "1")
    server.content_type = kind
    with pytest.raises(OperationError, match="no image that clusters take"):
        ask(server, clock)


def test_more_than_a_manifest_is_not_read(server: RegistryServer, clock: Hasty) -> None:
    server.put("web", "1", b"x" * (5 * 1024 * 1024))
    server.answers_head = False
    with pytest.raises(OperationError, match="which is no manifest"):
        ask(server, clock)


def test_anybody_gets_a_token_where_that_is_enough(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("team/web", "1")
    server.auth = "bearer"
    assert ask(server, clock, "team/web:1") == digest
    token = next(asked for asked in server.asked if asked.path.startswith("/token"))
    assert token.authorization == ""
    assert "scope=repository%3Ateam%2Fweb%3Apull%2Cpush" in token.path
    assert "service=registry%2C+for+tests" in token.path


def test_a_token_is_asked_for_once_a_repository(server: RegistryServer, clock: Hasty) -> None:
    server.auth = "bearer"
    server.put("web", "1")
    server.put("web", "2")

    async def run() -> None:
        async with Registry(Login(), clock) as registry:
            for tag in ("1", "2"):
                await registry.digest(parse_reference(f"{server.host}/web:{tag}"))

    asyncio.run(run())
    assert sum(asked.path.startswith("/token") for asked in server.asked) == 1


def test_a_login_is_used_for_the_token_and_not_for_the_registry(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    server.auth, server.users = "bearer", {"jane": "pass:wörd"}
    assert ask(server, clock, login=Credentials("jane", "pass:wörd")) == digest
    sent = [asked.authorization for asked in server.asked]
    assert sent == ["", f"Basic {base64.b64encode('jane:pass:wörd'.encode()).decode()}", "Bearer a-token"]


def test_an_identity_token_is_exchanged(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    server.auth, server.users, server.refresh_tokens = "bearer", {"jane": "x"}, {"refresh"}
    assert ask(server, clock, login=Credentials("<token>", "refresh", True)) == digest
    assert [asked.path for asked in server.asked if asked.method == "POST"] == ["/token"]


def test_basic_authentication_is_given_where_it_is_asked_for(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    server.auth, server.users = "basic", {"jane": "x"}
    assert ask(server, clock, login=Credentials("jane", "x")) == digest


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_without_a_login_the_way_to_one_is_told(server: RegistryServer, clock: Hasty, auth: str) -> None:
    server.auth, server.users = auth, {"jane": "x"}
    with pytest.raises(OperationError, match="does not let us see") as caught:
        ask(server, clock)
    assert f"`docker login {server.host}`" in caught.value.remedy


def test_a_login_that_is_refused_is_told_without_it(server: RegistryServer, clock: Hasty) -> None:
    server.auth, server.users = "bearer", {"jane": "x"}
    with pytest.raises(OperationError, match="does not accept the login") as caught:
        ask(server, clock, login=Credentials("jane", "wrong-secret"))
    assert caught.value.remedy == f"Log in again: `docker login {server.host}`."
    assert "wrong-secret" not in str(caught.value)


def test_a_token_server_without_tls_elsewhere_gets_no_login(server: RegistryServer, clock: Hasty) -> None:
    server.auth, server.token_server = "bearer", "http://tokens.example.com/token"
    with pytest.raises(OperationError, match="not reached over HTTPS"):
        ask(server, clock, login=Credentials("jane", "x"))


def test_a_busy_registry_is_asked_again_when_it_says(server: RegistryServer, clock: Hasty) -> None:
    digest = server.put("web", "1")
    later = format_datetime(clock.now().replace(second=30), usegmt=True)
    server.script = [
        Scripted(429, {"Retry-After": "7"}),
        Scripted(503, {}),
        Scripted(429, {"Retry-After": later}),
    ]
    assert ask(server, clock) == digest
    assert clock.slept == [7, 1, 22]


def test_patience_has_an_end(server: RegistryServer, clock: Hasty) -> None:
    server.script = [Scripted(502, {})] * 9
    with pytest.raises(OperationError, match="with 502"):
        ask(server, clock)
    assert clock.slept == [0.5, 1, 2]


def test_a_registry_that_wants_a_long_pause_is_told_at_once(server: RegistryServer, clock: Hasty) -> None:
    server.script = [Scripted(429, {"Retry-After": "3600"})]
    with pytest.raises(OperationError, match="come back after 3600"):
        ask(server, clock)
    assert clock.slept == []


def test_a_registry_that_is_not_there_is_told(clock: Hasty) -> None:
    with serving() as server:
        pass
    with pytest.raises(OperationError, match=f"cannot reach the registry {server.host}"):
        ask(server, clock)
    assert clock.slept == [0.5, 1, 2]


def test_a_redirect_is_followed_without_the_login(server: RegistryServer, clock: Hasty) -> None:
    server.auth, server.users = "basic", {"jane": "x"}
    with serving() as mirror:
        digest = mirror.put("web", "1")
        server.script = [Scripted(307, {"Location": f"http://{mirror.host}/v2/web/manifests/1"})]
        assert ask(server, clock, login=Credentials("jane", "x")) == digest
        assert [asked.authorization for asked in mirror.asked] == [""]


def test_who_a_redirect_leads_to_is_not_told_who_we_are(server: RegistryServer, clock: Hasty) -> None:
    with serving() as mirror:
        mirror.auth = "basic"
        server.script = [Scripted(302, {"Location": f"http://{mirror.host}/v2/web/manifests/1"})]
        with pytest.raises(OperationError, match="does not let us see"):
            ask(server, clock, login=Credentials("jane", "x"))
        assert [asked.authorization for asked in mirror.asked] == [""]


def test_redirects_in_a_circle_end(server: RegistryServer, clock: Hasty) -> None:
    server.script = [Scripted(302, {"Location": "/v2/web/manifests/1"})] * 9
    with pytest.raises(OperationError, match="again and again"):
        ask(server, clock)


def test_the_better_of_two_challenges_is_answered() -> None:
    text = 'Basic realm="a, b", Bearer realm="https://t.io/token",service="s",scope="repository:a:pull,push"'
    found = challenge_of([text])
    assert found is not None
    assert (found.scheme, found.parameters) == (
        "bearer",
        {"realm": "https://t.io/token", "service": "s", "scope": "repository:a:pull,push"},
    )
    assert challenge_of(["Negotiate"]) is None
