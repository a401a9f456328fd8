"""The page of examples/phone in a real Chromium, as on a phone."""

import contextlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest_browser import address, chromium, serve
from conftest_phone import (
    choose,
    drawn,
    jaccard,
    load_builder,
    opened,
    photo,
    read_mask,
    saved_mask,
    wait,
)
from PIL import Image

from lesionseg.cli.main import main
from lesionseg.errors import LesionsegError

UNREACHABLE = re.compile("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built page."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; it downloads onnxruntime-web")
    folder = tmp_path_factory.mktemp("phone") / "dist"
    try:
        load_builder().build("mobilegan", folder)
    except LesionsegError as error:
        if UNREACHABLE.search(str(error)):
            pytest.skip(f"the npm registry cannot be reached: {error}")
        raise
    return folder


@pytest.fixture(scope="module")
def started():
    """Playwright, and a Chromium whose camera shows a test pattern to pages that may use it."""
    with chromium("--use-fake-device-for-media-stream") as pair:
        yield pair


@pytest.fixture
def site(built):
    with serve(built) as server:
        yield server


@pytest.fixture
def phone(started):
    """A context with a phone's viewport, touch and pixel ratio."""
    playwright, browser = started
    context = browser.new_context(**playwright.devices["Pixel 7"])
    yield context
    context.close()


@pytest.mark.slow
def test_masks_are_those_of_lesionseg_segment(site, phone, tmp_path):
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "isic2016-originals"
    if folder.is_dir():
        images = sorted((folder / "ISBI2016_ISIC_Part1_Training_Data").glob("*.jpg"))[::2]
        truths = [read_mask(next(folder.glob(f"*_GroundTruth/{path.stem}_*"))) for path in images]
    else:
        images, truths = [], []
        for number, (image, truth) in enumerate(drawn(10, (300, 400))):
            images.append(tmp_path / f"drawn-{number}.jpg")
            image.save(images[-1], quality=95)
            truths.append(truth)
    assert len(images) == 10
    arguments = ["--model", "mobilegan", "--output", str(tmp_path / "masks"), "--no-overlays"]
    assert main(["segment", *map(str, images), *arguments]) == 0
    page = opened(phone, site)
    for path, truth in zip(images, truths, strict=True):
        said = choose(page, path)
        mask = read_mask(saved_mask(page, tmp_path))
        expected = read_mask(tmp_path / "masks" / f"{path.stem}_segmentation.png")
        alike = jaccard(mask, expected)
        difference = jaccard(mask, truth) - jaccard(expected, truth)
        print(f"{path.stem} {mask.shape}: {100 * alike:.3f}, {100 * difference:+.3f}; {said}")
        assert alike >= 0.995
        assert abs(difference) <= 0.005


def write_turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    image, _ = drawn(2, (200, 300))[1]
    image.save(path, exif=exif, quality=95)


def write_transparent(path):
    image, truth = drawn(1, (200, 300))[0]
    image.putalpha(Image.fromarray(np.where(truth, 255, 128).astype(np.uint8)))
    image.save(path)


def write_gray(path):
    drawn(1, (200, 300))[0][0].convert("L").save(path)


def write_tiny(path):
    drawn(1, (40, 50))[0][0].save(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_turned, "turned.jpg"),
        (write_transparent, "transparent.png"),
        (write_gray, "gray.png"),
        (write_tiny, "tiny.png"),
    ],
)
def test_pictures_of_other_kinds_are_read_as_lesionseg_reads_them(
    write, name, site, phone, tmp_path
):
    path = tmp_path / name
    write(path)
    arguments = ["--model", "mobilegan", "--output", str(tmp_path / "masks"), "--no-overlays"]
    assert main(["segment", str(path), *arguments]) == 0
    page = opened(phone, site)
    choose(page, path, "#camera")
    mask = read_mask(saved_mask(page, tmp_path))
    expected = read_mask(tmp_path / "masks" / f"{path.stem}_segmentation.png")
    assert mask.shape == expected.shape
    assert expected.any()
    assert jaccard(mask, expected) >= 0.995


