import torch
from torch.nn import functional as F

from lesionseg.networks import SegNet


@torch.inference_mode()
def test_bfloat16_differs_by_the_pooling_indices_only(monkeypatch):
    """Near-equal values may be pooled from another pixel; with the same indices all agrees."""
    torch.manual_seed(0)
    network = SegNet().eval()
    image = torch.rand(1, 3, 64, 64)
    indices = []
    pool = F.max_pool2d

    def remember(x, size, return_indices):
        pooled, index = pool(x, size, return_indices=return_indices)
        indices.append(index)
        return pooled, index

    def repeat(x, size, return_indices):
        index = indices.pop(0)
        return x.flatten(2).gather(2, index.flatten(2)).view(index.shape), index

    monkeypatch.setattr(F, "max_pool2d", remember)
    expected = network(image)
    monkeypatch.setattr(F, "max_pool2d", repeat)
    with torch.autocast("cpu", torch.bfloat16):
        low = network(image).float()
    assert indices == []
    assert (low - expected).abs().mean() < 0.05 * expected.abs().mean()


@torch.inference_mode()
def test_each_stage_unpools_by_the_indices_of_its_mirror():
    network = SegNet().eval()
    inputs, outputs = [], []
    for stage in network.encoder:
        stage.register_forward_hook(lambda module, args, out: outputs.append(out))
    for stage in network.decoder:
        stage.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    network(torch.rand(1, 3, 64, 64))
    for before, after in zip(outputs, reversed(inputs), strict=True):
        highest = F.max_pool2d(before, 2)
        place = before == F.interpolate(highest, scale_factor=2.0)
        assert before.shape == after.shape
        assert (place | (after == 0)).all()
        assert after.any()
