"""Who somebody is, in the words of the cluster they talk to.

Source: authentication.k8s.io/v1, SelfSubjectReview.
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