@pytest.mark.slow
def test_nothing_is_sent_anywhere(site, phone, tmp_path):
    asked = []
    phone.on("request", lambda request: asked.append(request.url))
    page = opened(phone, site)
    before = list(site.paths)
    large = sorted(path for path in before if path.endswith((".onnx", ".wasm")))
    assert large == ["/model.onnx", "/ort-wasm-simd-threaded.wasm"]  # each once
    choose(page, photo(tmp_path / "photo.jpg"))
    saved_mask(page, tmp_path)
    assert site.paths == before
    assert all(url.startswith((address(site), f"blob:{address(site)}")) for url in asked)
    with serve(tmp_path) as other:
        refused = f"fetch('{address(other)}').then(() => 'sent', () => 'refused')"
        assert page.evaluate(refused) == "refused"
        load = f"""new Promise((resolve) => {{
            const image = new Image();
            image.onload = image.onerror = () => resolve('done');
            image.src = '{address(other)}photo.jpg';
        }})"""
        assert page.evaluate(load) == "done"
        assert other.paths == []


@pytest.mark.slow
def test_it_works_without_a_connection_once_loaded(built, phone, tmp_path):
    path = photo(tmp_path / "photo.jpg")
    with serve(built) as server:
        page = opened(phone, server)
        assert wait(page, "Ready") == "Ready, also without a connection."
        choose(page, path)
        online = read_mask(saved_mask(page, tmp_path))
    phone.set_offline(True)
    page.close()
    page = opened(phone, server)  # whose server has stopped
    assert wait(page, "Ready") == "Ready, also without a connection."
    choose(page, path)
    np.testing.assert_array_equal(read_mask(saved_mask(page, tmp_path)), online)


@pytest.mark.slow
def test_a_new_build_replaces_what_was_kept(built, phone, tmp_path):
    folder = tmp_path / "dist"
    shutil.copytree(built, folder)
    with serve(folder) as server:
        page = opened(phone, server)
        changed = (folder / "index.html").read_text().replace("not a diagnosis", "no diagnosis")
        (folder / "index.html").write_text(changed)
        (folder / "files.js").unlink()
        load_builder().list_files(folder)
        page.evaluate("navigator.serviceWorker.ready.then((kept) => kept.update())")
        page.evaluate(
            """navigator.serviceWorker.ready.then((kept) => kept.waiting || new Promise((done) =>
            kept.installing.addEventListener("statechange", done)))"""
        )
        page.close()  # the old files serve the pages that are open
        page = opened(phone, server)
        page.reload()
        wait(page, "Ready")
        assert "no diagnosis" in page.inner_text("#notice")
        assert len(page.evaluate("caches.keys()")) == 1


