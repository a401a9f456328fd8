"""Train, test and predict on synthetic lesions, with the commands that you would type.

A second call reuses a finished training and resumes an interrupted one.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

NOTHING_TO_TRAIN = 3  # exit code of a fit that resumes after its last epoch


def lesionseg(*arguments: str) -> None:
    """Print a command and run it."""
    print(f"\n$ lesionseg {shlex.join(arguments)}", flush=True)
    code = subprocess.call([sys.executable, "-m", "lesionseg.cli", *arguments])
    if code not in (0, NOTHING_TO_TRAIN):
        sys.exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", type=Path, default=Path("runs/quickstart"), help="folder of the run"
    )
    parser.add_argument("--config", default="quickstart", help="a recipe, or your own YAML file")
    options, extra = parser.parse_known_args()
    run: Path = options.run
    logger = [
        f"--trainer.logger.init_args.save_dir={run.parent}",
        f"--trainer.logger.init_args.version={run.name}",
    ]
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    finished = run / "finished"

    if finished.exists():
        print(f"{best} is trained already; delete {run} to start afresh.")
    else:
        resume = [f"--ckpt_path={last}"] if last.exists() else []
        lesionseg("fit", "--config", options.config, *logger, *extra, *resume)
        finished.touch()
    common = ["--config", options.config, *extra, "--trainer.logger=false", f"--ckpt_path={best}"]
    lesionseg("test", *common, f"--report.directory={run}")
    lesionseg("predict", *common, f"--output.directory={run / 'predictions'}")

    print(f"\nScores, image by image: {run / 'scores.csv'}")
    print(f"Overlay picture:        {run / 'overlays.png'}")
    print(f"Predicted masks:        {run / 'predictions' / 'masks'}")
    print("\nMasks of your own photographs:")
    print(f"  lesionseg segment YOUR_PHOTOS --model {shlex.quote(str(best))} --output masks")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command to resume")
