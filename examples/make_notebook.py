"""Write the notebooks, outputs included, from their scripts: python examples/make_notebook.py.

A notebook holds nothing that changes from run to run: no times, no paths, no random ids.
"""

import argparse
import copy
import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
NOTEBOOKS = (
    "segment_photographs",
    "fine_tune",
    "train_and_compare",
    "blocks",
    "export_to_phone",
)


def read_script(script: Path) -> nbformat.NotebookNode:
    """The notebook of a script in percent format, not yet run; cells are numbered."""
    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """A copy with outputs.

    Args:
        notebook: Left as it is.
        folder: Where the cells run.

    Raises:
        CellExecutionError: A cell fails.
    """
    done = copy.deepcopy(notebook)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fixed order of sums: the same digits always
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress"  # of tqdm, where there is no ipywidgets
    client = NotebookClient(
        done,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    done.metadata = copy.deepcopy(notebook.metadata)  # without the version of this Python
    for output in (output for cell in done.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop("image/jpeg", None)  # a duplicate of the PNG
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NOTEBOOKS)}; all")
    parser.add_argument("--output", type=Path, default=HERE, help="folder")
    options = parser.parse_args()
    for name in options.names or NOTEBOOKS:
        output = options.output / f"{name}.ipynb"
        nbformat.write(run(read_script(HERE / f"{name}.py"), HERE), output)
        print(f"{output}: {output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
