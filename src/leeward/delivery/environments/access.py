"""Who may do what to an environment: the Roles and bindings that ``access`` in ``leeward.yaml`` means. Pure.

Each level has a Role in the environment's namespace and one in the hub, bound to the groups of that level.
They are always all there, with fixed names, so that who administers an environment can keep them up to date
without a right to make others: RBAC can limit changes by name, but not what is created.

* ``view`` reads everything but Secrets; ``edit`` also changes what runs, reads logs into it and executes
  commands in it, but neither reads Secrets nor promotes.
* ``promote`` reads, and applies what releases are made of, Secrets among it; it approves and locks.
* ``admin`` is all of that, and changes the environment itself and these Roles.

Note: who may execute commands in a Pod, or start one, can see the Secrets that Pods there use.

Source: kubernetes.io/docs/reference/access-authn-authz/rbac; the roles view, edit and admin of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from leeward.base.errors import OperationError
from leeward.delivery.audit.chain import HEAD
from leeward.delivery.environments.environment import Environment
from leeward.delivery.records import APP_LABEL, ENVIRONMENT_LABEL, GROUP
from leeward.kube.objects import Obj
from leeward.render.naming import dns_label

LEVELS = ("view", "edit", "promote", "admin")  # "none" gives nothing
RBAC = "rbac.authorization.k8s.io"
ROLES, BINDINGS = f"roles.{RBAC}", f"rolebindings.{RBAC}"
REVIEWS = "localsubjectaccessreviews.authorization.k8s.io"
_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_ALL = f"{_READ} {_WRITE}"

_VIEW = (  # verbs, API groups, resources; "core" is the core group
    (
        _READ,
        "core",
        "configmaps endpoints events limitranges persistentvolumeclaims pods pods/log podtemplates",
    ),
    (_READ, "core", "replicationcontrollers resourcequotas serviceaccounts services"),
    (_READ, "core", "persistentvolumeclaims/status pods/status replicationcontrollers/scale services/status"),
    ("get", "core", "namespaces"),
    (_READ, "events.k8s.io", "events"),
    (_READ, "discovery.k8s.io", "endpointslices"),
    (_READ, "apps", "controllerrevisions daemonsets deployments replicasets statefulsets"),
    (_READ, "apps", "daemonsets/status deployments/status replicasets/status statefulsets/status"),
    (_READ, "apps", "deployments/scale replicasets/scale statefulsets/scale"),
    (_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    (_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    (_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (_READ, "metrics.k8s.io", "pods"),
    (_READ, RBAC, "rolebindings roles"),
)
_CHANGE = (
    (_WRITE, "core", "configmaps persistentvolumeclaims services"),
    (_WRITE, "apps", "daemonsets deployments statefulsets"),
    (_WRITE, "autoscaling", "horizontalpodautoscalers"),
    (_WRITE, "batch", "cronjobs jobs"),
    (_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    (_WRITE, "policy", "poddisruptionbudgets"),
)
_EDIT = (
    (_WRITE, "core", "pods replicationcontrollers replicationcontrollers/scale"),
    ("create get", "core", "pods/attach pods/exec pods/portforward"),
    ("create", "core", "pods/eviction"),
    ("patch update", "core", "pods/ephemeralcontainers pods/resize"),
    (_WRITE, "apps", "replicasets"),
    ("patch update", "apps", "deployments/scale replicasets/scale statefulsets/scale"),
)
_APPLY = (
    ("get", "core", "services/proxy"),  # requests that verify a release
    (_ALL, "core", "secrets"),
    (_WRITE, "core", "serviceaccounts"),
    (_ALL, "monitoring.coreos.com", "prometheusrules"),
)
_OWN = (("patch update", "core", "namespaces"),)  # its labels, Pod Security's among them
_REVIEW = (("create", "authorization.k8s.io", "localsubjectaccessreviews"),)
_HUB_VIEW = (
    (_READ, GROUP, "approvals auditrecords environments promotions releases"),
    (_READ, "coordination.k8s.io", "leases"),
    ("get", "core", "namespaces"),
    (_READ, RBAC, "rolebindings roles"),
)
_HUB_PROMOTE = (
    ("create", GROUP, "approvals auditrecords promotions releases"),
    ("patch update", GROUP, "promotions/status"),
    ("create", "coordination.k8s.io", "leases"),
    ("create", "core", "configmaps"),
)
_Row = tuple[str, str, str]


class Action(NamedTuple):
    """Something that people ask whether they may do it."""

    name: str
    verb: str
    group: str
    resource: str
    subresource: str = ""
    in_hub: bool = False  # to the Environment; else to something in its namespace


ACTIONS = (
    Action("read Pods", "list", "", "pods"),
    Action("read logs", "get", "", "pods", "log"),
    Action("exec", "create", "", "pods", "exec"),
    Action("change workloads", "patch", "apps", "deployments"),
    Action("read Secrets", "get", "", "secrets"),
    Action("set variables", "create", "", "secrets"),
    Action("approve", "approve", GROUP, "environments", in_hub=True),
    Action("promote", "promote", GROUP, "environments", in_hub=True),
    Action("lock", "patch", GROUP, "environments", "status", in_hub=True),
)


def role_name(environment: str, level: str) -> str:
    """Return the name of the Role of a level, and of its binding: ``leeward:qa:view``."""
    return f"leeward:{environment}:{level}"


def access_objects(environment: Environment) -> list[Obj]:
    """Return the Roles and RoleBindings of an environment, Roles first.

    Raises:
        OperationError: a level is not known.
    """
    groups = _groups(environment)
    places = (environment.namespace, _in_namespace(environment)), (environment.hub, _in_hub(environment))
    roles = [_role(environment, space, level, rules[level]) for space, rules in places for level in LEVELS]
    bindings = [_binding(environment, space, level, groups[level]) for space, _ in places for level in LEVELS]
    return [*roles, *bindings]


def _groups(environment: Environment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {level: [] for level in LEVELS}
    for group, level in sorted(environment.access.items()):
        if level != "none" and level not in found:
            raise OperationError(
                f"environment {environment.name} gives {group} the access {level!r}, which is none",
                remedy=f"The levels are none, {', '.join(LEVELS)}; correct leeward.yaml.",
            )
        if level != "none":
            found[level].append(group)
    return found


def _in_namespace(environment: Environment) -> Mapping[str, Sequence[Obj]]:
    view, edit, promote = _rules(_VIEW), _rules((*_CHANGE, *_EDIT)), _rules((*_CHANGE, *_APPLY))
    rows = (*_CHANGE, *_EDIT, *_APPLY, *_OWN, *_REVIEW)
    admin = [*view, *_rules(rows), _own_roles(environment)]
    return {"view": view, "edit": [*view, *edit], "promote": [*view, *promote], "admin": admin}


def _in_hub(environment: Environment) -> Mapping[str, Sequence[Obj]]:
    name = environment.name
    view = [*_rules(_HUB_VIEW), _rule("get", "core", "configmaps", HEAD)]
    promote = [
        *_rules(_HUB_PROMOTE),
        _rule("approve promote", GROUP, "environments", name),
        _rule("patch update", GROUP, "environments/status", name),
        _rule("patch update", "coordination.k8s.io", "leases", f"leeward-{name}"),
        _rule("patch update", "core", "configmaps", HEAD),
    ]
    admin = [
        _rule("delete patch update", GROUP, "environments", name), *_rules(_REVIEW), _own_roles(environment),
    ]  # fmt: skip
    return {"view": view, "edit": view, "promote": [*view, *promote], "admin": [*view, *promote, *admin]}


def _own_roles(environment: Environment) -> Obj:
    names = [role_name(environment.name, level) for level in LEVELS]
    return _rule("patch update", RBAC, "rolebindings roles", *names)


def _rules(rows: Iterable[_Row]) -> list[Obj]:
    return [_rule(*row) for row in rows]


def _rule(verbs: str, group: str, resources: str, *names: str) -> Obj:
    rule: Obj = {
        "apiGroups": ["" if group == "core" else group],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    return {**rule, "resourceNames": list(names)} if names else rule


def _role(environment: Environment, namespace: str, level: str, rules: Sequence[Obj]) -> Obj:
    return {**_head(environment, "Role", namespace, level), "rules": list(rules)}


def _binding(environment: Environment, namespace: str, level: str, groups: Iterable[str]) -> Obj:
    reference = {"apiGroup": RBAC, "kind": "Role", "name": role_name(environment.name, level)}
    subjects = [{"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups]
    return {
        **_head(environment, "RoleBinding", namespace, level), "roleRef": reference, "subjects": subjects,
    }  # fmt: skip


def _head(environment: Environment, kind: str, namespace: str, level: str) -> Obj:
    labels = {APP_LABEL: dns_label(environment.app), ENVIRONMENT_LABEL: environment.name}
    meta = {"name": role_name(environment.name, level), "namespace": namespace, "labels": labels}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": meta}


def review_of(environment: Environment, action: Action, group: str) -> Obj:
    """Return the question whether a group may do something to an environment."""
    asked = {
        "namespace": environment.hub if action.in_hub else environment.namespace,
        "verb": action.verb,
        "group": action.group,
        "resource": action.resource,
        "subresource": action.subresource,
        "name": environment.name if action.in_hub else "",
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "LocalSubjectAccessReview",
        "metadata": {"namespace": asked["namespace"]},
        "spec": {"groups": [group], "resourceAttributes": {key: each for key, each in asked.items() if each}},
    }


def questions(environment: Environment, groups: Iterable[str]) -> Iterator[tuple[str, Action, Obj]]:
    """Yield everything to ask about an environment: the group, the action and the question."""
    for group in groups:
        for action in ACTIONS:
            yield group, action, review_of(environment, action, group)
