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
# # Export to a phone
#
# A trained model becomes one file that a phone, a browser or a dermatoscope can run without
# PyTorch. It needs `lesionseg[onnx]`.

# %%
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import lesionseg
from lesionseg.data import SyntheticLesions
from lesionseg.export import ExportOptions, export_checkpoint
from lesionseg.inference import load_predictor
from lesionseg.visualization import to_picture

try:
    from IPython.display import display
except ImportError:
    display = print  # run as plain Python

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Export
#
# Normalization and sigmoid are part of the file. Before it is written, its probabilities are
# compared with the network's.

# %%
export = export_checkpoint(
    "mobilegan", folder / "mobilegan.onnx", ExportOptions(license="Apache-2.0")
)
print(f"{export.path.name}: {export.path.stat().st_size / 1e6:.1f} MB")
print(f"size {export.metadata.size}, threshold {export.metadata.threshold}")
print("largest difference under 1e-4:", export.difference < 1e-4)

# %% [markdown]
# ## Run it without lesionseg
#
# What an application has to do: resize the photograph to the network's size, run the network,
# resize the *probability* to the photograph's size and apply the threshold.

# %%
photograph = to_picture(SyntheticLesions(length=1, size=(240, 320), seed=3)[0]["image"])
height, width = export.metadata.size
small = photograph.resize((width, height), Image.Resampling.BILINEAR)
pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.set_denormal_as_zero", "1")
session = onnxruntime.InferenceSession(export.path, options)
(probability,) = session.run(["probability"], {"image": pixels})
restored = Image.fromarray(probability[0, 0]).resize(photograph.size, Image.Resampling.BILINEAR)
mask = np.asarray(restored) > export.metadata.threshold
print(mask.shape, f"{mask.mean():.1%} of the photograph is lesion")

# %% [markdown]
# `lesionseg.segment` does the same with the file. All three masks agree.

# %%
original = lesionseg.segment(photograph, "mobilegan")
exported = lesionseg.segment(photograph, load_predictor(export.path))
for other in (exported.mask, mask):
    print(f"{(original.mask == other).mean():.2%} of the pixels are equal")
display(exported)

# %% [markdown]
# ## Smaller: int8
#
# `quantize="int8"` calibrates on images and refuses to write a file that loses more than half a
# point of the official score. Give it real photographs; here they are drawn.

# %%
small_file = export_checkpoint(
    "mobilegan", folder / "mobilegan-int8.onnx", ExportOptions(quantize="int8")
)
before, after = small_file.scores
print(f"{small_file.path.stat().st_size / export.path.stat().st_size:.2f} of the size")
print(f"Jaccard {before['jaccard']:.3f} in float32, {after['jaccard']:.3f} in int8")

# %% [markdown]
# ## On the phone
#
# - `python examples/phone/build.py` makes a static page that runs the `.onnx` file in the phone's
#   browser, on a picture of its camera, and sends nothing anywhere.
# - `ExportOptions(format="executorch")` writes a `.pte` for ExecuTorch in an application; it needs
#   `lesionseg[executorch]`.
# - The commands are `lesionseg export mobilegan` and `lesionseg export best.ckpt --quantize int8
#   --images DIR --masks DIR`.
