"""The words of a cluster spec: names, versions, addresses and ARNs, as AWS accepts them.

Source: the API references of Amazon EKS (CreateCluster, CreateNodegroup), EC2 (CreateVpc), IAM (identifiers)
and S3 (bucket naming rules).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Any

from leeward.settings.base import Form, Parsed, Word, unfit

_CIDR_WANTED = 'a range of IPv4 addresses such as "10.0.0.0/16", whose first address it begins with'


def parse_cidr(text: str) -> str:
    """Return an IPv4 network in CIDR notation.

    Raises:
        ValueError: it is none, or has bits after its prefix.
    """
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise ValueError(_CIDR_WANTED) from None
        raise ValueError(f'{_CIDR_WANTED}: "{network}"') from None


@dataclass(frozen=True, slots=True)
class Amount(Form):
    """A number of at least 0, whole or not."""

    def check(self, value: Any) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e12:
            return float(value)
        raise unfit("a number, 0 or more")

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0}


CLUSTER_NAME = r"[a-z]([-a-z0-9]*[a-z0-9])?"
CLUSTER_NAME_WANTED = "a name of lower-case letters, digits and hyphens, at most 38"
LONGEST_CLUSTER_NAME = 38  # of an IAM role's 64, less region and purpose
ClusterName = Annotated[str, Word(CLUSTER_NAME, CLUSTER_NAME_WANTED, LONGEST_CLUSTER_NAME)]
Region = Annotated[str, Word(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region such as us-east-1", 32)]
Zone = Annotated[str, Word(r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]", "an availability zone such as us-east-1a", 32)]
KubernetesVersion = Annotated[str, Word(r"1\.[0-9]{2}", 'a minor version in quotes, such as "1.35"', 4)]
Cidr = Annotated[str, Parsed(parse_cidr, _CIDR_WANTED)]
InstanceTypeName = Annotated[
    str, Word(r"[a-z][-a-z0-9]*\.[a-z0-9-]+", "an instance type such as m7i.large", 32)
]
AmiRelease = Annotated[str, Word(r"[0-9][-.0-9a-f]+", 'a release of the AMI, such as "1.35.0-20260415"', 64)]
RoleArn = Annotated[
    str,
    Word(
        r"arn:aws[-a-z]*:iam::[0-9]{12}:role/(?!aws-service-role/)[A-Za-z0-9_+=,.@/-]+",
        "the ARN of an IAM role that is no service's, such as arn:aws:iam::111122223333:role/Deploy",
        2048,
    ),
]
AccountId = Annotated[
    str, Word(r"[0-9]{12}", 'the twelve digits of an account, in quotes, such as "111122223333"', 12)
]
PolicyName = Annotated[str, Word(r"[\w+=,.@ -]+", "the name of a profile", 128)]
BucketName = Annotated[
    str,
    Word(
        r"(?!xn--|sthree-|amzn-s3-demo-)(?![0-9.]+$)(?!.*\.\.)[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]",
        "the name of an S3 bucket, lower case, from 3 to 63 characters, no address and no two dots in a row",
        63,
    ),
]
AddonVersion = Annotated[
    str, Word(r"v[0-9][-.0-9a-z]*|off", "a version such as v1.20.4-eksbuild.2, or off", 64)
]
_NOT_AWS = r"(?![aA][wW][sS]:)"  # AWS's own, in whatever case
TagKey = Annotated[str, Word(rf"{_NOT_AWS}[\w .:/=+@-]+", "the key of a tag, not beginning with aws:", 128)]
TagValue = Annotated[
    str, Word(rf"{_NOT_AWS}[\w .:/=+@-]*", "the value of a tag, not beginning with aws:", 256, numbers=True)
]
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"  # of a label or taint, without its prefix
_PREFIXED = (
    rf"(?=[^=:]{{1,63}}(?:[=:]|$))([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?{_NAME}"
)
NodeLabelKey = Annotated[
    str, Word(_PREFIXED, "a key such as example.com/name, at most 63 characters with its prefix", 63)
]
NodeLabelValue = Annotated[
    str,
    Word(_NAME, "the value of a label, letters, digits, - _ ., from 1 to 63 (EKS takes no empty one)", 63),
]
Taint = Annotated[
    str,
    Word(
        rf"{_PREFIXED}(=({_NAME})?)?:(NoSchedule|PreferNoSchedule|NoExecute)",
        "a taint such as dedicated=batch:NoSchedule, whose key has at most 63 characters",
        145,
    ),
]
Money = Annotated[float, Amount()]
