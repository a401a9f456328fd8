import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.data import clahe
from lesionseg.data.transforms import clahe as equalisation

# What cv2.createCLAHE(limit, tiles) of OpenCV 5.0.0 makes of `pattern`: size, tiles, limit, bytes.
GOLDEN = (
    (
        (8, 12),
        (2, 3),
        3.0,
        "1070bf2080cf408bdf489fef40afff80df68bfff70cf50bf60df50cb48af308b"
        "1080ff608bf397298b1d9fff8f23a718a740cf66cf76188624ad58c7bf70f7ae"
        "3ee274ffa748fb80df8f50eba744ef8028e38f4020bf802ccf9b50ffb76820df",
    ),
    (
        (9, 10),
        (2, 3),
        40.0,
        "0d66bf1d73cf4099e64c33a6ff7ae656bfff60cf59e64cc940b233991a708bf3"
        "9825901ea3ffa224aa44d566d270128f2eb2c66cf2a93cdb66ffa641dd9955e1"
        "9f3add832bd424cb8134c99042ffb4674cf2cc865213a6794014",
    ),
    ((4, 5), (8, 8), 2.0, "ffffff80ffffffff80ffffff40bf40ffff8040bf"),
    (
        (6, 7),
        (3, 7),
        0.0,
        "80c0c040c0c040ffffff80ff40c0c0df20df60c040ffff8040c040c0c020a060ff8020ff80ff8040ffc0",
    ),
)


