"""API failures as Python errors, one class per reason that code branches on.

The HTTP edge turns a :class:`StatusError` into a ``Status`` body; the client turns a ``Status`` body
back into the same class, so a controller reads the same in process and over the wire.

Source: ``k8s.io/apimachinery/pkg/api/errors`` and ``metav1.StatusReason`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from leeward.base.errors import LeewardError


class StatusError(LeewardError):
    """A request the API server refused or could not serve.

    Args:
        message: the Status message, in upstream's words.
        details: the Status details (``{"name": …, "kind": …, "causes": […]}``), or None.
        retry_after: seconds the caller should wait before retrying, or None.
    """

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.warnings: tuple[str, ...] = ()  # told beside the failure

    def to_status(self) -> dict[str, Any]:
        """Return the metav1.Status object of this failure."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if not self.reason:
            del status["reason"]
        details = dict(self.details or {})
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        if details or self.details is not None:
            status["details"] = details
        status["code"] = self.code
        return status


class UnreadableVersionError(StatusError):
    """A resourceVersion is no number; upstream tells no reason."""

    reason = ""


class BadRequestError(StatusError):
    """The request is malformed."""

    code: ClassVar[int] = 400
    reason: ClassVar[str] = "BadRequest"


class UnauthorizedError(StatusError):
    """No valid credentials."""

    code: ClassVar[int] = 401
    reason: ClassVar[str] = "Unauthorized"


class ForbiddenError(StatusError):
    """Not allowed, or refused by admission."""

    code: ClassVar[int] = 403
    reason: ClassVar[str] = "Forbidden"


class NotFoundError(StatusError):
    """The object or the resource type is not there."""

    code: ClassVar[int] = 404
    reason: ClassVar[str] = "NotFound"


class MethodNotAllowedError(StatusError):
    """The resource does not support the verb."""

    code: ClassVar[int] = 405
    reason: ClassVar[str] = "MethodNotAllowed"


class NotAcceptableError(StatusError):
    """None of the media types asked for can be produced."""

    code: ClassVar[int] = 406
    reason: ClassVar[str] = "NotAcceptable"


class AlreadyExistsError(StatusError):
    """An object of that name is there."""

    code: ClassVar[int] = 409
    reason: ClassVar[str] = "AlreadyExists"


class ConflictError(StatusError):
    """The resourceVersion or uid sent is not the one stored; read again and retry."""

    code: ClassVar[int] = 409
    reason: ClassVar[str] = "Conflict"


class ExpiredError(StatusError):
    """The resourceVersion or continue token is older than the history kept."""

    code: ClassVar[int] = 410
    reason: ClassVar[str] = "Expired"


class UnsupportedMediaTypeError(StatusError):
    """The body's media type is not understood."""

    code: ClassVar[int] = 415
    reason: ClassVar[str] = "UnsupportedMediaType"


class InvalidError(StatusError):
    """The object breaks rules; ``details.causes`` names each field."""

    code: ClassVar[int] = 422
    reason: ClassVar[str] = "Invalid"


class TooManyRequestsError(StatusError):
    """Try again later, such as an eviction refused by a disruption budget."""

    code: ClassVar[int] = 429
    reason: ClassVar[str] = "TooManyRequests"


class ServiceUnavailableError(StatusError):
    """The backend cannot be reached."""

    code: ClassVar[int] = 503
    reason: ClassVar[str] = "ServiceUnavailable"


class TimeoutStatusError(StatusError):
    """It took too long."""

    code: ClassVar[int] = 504
    reason: ClassVar[str] = "Timeout"


def refusal(message: str, *, code: int, reason: str, details: dict[str, Any] | None = None) -> StatusError:
    """Return a failure whose code and reason somebody else chose: a webhook or a policy."""
    kind = type("RefusedError", (StatusError,), {"code": code, "reason": reason})
    error: StatusError = kind(message, details=details)
    return error


ERRORS: Sequence[type[StatusError]] = (
    BadRequestError,
    UnauthorizedError,
    ForbiddenError,
    NotFoundError,
    MethodNotAllowedError,
    NotAcceptableError,
    AlreadyExistsError,
    ConflictError,
    ExpiredError,
    UnsupportedMediaTypeError,
    InvalidError,
    TooManyRequestsError,
    ServiceUnavailableError,
    TimeoutStatusError,
)


def error_from_status(status: dict[str, Any]) -> StatusError:
    """Return the error that a ``Status`` body stands for; :class:`StatusError` for unknown reasons."""
    reason, code = status.get("reason"), status.get("code")
    match = next((kind for kind in ERRORS if kind.reason == reason), None)
    match = match or next((kind for kind in ERRORS if kind.code == code), StatusError)
    details = status.get("details")
    return match(
        status.get("message") or reason or "unknown error",
        details=details,
        retry_after=(details or {}).get("retryAfterSeconds"),
    )
