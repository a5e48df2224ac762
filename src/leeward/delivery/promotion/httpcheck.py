"""An HTTP request that must be answered as wanted before a release counts as good.

A path of a service goes through the API server's proxy of Services, so that it works from wherever promotions
are made, with the rights of whoever promotes; a URL is requested from there directly, as customers would. It
is asked again and again until the answer holds, and, where that is wanted, for how long it goes on holding.

Invariants: only GET, redirections are not followed, certificates are checked. What the API server says itself
(nobody answers, not allowed) is no answer of the service, whatever its status.

Source: kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services, "Manually constructing
apiserver proxy URLs".
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from leeward.base.clock import within
from leeward.base.errors import OperationError
from leeward.delivery.api import Creates
from leeward.delivery.environments.verifications import Verification, in_words, judged, number, to_object
from leeward.delivery.identity import may_i
from leeward.delivery.promotion.verification import Attempt, Obstacle
from leeward.kube.fetching import Fetched, fetch
from leeward.kube.http import USER_AGENT, UnreachableError
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import APP_NAME
from leeward.render.naming import dns_label
from leeward.settings.verification import holds_status, is_url

_POLL = 1.0  # seconds between two requests
_ANSWER = 10.0  # seconds that one may take
_SHOWN = 160  # characters of an answer
_PATH = "/%:@!$&'()*+,;=~?"  # what a path and its query may hold unquoted, besides letters and digits
_TROUBLE = "error trying to reach service"  # begins what the API server says of those that do not answer
_KEPT_OUT = "If network policies keep the API server out, verify with a URL instead."
_REMEDY = "Correct `verify` in leeward.yaml, then: leeward env apply."
Ask = Callable[[], Awaitable[Fetched]]


@dataclass(frozen=True, slots=True)
class Served:
    """A Service of a release, and the TCP port of it that is asked."""

    name: str
    port: int


def served_by(objects: Sequence[Obj], wanted: Verification) -> Served:
    """Return the Service and port whose path is requested.

    Args:
        objects: of the release.
        wanted: names the service and the port, or neither.

    Raises:
        OperationError: there is none, or several might be meant.
    """
    known = {
        obj["metadata"]["name"]: [each["port"] for each in obj["spec"].get("ports") or () if _is_tcp(each)]
        for obj in objects
        if obj["kind"] == "Service" and labels_of(obj).get(APP_NAME) == obj["metadata"]["name"]
    }
    name = dns_label(wanted.service) if wanted.service else ""
    able = [each for each, ports in known.items() if ports]
    if not name:
        if len(able) != 1:
            there = f"{', '.join(able)} have" if able else "nothing has"
            raise OperationError(
                f"`http: {wanted.http}` does not say whose path it is: {there} ports",
                remedy="Write `service` beside it in leeward.yaml, then: leeward env apply.",
            )
        name = able[0]
    ports = known.get(name)
    if not ports:
        why = "has no TCP port that others could reach" if name in known else "is no service of the release"
        raise OperationError(
            f"{wanted.service or name}, which shall verify the release, {why}",
            remedy=f"Give it `expose:` in the Compose file. {_REMEDY}" if name in known else _REMEDY,
        )
    if wanted.port and wanted.port not in ports:
        raise OperationError(
            f"{name} has no port {wanted.port}, only {', '.join(map(str, ports))}", remedy=_REMEDY
        )
    return Served(name, wanted.port or ports[0])


def _is_tcp(port: Obj) -> bool:
    return bool(port.get("protocol", "TCP") == "TCP")


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """One request; fulfils Verifier."""

    wanted: Verification
    namespace: str
    served: Served | None  # None for a URL
    transport: httpx.AsyncBaseTransport | None = None  # for URLs, instead of the network
    disrupts = False

    @property
    def title(self) -> str:
        """What is requested, and what is wanted of the answer."""
        return f"{self._asked} ({judged(self.wanted)})"

    @property
    def terms(self) -> Sequence[Any]:
        """All of it, and where it goes."""
        where = [self.served.name, self.served.port] if self.served else []
        return ["http", to_object(self.wanted), *where]

    async def obstacle(self, api: Creates) -> Obstacle | None:
        """Whoever promotes must be allowed to make requests through the API."""
        if self.served is None or await may_i(
            api, "get", "services", namespace=self.namespace, subresource="proxy"
        ):
            return None
        return Obstacle(
            f"you may not request {self._asked} through the Kubernetes API, which verifies the release: that "
            f"takes get services/proxy in the namespace {self.namespace}",
            "An administrator of the cluster writes the Roles again: leeward env apply.",
        )

    async def verify(self, attempt: Attempt) -> None:
        """Ask until the answer holds.

        Raises:
            UnreachableError: the Kubernetes API could not be asked at the end.
            OperationError: it did not hold in time; says what was answered last.
        """
        if self.served is not None:
            await self._until_it_holds(attempt, lambda: self._through_api(attempt))
            return
        async with self._client() as client:
            await self._until_it_holds(attempt, lambda: self._directly(client))

    async def _until_it_holds(self, attempt: Attempt, ask: Ask) -> None:
        wanted, clock = self.wanted, attempt.clock
        deadline = clock.monotonic() + wanted.timeout
        since: float | None = None
        while True:
            began, lost = clock.monotonic(), None
            try:
                wrong = self._wrong(await within(clock, min(_ANSWER, max(deadline - began, 1.0)), _now(ask)))
            except TimeoutError:
                wrong = "there was no answer in time"
            except UnreachableError as error:
                wrong, lost = str(error), error
            except httpx.HTTPError as error:
                wrong = str(error) or type(error).__name__
            except httpx.InvalidURL as error:
                raise OperationError(f"{self._asked} cannot be requested: {error}", remedy=_REMEDY) from error
            now = clock.monotonic()
            since = None if wrong else since if since is not None else began
            if since is not None and now - since >= wanted.hold:
                return
            if now >= deadline:
                raise lost or self._failure(wrong, now - since if since is not None else 0.0)
            attempt.show(f"verifying: {self._asked}: {wrong or 'as wanted so far'}")
            await clock.sleep(min(_POLL, max(deadline - now, 0.0)))

    def _failure(self, wrong: str, held: float) -> OperationError:
        seconds = number(self.wanted.timeout)
        if not wrong:
            return OperationError(
                f"{self._asked} was answered as wanted for {held:.0f} s only when {seconds} s were over"
            )
        kept_out = self.served is not None and _TROUBLE in wrong
        return OperationError(
            f"{self._asked} was not answered as wanted ({judged(self.wanted)}) within {seconds} s: {wrong}",
            remedy=_KEPT_OUT if kept_out else "",
        )

    def _wrong(self, found: Fetched) -> str:
        """Return what is wrong with an answer; "" when it is as wanted."""
        if self.served is not None and (said := _said_by_api(found)):
            return said
        where = f" to {found.location}" if found.location else ""
        said = f"status {found.status}{where}{_excerpt(found.text)}"
        if not holds_status(self.wanted.status, found.status):
            return f"the last answer was {said}"
        if self.wanted.contains not in found.text:
            return f"the last answer lacks the text: {said}"
        return ""

    async def _through_api(self, attempt: Attempt) -> Fetched:
        assert self.served is not None
        target = quote(self.wanted.http, safe=_PATH)
        name = f"http:{self.served.name}:{self.served.port}"
        headers = {"host": self.wanted.host} if self.wanted.host else None
        path = f"/api/v1/namespaces/{self.namespace}/services/{name}/proxy{target}"
        return await attempt.api.fetch(path, headers=headers)

    async def _directly(self, client: httpx.AsyncClient) -> Fetched:
        url = httpx.URL(self.wanted.http)
        more: dict[str, Any] = {}
        host = self.wanted.host
        if url.host.endswith(".localhost"):  # every name below it is this machine, as for browsers
            host = host or url.netloc.decode()
            more["extensions"] = {"sni_hostname": url.host}
            url = url.copy_with(host="127.0.0.1")
        return await fetch(client, url, headers={"host": host} if host else {}, **more)

    def _client(self) -> httpx.AsyncClient:
        """Return a client; proxies and authorities are those of every HTTP client here."""
        direct = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
        return httpx.AsyncClient(
            headers={"user-agent": USER_AGENT},
            timeout=httpx.Timeout(_ANSWER),
            **({"transport": self.transport} if self.transport else {"mounts": direct}),
        )

    @property
    def _asked(self) -> str:
        if self.served is None:
            return in_words(self.wanted)
        return f"GET {self.served.name}:{self.served.port}{self.wanted.http}"


def http_check(objects: Sequence[Obj], namespace: str, wanted: Verification) -> HttpCheck:
    """Return the check that is wanted of a release.

    Raises:
        OperationError: the release has no such service or port.
    """
    return HttpCheck(wanted, namespace, None if is_url(wanted.http) else served_by(objects, wanted))


async def _now(ask: Ask) -> Fetched:
    return await ask()


def _said_by_api(found: Fetched) -> str:
    """Return what the API server says instead of passing an answer on; "" when it passed one on."""
    if found.text.startswith(_TROUBLE):
        return found.text.strip()[:_SHOWN]
    if found.status < 400 or not found.text.startswith("{"):
        return ""
    try:
        said = json.loads(found.text)
    except ValueError:
        return ""
    is_status = (said.get("kind"), said.get("apiVersion")) == ("Status", "v1")
    return f"the Kubernetes API says: {said.get('message') or said.get('reason')}" if is_status else ""


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    if not line or line.startswith("<"):
        return ""
    return f": {line[:_SHOWN]}{'…' if len(line) > _SHOWN else ''}"
