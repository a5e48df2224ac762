"""Who somebody is and what they may do, in the words of the cluster they talk to.

Source: authentication.k8s.io/v1, SelfSubjectReview; authorization.k8s.io/v1, SelfSubjectAccessReview.
"""

from __future__ import annotations

from leeward.base.errors import OperationError
from leeward.delivery.api import Creates


async def who_am_i(api: Creates) -> str:
    """Return the user name that the cluster knows the caller by.

    Raises:
        OperationError: it does not say.
    """
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
    answer = await api.create("selfsubjectreviews.authentication.k8s.io", asked)
    name = ((answer.get("status") or {}).get("userInfo") or {}).get("username")
    if not name:
        raise OperationError("the cluster does not say who you are", remedy="Log in with another user.")
    return str(name)


async def may_i(
    api: Creates, verb: str, resource: str, *, namespace: str = "", subresource: str = "", group: str = ""
) -> bool:
    """Tell whether the cluster lets the caller do something to a resource ("services")."""
    asked = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": {key: each for key, each in asked.items() if each}},
    }
    answer = await api.create("selfsubjectaccessreviews.authorization.k8s.io", review)
    return bool((answer.get("status") or {}).get("allowed"))
