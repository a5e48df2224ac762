"""How many requests are worked on at a time, and how long one may take.

What lasts (watches, logs, conversations, proxies) is neither counted nor ended, and administrators are not
turned away. A request counts from when it is known who asks until it is answered: slow clients hold a place.

Source: k8s.io/apiserver/pkg/server/filters/{maxinflight,timeout,longrunning}.go, with kube-apiserver's
defaults (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.apiserver.http import Request, Response, text_response
from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.interface.user import MASTERS

MAX_READING, MAX_CHANGING = 400, 200
SECONDS = 60.0  # that a request may take, its body and its answer included
_READS = frozenset(("get", "list", "watch", "head", "options"))
_LASTING_VERBS = frozenset(("watch", "proxy"))
_LASTING_SUBRESOURCES = frozenset(("attach", "exec", "proxy", "log", "portforward"))


class InFlight:
    """The requests that are being worked on.

    Args:
        reading: as many may read.
        changing: as many may change something.
    """

    def __init__(self, reading: int = MAX_READING, changing: int = MAX_CHANGING) -> None:
        self._most = {True: reading, False: changing}
        self._held: dict[bool, set[Request]] = {True: set(), False: set()}

    @property
    def count(self) -> int:
        """How many places are taken."""
        return sum(map(len, self._held.values()))

    @property
    def reading(self) -> int:
        """How many of them read."""
        return len(self._held[True])

    @property
    def changing(self) -> int:
        """How many of them change something."""
        return len(self._held[False])

    def enter(self, request: Request, asked: Attributes) -> bool:
        """Count a request until it leaves, or let it last; False: there is no place for it."""
        if lasts(asked):
            request.may_last()
            return True
        reads = asked.verb in _READS
        held = self._held[reads]
        if len(held) >= self._most[reads] and MASTERS not in asked.user.groups:
            return False
        held.add(request)
        return True

    def leave(self, request: Request) -> None:
        """Give its place to others, if it had one."""
        for held in self._held.values():
            held.discard(request)


def lasts(asked: Attributes) -> bool:
    """Tell whether a request may take as long as it likes."""
    return asked.verb in _LASTING_VERBS or asked.subresource in _LASTING_SUBRESOURCES


def too_many() -> Response:
    """Return what is answered to whom there is no place for."""
    answer = text_response("Too many requests, please try again later.\n", status=429)
    answer.headers.append(("retry-after", "1"))
    return answer
