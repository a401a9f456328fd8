"""Numbers in the sentences of the page of benchmarks are recomputed from the tables' data."""

import csv
import json
import re

import numpy as np
import pytest
from conftest_docs import DOCS, page, parameters


def measured(name):
    """The rows of a benchmark by their first cell, and its whole record."""
    saved = json.loads((DOCS / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
    return {row[0]: row for row in saved["rows"]}, saved


@pytest.mark.parametrize("path", sorted((DOCS / "benchmarks").glob("*.json")), ids=lambda p: p.stem)
def test_a_benchmark_names_command_machine_and_date(path):
    _, saved = measured(path.stem)
    script = re.match(r"python (benchmarks/\w+\.py) ", saved["command"])[1]
    assert (DOCS.parent / script).is_file()
    assert {"processor", "cores", "torch"} <= set(saved["machine"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", saved["date"])


def test_the_sentences_about_export_are_those_of_its_tables():
    text = page("benchmarks.md")
    speedups = []
    for name in ("export", "export-trained"):
        rows, _ = measured(name)
        naive, blocks, fused = (
            rows[f"MobileGAN {kind}, ONNX"] for kind in ("naive", "standard", "fused")
        )
        speedups.append(float(naive[1].split()[0]) / float(fused[1].split()[0]))
        words = {7: "a seventh", 10: "a tenth"}
        saved = [words[round(int(naive[5]) / int(other[5]))] for other in (blocks, fused)]
        assert f"they need {saved[0]} and {saved[1]} of its memory." in text
    assert f"the fused operator is up to {max(speedups):.1f} times as fast" in text
    shares = []
    for name in ("export-operators", "export-trained-operators"):
        rows, _ = measured(name)
        times = [float(cell) for cell in rows["MobileGAN standard, ONNX"][1:]]
        shares.append(times[0] / sum(times))
    assert max(shares) <= 0.25, "a quarter of the time or less"
    assert f"the file would be {1 / (1 - max(shares)):.1f} times as fast; 1.5 times is" in text
    positions = 64 * 64
    exponentials, products = positions**2 / 1e6, positions**2 * (32 + 32 // 8) / 1e9
    assert (
        f"{exponentials:.1f} million exponentials and {products:.1f} GMAC in each of two layers"
        in text
    )


def gains(rows, label):
    """The smallest and the largest change of Jaccard over the seeds, in points."""
    first, own = (
        [float(score) for score in rows[name][7].split()] for name in (next(iter(rows)), label)
    )
    assert sum(own) / len(own) == pytest.approx(float(rows[label][5]), abs=1e-4)
    points = [100 * (ours - other) for ours, other in zip(own, first, strict=True)]
    assert [float(gain) for gain in rows[label][8].split()] == pytest.approx(points, abs=0.011)
    return min(points), max(points)


def test_what_is_said_about_a_shared_fusion_is_measured():
    rows, _ = measured("share-fusion")
    default, shared = rows.values()
    fewer, more = (int(row[1].replace(",", "")) for row in (shared, default))
    assert (more, fewer) == (parameters("asnet"), parameters("asnet", share_fusion=True))
    low, high = gains(rows, "one module, used twice")
    assert low < 0 < high
    text = page("benchmarks.md")
    assert f"has {100 * (1 - fewer / more):.1f} % fewer parameters and the same operations" in text
    assert default[2] == shared[2]
    assert f"index is between {low:+.1f} and {high:+.1f} points, and the times overlap" in text
    assert times_overlap(default, shared)


def test_what_is_said_about_dilations_is_measured():
    rows, _ = measured("dilations")
    default, smaller = rows.values()
    assert default[1:3] == smaller[1:3]
    assert int(default[1].replace(",", "")) == parameters("mobilegan")
    low, high = gains(rows, "1, 2, 4, 8")
    assert low < 0 < high
    shown = sorted(smaller[8].split(), key=float)
    assert f"index is between {shown[0]} and {shown[-1]} points, and the times overlap" in page(
        "benchmarks.md"
    )
    assert times_overlap(default, smaller)


def test_what_is_said_about_maxima_is_measured():
    rows, saved = measured("key-pooling")
    default, maxima = rows.values()
    assert default[1] == maxima[1]
    low, high = gains(rows, "maxima")
    assert f"Maxima are {low:.2f} to {high:.2f} points better with each" in page("benchmarks.md")
    training = r"(\d+) epochs on (\d+) .* batches of (\d+)"
    epochs, images, batch = re.search(training, saved["notes"][0]).groups()
    steps = int(epochs) * -(-int(images) // int(batch))
    assert f"after a training of {steps} steps" in page("benchmarks.md")
    assert times_overlap(default, maxima)


def test_what_is_said_about_scores_in_bf16_is_measured():
    rows, _ = measured("mixed-precision")
    low, high = gains(rows, "bf16-mixed")
    mean = 100 * (float(rows["bf16-mixed"][5]) - float(rows["32-true (default)"][5]))
    seeds = len(rows["bf16-mixed"][7].split())
    assert seeds == 6
    assert low < mean < high
    assert (
        f"Over the six seeds, the change of the Jaccard index is between {low:+.2f} and "
        f"{high:+.2f} points, and {mean:+.2f} on average"
    ) in page("benchmarks.md")


def test_what_is_said_about_scores_of_asnet_lite_in_bf16_is_measured():
    rows, _ = measured("mixed-precision-lite")
    gains(rows, "bf16-mixed")  # are those of the scores, which are rounded
    default = [float(each) for each in rows["32-true (default)"][7].split()]
    changes = [float(each) for each in rows["bf16-mixed"][8].split()]
    assert len(default) == len(changes) == 3
    low, high = min(changes), max(changes)
    assert f"Over the three seeds, the change is between {low:+.2f} and {high:+.2f} points" in page(
        "benchmarks.md"
    )
    differences = 100 * (max(default) - min(default))
    assert max(abs(low), abs(high)) < differences, "inside the noise"
    assert f"the seeds differ by up to {differences:.1f} points" in page("benchmarks.md")
    times = [float(row[4].partition(" ")[0]) for row in rows.values()]
    assert times[1] > 2 * times[0], "bf16 is slow without AMX and AVX-512"


def test_what_is_said_about_mobilegan_in_bf16_is_measured():
    rows, _ = measured("mixed-precision-mobilegan")
    low, high = gains(rows, "bf16-mixed")
    assert low < 0 < high, "changes sign from seed to seed"
    default, bf16 = (float(row[4].partition(" ")[0]) for row in rows.values())
    assert 0 < 1 - bf16 / default < 0.1, "less than a tenth"


def times_overlap(default, other):
    """Whether the ranges of both times of two choices overlap."""
    ranges = [
        [re.findall(r"([\d.]+) to ([\d.]+)", row[column])[0] for row in (default, other)]
        for column in (3, 4)
    ]
    return all(max(float(a), float(c)) <= min(float(b), float(d)) for (a, b), (c, d) in ranges)


def test_the_views_gain_a_third_to_half_a_point():
    rows, _ = measured("averaged-views")
    plain = float(rows["none"][2])
    gains = [100 * (float(rows[views][2]) - plain) for views in ("flips", "flips_and_rotations")]
    assert gains == pytest.approx([1 / 3, 1 / 2], abs=0.06)
    assert all("[-" in rows[views][5] for views in ("flips", "flips_and_rotations"))
    assert "A third to half a point of Jaccard" in page("benchmarks.md")
    assert "Both intervals include 0" in page("benchmarks.md")


def test_what_pooled_keys_take_off_a_training_step_is_that_of_its_table():
    rows, _ = measured("mobilegan-step")
    of = {name: row[2] for name, row in rows.items()}
    alone = "ours, without the adversary"
    text = " ".join(page("benchmarks.md").split())
    by = "keys pooled by"
    assert (
        f"takes {of[f'ours, {by} 2']} of its time, with `key_stride=4` {of[f'ours, {by} 4']}."
        in text
    )
    assert f"it is {of[f'{alone}, {by} 2']} and {of[f'{alone}, {by} 4']} of the time" in text


def test_what_pooled_keys_and_int8_gain_is_that_of_their_tables():
    times = {}
    for runtime in ("onnx", "executorch"):
        saved = json.loads((DOCS / f"benchmarks/fast-mobilegan-{runtime}.json").read_text("utf-8"))
        for setting, name, milliseconds, *_ in saved["rows"]:
            times[setting, name] = float(milliseconds.split()[0])

    def ratios(where, other, name, digits=2):
        """The least and the largest ratio of the times of two networks, as text."""
        settings = {setting for setting, _ in times if setting.startswith(where)}
        assert len(settings) > 1
        found = [times[setting, name] / times[setting, other] for setting in settings]
        low, high = (f"{ratio:.{digits}f}" for ratio in (min(found), max(found)))
        return low if low == high else f"{low} to {high}"

    unet, mobilenet, paper = (
        "U-Net ResNet34",
        "U-Net MobileNetV2",
        "MobileGAN, the paper's attention",
    )
    by = {stride: f"MobileGAN, keys pooled by {stride}" for stride in (2, 4, 8)}
    none = "MobileGAN without attention"
    small, large, phone = "ONNX Runtime, 128", "ONNX Runtime, 256", "ExecuTorch"
    text = " ".join(page("benchmarks.md").split())
    for said in (
        f"it takes {ratios(small, unet, by[4])} of the time of the U-Net ResNet34; with keys "
        f"pooled by 2, as released, {ratios(small, unet, by[2])}.",
        f"would take {ratios(small, unet, none)} of that U-Net's time",
        f"by 2 takes {ratios(large, unet, by[2], 1)} times the time of the U-Net ResNet34, by 4 "
        f"{ratios(large, unet, by[4], 1)} times, and by 8 {ratios(large, unet, by[8], 1)} times.",
        f"In ExecuTorch pooling by 2 takes {ratios(phone, unet, by[2])} of the time of the U-Net "
        f"ResNet34, by 4 {ratios(phone, unet, by[4])}",
        f"pooling by 2 makes the network {ratios(small, by[2], paper, 1)} times as fast, and "
        f"pooling by 4 {ratios(small, by[4], paper, 1)} times",
        f"{ratios('ONNX', by[2] + ', int8', by[2], 1)} times as fast in ONNX Runtime and "
        f"{ratios(phone, by[2] + ', int8', by[2], 1)} times in ExecuTorch",
    ):
        assert said in text, said
    assert all(
        times[setting, mobilenet] < times[setting, by[4]]
        for setting, name in times
        if name == by[4]
    )


def test_what_int8_costs_is_that_of_the_counts():
    found = {}
    with (DOCS / "results" / "released" / "int8.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            tp, fp, fn = (int(row[key]) for key in ("tp", "fp", "fn"))
            found.setdefault((row["model"], row["form"]), []).append(tp / (tp + fp + fn))
    assert {len(values) for values in found.values()} == {100}
    means = {}
    for key, values in found.items():
        each = np.array(values)
        means[key] = f"{each.mean():.4f}", f"{np.where(each >= 0.65, each, 0).mean():.4f}"
    said = page("benchmarks.md")
    for model in ("mobilegan", "asnet-lite"):
        (int8, int8_thresholded), (full, full_thresholded) = (
            means[model, form] for form in ("int8", "float32")
        )
        assert f"{int8} instead of {full}, thresholded {int8_thresholded}" in said, model
        assert f"thresholded {int8_thresholded} instead of {full_thresholded}" in said, model
    saturated = "`mobilegan` has {}, thresholded {}, on the processor"
    assert saturated.format(*means["mobilegan", "int8-full-range"]) in said


def test_what_is_said_about_the_recipes_precision_is_measured():
    table = json.loads((DOCS / "benchmarks" / "precision.json").read_text(encoding="utf-8"))
    assert "AMX with bf16, yes" in table["notes"][0]
    assert table["header"][3:6] == [
        *("channels_last, speedup", "bf16, speedup", "bf16, channels_last, speedup")
    ]
    gains = {
        what.partition(",")[0]: float(both) / float(layout)
        for what, work, _, layout, _, both, *_ in table["rows"]
        if work == "training step"
    }
    said = f"{gains['asnet']:.2f} times as fast and of `asnet-lite` {gains['asnet-lite']:.2f} times"
    assert said in page("benchmarks.md")
    assert min(gains["asnet"], gains["asnet-lite"]) > 1.1


def test_the_gain_of_bf16_is_that_of_its_table():
    table = json.loads((DOCS / "benchmarks" / "bf16-profile.json").read_text(encoding="utf-8"))
    times = {
        (network, precision): np.array([int(cell) for cell in cells])
        for network, precision, *cells in table["rows"]
    }
    networks = {network.partition(",")[0]: network for network, _ in times}
    gains = {
        short: times[network, "fp32"] / np.maximum(times[network, "bf16"], 1)
        for short, network in networks.items()
    }
    assert table["header"][2] == "ms"
    assert all("gradients" in name or "convolutions" in name for name in table["header"][3:6])
    quick = np.concatenate([gains[name][1:4] for name in gains if name != "asnet-lite"])
    text = page("benchmarks.md")
    assert f"are {quick.min():.1f} to {quick.max():.1f} times as fast in bf16" in text
    shares = [1 / gains[name][0] for name in ("asnet", "smp:unet/resnet34")]
    assert f"takes {shares[0]:.2f} and {shares[1]:.2f} of its time" in text
    step, attention = times[networks["mobilegan"], "fp32"][[0, 4]]
    assert 0.45 < attention / step < 0.55, "attention is half of its step"
    assert gains["mobilegan"][4] < 1
    assert gains["asnet-lite"][3] < 1
