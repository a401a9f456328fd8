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
# # Segment my photographs
#
# The package contains trained models: nothing is downloaded. Set `photographs` to a folder of your
# own; here, drawn lesions stand in for photographs.

# %%
import tempfile
from pathlib import Path

import lesionseg
from lesionseg.data import SyntheticLesions
from lesionseg.inference import load_predictor
from lesionseg.visualization import contact_sheet, to_picture

try:
    from IPython.display import display
except ImportError:
    display = print  # run as plain Python

photographs = Path(tempfile.mkdtemp())
for sample in SyntheticLesions(length=6, size=(240, 320), seed=3):
    to_picture(sample["image"]).save(photographs / f"{sample['id']}.jpg", quality=95)
paths = sorted(photographs.iterdir())

# %% [markdown]
# ## One photograph
#
# The result shows itself: the photograph with the outline, and its most important measures.

# %%
result = lesionseg.segment(paths[0])
display(result)

# %% [markdown]
# Mask, probability and uncertainty are arrays of the photograph's size.

# %%
print(result.mask.shape, result.mask.dtype)
print(result.probability.shape, result.probability.dtype)
print(f"{(result.uncertainty > 0.5).mean():.1%} of the pixels have more than half a bit of doubt")

# %% [markdown]
# Measures are in pixels. With the distance between two pixels, which a dermatoscope's maker states
# and DICOM files contain, they are in millimeters as well.

# %%
measures = lesionseg.segment(paths[0], pixel_spacing=0.05).measures
diameter, millimeters = measures.equivalent_diameter, measures.equivalent_diameter_mm
print(f"area         {measures.area:,} pixels, {measures.area_mm2:.1f} mm²")
print(f"diameter     {diameter:.1f} pixels, {millimeters:.1f} mm")
print(f"asymmetry    {measures.asymmetry_major:.2f} and {measures.asymmetry_minor:.2f}")
print(f"compactness  {measures.compactness:.2f} (1 for a disk)")

# %% [markdown]
# ## A folder
#
# `load_predictor` reads a model once for many photographs. `review` says why a result is worth a
# second look. The same as one command: `lesionseg segment FOLDER --output masks`.

# %%
predict = load_predictor("asnet-lite")
results = lesionseg.segment(paths, predict)
for found in results:
    print(f"{found.name}  {found.measures.area_share:5.1%}  {found.confidence:.2f}", *found.review)

sheet = [(found.overlay(), found.name) for found in results]
display(contact_sheet(sheet, columns=3, width=140))

# %% [markdown]
# ## Files
#
# `save` writes masks, overlays, probabilities, JSON, CSV and COCO.

# %%
output = Path(tempfile.mkdtemp())
for path in result.save(output, "mask,overlay,probability,json,csv,coco"):
    print(path.name)

# %% [markdown]
# ## Another model
#
# `mobilegan` is a third of the size. These drawings are not what the models were trained on; on
# real photographs their scores are in the table of pretrained models.

# %%
for name in lesionseg.list_pretrained():
    other = lesionseg.segment(paths[0], name)
    both = (other.mask & result.mask).sum() / (other.mask | result.mask).sum()
    print(f"{name:<20} lesion {other.measures.area_share:.1%}, overlap with the first {both:.2f}")
