# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train and compare on ISIC
#
# Two networks, the same images and the same budget: is their difference more than chance? Set
# `root` to the folder that `lesionseg download isic2018 --root DIR` fills. Without it, drawn
# lesions stand in for the photographs, and the numbers say nothing about skin.

# %%
import logging
import tempfile
import warnings
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything

from lesionseg import ISICDataModule, MobileGAN, Segmenter, SyntheticDataModule
from lesionseg.scoring import compare_tables
from lesionseg.scoring.comparison_plot import save_plot

try:
    from IPython.display import Image, display
except ImportError:
    display, Image = print, str  # run as plain Python

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

root, epochs, size = None, 6, (64, 64)  # for ISIC 2018: your folder, 45 or more, (128, 128)


def images():
    """The images of a run, the same for every model."""
    flips = ["horizontal_flip", "vertical_flip"]
    if root is None:
        return SyntheticDataModule(
            train_length=64, val_length=8, test_length=60, size=size, augmentation=flips
        )
    return ISICDataModule(root, 2018, test_split="val", size=size, augmentation=flips)


# %% [markdown]
# ## The models
#
# MobileGAN with attention to pooled keys and without its discriminator, and a U-Net of
# segmentation-models-pytorch. Both start from random weights.

# %%
seed_everything(0, verbose=False)
models = {
    "mobilegan": MobileGAN(
        key_stride=2,
        adversarial_weight=0.0,
        generator_optimizer="adamw",
        generator_learning_rate=1e-3,
        schedule="one-cycle",
    ),
    "unet": Segmenter(
        "smp:unet/mobilenet_v2", optimizer="adamw", learning_rate=1e-3, schedule="one-cycle"
    ),
}
for name, model in models.items():
    count = sum(parameter.numel() for parameter in model.network.parameters())
    print(f"{name:<10} {count / 1e6:.2f} million parameters")

# %% [markdown]
# ## Train and test
#
# `test_table` has a row for each test image. `ScoreTable.to_csv` keeps it, so that a model can be
# compared years later without the weights.

# %%
tables, folder = {}, Path(tempfile.mkdtemp())
for name, model in models.items():
    seed_everything(0, verbose=False)
    trainer = Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = images()
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    tables[name] = model.test_table
    tables[name].to_csv(folder / f"{name}.csv")

# %% [markdown]
# ## The official scores

# %%
print("score            ", *(f"{name:>10}" for name in tables))
for score in ("jaccard", "threshold_jaccard", "dice", "sensitivity", "specificity", "accuracy"):
    print(f"{score:<18}", *(f"{table.summary()[score]:>10.3f}" for table in tables.values()))

# %% [markdown]
# ## Is it chance?
#
# A paired bootstrap over the images, and Wilcoxon's signed-rank test. They describe other images,
# not another seed: train each model with several before you believe a small difference. The same
# as a command: `lesionseg compare mobilegan.csv unet.csv`.

# %%
comparison = compare_tables(tables["mobilegan"], tables["unet"])
print(comparison.render(("mobilegan", "unet")))
save_plot(comparison, folder / "comparison.png")
display(Image(str(folder / "comparison.png")))

# %% [markdown]
# To see where models fail, train with `lesionseg fit`, test with `lesionseg test`, and run
# `lesionseg report RUN RUN`: one page with curves, distributions and the worst images.
# `lesionseg reproduce mobilegan-tables` does all this for every model of the paper's tables.
