"""Values of environments that are in AWS: ``NAME=@secretsmanager:…`` of ``env set``, or many to import.

They are read once, when that is typed, and become a version like every other: AWS is not asked by promotions,
and nothing of them is in a release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward.cli.hub import Application
    from leeward.infra.aws.session import Aws


class AwsValues:
    """Reads values with the session of an environment's cluster, where that is one of EKS with a spec.

    Args:
        application: whose environment it is.
        environment: one that is written.
    """

    def __init__(self, application: Application, environment: str) -> None:
        self._application = application
        self._environment = environment

    def one(self, text: str) -> bytes | None:
        """Return the value that `text` names; None when it names no place in AWS.

        Raises:
            UserInputError: it is not there, or may not be read.
        """
        from leeward.infra.aws.secrets import parse_reference, read_value

        where = parse_reference(text)
        return None if where is None else read_value(self._aws(), where)

    def several(self, text: str) -> dict[str, bytes] | None:
        """Return name → value of all that `text` names; None when it names no place in AWS.

        Raises:
            UserInputError: there is nothing, or it may not be read.
        """
        from leeward.infra.aws.secrets import parse_reference, read_values

        where = parse_reference(text)
        return None if where is None else read_values(self._aws(), where)

    def _aws(self) -> Aws:
        from leeward.cli.eks import aws_of_environment

        config = self._application.config
        return aws_of_environment(config.cluster_of(config.environments[self._environment]).spec)
