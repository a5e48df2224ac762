"""Bodies of the ``scale`` subresource.

Source: ``autoscaling/v1`` Scale; the registries of apps/v1 (1.36).
"""

from __future__ import annotations

from leeward.kube.objects import Obj
from leeward.kube.scale import SCALE_VERSION
from leeward.kube.status import BadRequestError


def check_is_scale(body: Obj) -> None:
    """Refuse what is no Scale.

    Raises:
        BadRequestError: it is something else.
    """
    version, kind = body.get("apiVersion") or SCALE_VERSION, body.get("kind") or "Scale"
    if kind != "Scale":
        short = version.rpartition("/")[2]
        raise BadRequestError(
            f'{kind} in version "{short}" cannot be handled as a Scale: converting ({short}.{kind}) to '
            "(autoscaling.Scale): unknown conversion"
        )
