"""The support table: for every key of the Compose Specification, what Kubernetes makes of it.

``rows`` is the table, one line a key; ``usage`` finds the keys that a project uses, ``report`` puts them
together with every other finding, ``sarif`` writes that for code review, ``page`` for the documentation.
"""

from leeward.render.support.levels import Level, Row, Section, Support
from leeward.render.support.table import Table, support_table
from leeward.render.support.usage import unsupported

__all__ = ["Level", "Row", "Section", "Support", "Table", "support_table", "unsupported"]
