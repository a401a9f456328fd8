from .comparison import Comparison as Comparison
from .comparison import compare_tables as compare_tables
from .comparison_table import ComparisonTable as ComparisonTable
from .comparison_table import compare_with_first as compare_with_first
from .predictions import score_predictions as score_predictions
from .predictions import score_predictions_extended as score_predictions_extended
from .tested_runs import TestedRun as TestedRun
from .tested_runs import read_runs as read_runs
