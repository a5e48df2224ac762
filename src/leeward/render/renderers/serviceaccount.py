"""Who the Pods are: a service account where ``x-leeward`` asks for one, and secrets to pull images with.

Services that name one account share it; they must agree on what it is. The embedded cluster is given those,
too, that exist elsewhere. Pods without an account of their own
run as the namespace's default one, whose token they do not get.

Source: docs.aws.amazon.com/eks: "IAM roles for service accounts" (an annotation), "EKS Pod Identity" (an
association in AWS, by namespace and name); kubernetes.io/docs/concepts/containers/images.
"""

from __future__ import annotations

from leeward.base.diagnostics import Severity
from leeward.kube.objects import Obj
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.plan import ServicePlan
from leeward.settings.service import ServiceAccount

ROLE_ARN = "eks.amazonaws.com/role-arn"


def _name(plan: ServicePlan, account: ServiceAccount) -> str:
    return account.name or plan.name


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    if account := context.plan.settings.service_account:
        draft.spec["serviceAccountName"] = _name(context.plan, account)
        draft.spec["automountServiceAccountToken"] = account.automount_token
    if secrets := context.project.plan.settings.image_pull_secrets:
        draft.spec["imagePullSecrets"] = [{"name": name} for name in secrets]


def _make(context: ProjectContext, name: str, plan: ServicePlan, account: ServiceAccount) -> Obj:
    roles = {ROLE_ARN: account.role_arn} if account.role_arn else {}
    path = ("services", plan.service.name, "x-leeward", "serviceAccount")
    head = context.object("v1", "ServiceAccount", name, *path, annotations={**roles, **account.annotations})
    return {**head, "automountServiceAccountToken": account.automount_token}


def _project(context: ProjectContext) -> list[Obj]:
    first: dict[str, tuple[ServicePlan, ServiceAccount]] = {}
    for plan in context.plan.services.values():
        account = plan.settings.service_account
        if account is None or not (account.create or context.options.on_embedded):
            continue
        name = _name(plan, account)
        other = first.setdefault(name, (plan, account))[1]
        if (account.role_arn, account.annotations) != (other.role_arn, other.annotations):
            context.report(
                ("services", plan.service.name, "x-leeward", "serviceAccount"),
                "name-collision",
                Severity.ERROR,
                f"{first[name][0].service.name!r} says something else of the service account {name!r}.",
                "Give both the same role and annotations, or names of their own.",
            )
    return [_make(context, name, *found) for name, found in sorted(first.items())]


DESCRIPTOR = Renderer(name="serviceaccount", pod=_pod, project=_project)