def pattern(height, width):
    """A uint8 image, the same everywhere."""
    i, j = np.mgrid[:height, :width]
    return ((37 * i + 91 * j + 13 * i * j + (i * i * j) % 7 * 5) % 256 // 2 + 60).astype(np.uint8)


def levels(image):
    return (image * 255).round().to(torch.uint8)


def as_image(planes):
    """uint8 (..., H, W) as (N, C, H, W) in [0, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(planes))
    return planes.view(-1, 1, *planes.shape[-2:]).float() / 255


@pytest.mark.parametrize(("size", "tiles", "limit", "expected"), GOLDEN)
def test_equals_what_opencv_made(size, tiles, limit, expected):
    made = levels(clahe(as_image(pattern(*size)), limit, tiles))
    assert made.numpy().tobytes().hex() == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1.0, [72, 82, 92, 102, 112, 122, 131, 141]),
        (4.0, [67, 79, 91, 103, 115, 127, 139, 151]),
        (20.0, [51, 71, 95, 115, 139, 159, 183, 203]),
        (40.0, [56, 73, 107, 125, 167, 185, 219, 237]),
        (0.0, [80, 96, 128, 143, 191, 207, 239, 255]),
    ],
)
def test_one_tile_has_the_table_of_opencv(limit, expected):
    # Here more is cut off than there are levels: all get a share, and some of the rest.
    i, j = np.mgrid[:48, :48]
    image = (i * j % 8 * 9 + 70).astype(np.uint8)
    made = levels(clahe(as_image(image), limit, (1, 1)))[0, 0].numpy()
    assert [int(made[image == level][0]) for level in range(70, 134, 9)] == expected


@pytest.mark.parametrize(
    "size", [(128, 128), (192, 256), (100, 128), (33, 47), (1, 1), (2, 9), (300, 200)]
)
@pytest.mark.parametrize("tiles", [(8, 8), (1, 1), (3, 5)])
def test_equals_opencv(size, tiles):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, 3, *size)).astype(np.uint8)
    images[1] = images[1] // 8 + 100
    images[2] = np.linspace(0, 255, size[1])
    limits = [1.0, 2.37, 40.0, 0.0]
    made = levels(clahe(torch.from_numpy(images).float() / 255, limits, tiles)).numpy()
    for image, limit, ours in zip(images, limits, made, strict=True):
        theirs = cv2.createCLAHE(limit, tiles[::-1])
        for plane, our in zip(image, ours, strict=True):
            assert np.array_equal(our, theirs.apply(plane))


sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
grids = st.tuples(st.integers(1, 9), st.integers(1, 9))
limits = st.floats(-1, 50)


@settings(max_examples=40, deadline=None)
@given(sizes, grids, st.lists(limits, min_size=1, max_size=3), st.integers(0, 1000))
def test_shape_range_and_each_image_by_itself(size, tiles, limits, seed):
    image = torch.rand(len(limits), 2, *size, generator=torch.Generator().manual_seed(seed))
    copy = image.clone()
    made = clahe(image, limits, tiles)
    assert torch.equal(image, copy)
    assert made.shape == image.shape
    assert made.dtype == torch.float32
    assert made.min() >= 0
    assert made.max() <= 1
    torch.testing.assert_close(made * 255, (made * 255).round(), atol=1e-4, rtol=0)
    for index, limit in enumerate(limits):
        for channel in range(2):
            alone = clahe(image[index : index + 1, channel : channel + 1], limit, tiles)
            assert torch.equal(made[index, channel], alone[0, 0])


@settings(max_examples=40, deadline=None)
@given(sizes, grids, limits, st.floats(0, 1))
def test_constant_images_stay_constant(size, tiles, limit, value):
    made = clahe(torch.full((1, 1, *size), value), limit, tiles)
    assert len(made.unique()) == 1


@settings(max_examples=20, deadline=None)
@given(sizes, limits, st.integers(0, 1000))
def test_one_tile_keeps_the_order_of_levels(size, limit, seed):
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    made = clahe(image, limit, (1, 1)).flatten()[image.flatten().argsort()]
    assert (made.diff() >= 0).all()


def test_few_planes_at_a_time_make_no_difference(monkeypatch):
    image = torch.rand(3, 3, 30, 41)
    made = clahe(image, [1.0, 2.0, 3.0])
    monkeypatch.setattr(equalisation, "_PIXELS_AT_ONCE", 4 * 30 * 41)
    assert torch.equal(clahe(image, [1.0, 2.0, 3.0]), made)


def test_any_floating_dtype_layout_and_mode():
    image = levels(torch.rand(2, 3, 32, 32)).float() / 255
    with torch.inference_mode():
        first = clahe(image, 3.0, (2, 7))  # what it keeps for the next call is made here
    made = clahe(image.requires_grad_(), 3.0, (2, 7))
    assert not made.requires_grad
    assert torch.equal(made, first)
    image = image.detach()
    assert torch.equal(clahe(image.to(memory_format=torch.channels_last), 3.0, (2, 7)), made)
    assert torch.equal(clahe(image.double(), 3.0, (2, 7)), made)
    assert clahe(image.half()).dtype == torch.float32
    assert torch.equal(clahe(image * 3 - 1), clahe((image * 3 - 1).clamp(0, 1)))


def test_never_waits_for_the_device():
    # Tensors without data: whatever asks for a value fails.
    made = clahe(torch.empty(2, 3, 33, 48, device="meta"), [1.0, 2.0])
    assert made.shape == (2, 3, 33, 48)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_equals_cpu():
    image = torch.rand(4, 3, 100, 130)
    assert torch.equal(clahe(image.cuda(), [1.0, 2.0, 3.0, 4.0]).cpu(), clahe(image, [1, 2, 3, 4]))


def test_arguments_are_checked():
    image = torch.rand(2, 3, 16, 16)
    with pytest.raises(ValueError, match="shape"):
        clahe(image[0])
    with pytest.raises(ValueError, match="shape"):
        clahe(image[:0])
    with pytest.raises(ValueError, match="tiles"):
        clahe(image, 2.0, (0, 8))
    with pytest.raises(ValueError, match="clip_limit to be 2 numbers, one per image, got 3"):
        clahe(image, [1.0, 2.0, 3.0])


def test_one_image_in_channels_last_order():
    image = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    turned = image.to(memory_format=torch.channels_last)
    assert torch.equal(clahe(turned, 2.0, (2, 3)), clahe(image, 2.0, (2, 3)))
