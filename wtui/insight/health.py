"""All rules applied to a model: findings, the worst first.

`findings` takes what is known so far, so that a screen may call it while a scan runs; a `Checkup` keeps what does not
change between calls. Nothing here reads a file. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Extra
from wtui.insight.chart import Chart
from wtui.insight.rules import RULES
from wtui.insight.types import SEVERITIES

if TYPE_CHECKING:
    from wtui.insight.types import Finding
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow

__all__ = ["Checkup", "Extra", "findings"]

NOTHING = Extra()


class Checkup:
    """The rules, ready for one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.chart = Chart(catalogue)
        self._position = {t.name: i for i, t in enumerate(catalogue.tensors)}

    def findings(self, rows: Mapping[int, SummaryRow], extra: Extra = NOTHING) -> list[Finding]:
        """Findings from these rows (by index of the tensor) and further evidence, the worst first.

        Of one severity, in the order of RULES, then in the model's order.
        """
        case = Case(self.chart, rows, extra)
        found = [(number, finding) for number, rule in enumerate(RULES) for finding in rule.apply(case)]
        found.sort(key=lambda pair: (SEVERITIES.index(pair[1].severity), pair[0], self._place(pair[1])))
        return [finding for _, finding in found]

    def _place(self, finding: Finding) -> int:
        return self._position.get(finding.tensor, -1)


def findings(catalogue: Catalogue, rows: Mapping[int, SummaryRow], extra: Extra = NOTHING) -> list[Finding]:
    """As `Checkup(catalogue).findings(rows, extra)`, for a single look."""
    return Checkup(catalogue).findings(rows, extra)
