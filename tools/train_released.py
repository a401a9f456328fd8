"""Train the released weights and the runs that they are compared with, several at a time.

    python tools/train_released.py --root DIR --runs DIR --keep DIR --jobs NAME [NAME ...]

``--root`` is the folder of tools/prepare_training_data.py. Each job is a ``lesionseg fit`` with
the options below; ``--jobs 'lite-*'`` selects by a pattern. A finished job is not trained again,
and an interrupted job is resumed. ``--keep`` receives, for each finished job, the
weights in half precision, the configuration, the curve and the split.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

LITE = ["--config", "asnet-lite-isic2018"]
#: The rows of ASNet's ablation, and a U-Net with the same encoder, under the same recipe.
ABLATION = {
    "asm": [],
    "baseline": ["--model.adaptive_scale", "false"],
    "without-dilation": ["--model.dilations", "[1,1,1]"],
    "without-attention": ["--model.fusion", "sum"],
}
SUPERVISED = [
    *("--model.optimizer", "adamw", "--model.learning_rate", "1e-3"),
    *("--model.encoder_learning_rate", "3e-4", "--model.weight_decay", "0.01"),
    *("--model.schedule", "one-cycle", "--model.warmup_fraction", "0.15"),
    *("--model.channels_last", "true"),
]
MOBILEGAN = [
    *("--config", "mobilegan-fast-isic2018"),
]


def jobs() -> dict[str, list[str]]:
    """Return the arguments of ``lesionseg fit`` of all jobs, by name."""
    found: dict[str, list[str]] = {}
    for seed in range(3):
        found[f"lite-{seed}"] = [*LITE, "--seed_everything", str(seed)]
        for form, stride in (("fast", 2), ("faster", 4), ("paper", 1)):
            for name, weight in (("plain", 0.0), ("adversary", 0.05), ("printed", 1.0)):
                found[f"mobilegan-{form}-{name}-{seed}"] = [
                    *MOBILEGAN,
                    *("--seed_everything", str(seed)),
                    *("--model.key_stride", str(stride)),
                    *("--model.adversarial_weight", str(weight)),
                ]
        found[f"mobilegan-distilled-{seed}"] = [
            *MOBILEGAN,
            *("--seed_everything", str(seed), "--model.teacher", "KEEP/lite-2.pt"),
        ]
    pretrained = ["--model.network_arguments", '{"encoder_weights": "imagenet"}']
    for name, encoder, options in (
        ("unet-lite0", "tu-tf_efficientnet_lite0", pretrained),
        ("unet-mobilenetv2", "mobilenet_v2", []),  # no weights to be had without a download
    ):
        network = ["--model", "Segmenter", "--model.network", f"smp:unet/{encoder}"]
        found[name] = [*LITE, *network, *options, *SUPERVISED]
    for fold in range(5):
        for name, options in ABLATION.items():
            found[f"fold{fold}-{name}"] = [
                *LITE,
                *("--data.split", "k-fold", "--data.fold", str(fold), "--trainer.max_epochs", "20"),
                *options,
            ]
        found[f"fold{fold}-unet"] = [
            *found["unet-lite0"],
            *("--data.split", "k-fold", "--data.fold", str(fold), "--trainer.max_epochs", "20"),
        ]
    return found


def train(name: str, options: list[str], arguments: argparse.Namespace, until: float) -> str:
    """Train or resume a job; return what happened."""
    folder = arguments.runs / name
    log = arguments.runs / f"{name}.log"
    if (arguments.keep / f"{name}.pt").exists():
        return f"{name}: kept already"
    options = [option.replace("KEEP", str(arguments.keep)) for option in options]
    command = [sys.executable, "-m", "lesionseg.cli", "fit", *options, *arguments.fit]
    command += ["--data.root", str(arguments.root), "--data.cache", str(arguments.runs / "cache")]
    command += ["--trainer.logger.init_args.save_dir", str(arguments.runs)]
    command += ["--trainer.logger.init_args.name", "", "--trainer.logger.init_args.version", name]
    if (folder / "checkpoints" / "last.ckpt").exists():
        command += ["--ckpt_path", "last"]
    start = time.monotonic()
    with log.open("a") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            code = process.wait(max(until - start, 1))
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            return f"{name}: out of time after {time.monotonic() - start:.0f} s"
    if code:
        return f"{name}: exit code {code}: {log.read_text()[-600:]}"
    keep(folder, arguments.keep, name)
    return f"{name}: {time.monotonic() - start:.0f} s"


def keep(run: Path, folder: Path, name: str) -> None:
    """Copy what is worth keeping of a run: small weights, settings, curve and split."""
    # The folds' last epoch is scored, so that no held-out image chooses it.
    which = "last" if name.startswith("fold") else "best"
    path = run / "checkpoints" / f"{which}.ckpt"
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    slim = {
        key: checkpoint[key]
        for key in ("hyper_parameters", "lesionseg", "epoch", "pytorch-lightning_version")
    }
    slim["state_dict"] = {
        key: value.half() if value.is_floating_point() else value
        for key, value in checkpoint["state_dict"].items()
        if key.startswith("network.")
    }
    torch.save(slim, folder / f"{name}.pt")
    for file in ("config.yaml", "metrics.csv", "splits/val.txt", "splits/train.txt"):
        if (run / file).exists():
            shutil.copy(run / file, folder / f"{name}-{Path(file).name}")


def main() -> None:
    """Run the jobs that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of the training images")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/released"), help="logs, checkpoints"
    )
    parser.add_argument("--keep", type=Path, required=True, help="folder of what is kept")
    parser.add_argument("--jobs", nargs="+", required=True, help="names or patterns")
    parser.add_argument("--parallel", type=int, default=1, help="jobs at a time")
    parser.add_argument("--minutes", type=float, default=1e6, help="stop what still runs then")
    parser.add_argument("--fit", default="", help="further options of lesionseg fit, in quotes")
    arguments = parser.parse_args()
    arguments.fit = arguments.fit.split()
    until = time.monotonic() + 60 * arguments.minutes
    for folder in (arguments.runs, arguments.keep):
        folder.mkdir(parents=True, exist_ok=True)
    known = jobs()
    names = [name for job in arguments.jobs for name in known if fnmatch.fnmatch(name, job)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ThreadPoolExecutor(arguments.parallel) as pool:
        tasks = [pool.submit(train, name, known[name], arguments, until) for name in names]
        for task in tasks:
            print(task.result(), flush=True)


if __name__ == "__main__":
    main()
