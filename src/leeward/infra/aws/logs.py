"""What Pods wrote, from CloudWatch Logs: of those that are gone too.

The add-on amazon-cloudwatch-observability sends the output of Pods to one log group a cluster; each event is
a JSON document with the line and its Pod.

Source: "Set up Fluent Bit to send logs to CloudWatch" of the Amazon CloudWatch user guide; FilterLogEvents
and "Filter pattern syntax" of Amazon CloudWatch Logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leeward.base.errors import UserInputError
from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a container wrote."""

    time: datetime  # aware
    pod: str
    container: str
    text: str


def log_group(cluster: str) -> str:
    """Return the log group that the output of Pods of a cluster is in."""
    return f"/aws/containerinsights/{cluster}/application"


def read_lines(
    aws: Aws, cluster: str, namespace: str, containers: Sequence[str], since: datetime
) -> Iterator[LogLine]:
    """Yield the lines of containers of a namespace, in the order they were written.

    Args:
        aws: a session in the cluster's region.
        cluster: its name.
        namespace: of the Pods.
        containers: their names, which are those of services; none: all.
        since: from when on.

    Raises:
        UserInputError: the cluster sends no logs there.
    """
    group = log_group(cluster)
    arguments = {
        "logGroupName": group,
        "startTime": int(since.timestamp() * 1000),
        "filterPattern": filter_pattern(namespace, containers),
    }
    try:
        for page in aws.pages("logs", "filter_log_events", **arguments):
            for event in page.get("events") or ():
                if (line := _line(event, namespace, containers)) is not None:
                    yield line
    except AwsNotFoundError:
        raise UserInputError(
            f"there is no log group {group} in {aws.region}",
            remedy="Set logging.workloads: true in the cluster's file, and apply it: leeward infra apply.",
        ) from None


def filter_pattern(namespace: str, containers: Sequence[str]) -> str:
    """Return the filter of CloudWatch for containers of a namespace."""
    wanted = f'$.kubernetes.namespace_name = "{namespace}"'
    ways = " || ".join(f'$.kubernetes.container_name = "{name}"' for name in containers)
    return f"{{ {wanted} && ({ways}) }}" if ways else f"{{ {wanted} }}"


def _line(event: dict[str, Any], namespace: str, containers: Sequence[str]) -> LogLine | None:
    """Return the line of an event, when it is what was asked for: filters are checked here too."""
    try:
        document = json.loads(event["message"])
        origin = document["kubernetes"]
        found = LogLine(
            datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
            str(origin["pod_name"]),
            str(origin["container_name"]),
            str(document.get("log", "")).rstrip("\n"),
        )
    except (ValueError, KeyError, TypeError):
        return None
    if origin.get("namespace_name") != namespace or (containers and found.container not in containers):
        return None
    return found
