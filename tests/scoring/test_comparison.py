import argparse
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest_cli import lesionseg, one_sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import wilcoxon

from lesionseg.cli.compare import add_arguments, run
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError
from lesionseg.metrics import SCORE_NAMES, ScoreTable
from lesionseg.scoring.comparison import compare_tables, signed_rank_test
from lesionseg.scoring.comparison_plot import draw, save_plot

PIXELS, LESION = 1000, 200


def table_of(jaccard, ids=None, lesion=LESION):
    """A table with these Jaccard indices, in steps of 1 / ``lesion``: parts of the lesion found."""
    found = np.rint(np.asarray(jaccard) * lesion).astype(int)
    counts = np.zeros((len(found), 4), int)
    counts[:, 0], counts[:, 2], counts[:, 3] = found, lesion - found, PIXELS - lesion
    return ScoreTable(ids or [f"ISIC_{number:07d}" for number in range(len(found))], counts)


def random_scores(seed, images=40, mean=0.7):
    return np.clip(np.random.default_rng(seed).normal(mean, 0.15, images), 0, 1)


SCORES = st.lists(
    st.tuples(st.integers(0, LESION), st.integers(0, LESION)), min_size=2, max_size=30
)
few = settings(max_examples=25, deadline=None)


@few
@given(SCORES)
def test_exchanging_the_models_changes_the_sign_only(pairs):
    a, b = (table_of(np.array(one) / LESION) for one in zip(*pairs, strict=True))
    one, other = compare_tables(a, b, resamples=200), compare_tables(b, a, resamples=200)
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-12)
    assert one.p_value == pytest.approx(other.p_value)
    assert (one.better, one.equal, one.worse) == (other.worse, other.equal, other.better)
    assert one.better + one.equal + one.worse == len(one) == len(pairs)
    assert 0 <= one.p_value <= 1
    assert one.interval[0] - 1e-12 <= one.differences.max()
    assert one.interval[1] + 1e-12 >= one.differences.min()


@few
@given(SCORES, st.randoms())
def test_the_order_of_the_images_does_not_matter(pairs, chance):
    a, b = (table_of(np.array(one) / LESION) for one in zip(*pairs, strict=True))
    order = list(range(len(pairs)))
    chance.shuffle(order)
    shuffled = ScoreTable([b.ids[row] for row in order], b.counts[order])
    straight, mixed = (compare_tables(a, other, resamples=200) for other in (b, shuffled))
    assert straight.ids == mixed.ids
    assert straight.interval == mixed.interval
    assert straight.p_value == mixed.p_value


def test_a_run_does_not_differ_from_itself():
    table = table_of(random_scores(0))
    same = compare_tables(table, table)
    assert same.difference == 0
    assert same.interval == (0, 0)
    assert same.p_value == 1
    assert (same.better, same.equal, same.worse) == (0, 40, 0)
    assert same.verdict == "A and B score the same on each of the 40 images."


def test_a_constant_shift_is_the_interval():
    scores = np.arange(40, 80) / LESION
    comparison = compare_tables(table_of(scores + 0.1), table_of(scores))
    assert comparison.interval == pytest.approx((0.1, 0.1))
    assert comparison.better == 40
    assert "A is better" in comparison.verdict


def test_means_are_the_tables_own_and_the_interval_is_about_right():
    a, b = table_of(random_scores(1, 400)), table_of(random_scores(2, 400))
    for score in SCORE_NAMES:
        comparison = compare_tables(a, b, score)
        assert comparison.mean_a == pytest.approx(a.summary()[score])
        assert comparison.mean_b == pytest.approx(b.summary()[score])
        assert comparison.difference == pytest.approx(comparison.mean_a - comparison.mean_b)
    comparison = compare_tables(a, b)
    low, high = comparison.interval
    error = comparison.differences.std() / np.sqrt(400)
    assert (low, high) == pytest.approx(
        (comparison.difference - 1.96 * error, comparison.difference + 1.96 * error), abs=error / 8
    )
    narrow = compare_tables(a, b, confidence=0.5).interval
    assert low < narrow[0] < narrow[1] < high
    assert compare_tables(a, b, seed=1).interval != (low, high)
    assert compare_tables(a, b).interval == (low, high)


