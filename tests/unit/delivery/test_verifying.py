"""Verifications: which Service is asked, what holds, for how long, and what is told when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.delivery.environments.environment import Environment
from leeward.delivery.environments.verifications import (
    Verification,
    in_words,
    read_verification,
    to_object,
)
from leeward.delivery.promotion.httpcheck import HttpCheck, Served, http_check, served_by
from leeward.delivery.promotion.verification import Attempt, Check, Obstacle, Verifier
from leeward.delivery.promotion.verifying import look_at, verifiers_of
from leeward.kube.fetching import Fetched
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj
from tests.unit.delivery.memory import Memory

T = TypeVar("T")
GOOD = Fetched(200, "all is ok")
PLACE = "/api/v1/namespaces/shop-qa/services/http:web:8080/proxy"
JOB = Check("smoke", {"metadata": {}, "spec": {}}, 60.0)


def service(name: str, *ports: int, of: str = "", protocol: str = "TCP") -> Obj:
    labels = {"app.kubernetes.io/name": of or name}
    listed = [{"port": port, "protocol": protocol} for port in ports]
    return {"kind": "Service", "metadata": {"name": name, "labels": labels}, "spec": {"ports": listed}}


class Answers(Memory):
    """An API that gives one answer after another, the last one for ever; an error is raised."""

    def __init__(self, *answers: Fetched | Exception, allowed: bool = True) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[tuple[str, Mapping[str, str] | None]] = []
        self.allowed = allowed

    async def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        self.asked.append((path, headers))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    async def create(self, resource: str, obj: Obj) -> Obj:
        if resource.startswith("selfsubjectaccessreviews."):
            self.calls.append(("review", str(obj["spec"]["resourceAttributes"]), ""))
            return {**obj, "status": {"allowed": self.allowed}}
        return await super().create(resource, obj)

    def logs(self, *args: Any, **named: Any) -> AsyncIterator[str]:
        raise AssertionError("an HTTP check reads no logs")


@dataclass(slots=True)
class Story:
    """One verification from begin to end, in virtual time."""

    api: Answers
    clock: VirtualClock = field(default_factory=VirtualClock)
    shown: list[str] = field(default_factory=list)

    def run(self, check: HttpCheck) -> float:
        """Return the seconds that it took."""
        attempt = Attempt(
            api=self.api, clock=self.clock, namespace="shop-qa", project="shop", name="qa-00001",
            show=self.shown.append,
        )  # fmt: skip
        self.until(check.verify(attempt))
        return self.clock.monotonic()

    def until(self, work: Coroutine[Any, Any, T]) -> T:
        async def live() -> T:
            task = asyncio.ensure_future(work)
            while not task.done():
                for _ in range(20):
                    await asyncio.sleep(0)
                deadline = self.clock.next_deadline()
                if deadline is not None and not task.done():
                    self.clock.advance(deadline - self.clock.monotonic())
            return await task

        return asyncio.run(live())


def check(**wanted: Any) -> HttpCheck:
    given = {"http": "/healthz", "timeout": 30.0, **wanted}
    return HttpCheck(Verification(**given), "shop-qa", Served("web", 8080))


def test_a_path_is_asked_through_the_proxy_of_services_until_it_is_answered_as_wanted() -> None:
    story = Story(Answers(Fetched(503, "warming up"), Fetched(200, "soon"), GOOD))
    assert story.run(check(contains="ok")) == 2.0
    assert [path for path, _ in story.api.asked] == [f"{PLACE}/healthz"] * 3
    assert "the last answer was status 503: warming up" in story.shown[0]
    assert "the last answer lacks the text: status 200: soon" in story.shown[1]


def test_path_query_and_host_are_sent_as_they_are_written() -> None:
    story = Story(Answers(GOOD))
    story.run(check(http="/a b/ü?x=1&y=%20", host="shop.example.com"))
    assert story.api.asked == [(f"{PLACE}/a%20b/%C3%BC?x=1&y=%20", {"host": "shop.example.com"})]


def test_what_has_to_go_on_holding_begins_anew_with_every_wrong_answer() -> None:
    bad = Fetched(500, "")
    assert Story(Answers(GOOD, GOOD, bad, GOOD)).run(check(hold=5.0)) == 3 + 5
    assert Story(Answers(GOOD)).run(check(hold=0.0)) == 0


def test_what_was_answered_last_is_told_when_the_time_is_over() -> None:
    story = Story(Answers(GOOD, Fetched(404, "<html>no such page</html>"), Fetched(302, "", "/login")))
    with pytest.raises(OperationError) as caught:
        story.run(check(hold=10.0))
    assert str(caught.value) == (
        "GET web:8080/healthz was not answered as wanted (status 200, for 10 s) within 30 s: "
        "the last answer was status 302 to /login"
    )
    assert story.clock.monotonic() == 30.0


def test_what_held_too_late_is_no_success() -> None:
    story = Story(Answers(*[Fetched(503, "")] * 25, GOOD))
    with pytest.raises(OperationError, match="as wanted for 5 s only when 30 s were over"):
        story.run(check(hold=10.0))


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (
            503,
            '{"kind":"Status","apiVersion":"v1","message":"no endpoints available for service \\"web\\""}',
            'the Kubernetes API says: no endpoints available for service "web"',
        ),
        (502, "error trying to reach service: dial tcp 10.0.0.9:8080: connect", "error trying to reach"),
        (
            403,
            '{"kind":"Status","apiVersion":"v1","reason":"Forbidden"}',
            "the Kubernetes API says: Forbidden",
        ),
    ],
)
def test_what_the_api_server_says_itself_is_no_answer_even_of_a_status_that_is_wanted(
    status: int, text: str, told: str
) -> None:
    with pytest.raises(OperationError, match=told):
        Story(Answers(Fetched(status, text))).run(check(status=("400-599",), timeout=3.0))
    assert Story(Answers(Fetched(status, '{"kind": "Shop"}'))).run(check(status=("400-599",))) == 0


def test_network_policies_are_named_when_nobody_answers_the_api_server() -> None:
    with pytest.raises(OperationError) as caught:
        Story(Answers(Fetched(502, "error trying to reach service: i/o timeout"))).run(check(timeout=2.0))
    assert "network policies" in caught.value.remedy


def test_an_api_that_is_away_for_a_moment_fails_nothing_and_one_that_stays_away_decides_nothing() -> None:
    away = UnreachableError("cannot reach the Kubernetes API")
    assert Story(Answers(away, away, GOOD)).run(check()) == 2.0
    with pytest.raises(UnreachableError):
        Story(Answers(GOOD, away)).run(check(hold=10.0, timeout=12.0))


def test_an_answer_that_does_not_come_is_waited_for_as_long_as_one_may_take() -> None:
    class Silent(Answers):
        async def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
            self.asked.append((path, headers))
            await asyncio.Event().wait()
            raise AssertionError

    story = Story(Silent(GOOD))
    with pytest.raises(OperationError, match="there was no answer in time"):
        story.run(check(timeout=15.0))
    assert (story.clock.monotonic(), len(story.api.asked)) == (15.0, 2)


def test_a_url_is_asked_directly_and_redirections_are_not_followed() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "https://elsewhere.example.com/"})

    transport = httpx.MockTransport(answer)
    wanted = Verification(http="https://shop.example.com/healthz", timeout=2.0)
    story = Story(Answers(GOOD))
    with pytest.raises(OperationError, match=r"status 302 to https://elsewhere\.example\.com/"):
        story.run(HttpCheck(wanted, "shop-qa", None, transport))
    assert {str(each.url) for each in seen} == {"https://shop.example.com/healthz"}
    assert {each.method for each in seen} == {"GET"}
    assert story.api.asked == []


def test_every_name_below_localhost_is_this_machine() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    wanted = Verification(http="http://web.shop-qa.localhost:8080/healthz", timeout=2.0)
    Story(Answers(GOOD)).run(HttpCheck(wanted, "shop-qa", None, httpx.MockTransport(answer)))
    assert [(str(each.url), each.headers["host"]) for each in seen] == [
        ("http://127.0.0.1:8080/healthz", "web.shop-qa.localhost:8080")
    ]


def test_who_may_not_ask_through_the_api_is_told_before_anything_is_applied() -> None:
    api = Answers(GOOD, allowed=False)
    found = asyncio.run(check().obstacle(api))
    assert found is not None
    assert "get services/proxy in the namespace shop-qa" in found.message
    assert "'resource': 'services', 'subresource': 'proxy'" in api.calls[0][1]
    url = HttpCheck(Verification(http="https://x/", timeout=2.0), "shop-qa", None)
    assert asyncio.run(url.obstacle(api)) is None


RELEASE = [
    service("web", 80, 8080),
    service("web-pods", 80, of="web"),
    service("shop", 80, of="services"),
    service("worker"),
    service("dns", 53, protocol="UDP"),
]


def test_the_only_service_with_ports_is_meant_where_none_is_named() -> None:
    assert served_by(RELEASE, Verification(http="/")) == Served("web", 80)
    assert served_by(RELEASE, Verification(http="/", service="Web", port=8080)) == Served("web", 8080)


@pytest.mark.parametrize(
    ("more", "wanted", "told"),
    [
        ([service("api", 80)], {}, "does not say whose path it is: web, api have ports"),
        ([], {"service": "nothing"}, "nothing, which shall verify the release, is no service of the release"),
        ([], {"service": "worker"}, "worker, which shall verify the release, has no TCP port"),
        ([], {"service": "dns"}, "dns, which shall verify the release, has no TCP port"),
        ([], {"port": 9}, "web has no port 9, only 80, 8080"),
    ],
)
def test_a_service_that_cannot_be_asked_is_told_with_the_remedy(
    more: Sequence[Obj], wanted: dict[str, Any], told: str
) -> None:
    with pytest.raises(OperationError, match=told) as caught:
        http_check([*RELEASE, *more], "shop-qa", Verification(http="/", **wanted))
    assert "leeward env apply" in caught.value.remedy


VERIFY = (
    Verification(http="/healthz"),
    Verification(run="smoke"),
    Verification(http="https://shop.example.com/"),
    Verification(run="smoke"),
)


def test_everything_verifies_in_the_order_of_the_environment_and_counts_for_approvals() -> None:
    environment = Environment(name="qa", app="shop", namespace="shop-qa", verify=VERIFY)
    found = verifiers_of(environment, RELEASE, [JOB], None)
    assert [each.title for each in found] == [
        "GET web:80/healthz (status 200)", "smoke", "GET https://shop.example.com/ (status 200)",
    ]  # fmt: skip
    assert found[1].terms == ["smoke", JOB.template, 60.0]  # as approvals before there were others
    assert found[0].terms == ["http", {"http": "/healthz", "timeoutSeconds": 600}, "web", 80]
    stricter = Environment(
        name="qa", app="shop", namespace="shop-qa", verify=(Verification(http="/healthz", contains="ok"),)
    )
    assert verifiers_of(stricter, RELEASE, [], None)[0].terms != found[0].terms


def test_a_drill_that_nobody_can_make_is_refused() -> None:
    environment = Environment(
        name="qa", app="shop", namespace="shop-qa", verify=(Verification(drill="zone"),)
    )
    with pytest.raises(OperationError, match="qa is verified by a drill"):
        verifiers_of(environment, RELEASE, [], None)


@dataclass(frozen=True, slots=True)
class Impossible:
    """A verification that cannot be made."""

    disrupts: bool = False
    title: str = "a drill"
    terms: Sequence[Any] = ()

    async def obstacle(self, api: object) -> Obstacle | None:
        return Obstacle("nothing can be taken away here", "Leave it out.")

    async def verify(self, attempt: Attempt) -> None:
        raise AssertionError


def test_what_cannot_be_verified_stops_a_promotion_but_nobody_who_goes_back() -> None:
    checks: list[Verifier] = [JOB, Impossible()]
    forth = asyncio.run(look_at(Memory(), checks, restores=False))
    assert forth.checks == [JOB]
    assert [(each.code, each.message, each.remedy) for each in forth.blocked] == [
        ("verification", "a drill: nothing can be taken away here", "Leave it out.")
    ]
    back = asyncio.run(look_at(Memory(), checks, restores=True))
    assert (list(back.checks), list(back.blocked)) == ([JOB], [])
    assert list(back.notes) == ["Going back is not verified by a drill: nothing can be taken away here."]


def test_nothing_is_taken_down_for_a_release_that_is_taken_back() -> None:
    back = asyncio.run(look_at(Memory(), [Impossible(disrupts=True)], restores=True))
    assert (list(back.checks), list(back.blocked)) == ([], [])
    assert list(back.notes) == ["Going back is not verified by a drill."]


@pytest.mark.parametrize(
    "wanted",
    [
        Verification(run="smoke", timeout=90.0),
        Verification(
            http="/h", service="web", port=80, host="x.example.com", status=("200-299",), contains="ok",
            timeout=60.0, hold=5.0,
        ),
        Verification(drill="zone", http="/h", service="web", zone="b", rate=20.0, timeout=45.0),
    ],
)  # fmt: skip
def test_what_is_written_into_the_environment_comes_back(wanted: Verification) -> None:
    assert read_verification(to_object(wanted)) == wanted


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"run": "a", "http": "/"},
        {"drill": "node"},
        {"http": "/../../secrets"},
        {"http": "/", "status": ["abc"]},
        {"http": "/", "host": "a\r\nx-more: b"},
        {"http": "/", "host": "ü.example.com"},
    ],
)
def test_an_object_cannot_say_what_the_file_may_not(entry: Obj) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_verification(entry)


def test_what_verifies_is_told_in_words() -> None:
    assert in_words(Verification(http="/h", service="web", port=80)) == "GET web:80/h"
    assert in_words(Verification(drill="zone", zone="b", http="/", service="web")) == (
        "drill: zone b is lost under GET web/"
    )
