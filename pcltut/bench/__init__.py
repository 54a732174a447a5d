"""What things cost beside what they cannot do without: ratios measured side by side, in one table."""

from pcltut.bench.suite import GROUPS, run_bench
from pcltut.bench.table import Row, as_text, is_red
from pcltut.bench.timing import Ratio, compare

__all__ = ["GROUPS", "Ratio", "Row", "as_text", "compare", "is_red", "run_bench"]