def test_a_true_difference_is_found_and_chance_is_not():
    """Pairing finds what the means' own intervals hide: images differ far more than models."""
    hard = random_scores(3, 100)
    noise = np.random.default_rng(4).normal(0, 0.02, (2, 100))
    a, b = table_of(hard * 0.9 + 0.03 + noise[0]), table_of(hard * 0.9 + noise[1])
    found = compare_tables(a, b)
    assert found.interval[0] > 0
    assert found.p_value < 1e-6
    assert found.verdict == (
        "A is better on these 100 images: the 95 % interval of A - B lies above 0."
    )
    assert "B is better" in compare_tables(b, a).verdict
    assert a.interval("jaccard")[0] < b.interval("jaccard")[1]
    same = compare_tables(table_of(hard * 0.9 + noise[0]), b)
    assert same.interval[0] < 0 < same.interval[1]
    assert same.verdict == (
        "The 95 % interval of A - B includes 0: the mean over these 100 images does "
        "not separate A and B."
    )


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        differences = generator.normal(0.05, 0.1, 60)
        b = np.full(60, 0.5)
        low, high = compare_tables(
            table_of(b + differences, lesion=100_000 // 200), table_of(b, lesion=500), resamples=300
        ).interval
        covered += low <= 0.05 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_verdict_says_where_test_and_interval_disagree():
    few_images = compare_tables(table_of([0.5, 0.6, 0.7]), table_of([0.4, 0.4, 0.4]))
    assert few_images.interval[0] > 0
    assert few_images.p_value == 0.25
    assert few_images.verdict.endswith("but the signed-rank test does not confirm it.")
    one_failure = [0.9] * 30 + [0.0]
    lean = compare_tables(table_of(one_failure), table_of([0.89] * 31))
    assert lean.interval[0] <= 0 <= lean.interval[1]
    assert lean.verdict.endswith(
        "although the signed-rank test finds that most images favor the same model."
    )


@pytest.mark.parametrize("images", [5, 40, 200])
def test_the_p_value_is_scipys(images):
    a, b = random_scores(6, images), random_scores(7, images)
    differences = compare_tables(table_of(a), table_of(b)).differences
    assert signed_rank_test(differences) == wilcoxon(differences[differences != 0]).pvalue
    # Without equal images it is exact and small enough to be counted out by hand.
    assert signed_rank_test(np.array([0.0, 0.1, 0.2, 0.3, 0.0])) == pytest.approx(2 / 2**3)
    assert signed_rank_test(np.array([0.1, -0.2, 0.3, 0.4])) == pytest.approx(6 / 2**4)
    assert signed_rank_test(np.zeros(9)) == 1


def test_images_that_one_lacks_are_named():
    a = table_of([0.5] * 8)
    b = table_of([0.5] * 4 + [0.6], [*a.ids[:4], "ISIC_0000077"])
    with pytest.raises(InvalidDataError) as error:
        compare_tables(a, b)
    assert str(error.value) == (
        "4 images are only in A (ISIC_0000004, ISIC_0000005, ISIC_0000006 and 1 more) and 1 image "
        "is only in B (ISIC_0000077); score both on the same images, or compare the 4 that they "
        "share with --common."
    )
    shared = compare_tables(a, b, common=True)
    assert shared.ids == a.ids[:4]
    assert shared.left_out == 5
    assert "jaccard of 4 images (5 left out)" in shared.render()
    with pytest.raises(InvalidDataError, match=r"share 0 images; .* at least 2"):
        compare_tables(a, table_of([0.5], ["elsewhere"]), common=True)
    with pytest.raises(InvalidDataError, match="share 1 image;"):
        compare_tables(table_of([0.5]), table_of([0.6]))


def test_another_truth_is_no_comparison():
    a, b = table_of([0.5] * 6), table_of([0.5] * 6, lesion=LESION + 2)
    mixed = ScoreTable(a.ids, np.concatenate([a.counts[:2], b.counts[2:]]))
    with pytest.raises(InvalidDataError, match=r"different masks of 4 of 6 images \(ISIC_0000002"):
        compare_tables(a, mixed)
    larger = a.counts.copy()
    larger[0, 3] += 1  # one pixel of skin more
    with pytest.raises(
        InvalidDataError, match=r"different masks of 1 of 6 images \(ISIC_0000000\)"
    ):
        compare_tables(a, ScoreTable(a.ids, larger))


@pytest.mark.parametrize("options", [{"score": "iou"}, {"confidence": 1.0}, {"resamples": 0}])
def test_arguments_are_checked(options):
    with pytest.raises(ValueError, match="expected"):
        compare_tables(table_of([0.5, 0.6]), table_of([0.4, 0.6]), **options)


@pytest.fixture
def runs(tmp_path):
    """Two run folders with tables of 30 images, the first one a bit better."""
    scores = random_scores(8, 30)
    for name, jaccard in (("a", np.clip(scores + 0.02, 0, 1)), ("b", scores)):
        table_of(jaccard).to_csv(tmp_path / name / "scores.csv")
    return tmp_path / "a", tmp_path / "b"


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def test_command_prints_a_table_that_fits(runs, capsys):
    assert command(*runs) == 0
    shown = capsys.readouterr().out
    tables = [ScoreTable.from_csv(folder / "scores.csv") for folder in runs]
    comparison = compare_tables(*tables)
    assert shown == comparison.render((str(runs[0]), str(runs[1]))) + "\n"
    assert max(map(len, shown.splitlines())) <= 80
    assert f"{comparison.mean_a:.4f}" in shown
    assert "A is better on these 30 images" in shown
    long = comparison.render(("folder/" * 30 + "one", "two"))
    assert max(map(len, long.splitlines())) <= 80
    assert "/one\n" in long
    # a CSV file stands for itself, and another score gives other numbers
    assert command(runs[0] / "scores.csv", runs[1], "--score", "dice") == 0
    assert "dice of 30 images" in capsys.readouterr().out


def test_command_prints_json(runs, capsys):
    assert command(*runs, "--output", "json", "--seed", "3") == 0
    shown = json.loads(capsys.readouterr().out)
    comparison = compare_tables(
        *(ScoreTable.from_csv(folder / "scores.csv") for folder in runs), seed=3
    )
    assert shown["a"] == {"name": str(runs[0]), "mean": comparison.mean_a}
    assert shown["interval"] == list(comparison.interval)
    assert shown["better"] + shown["equal"] + shown["worse"] == shown["images"] == 30
    assert shown["verdict"] == comparison.verdict


def test_plot_shows_every_image_and_the_interval(runs, capsys):
    target = runs[0] / "new" / "plot.png"
    assert command(*runs, "--plot", target) == 0
    with Image.open(target) as picture:
        assert picture.width > 800
    assert [path.name for path in target.parent.iterdir()] == ["plot.png"]
    comparison = compare_tables(table_of([0.9, 0.2, 0.5, 0.6]), table_of([0.5, 0.6, 0.5, 0.5]))
    axes = draw(comparison).axes[0]
    worse, better = (lines.get_segments() for lines in axes.collections[:2])
    assert [len(worse), len(better)] == [1, 2]
    heights = sorted(height for lines in (worse, better) for line in lines for _, height in line)
    assert heights == pytest.approx([-0.4, 0, 0, 0, 0.1, 0.4])
    with pytest.raises(LesionsegError, match=r"plot\.xyz; use a file name that ends in \.png"):
        save_plot(comparison, runs[0] / "plot.xyz")
    assert not (runs[0] / "plot.xyz").exists()


def test_what_is_no_run(runs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFoundError, match=r"empty holds no scores\.csv; .*lesionseg test"):
        command(runs[0], tmp_path / "empty")
    with pytest.raises(DatasetNotFoundError, match="gone"):
        command(tmp_path / "gone", runs[1])
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidDataError, match=r"notes\.csv is not a score table"):
        command(runs[0], tmp_path / "notes.csv")
    with pytest.raises(LesionsegError, match="expected --seed to be at least 0, got -1"):
        command(*runs, "--seed", "-1")


def test_a_mistake_on_the_command_line_is_one_sentence(runs, tmp_path):
    table_of([0.5] * 3).to_csv(tmp_path / "short.csv")
    sentence = one_sentence(lesionseg("compare", runs[0], "short.csv", cwd=tmp_path))
    assert "27 images are only in A" in sentence
    assert "--common" in sentence
    result = lesionseg("compare", runs[0], "short.csv", "--score=iou", cwd=tmp_path)
    assert result.returncode == 2
    assert "jaccard" in one_sentence(result)


def test_the_help_is_light():
    code = """
import sys, lesionseg.cli.main
try:
    lesionseg.cli.main.main(["compare", "--help"])
except SystemExit:
    pass
loaded = {"torch", "scipy", "matplotlib", "pandas", "PIL"} & sys.modules.keys()
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
