"""Where a webhook is: a URL, or a ready endpoint of a Service.

Source: k8s.io/apiserver/pkg/util/webhook/client.go, pkg/util/proxy/proxy.go ResolveEndpoint
(Kubernetes 1.36).
"""

from __future__ import annotations

import base64
import binascii
from random import Random
from urllib.parse import urlsplit

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.webhooks.calls import HookCall
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import SERVICE_NAME

_SLICES = "endpointslices.discovery.k8s.io"


class UnresolvedError(Exception):
    """A webhook cannot be asked."""


def make_call(spec: Obj, review: Obj, reader: Reader, random: Random, *, admission: bool = True) -> HookCall:
    """Return the question to a webhook.

    Args:
        spec: the webhook.
        review: what is asked.
        reader: Services and their endpoints.
        random: chooses an endpoint.
        admission: whether it is about admission; these are told how long they have.

    Raises:
        UnresolvedError: there is no way to it.
    """
    config = spec.get("clientConfig") or {}
    seconds = spec.get("timeoutSeconds") or 10
    try:
        certificates = base64.b64decode(config.get("caBundle") or "").decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnresolvedError(f"could not get REST client: {error}") from None
    service = config.get("service")
    if service is None:
        url = f"{config.get('url') or ''}"
        if admission:
            url += f"{'&' if urlsplit(url).query else '?'}timeout={seconds}s"
        return HookCall(url=url, certificates=certificates, timeout=seconds, review=review)
    port = service.get("port") or 443
    host = f"{service['name']}.{service['namespace']}.svc"
    path = service.get("path") or "/"
    limit, head = (f"?timeout={seconds}s", "failed to call webhook: ") if admission else ("", "")
    url = f"https://{host}:{port}{path if path.startswith('/') else '/' + path}{limit}"
    try:
        address = endpoint(reader, service["namespace"], service["name"], port, random)
    except UnresolvedError as error:
        raise UnresolvedError(f'{head}Post "{url}": {error}') from None
    return HookCall(url=url, address=address, certificates=certificates, timeout=seconds, review=review)


def endpoint(reader: Reader, namespace: str, name: str, port: int, random: Random) -> tuple[str, int]:
    """Return the address and port of one ready endpoint of a Service.

    Raises:
        UnresolvedError: there is none.
    """
    service = reader.find("services", namespace, name)
    if service is None:
        raise UnresolvedError(f'service "{name}" not found')
    kind = service["spec"].get("type") or "ClusterIP"
    if kind not in ("ClusterIP", "NodePort", "LoadBalancer"):
        raise UnresolvedError(f'unsupported service type "{kind}"')
    found = next((each for each in service["spec"].get("ports") or () if each["port"] == port), None)
    if found is None:
        raise UnresolvedError(f'no service port {port} found for service "{name}"')
    wanted = found.get("name") or ""
    ready = [
        (endpoint["addresses"][0], each["port"])
        for slice_ in reader.list(_SLICES, namespace)
        if labels_of(slice_).get(SERVICE_NAME) == name
        for each in slice_.get("ports") or ()
        if (each.get("name") or "") == wanted and each.get("port")
        for endpoint in slice_.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
    if not ready:
        raise UnresolvedError(f'no endpoints available for service "{name}"')
    return random.choice(ready)
