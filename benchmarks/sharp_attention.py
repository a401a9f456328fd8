"""Measure a trained MobileGAN's attention energies, and its score with averaged keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from measure import arguments, report
from torch import Tensor
from torch.nn import functional as F

from lesionseg.blocks import PositionAttentionModule
from lesionseg.data import ISICDataset, SyntheticLesions
from lesionseg.export.checks import official_scores
from lesionseg.export.deployable import Deployable, attend_whole
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.networks import create_network

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def averaged(factor: int, least: int) -> Attend:
    """Attend to keys and values averaged over squares, in maps of at least ``least`` columns."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if query.shape[-1] < least:
            return attend_whole(query, key, value)
        keys, values = (F.avg_pool2d(maps, factor).flatten(2) for maps in (key, value))
        weights = (query.flatten(2).transpose(1, 2) @ keys).softmax(-1)
        return (weights @ values.transpose(1, 2)).transpose(1, 2).reshape(value.shape)

    return attend


def main() -> None:
    parser = arguments(__doc__ or "", rounds=1)
    parser.add_argument("--checkpoint", type=Path, help="of a trained MobileGAN; else random")
    parser.add_argument("--root", type=Path, help="of ISIC 2018, for its validation images")
    options = parser.parse_args()
    size = (64, 64) if options.small else (128, 128)
    network = create_network("mobilegan")
    if options.checkpoint is not None:
        network = predictor_of_checkpoint(options.checkpoint).network
    data = SyntheticLesions(2 if options.small else 100, size)
    if options.root is not None:
        data = ISICDataset(options.root, 2018, "val", size, with_truth=True)
    samples = [data[index] for index in range(len(data))]

    model = Deployable(network)  # a copy, made before the hooks
    bounds: dict[tuple[int, ...], list[Tensor]] = {}

    def watch(module: PositionAttentionModule, inputs: tuple[Tensor], output: Tensor) -> None:
        query, key = module.query(inputs[0]).flatten(2), module.key(inputs[0]).flatten(2)
        largest = (query.transpose(1, 2) @ key).abs().amax()
        bounds.setdefault((id(module), *inputs[0].shape[1:]), []).append(largest)

    modules = [each for each in network.modules() if isinstance(each, PositionAttentionModule)]
    hooks = [module.register_forward_hook(watch) for module in modules]
    variants: dict[str, Attend | None] = {
        "as trained": None,
        "2 x 2 averaged in the two largest layers": averaged(2, size[1] // 2),
        "2 x 2 averaged in the four largest layers": averaged(2, size[1] // 4),
        "4 x 4 averaged in the two largest layers": averaged(4, size[1] // 2),
    }
    rows = []
    for name, attend in variants.items():
        for module in model.network.modules():
            if attend is not None and isinstance(module, PositionAttentionModule):
                module.attend = attend  # type: ignore[method-assign]

        @torch.inference_mode()
        def run(image: Tensor) -> object:
            return model(image).numpy()

        scores = official_scores(run, model, samples, 0.5)  # type: ignore[arg-type]
        rows.append([name, f"{scores['jaccard']:.4f}", f"{scores['threshold_jaccard']:.4f}"])
    with torch.inference_mode():
        for sample in samples:
            network.eval()(sample["image"][None])
    for hook in hooks:
        hook.remove()
    energies = [
        f"{shape[2]} x {shape[3]}: {torch.stack(values).median():.0f}"
        for shape, values in bounds.items()
    ]
    where = "ISIC 2018's validation images" if options.root else "synthetic lesions"
    notes = [
        f"Means over {len(samples)} of {where}.",
        f"Largest energy q k of an image, median over them: {', '.join(energies)}.",
    ]
    report(
        "sharp-attention", ("keys and values", "jaccard", "threshold_jaccard"), rows, options, notes
    )


if __name__ == "__main__":
    main()
