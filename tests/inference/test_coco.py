"""COCO's annotations against the program that reads them."""

import json

import numpy as np
import pytest
from scipy import ndimage

from lesionseg.inference import Segmentation, decode_rle, encode_rle, mask_polygons, to_coco


def blobs():
    """Masks of many shapes: empty, full, a pixel, with holes and pieces."""
    random = np.random.default_rng(0)
    yield np.zeros((3, 5), bool)
    yield np.ones((4, 2), bool)
    for _ in range(20):
        values = random.random(random.integers(1, 90, 2))
        yield ndimage.gaussian_filter(values, 4 * random.random()) > 0.5


def test_run_lengths_are_those_of_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    for mask in blobs():
        expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        found = encode_rle(mask)
        assert found["counts"] == expected["counts"].decode()
        assert found["size"] == expected["size"]
        assert (coco.decode(found) == mask).all()


def test_run_lengths_by_hand():
    mask = np.zeros((100, 10), bool)
    mask[20:90, 3] = mask[50, 4:6] = True
    # runs of 320, 70, 60, 1, 99, 1, 449: from the fourth on minus the run before the last
    assert encode_rle(mask) == {"size": [100, 10], "counts": "P:V2l1kMW10n:"}
    assert (decode_rle(encode_rle(mask)) == mask).all()


def test_run_lengths_return():
    for mask in blobs():
        assert (decode_rle(encode_rle(mask)) == mask).all()
    with pytest.raises(ValueError, match="fill 2 x 3 pixels"):
        decode_rle({"size": [2, 3], "counts": [2, 3]})


def drawn(polygons, shape):
    coco = pytest.importorskip("pycocotools.mask")
    pieces = coco.frPyObjects([line.ravel().tolist() for line in polygons], *shape)
    return coco.decode(coco.merge(pieces)).astype(bool)


def test_polygons_cover_the_mask():
    y, x = np.mgrid[:200, :300]
    mask = ((y - 90) / 50) ** 2 + ((x - 120) / 80) ** 2 <= 1
    assert (drawn(mask_polygons(mask, 0), mask.shape) == mask).all()
    found = drawn(mask_polygons(mask), mask.shape)
    assert (found & mask).sum() / (found | mask).sum() > 0.99
    assert len(mask_polygons(mask)[0]) < len(mask_polygons(mask, 0)[0]) / 4
    mask[85:95, 110:130] = False  # a hole
    mask[10:30, 250:290] = mask[30, 290] = True  # a piece, with a pixel at its corner
    large, small = mask_polygons(mask)
    assert small.min(axis=0).tolist() == [250, 10]
    assert large[:, 0].max() < 202


def test_a_data_set_loads():
    """Numbers are unique, and images without lesion are kept."""
    masks = [np.pad(np.ones((20, 30), bool), 10), np.zeros((40, 50), bool)]
    results = [
        Segmentation(mask, mask.astype(np.float32), source=f"photos/{name}.jpg")
        for mask, name in zip([*masks, masks[0]], "abc", strict=True)
    ]
    for shape in ("polygons", "rle"):
        data = json.loads(json.dumps(to_coco(results, shape)))
        assert [image["file_name"] for image in data["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
        known = [(each["id"], each["image_id"]) for each in data["annotations"]]
        assert known == [(1, 1), (2, 3)]
        coco = pytest.importorskip("pycocotools.coco").COCO()
        coco.dataset = data
        coco.createIndex()
        found = coco.annToMask(data["annotations"][1]).astype(bool)
        assert (found == masks[0]).mean() > 0.995
        assert (found == masks[0]).all() or shape == "polygons"
        assert data["annotations"][0]["area"] == 600
        assert data["annotations"][0]["bbox"] == [10, 10, 30, 20]
    assert to_coco(results[1:2])["annotations"] == []


def test_wrong_arguments():
    result = Segmentation(np.ones((2, 3), bool), np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="expected shape to be polygons or rle, got 'box'"):
        result.to_coco("box")
    with pytest.raises(ValueError, match="one name for each of the 1 segmentations, got 2"):
        to_coco([result], file_names=["a", "b"])
