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
# # The blocks
#
# `lesionseg.blocks` contains the building blocks of ASNet and MobileGAN as plain
# `torch.nn.Module`s. They need only torch, keep height and width, and fit into any network.

# %%
import torch
from PIL import Image
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lesionseg.blocks import (
    CAM,
    PAM,
    AdaptiveScaleModule,
    NonBottleneck1D,
    Normalize,
    ScaleAwareModule,
)
from lesionseg.data import SyntheticLesions
from lesionseg.visualization import contact_sheet, to_picture

try:
    from IPython.display import display
except ImportError:
    display = print  # run as plain Python


_ = torch.manual_seed(0)


# %%
def gray(values):
    """A map (H, W) as a picture: its least value black, its greatest white."""
    values = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
    return Image.fromarray((values * 255).round().byte().numpy())


def count(module):
    """Return the number of parameters of a module."""
    return sum(p.numel() for p in module.parameters())


# %% [markdown]
# A synthetic lesion, and its feature maps at two scales. In a network the two come from
# convolutions; here the fine map is sharp but noisy, the coarse map smooth but blurred.

# %%
image = SyntheticLesions(length=1, size=(96, 128), seed=5)[0]["image"]
with torch.no_grad():
    features = nn.Conv2d(3, 16, 3, padding=1)(Normalize()(image[None]))
noise = 0.3 * torch.randn_like(features)
fine = features + noise
coarse = nn.AvgPool2d(9, stride=1, padding=4, count_include_pad=False)(fine)
print("features:", tuple(features.shape))

# %% [markdown]
# ## ScaleAwareModule
#
# It fuses two feature maps with a softmax over the two at every pixel (ASNet, equations 1 and 2).
# A forward hook gives access to the two logits of the attention maps. A new module
# has random weights, so we train it briefly to recover the features without the noise: it
# learns to use the fine map at borders and the coarse map where the skin is even.

# %%
fuse = ScaleAwareModule(channels=16)
optimizer = torch.optim.Adam(fuse.parameters(), lr=0.01)
for _step in range(60):
    loss = (fuse(fine, coarse) - features).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

maps = []
handle = fuse.logits.register_forward_hook(
    lambda module, inputs, output: maps.append(output.detach().softmax(dim=1)[0])
)
with torch.no_grad():
    fused = fuse(fine, coarse)
handle.remove()
attention_fine, attention_coarse = maps[0]

assert torch.allclose(attention_fine + attention_coarse, torch.ones(96, 128))
assert torch.allclose(fused[0], attention_fine * fine[0] + attention_coarse * coarse[0], atol=1e-6)
for name, found in {"fine": fine, "coarse": coarse, "fused": fused}.items():
    print(f"{name:<7} mean squared error {(found - features).square().mean():.3f}")
display(
    contact_sheet(
        [
            (to_picture(image), "image"),
            (gray(fine[0, 0]), "fine map"),
            (gray(coarse[0, 0]), "coarse map"),
            (gray(attention_fine), "attention to fine"),
        ],
        columns=4,
        width=144,
    )
)

# %% [markdown]
# ## AdaptiveScaleModule
#
# ASNet's core: a 3x3 convolution at three dilations with shared weights, two cascaded
# `ScaleAwareModule`s, and a residual connection whose weight `beta` is learned and starts at 0.

# %%
module = AdaptiveScaleModule(channels=64).eval()
x = torch.randn(1, 64, 24, 32)
print(tuple(module(x).shape), f"{count(module):,} parameters, beta {module.beta.item():.1f}")
print(f"summed instead of attended:  {count(AdaptiveScaleModule(64, fusion='sum')):>7,}")
print(f"one shared fusion:           {count(AdaptiveScaleModule(64, share_fusion=True)):>7,}")
print(f"four branches:               {count(AdaptiveScaleModule(64, (1, 2, 4, 8))):>7,}")

