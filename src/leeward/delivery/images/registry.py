"""The digest of an image, from its registry.

HEAD is enough where it works, and costs nothing of what Docker Hub allows; else GET, and then the digest is
that of what was sent. Without TLS only registries of this machine are asked, and those said to be insecure.

Invariants: credentials go to the registry they are for and to the token server it names over TLS, never
over a redirect; they are in no message.

Source: OCI Distribution Specification 1.1, "Pulling manifests";
distribution.github.io/distribution/spec/auth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import httpx

from leeward.base.clock import Clock
from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.delivery.images.challenges import Challenge, basic, challenge_of, retry_after
from leeward.delivery.images.credentials import Credentials
from leeward.delivery.images.references import DOCKER_HUB, Reference, is_digest, is_loopback, without_tls

_HUB_HOST = "registry-1.docker.io"
_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST_HEADER = "docker-content-digest"
_LARGEST = 4 * 1024 * 1024  # bytes of a manifest, as registries have it
_TRIES = 4
_BACKOFF = 0.5  # seconds before the second try; twice as long before each further one
_LONGEST_WAIT = 60.0  # seconds; a registry that wants more of us is told about instead
_REDIRECTS = 5
_RETRIED = frozenset((429, 500, 502, 503, 504))
_CLIENT = "leeward"


class CredentialSource(Protocol):
    """Knows who we are to a registry."""

    async def credentials(self, registry: str) -> Credentials | None:
        """Return the credentials for `registry`, or None."""
        ...


class Answer(NamedTuple):
    """What a server said."""

    url: httpx.URL  # whose answer it is, after redirects
    status: int
    headers: httpx.Headers
    body: bytes


class Registry:
    """Asks registries for digests; an asynchronous context manager.

    Args:
        source: credentials by registry.
        clock: for the waits between tries.
        insecure: registries that are spoken to without TLS, besides those of this machine.
        timeout_seconds: for one answer.
    """

    def __init__(
        self,
        source: CredentialSource,
        clock: Clock,
        *,
        insecure: Collection[str] = (),
        timeout_seconds: float = 30.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._insecure = frozenset(insecure)
        self._authorizations: dict[tuple[str, str], str] = {}  # (registry, repository) → header
        # Proxies and authorities are those of every HTTP client here; this machine needs no proxy.
        direct = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
        self._http = httpx.AsyncClient(
            mounts=direct,
            headers={"user-agent": _CLIENT},
            timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 10.0)),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def digest(self, reference: Reference) -> str:
        """Return ``sha256:…`` of what `reference` is now; one with a digest is not asked for.

        Raises:
            UserInputError: there is no such image.
            OperationError: the registry cannot be asked, does not let us, or its answer is wrong.
        """
        if reference.digest:
            return reference.digest
        answer = await self._manifest("HEAD", reference)
        if answer.status in (401, 403) or answer.status in _RETRIED:
            raise _refusal(reference, answer)
        if answer.status == 200 and is_digest(answer.headers.get(_DIGEST_HEADER, "")):
            _check_type(reference, answer)
            return str(answer.headers[_DIGEST_HEADER])
        answer = await self._manifest("GET", reference)
        if answer.status != 200:
            raise _refusal(reference, answer)
        _check_type(reference, answer)
        return _checked(reference, answer)

    async def _manifest(self, method: str, reference: Reference) -> Answer:
        """Ask for a manifest, as whom the registry wants us to be."""
        key = (reference.registry, reference.repository)
        url = self._url(reference)
        headers = {"accept": ", ".join(_TYPES)}
        if known := self._authorizations.get(key):
            headers["authorization"] = known
        answer = await self._patiently(method, url, headers)
        challenge = challenge_of(answer.headers.get_list("www-authenticate"))
        if answer.status != 401 or challenge is None or not _same_server(answer.url, url):
            return answer
        authorization = await self._authorization(challenge, reference)
        if authorization is None:
            return answer
        self._authorizations[key] = authorization
        return await self._patiently(method, url, {**headers, "authorization": authorization})

    def _url(self, reference: Reference) -> httpx.URL:
        scheme = "http" if without_tls(reference.registry, self._insecure) else "https"
        host = _HUB_HOST if reference.registry == DOCKER_HUB else reference.registry
        try:
            return httpx.URL(f"{scheme}://{host}/v2/{reference.repository}/manifests/{reference.tag}")
        except httpx.InvalidURL as error:
            raise UserInputError(f"{reference} is no image: {error}") from error

    async def _authorization(self, challenge: Challenge, reference: Reference) -> str | None:
        """Return the header that answers `challenge`; None when we are nobody to the registry."""
        credentials = await self._source.credentials(reference.registry)
        if challenge.scheme == "basic":
            return basic(credentials) if credentials and not credentials.is_identity_token else None
        url = self._token_server(challenge, reference)
        scope = challenge.parameters.get("scope") or f"repository:{reference.repository}:pull"
        wanted = {"scope": scope, "client_id": _CLIENT}
        if service := challenge.parameters.get("service"):
            wanted["service"] = service
        if credentials and credentials.is_identity_token:
            form = {**wanted, "grant_type": "refresh_token", "refresh_token": credentials.secret}
            answer = await self._patiently("POST", url, {}, form)
        else:
            headers = {"authorization": basic(credentials)} if credentials else {}
            answer = await self._patiently("GET", url.copy_merge_params(wanted), headers)
        if answer.status in (400, 401, 403):
            if credentials is None:
                return None
            raise OperationError(
                f"{reference.registry} does not accept the login that Docker's configuration has for it",
                remedy=f"Log in again: `{_login(reference)}`.",
            )
        return f"Bearer {_token(reference, answer)}"

    def _token_server(self, challenge: Challenge, reference: Reference) -> httpx.URL:
        realm = challenge.parameters.get("realm", "")
        try:
            url = httpx.URL(realm)
        except httpx.InvalidURL:
            url = httpx.URL("")
        insecure = is_loopback(url.host) or reference.registry in self._insecure
        if url.host and (url.scheme == "https" or (url.scheme == "http" and insecure)):
            return url
        raise OperationError(
            f"{reference.registry} names {realm!r} as its token server, which is not reached over HTTPS"
        )

    async def _patiently(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask up to :data:`_TRIES` times while the server is busy or broken; return its last answer.

        Raises:
            OperationError: it cannot be reached.
        """
        wait = _BACKOFF
        for left in range(_TRIES - 1, -1, -1):
            try:
                answer = await self._follow(method, url, headers, form)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not left:
                    raise _unreachable(url, error) from error
                await self._clock.sleep(wait)
            else:
                asked = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
                pause = wait if asked is None else asked
                if answer.status not in _RETRIED or not left or pause > _LONGEST_WAIT:
                    return answer
                await self._clock.sleep(pause)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    async def _follow(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        """Ask once, and go where the server sends us; credentials do not go to another server."""
        for _ in range(_REDIRECTS + 1):
            answer = await self._once(method, url, headers, form)
            target = answer.headers.get("location", "")
            if answer.status not in (301, 302, 303, 307, 308) or not target:
                return answer
            there = url.join(target)
            if there.scheme != "https" and not (there.scheme == url.scheme == "http"):
                raise OperationError(f"{url.host} redirects to {there.host} without HTTPS")
            if form is not None:
                raise OperationError(f"{url.host} redirects a login to {there.host}")
            if not _same_server(there, url):
                headers = {name: value for name, value in headers.items() if name != "authorization"}
            url = there
        raise OperationError(f"{url.host} redirects again and again")

    async def _once(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        async with self._http.stream(method, url, headers=headers, data=form) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    raise OperationError(f"{url.host} sends more than {_LARGEST} bytes, which is no manifest")
            return Answer(url, response.status_code, response.headers, bytes(body))


def _same_server(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _check_type(reference: Reference, answer: Answer) -> None:
    """Refuse what is no manifest that clusters take, such as a web page or Docker's first format."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise OperationError(
            f"{reference.registry} answers for {reference} with {kind or 'something without a type'}, "
            "which is no image that clusters take",
            remedy="Is it an image registry? Images of old formats have to be pushed anew.",
        )


def _checked(reference: Reference, answer: Answer) -> str:
    """Return the digest of the body, which has to be the one that the registry says, when it says one."""
    digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    said = answer.headers.get(_DIGEST_HEADER, digest)
    if is_digest(said) and said != digest:
        raise OperationError(
            f"{reference.registry} says that {reference} is {said}, but what it sends is {digest}",
            remedy="Find out who changes it on its way: the registry, a mirror or a proxy.",
        )
    return digest


def _token(reference: Reference, answer: Answer) -> str:
    """Return the token that a token server gave."""
    if answer.status != 200:
        raise OperationError(
            f"the token server of {reference.registry} answers with {answer.status}",
            remedy="Try again in a while.",
        )
    try:
        found: Any = json.loads(answer.body)
    except ValueError:
        found = None
    token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise OperationError(f"the token server of {reference.registry} gives no token")
    return token


def _refusal(reference: Reference, answer: Answer) -> LeewardError:
    """Return the error of an answer that is no manifest."""
    registry = reference.registry
    if answer.status == 404:
        return UserInputError(
            f"{registry} has no image {reference}",
            remedy="Is the tag right, and was it pushed?",
        )
    if answer.status in (401, 403):
        return OperationError(
            f"{registry} does not let us see {reference}, or has no such image ({answer.status})",
            remedy=f"Is the name right? If it is private: `{_login(reference)}`.",
        )
    if answer.status == 429:
        later = answer.headers.get("retry-after", "")
        return OperationError(
            f"{registry} takes no more requests for now"
            + (f" (it says: come back after {later[:40]})" if later.isprintable() and later else ""),
            remedy=f"Log in, which raises its limits, or try again later: `{_login(reference)}`.",
        )
    return OperationError(
        f"{registry} answers for {reference} with {answer.status}", remedy="Try again in a while."
    )


def _login(reference: Reference) -> str:
    return "docker login" if reference.registry == DOCKER_HUB else f"docker login {reference.registry}"


def _unreachable(url: httpx.URL, error: Exception) -> OperationError:
    where = f"{url.host}:{url.port}" if url.port else url.host
    return OperationError(
        f"cannot reach the registry {where}: {str(error) or type(error).__name__}",
        remedy="Is its name right, and does this network reach it? Has it TLS?",
    )
