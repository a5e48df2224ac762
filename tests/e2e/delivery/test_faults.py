"""Promotions over a bad way to the cluster, slow ones, consent that ends, and clocks that are wrong."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.cli.people import certified
from leeward.delivery import records
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj, parse_time
from leeward.settings.times import DAYS
from tests.e2e.delivery.bakery import Bakery
from tests.e2e.delivery.faultyapi import Asked, Fault, FaultyApi, Rule, going_through

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
_JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def api(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyApi]:
    with going_through(access, tmp_path_factory.mktemp("pki")) as found:
        yield found


@pytest.fixture(autouse=True)
def _faultless_afterwards(api: FaultyApi) -> Iterator[None]:
    yield
    api.begin()


@pytest.fixture(scope="module")
def bakery(access: Access, api: FaultyApi, tmp_path_factory: pytest.TempPathFactory) -> Bakery:
    """Return an application that runs 1; each test leaves it with 1 or 2."""
    made = Bakery.made("faulty", tmp_path_factory.mktemp("faulty") / "work", api.access)
    made.ok("promote", "1", "--to", "ci", "--yes")
    return made


def told(code: int, reason: str, message: str = "there was a fault", **headers: str) -> Fault:
    """Return the answer of an API server that fails."""
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return Fault(
        status=code,
        headers={**_JSON, **{name.replace("_", "-"): text for name, text in headers.items()}},
        body=json.dumps(status).encode(),
    )


def once_each(api: FaultyApi, fault: Fault, *, every: int) -> Rule:
    """Let the first try of every nth write and read of a promotion fail."""
    seen: set[tuple[str, str]] = set()
    numbers = itertools.count()

    def rule(asked: Asked) -> Fault | None:
        key = asked.method, asked.path
        if not api.leased or key in seen or (fault.status == 409 and not _is_patch_of_ours(asked)):
            return None
        seen.add(key)
        return fault if next(numbers) % every == 0 else None

    return rule


def _is_patch_of_ours(asked: Asked) -> bool:
    return asked.method == "PATCH"


def other_than_what_runs(bakery: Bakery, access: Access) -> str:
    """Return the version that ci does not run."""

    async def ask() -> str:
        async with KubeClient(access) as api:
            hub = records.hub_of(bakery.app)
            runs = (await api.get(records.ENVIRONMENTS, hub, "ci"))["status"]["release"]
            return str((await api.get(records.RELEASES, hub, runs))["spec"]["version"])

    return {"1": "2", "2": "1"}[asyncio.run(ask())]


_FAULTS = {
    "500": told(500, "InternalError"),
    "503": told(503, "ServiceUnavailable"),
    "502 of a load balancer": Fault(status=502, headers={"content-type": "text/html"}, body=b"<h1>oh</h1>"),
    "429 with Retry-After": told(429, "TooManyRequests", retry_after="1"),
    "409 of the server's own": told(409, "Conflict", "the object has been modified; please apply again"),
    "reset before it is done": Fault(),
    "reset after it is done": Fault(forwarded=True),
    "cut in the middle of the answer": Fault(cut=True),
}


@pytest.mark.parametrize("name", _FAULTS)
def test_what_fails_once_is_done_all_the_same(
    access: Access, api: FaultyApi, bakery: Bakery, name: str
) -> None:
    version = other_than_what_runs(bakery, access)
    fault = _FAULTS[name]
    failed: list[Asked] = []
    rule = once_each(api, fault, every=1 if fault.status == 409 else 3)

    def noting(asked: Asked) -> Fault | None:
        if (found := rule(asked)) is not None:
            failed.append(asked)
        return found

    api.begin(noting)
    said = bakery.ok("promote", version, "--to", "ci", "--yes")
    assert "up and verified" in said
    assert len(failed) >= 5
    bakery.check(access, version)


def test_who_is_told_to_wait_waits(access: Access, api: FaultyApi, bakery: Bakery) -> None:
    version, clock = other_than_what_runs(bakery, access), SystemClock()
    at: list[float] = []

    def rule(asked: Asked) -> Fault | None:
        if asked.method != "POST" or not asked.path.endswith("/promotions"):
            return None
        at.append(clock.monotonic())
        busy = Fault(status=429, headers={"content-type": "text/plain", "retry-after": "2"}, body=b"busy")
        return busy if len(at) == 1 else None

    api.begin(rule)
    bakery.ok("promote", version, "--to", "ci", "--yes")
    assert at[1] - at[0] >= 2
    bakery.check(access, version)


def test_a_cluster_that_takes_nothing_any_more_leaves_nothing_decided(
    access: Access, api: FaultyApi, bakery: Bakery
) -> None:
    version = other_than_what_runs(bakery, access)
    api.begin(lambda asked: Fault() if api.writes >= 8 and asked.method != "GET" else None)
    code, said = bakery.run("promote", version, "--to", "ci", "--yes")
    assert code == 1
    assert "could not be renewed in time" in said
    assert "goes on from here" in said
    api.begin()
    bakery.ok("promote", version, "--to", "ci", "--yes")
    bakery.check(access, version)


def test_a_list_that_expires_between_two_pages_is_read_anew(
    access: Access, api: FaultyApi, bakery: Bakery
) -> None:
    version = other_than_what_runs(bakery, access)
    page = {"apiVersion": "v1", "kind": "PodList", "metadata": {"continue": "more"}, "items": []}
    expired: list[Asked] = []

    def rule(asked: Asked) -> Fault | None:
        if asked.method != "GET" or not asked.path.endswith("/pods"):
            return None
        if "continue" in asked.query:
            expired.append(asked)
            return told(410, "Expired", "The provided continue parameter is too old")
        if "limit" in asked.query:
            return Fault(status=200, headers=_JSON, body=json.dumps(page).encode())
        return None

    api.begin(rule)
    bakery.ok("promote", version, "--to", "ci", "--yes")
    assert expired
    bakery.check(access, version)


# -- slow


def test_a_slow_release_is_waited_for_and_one_that_is_too_slow_goes_back(
    access: Access, api: FaultyApi, tmp_path: Path
) -> None:
    bakery = Bakery.made("slow", tmp_path / "work", access)
    bakery.ok("promote", "1", "--to", "ci", "--yes")
    compose = bakery.directory / "compose.yaml"
    bakery.write_compose("2")
    text = compose.read_text()
    compose.write_text(text.replace("command: exit 0", "command: sleep 4"))
    bakery.ok("release", "create", "--version", "slow")
    compose.write_text(text.replace("  fridge:\n", "  fridge:\n    mem_reservation: 900000g\n"))
    bakery.ok("release", "create", "--version", "stuck")
    code, said = bakery.run("promote", "slow", "--to", "ci", "--timeout", "2", "--yes")
    assert (code, "not up after 2 s: migrate (0 of 1 ready), web (not started)" in said) == (1, True), said
    bakery.check(access, "1")
    code, said = bakery.run("promote", "stuck", "--to", "ci", "--timeout", "3", "--yes")
    assert (code, "not up after 3 s: fridge (0/6 nodes are available" in said) == (1, True), said
    bakery.check(access, "1")
    bakery.ok("promote", "slow", "--to", "ci", "--yes")
    bakery.check(access, "2")


# -- consent that ends, and clocks


@pytest.fixture(scope="module")
def guarded(access: Access, api: FaultyApi, tmp_path_factory: pytest.TempPathFactory) -> Bakery:
    """Return an application with gates, which ci runs 1 of; ``dora`` may approve."""
    now = SystemClock().now()
    others = {
        "soaked": "from: ci, soak: 1h",
        "soon": "from: ci, soak: 1s",
        "agreed": "from: ci, approvals: 1, access: {devops: promote}",
        "frozen": f"from: ci, freeze: [{window(now, -1, 1)!r}]",
        "thawed": f"from: ci, freeze: [{window(now, 4, 6)!r}, {window(now, -6, -4)!r}]",
    }
    lines = "".join(f"  {name}: {{cluster: there, {text}}}\n" for name, text in others.items())
    made = Bakery.made("guarded", tmp_path_factory.mktemp("guarded") / "work", access, lines)

    async def dora() -> Access:
        async with KubeClient(access) as client:
            return await certified(client, "dora", ["devops"])

    made.reached_through(there=access, dora=asyncio.run(dora()), failing=api.access)
    made.ok("promote", "1", "--to", "ci", "--yes")
    return made


def window(now: datetime, begins: int, ends: int) -> str:
    """Return a freeze window around `now`, in hours from it."""
    parts = [now + timedelta(hours=hours) for hours in (begins, ends)]
    return "/".join(f"{DAYS[at.weekday()].capitalize()} {at:%H:%M}" for at in parts) + " UTC"


def live(access: Access, app: str, name: str) -> Obj:
    """Return an environment."""

    async def ask() -> Obj:
        async with KubeClient(access) as api:
            return await api.get(records.ENVIRONMENTS, records.hub_of(app), name)

    return asyncio.run(ask())


def wait(seconds: float) -> None:
    """Let time pass at the cluster."""
    asyncio.run(SystemClock().sleep(seconds))


def test_an_approval_that_has_ended_lets_nothing_in(access: Access, guarded: Bakery) -> None:
    guarded.ok("approve", "1", "--for", "agreed", "--expires", "1s", "--context", "dora", "--yes")
    wait(1.5)
    code, said = guarded.run("promote", "1", "--to", "agreed", "--yes")
    assert (code, "the approval of dora has ended" in said) == (1, True), said
    assert not (live(access, "guarded", "agreed").get("status") or {}).get("promotion")


def test_an_approval_that_ends_after_it_was_looked_at_lets_nothing_in(
    access: Access, api: FaultyApi, guarded: Bakery
) -> None:
    guarded.ok("approve", "1", "--for", "agreed", "--expires", "8s", "--context", "dora", "--yes")

    def rule(asked: Asked) -> Fault | None:
        if not asked.path.endswith("/leases/leeward-agreed") or asked.method != "GET" or seen:
            return None
        seen.append(asked)
        wait(9)
        return None

    seen: list[Asked] = []
    api.begin(rule)
    code, said = guarded.run("promote", "1", "--to", "agreed", "--context", "failing", "--yes")
    assert seen, said
    assert (code, "the approval of dora has ended" in said) == (1, True), said
    assert api.asked
    assert not any(each.path.endswith("/promotions") and each.method == "POST" for each in api.asked)


def test_what_was_let_in_is_finished_though_the_approval_has_ended(
    access: Access, api: FaultyApi, guarded: Bakery
) -> None:
    guarded.ok("approve", "1", "--for", "agreed", "--expires", "8s", "--context", "dora", "--yes")

    def rule(asked: Asked) -> Fault | None:
        return Fault(forwarded=True, then=process.kill) if asked.number == 6 else None

    api.begin(rule)
    with guarded.start("promote", "1", "--to", "agreed", "--context", "failing", "--yes") as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == -9, out + err
    wait(8)
    guarded.ok("promote", "1", "--to", "agreed", "--yes")
    guarded.check(access, "1", "agreed")


@pytest.mark.parametrize("hours", [5, -5], ids=["ahead", "behind"])
def test_gates_go_by_the_clock_of_the_cluster(access: Access, guarded: Bakery, hours: int) -> None:
    clock = (
        "import datetime, leeward.base.clock as c; now = c.SystemClock.now; "
        f"c.SystemClock.now = lambda self: now(self) + datetime.timedelta(hours={hours})"
    )
    run: Callable[..., tuple[int, str]] = lambda *words: guarded.run(*words, "--yes", before=clock)  # noqa: E731
    version = "2" if hours > 0 else "1"
    assert run("promote", version, "--to", "ci")[0] == 0
    at = parse_time(live(access, "guarded", "ci")["status"]["verifiedAt"])
    assert abs(SystemClock().now() - at) < timedelta(minutes=5)
    code, said = run("promote", version, "--to", "soaked")
    assert (code, "is good in ci for 1h" in said) == (1, True), said
    wait(1)
    code, said = run("promote", version, "--to", "soon")
    assert code == 0, said
    code, said = run("promote", version, "--to", "frozen")
    assert (code, "frozen is frozen until" in said) == (1, True), said
    code, said = run("promote", version, "--to", "thawed")
    assert code == 0, said
    code, said = run("approve", version, "--for", "agreed", "--expires", "1h", "--context", "dora")
    assert code == 0, said
    guarded.ok("promote", version, "--to", "agreed", "--yes")
    guarded.check(access, version, "agreed")
