"""Programs that ask for themselves by their service's name, as Compose lets them.

In Compose a service's name is the container's own address from the first moment. In Kubernetes it is a
Service, which leads nowhere until a Pod is ready: a program that binds to its own name cannot start, and a
health check that asks for it never succeeds. A Pod whose hostname is the name has it in ``/etc/hosts`` with
its own address (kubelet and embedded cluster alike), which is given to a Deployment's or Job's only Pod, and
to each of several where the health check shows that it is needed. A StatefulSet names its Pods itself; with
one replica its Service leads there ready or not.

Source: ``pkg/kubelet/kubelet_pods.go`` (managed hosts file, Kubernetes 1.36);
``pkg/controller/statefulset/stateful_set_utils.go`` (updateIdentity sets the hostname).
"""

from __future__ import annotations

import re

from leeward.compose.project import Healthcheck, Service
from leeward.render.model import ServiceContext
from leeward.render.plan import Kind


def asks_for_itself(service: Service, check: Healthcheck | None) -> bool:
    """Tell whether the health check names the service as a host: ``//web``, ``web:80`` or ``nc web 80``."""
    text = " ".join(check.test[1:]) if check else ""
    if service.name not in text:
        return False
    name = re.escape(service.name)
    return re.search(rf"(?://|@){name}(?![\w.-])|(?<![\w./@:-]){name}(?::\d|\s+\d+\b)", text) is not None


def is_called_like_its_service(context: ServiceContext, check: Healthcheck | None) -> bool:
    """Tell whether the service's name is each of its Pods' own address, ready or not."""
    plan = context.plan
    single = plan.replicas == 1
    if plan.kind is Kind.STATEFUL_SET:
        return single
    takes_hostname = plan.kind in (Kind.DEPLOYMENT, Kind.JOB, Kind.CRON_JOB)
    return takes_hostname and (single or asks_for_itself(context.service, check))
