"""``leeward logs --env ENV --cloudwatch``: what Pods of an environment wrote, those that are gone among them.

The cluster is not asked: its API may be out of reach, and a service may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from leeward.base.errors import UserInputError
from leeward.cli import output

if TYPE_CHECKING:
    from leeward.cli.hub import Application
    from leeward.infra.aws.logs import LogLine

_USUAL_SECONDS = 3600
_COLOUR = "36"


def show_logs(
    application: Application,
    environment: str,
    services: Sequence[str],
    *,
    since: int | None,
    tail: int | None,
    timestamps: bool,
) -> None:
    """Print the lines of an environment's services, oldest first.

    Args:
        application: whose environment it is.
        environment: on a cluster of EKS with a spec.
        services: by their Compose names; all without any.
        since: how many seconds back; None: an hour.
        tail: how many lines of each Pod; None: all.
        timestamps: whether to print when each was written.

    Raises:
        UserInputError: there is no such environment, its cluster has no spec, or sends no logs.
    """
    from leeward.base.clock import SystemClock
    from leeward.cli.eks import aws_of_spec, require_spec, spec_of
    from leeward.delivery.environments.environment import namespace_for
    from leeward.infra.aws.logs import read_lines
    from leeward.render.naming import dns_label

    application.require(environment)
    written = application.config.environments[environment]
    spec = require_spec(application.config.cluster_of(written).spec, "--cloudwatch")
    begin = SystemClock().now() - timedelta(seconds=_USUAL_SECONDS if since is None else since)
    namespace = namespace_for(application.name, environment, written)
    containers = [dns_label(name) for name in services]
    lines: Iterable[LogLine] = read_lines(aws_of_spec(spec), spec_of(spec).name, namespace, containers, begin)
    count = 0
    for line in lines if tail is None else last_of_each(lines, tail):
        count += 1
        when = f"{line.time.isoformat(timespec='milliseconds')} " if timestamps else ""
        output.say(f"{output.paint(f'{line.pod} |', _COLOUR)} {when}{line.text}")
    if not count:
        output.note(f"nothing of {namespace} since {begin.isoformat(timespec='seconds')}")


def last_of_each(lines: Iterable[LogLine], most: int) -> Iterator[LogLine]:
    """Yield the last lines of each Pod, in the order of all."""
    every = list(lines)
    left: dict[str, int] = {}
    for line in every:
        left[line.pod] = left.get(line.pod, 0) + 1
    for line in every:
        if left[line.pod] <= most:
            yield line
        left[line.pod] -= 1


def refuse_following(*, follow: bool) -> None:
    """Refuse to go on with what comes: CloudWatch has it minutes later than the cluster.

    Raises:
        UserInputError: that is asked.
    """
    if follow:
        raise UserInputError("--cloudwatch tells what was, and does not follow", remedy="Leave out --follow.")
