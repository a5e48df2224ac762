"""Admission of what is no write: conversations with Pods, and requests to Pods and Services.

Webhooks and policies are asked with the operation CONNECT, before anything begins and whether or not there is
such a Pod. The object is what the query says, as PodExecOptions or another kind of options.

Source: k8s.io/apiserver/pkg/endpoints/handlers/rest.go, ConnectResource (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.cluster.apiserver.admission import attended
from leeward.cluster.apiserver.http import Request
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import TrackingClient
from leeward.kube.objects import Obj


async def admitted(
    client: TrackingClient, request: Request, path: ResourcePath, served: Served, fields: Mapping[str, Any]
) -> Obj:
    """Return what admission makes of the options of a request.

    Args:
        client: asks.
        request: of somebody who wants to connect.
        path: to what.
        served: the resource.
        fields: of the options; those that are empty are left out.

    Raises:
        StatusError: it is refused.
    """
    found = served.subresource(path.subresource)
    assert found is not None  # that is how the request came here
    given = {key: value for key, value in fields.items() if value}
    asked: Obj = {"kind": found.kind, "apiVersion": "v1", **given}
    asker = client.tracked("", served.api_version, request.user)
    return await attended(
        lambda: asker.connect(served.name, path.namespace, path.name, path.subresource, asked)
    )