@pytest.mark.slow
def test_what_cannot_be_used_gets_a_sentence_and_the_last_result_stays(site, phone, tmp_path):
    page = opened(phone, site)
    choose(page, photo(tmp_path / "photo.jpg"))
    kept = page.evaluate("document.getElementById('result').toDataURL()")
    (tmp_path / "words.jpg").write_text("This is no picture.")
    (tmp_path / "empty.jpg").touch()
    whole = (tmp_path / "photo.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (12_000, 9_000)).save(tmp_path / "huge.png")
    for name, sentence in [
        ("words.jpg", r"words\.jpg cannot be read as a picture\. Choose a JPEG or PNG file\."),
        ("empty.jpg", r"empty\.jpg cannot be read as a picture"),
        ("cut.jpg", r"cut\.jpg cannot be read as a picture"),
        ("huge.png", r"huge\.png is too large \(12000 x 9000 pixels\)\. Choose .* 100 million"),
    ]:
        with page.expect_file_chooser() as chooser:
            page.tap("#file")
        chooser.value.set_files(tmp_path / name)
        wait(page, sentence, "error")
        assert page.evaluate("document.getElementById('result').toDataURL()") == kept
        assert page.is_visible("#result")
    assert saved_mask(page, tmp_path).name == "photo_segmentation.png"
    assert "ms" in choose(page, tmp_path / "photo.jpg")


@pytest.mark.slow
@pytest.mark.parametrize(
    "missing",
    ["model.onnx", "model.json", "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"],
)
def test_a_missing_file_gets_a_sentence_and_is_asked_for_again(missing, built, phone, tmp_path):
    folder = tmp_path / "dist"
    shutil.copytree(built, folder)
    (folder / missing).unlink()
    with serve(folder) as server:
        page = phone.new_page()
        page.goto(address(server))
        wait(page, rf"cannot be loaded: {re.escape(missing)} is missing\. Build the page", "error")
        shutil.copyfile(built / missing, folder / missing)
        if missing.endswith(".mjs"):  # browsers do not ask for a module again
            page.reload()
            wait(page, "Ready")
        choose(page, photo(tmp_path / "photo.jpg"))


CONTRAST = """(selector) => {
    const element = document.querySelector(selector);
    let behind = element;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") {
        behind = behind.parentElement;
    }
    const luminance = (color) => {
        const linear = color.match(/[0-9]+/g).slice(0, 3).map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const both = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
    const [dark, light] = both.map(luminance).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}"""


@pytest.mark.slow
def test_one_hand_holds_it_and_daylight_leaves_it_readable(site, phone, tmp_path):
    page = opened(phone, site)
    hint = page.inner_text("#hint")
    assert "dermatoscope" in hint
    assert "stays on this device" in hint
    choose(page, photo(tmp_path / "photo.jpg", (1200, 1800)))
    for width, height in [(412, 839), (320, 568), (844, 390)]:
        page.set_viewport_size({"width": width, "height": height})
        boxes = {name: page.locator(name).bounding_box() for name in ("#notice", "#result")}
        for button in ("#save", "#file", "#camera"):
            boxes[button] = page.locator(button).bounding_box()
            assert min(boxes[button]["width"], boxes[button]["height"]) >= 48
            if height > width:
                assert boxes[button]["y"] > 0.7 * height
        for box in boxes.values():
            assert 0 <= box["x"] <= box["x"] + box["width"] <= width
            assert 0 <= box["y"] <= box["y"] + box["height"] <= height
        assert boxes["#result"]["height"] > 100
        assert abs(boxes["#result"]["width"] / boxes["#result"]["height"] - 1200 / 1800) < 0.02
        assert "This is not a diagnosis." in page.inner_text("#notice")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for selector in ("#notice", "#status", "#hint", "#save", "#camera"):
            assert page.evaluate(CONTRAST, selector) >= 7, (scheme, selector)
        page.evaluate("document.getElementById('status').className = 'error'")
        assert page.evaluate(CONTRAST, "#status") >= 7
    assert page.get_attribute("#camera-input", "capture") == "environment"


@pytest.mark.slow
def test_a_computer_shows_its_camera_and_says_if_it_may_not(site, started):
    _, browser = started
    with contextlib.closing(browser.new_context()) as context:
        page = opened(context, site)
        page.click("#camera")
        wait(page, r"camera cannot be used \(NotAllowedError\)\. Choose a picture", "error")
        context.grant_permissions(["camera"])
        page.click("#camera")
        wait(page, "Hold the lesion")
        assert page.is_visible("#video")
        page.click("text=Cancel")
        assert page.is_visible("#hint")
        page.click("#camera")
        wait(page, "Hold the lesion")
        page.click("text=Take picture")
        wait(page, r"\bms\b")
        assert page.is_visible("#result")
        assert page.evaluate("document.getElementById('video').srcObject") is None
        assert page.inner_text("#camera") == "Camera"
