"""Where customers come in: the URL that a drill requests when none was named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from leeward.base.errors import OperationError
from leeward.drill.request import Door, RequestKind, ask
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj

PROBE_SECONDS = 3.0  # what does not speak HTTP may never say so


def candidates(ingresses: Iterable[Obj], services: Iterable[Obj], namespace: str, port: int) -> list[str]:
    """Return the URLs of a namespace: of its Ingresses, then of its Services.

    Args:
        ingresses: those of all namespaces: a host that two of them have leads to either.
        services: those of the namespace.
        namespace: where the project is.
        port: of the ingress.
    """
    ours: list[tuple[str, str]] = []
    theirs: set[str] = set()
    for ingress in ingresses:
        if ingress["metadata"]["namespace"] == namespace:
            ours += _places(ingress)
        else:
            theirs |= {host for host, _ in _places(ingress)}
    urls = [f"http://{host}:{port}{path}" for host, path in ours if host not in theirs]
    urls += [
        f"http://{service['metadata']['name']}.{namespace}.localhost:{port}/"
        for service in services
        if any(entry.get("protocol", "TCP") == "TCP" for entry in service["spec"].get("ports") or ())
    ]
    return list(dict.fromkeys(urls))


def _places(ingress: Obj) -> Iterator[tuple[str, str]]:
    """Yield host and path of every rule that names a host."""
    for rule in (ingress.get("spec") or {}).get("rules") or ():
        host = rule.get("host") or ""
        if host and not host.startswith("*"):
            paths = (rule.get("http") or {}).get("paths") or [{}]
            yield host, paths[0].get("path") or "/"


async def find_front_door(api: KubeClient, namespace: str, port: int) -> str:
    """Return the first URL of a namespace that answers GET with 2xx or 3xx.

    Raises:
        OperationError: none does; says what each answered.
    """
    ingresses = await api.list("ingresses.networking.k8s.io")
    urls = candidates(ingresses, await api.list("services", namespace), namespace, port)
    if not urls:
        raise OperationError(
            f"nothing of {namespace} is published: it has neither an Ingress nor a Service with a TCP port",
            remedy="Give a service of it `ports:` or `expose:`, or name a --url.",
        )
    doors = [Door.of(url) for url in urls]
    asking = [
        asyncio.ensure_future(ask(door, RequestKind("GET", door.path), PROBE_SECONDS)) for door in doors
    ]
    failures: list[str] = []
    try:
        for url, answer in zip(urls, asking, strict=True):
            failure = (await answer).failure
            if not failure:
                return url
            failures.append(f"{url}: {failure}")
    finally:
        for answer in asking:
            answer.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    raise OperationError(
        f"nothing of {namespace} answers a GET with success ({', '.join(failures)})",
        remedy=name_url(doors[0].host),
    )


def name_url(host: str) -> str:
    """Return what to do when a URL does not answer as it should."""
    return f"Name what customers request with --url, such as `--url http://{host}/health`."
