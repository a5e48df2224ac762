"""What stands before every handler: who asks, who is meant, may they, and the audit of it.

Source: k8s.io/apiserver/pkg/server/config.go, DefaultBuildHandlerChain (Kubernetes 1.36);
pkg/registry/core/pod/rest/subresources.go for what needs "create" though a WebSocket is asked for by GET.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from leeward.cluster.apiserver.audit import AuditLog
from leeward.cluster.apiserver.authentication import Authenticator, token_of_protocols
from leeward.cluster.apiserver.http import Answer, Request
from leeward.cluster.apiserver.impersonation import impersonate, wanted_user
from leeward.cluster.apiserver.limits import InFlight, too_many
from leeward.cluster.apiserver.monitoring import Monitoring
from leeward.cluster.apiserver.requestinfo import attributes_of
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rbac import Rbac
from leeward.kube.status import StatusError, TimeoutStatusError

_CREATED = ("attach", "exec", "portforward")  # of Pods: needs "create" whatever the method

Dispatch = Callable[[Request], Awaitable[Answer]]


class Access:
    """Lets requests through.

    Args:
        authenticator: knows who is who.
        rbac: knows who may do what.
        audit: takes note; None: nobody does.
        in_flight: knows how many are here already; who is let through leaves it again.
        monitoring: counts requests; None: nobody does.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        rbac: Rbac,
        audit: AuditLog | None = None,
        in_flight: InFlight | None = None,
        monitoring: Monitoring | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._rbac = rbac
        self._audit = audit
        self._in_flight = in_flight or InFlight()
        self._monitoring = monitoring

    async def through(self, request: Request, dispatch: Dispatch) -> Answer:
        """Return what `dispatch` answers to a request that is allowed; `request.user` is who asks.

        Raises:
            UnauthorizedError: the credentials are nobody's.
            ForbiddenError: they may not.
        """
        header = request.headers.get("authorization", "")
        if not header and not request.certificate:
            token = token_of_protocols(request.protocol_tokens, request.protocols)
            header = f"Bearer {token}" if token else ""
        requester = self._authenticator.authenticate(header, request.certificate)
        asked = attributes_of(request, requester)
        code, began = 500, 0.0 if self._monitoring is None else self._monitoring.begin()
        try:
            wanted = wanted_user(request.header_list)
            if wanted is not None:
                asked = attributes_of(request, impersonate(wanted, asked, self._rbac.authorize))
            if not self._in_flight.enter(request, asked):
                code = 429
                return too_many()
            self._check(asked)
            if asked.resource == "pods" and asked.subresource in _CREATED and asked.verb == "get":
                self._check(replace(asked, verb="create"))
            request.user = asked.user
            answer = await dispatch(request)
            code = answer.status
        except StatusError as error:
            code = error.code
            raise
        except asyncio.CancelledError:  # it took too long
            code = TimeoutStatusError.code
            raise
        else:
            return answer
        finally:
            if self._monitoring is not None:
                self._monitoring.record(asked, code, began)
            if self._audit is not None:
                self._audit.record(request, requester, asked, code)

    def _check(self, asked: Attributes) -> None:
        decision = self._rbac.authorize(asked)
        if not decision.allowed:
            raise asked.forbidden(decision.error)
