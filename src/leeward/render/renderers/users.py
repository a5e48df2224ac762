"""Users and groups of containers, as the numbers that Kubernetes wants.

A name counts where the Dockerfile, or what is known of a public image, shows its number. The image's own user
needs none: it is there already.
"""

from __future__ import annotations

from leeward.base.diagnostics import Severity
from leeward.render.dockerfile import ImageFacts, base_facts, facts_of
from leeward.render.model import ServiceContext

OWNED_ONCE = {"fsGroupChangePolicy": "OnRootMismatch"}  # a large volume would be walked at every start
_REMEDY = "Write its number, as `docker run IMAGE id` shows it."


def image_facts(context: ServiceContext, image: str | None = None) -> ImageFacts:
    """Return what is known of the service's image, or of another one that it uses."""
    if image is None and (build := context.service.build) is not None:
        return facts_of(build, context.options.files)
    return base_facts(image or context.service.image or "")


def image_user(facts: ImageFacts) -> str:
    """Return the number of the image's user, if it is known and not root; "" otherwise."""
    number = (facts.user or "").partition(":")[0]
    return number if number.isdigit() and int(number) else ""


def user_number(context: ServiceContext, facts: ImageFacts, text: str, *path: str | int) -> int | None:
    """Return the number of the user `text` at `path`; None when it is the image's own, or unknown."""
    number = text if text.isdigit() else facts.numbers.get(text, "0" if text == "root" else "")
    if number:
        return int(number)
    if text != (facts.user or "").partition(":")[0]:
        _report(context, text, "The container runs as the image's own user instead.", *path)
    return None


def group_number(context: ServiceContext, text: str, *path: str | int) -> int | None:
    """Return the number of the group `text` at `path`; None, reported, when it is unknown."""
    if text.isdigit() or text == "root":
        return int(text) if text.isdigit() else 0
    _report(context, text, "The group is left out.", *path)
    return None


def _report(context: ServiceContext, text: str, instead: str, *path: str | int) -> None:
    """Report a name: an error, because the container might run as root, except where nothing is at stake."""
    context.report(
        path,
        "needs-number",
        Severity.WARNING if context.options.on_embedded else Severity.ERROR,
        f"{text!r} is a name inside the image, whose number is not known. {instead}",
        _REMEDY,
    )
