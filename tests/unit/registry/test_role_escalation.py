"""Nobody grants what they have not."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.authorization.rbac import BINDINGS, CLUSTER_ROLES, GROUP, ROLES
from leeward.cluster.interface.user import MASTERS, User
from leeward.cluster.registry.options import WriteOptions
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, NotFoundError

JANE = WriteOptions(user=User("jane", ("devs", "system:authenticated")))


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> Obj:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def role(name: str, *rules: Obj) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop"}, "rules": list(rules)}


def binding(name: str, role_name: str, kind: str = "Role") -> Obj:
    reference = {"apiGroup": GROUP, "kind": kind, "name": role_name}
    subject = {"kind": "User", "apiGroup": GROUP, "name": "jane"}
    return {"metadata": {"name": name, "namespace": "shop"}, "roleRef": reference, "subjects": [subject]}


def hold(cluster: Any, *rules: Obj) -> None:
    """Let Jane do something in the namespace shop."""
    cluster.client.create(ROLES, role("held", *rules))
    cluster.client.create(BINDINGS, binding("held", "held"))


def test_a_role_with_no_more_than_its_writer_has_is_made(cluster: Any) -> None:
    hold(cluster, rule("get list", "pods"))
    cluster.registry.create(ROLES, role("less", rule("get", "pods")), JANE)


def test_a_role_with_more_is_refused_and_what_is_lacking_is_said(cluster: Any) -> None:
    hold(cluster, rule("get", "pods"))
    with pytest.raises(ForbiddenError) as caught:
        cluster.registry.create(ROLES, role("more", rule("get delete", "pods"), rule("get", "secrets")), JANE)
    assert caught.value.message == (
        f'roles.{GROUP} "more" is forbidden: user "jane" (groups=["devs" "system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )


def test_who_may_escalate_a_role_may_give_it_anything(cluster: Any) -> None:
    hold(cluster, rule("escalate", "roles", GROUP, resourceNames=["more"]))
    cluster.registry.create(ROLES, role("more", rule("*", "secrets")), JANE)
    with pytest.raises(ForbiddenError):
        cluster.registry.create(ROLES, role("other", rule("*", "secrets")), JANE)


def test_a_change_of_a_role_counts_and_one_of_its_labels_does_not(cluster: Any) -> None:
    made = cluster.client.create(ROLES, role("strong", rule("*", "secrets")))
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    labelled = cluster.registry.update(ROLES, labelled, JANE)
    with pytest.raises(ForbiddenError):
        cluster.registry.update(ROLES, {**labelled, "rules": [rule("*", "pods")]}, JANE)


def test_a_role_is_bound_by_who_has_it_or_may_bind_it(cluster: Any) -> None:
    cluster.client.create(ROLES, role("strong", rule("*", "secrets")))
    with pytest.raises(ForbiddenError, match="not currently held"):
        cluster.registry.create(BINDINGS, binding("mine", "strong"), JANE)
    hold(cluster, rule("bind", "roles", GROUP, resourceNames=["strong"]))
    cluster.registry.create(BINDINGS, binding("mine", "strong"), JANE)


def test_a_binding_to_no_role_is_refused_only_where_it_matters(cluster: Any) -> None:
    with pytest.raises(NotFoundError, match=f'rolebindings.{GROUP} "gone" not found'):
        cluster.registry.create(BINDINGS, binding("mine", "gone"), JANE)
    root = WriteOptions(user=User("root", (MASTERS,)))
    cluster.registry.create(BINDINGS, binding("mine", "gone"), root)


def test_a_role_that_is_put_together_needs_everything(cluster: Any) -> None:
    made = {
        "metadata": {"name": "sum"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    with pytest.raises(ForbiddenError, match="must have cluster-admin privileges to use an aggregationRule"):
        cluster.registry.create(CLUSTER_ROLES, made, JANE)
    cluster.client.create(CLUSTER_ROLES, made)
