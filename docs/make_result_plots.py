"""Draw the plots of the small tables from their JSON.

Run ``python docs/make_result_plots.py`` after a change of the plots' style.
"""

import json
from pathlib import Path

from lesionseg.experiments.paper_table import load_table
from lesionseg.experiments.reproduction_plot import plot_table
from lesionseg.experiments.reproduction_report import plot_caption

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    for path in sorted(RESULTS.glob("*.json")):
        saved = json.loads(path.read_text(encoding="utf-8"))
        table = load_table(saved["table"])
        plot_table(table, saved["results"], plot_caption(table, saved), path.with_suffix(".png"))


if __name__ == "__main__":
    main()
