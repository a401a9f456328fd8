"""The files of examples/phone, without a browser."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from conftest_phone import EXAMPLE, load_builder
from PIL import Image

from lesionseg.errors import LesionsegError

PAGE = EXAMPLE / "page"


@pytest.mark.parametrize(
    ("old", "new"),
    [((53, 37), (16, 8)), ((1022, 767), (128, 128)), ((5, 4), (16, 16)), ((128, 300), (128, 128))],
)
def test_pictures_are_resized_as_pillow_does(old, new, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (old[1], old[0], 4), np.uint8)
    probability = random.random((new[1], new[0]), np.float32)
    pixels.tofile(tmp_path / "pixels")
    probability.tofile(tmp_path / "probability")
    script = f"""
import {{ readFileSync, writeFileSync }} from "node:fs";
import {{ Resizer, enlargedMask }} from {json.dumps((PAGE / "resize.js").as_uri())};
const [[oldWidth, oldHeight], [width, height]] = {json.dumps([old, new])};
const pixels = readFileSync("pixels");
const resizer = new Resizer(oldWidth, oldHeight, width, height);
const part = 3 * 4 * oldWidth;
for (let k = 0; k < pixels.length; k += part) resizer.add(pixels.subarray(k, k + part));
writeFileSync("planes", resizer.planes());
const probability = new Float32Array(new Uint8Array(readFileSync("probability")).buffer);
const network = {{ width, height, threshold: 0.45 }};
writeFileSync("mask", enlargedMask(probability, network, oldWidth, oldHeight));
"""
    (tmp_path / "script.mjs").write_text(script)
    subprocess.run(["node", "script.mjs"], cwd=tmp_path, check=True)
    small = Image.fromarray(pixels[..., :3].copy()).resize(new, Image.Resampling.BILINEAR)
    planes = np.fromfile(tmp_path / "planes", np.uint8).reshape(3, new[1], new[0])
    np.testing.assert_array_equal(planes, np.asarray(small).transpose(2, 0, 1))
    restored = np.asarray(Image.fromarray(probability).resize(old, Image.Resampling.BILINEAR))
    mask = np.fromfile(tmp_path / "mask", np.uint8).reshape(restored.shape)
    np.testing.assert_array_equal(mask, np.where(restored > np.float32(0.45), 255, 0))


def test_a_build_without_npm_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LesionsegError, match=r"npm is not installed; install Node\.js"):
        load_builder().build("mobilegan", tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_packages_are_pinned_without_an_address():
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]
    text = (EXAMPLE / "package-lock.json").read_text()
    assert "http" not in text
    locked = json.loads(text)["packages"]
    assert wanted == {"onnxruntime-web": locked["node_modules/onnxruntime-web"]["version"]}
    assert all("integrity" in locked[name] for name in locked if name)


def test_the_page_names_no_other_site():
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(^|\s)// .*", "", text), path