# %% [markdown]
# ## NonBottleneck1D
#
# The factorized residual block of ERFNet that makes MobileGAN light: every 3x3 convolution becomes
# a 3x1 and a 1x3, $12 C^2 + 8 C$ parameters instead of $18 C^2 + 6 C$.

# %%
channels = 128
factorized = NonBottleneck1D(channels, dilation=2)
full = nn.Sequential(  # the same block with full 3x3 convolutions
    nn.Conv2d(channels, channels, 3, padding=1),
    nn.BatchNorm2d(channels),
    nn.ReLU(),
    nn.Conv2d(channels, channels, 3, padding=2, dilation=2),
    nn.BatchNorm2d(channels),
)
saving = 1 - count(factorized) / count(full)
print(f"3x1 and 1x3: {count(factorized):>7,} parameters")
print(f"3x3:         {count(full):>7,} parameters; saved: {saving:.0%}")
assert count(factorized) == 12 * channels**2 + 8 * channels

# %% [markdown]
# ## PositionAttentionModule (PAM) and ChannelAttentionModule (CAM)
#
# In PAM every pixel attends to every pixel, in CAM every channel to every channel. Both weight
# their result with a learned `gamma` that starts at 0, so that a new module is the identity and
# can be inserted into a trained network.

# %%
position, channel = PAM(channels=64), CAM()
x = torch.randn(2, 64, 16, 16)
assert torch.equal(position(x), x)
assert torch.equal(channel(x), x)
print(f"PAM(64): {count(position):,} parameters; CAM: {count(channel)}")

# %% [markdown]
# Written as a formula, PAM needs a map of all pairs of pixels: $(HW)^2$ numbers. `PAM` computes
# the same with torch's fused attention kernel, which never creates that map. The code below
# records the largest tensor of any operation.


# %%
class LargestTensor(TorchDispatchMode):
    """Record the size in bytes of the largest tensor created in its block."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        sizes = [
            leaf.numel() * leaf.element_size() for leaf in tree_leaves(out) if torch.is_tensor(leaf)
        ]
        self.size = max([self.size, *sizes])
        return out


def formula(module, x):
    """PAM as the paper writes it."""
    q, k, v = (conv(x).flatten(2) for conv in (module.query, module.key, module.value))
    attention = (q.transpose(1, 2) @ k).softmax(dim=-1)
    return module.gamma * (v @ attention.transpose(1, 2)).view_as(x) + x


module = PAM(channels=32)
nn.init.ones_(module.gamma)
print("  H x W       formula        fused   same output to 1e-5")
for side in (32, 48, 64):
    x = torch.randn(1, 32, side, side)
    with torch.no_grad(), LargestTensor() as slow:
        expected = formula(module, x)
    with torch.no_grad(), LargestTensor() as fast:
        attended = module(x)
    same = bool((attended - expected).abs().max() < 1e-5)
    megabytes = [watch.size / 2**20 for watch in (slow, fast)]
    print(f"{side:>3} x {side}  {megabytes[0]:>8.2f} MiB {megabytes[1]:>8.2f} MiB   {same}")

# %% [markdown]
# ## In your own network
#
# A small network with attention, trained from scratch:

# %%
network = nn.Sequential(
    Normalize(),
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    NonBottleneck1D(16, dropout=0.1),
    PAM(16),
    CAM(),
    nn.Conv2d(16, 1, 1),
    nn.Upsample(scale_factor=2, mode="bilinear"),
)
lesions = SyntheticLesions(length=8, size=(48, 64), seed=0)
images = torch.stack([sample["image"] for sample in lesions])
masks = torch.stack([sample["mask"] for sample in lesions])
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for step in range(81):
    loss = nn.functional.binary_cross_entropy_with_logits(network(images), masks)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(f"step {step:>2}: loss {loss.item():.2f}")

with torch.no_grad():
    predicted = network.eval()(images).sigmoid()
display(
    contact_sheet(
        [(to_picture(image), f"image {number}") for number, image in enumerate(images[:3])]
        + [(gray(probability[0]), "probability") for probability in predicted[:3]],
        columns=3,
        width=128,
    )
)
