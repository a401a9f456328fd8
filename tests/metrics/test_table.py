import json

import numpy as np
import pytest

from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError
from lesionseg.metrics import SCORE_NAMES, ScoreTable, pooled_scores, scores_from_counts


@pytest.fixture
def table():
    counts = np.random.default_rng(0).integers(0, 1000, (21, 4))
    return ScoreTable([f"ISIC_{index:07d}" for index in range(21)], counts)


def test_summary_is_the_mean_or_the_pooled_score(table):
    scores = scores_from_counts(table.counts)
    assert table.summary() == {name: scores[name].mean() for name in SCORE_NAMES}
    assert table.summary("pooled") == pooled_scores(table.counts)
    assert table.std() == {name: scores[name].std() for name in SCORE_NAMES}
    with pytest.raises(ValueError, match="'image'"):
        table.summary("both")


def test_interval(table):
    low, high = table.interval("dice")
    mean, error = table.summary()["dice"], table.std()["dice"] / np.sqrt(len(table))
    assert low < mean < high
    # The normal approximation of the same interval, roughly.
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    narrow = table.interval("dice", confidence=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert table.interval("dice", seed=1) != (low, high)


def test_interval_is_reproducible_in_any_order(table):
    other = ScoreTable(table.ids[::-1], table.counts[::-1])
    assert other.interval("jaccard") == table.interval("jaccard")


def test_interval_of_one_image_is_its_score(table):
    one = ScoreTable(["only"], table.counts[:1])
    score = one.summary()["jaccard"]
    assert one.interval("jaccard") == pytest.approx((score, score))


@pytest.mark.parametrize(
    "arguments", [{"name": "iou"}, {"confidence": 1.0}, {"confidence": 95}, {"resamples": 0}]
)
def test_interval_checks_its_arguments(table, arguments):
    with pytest.raises(ValueError, match="expected"):
        table.interval(**{"name": "dice", **arguments})


def test_ranking(table):
    jaccard = dict(zip(table.ids, table.scores["jaccard"], strict=True))
    ranked = sorted(jaccard, key=lambda name: (jaccard[name], name))
    assert table.worst(4) == ranked[:4]
    assert table.best(4) == ranked[::-1][:4]
    assert table.median(1) == [ranked[10]]
    assert table.median(3) == ranked[9:12]
    assert table.worst(0) == []
    assert table.median(99) == ranked
    with pytest.raises(ValueError, match="at least 0"):
        table.best(-1)


def test_csv_round_trip(table, tmp_path):
    path = tmp_path / "new" / "scores.csv"
    named = ScoreTable([*table.ids[:-1], 'odd, "näme"'], table.counts)
    named.to_csv(path)
    read = ScoreTable.from_csv(path)
    assert read.ids == named.ids
    np.testing.assert_array_equal(read.counts, named.counts)
    header, first = path.read_text().splitlines()[:2]
    assert header == "image,tp,fp,fn,tn," + ",".join(SCORE_NAMES)
    assert float(first.split(",")[-1]) == named.scores["dice"][0]
    assert list(path.parent.iterdir()) == [path]


def test_csv_that_excel_has_saved(table, tmp_path):
    path = tmp_path / "scores.csv"
    table.to_csv(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    read = ScoreTable.from_csv(path)
    assert read.ids == table.ids
    assert np.array_equal(read.counts, table.counts)


def test_csv_that_cannot_be_written_leaves_nothing(table, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(LesionsegError, match="folder"):
        table.to_csv(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,jaccard\na,0.5\n", "needs the columns"),
        ("image,tp,fp,fn,tn\na,1,2,3,many\n", "whole numbers"),
        ("image,tp,fp,fn,tn\na,1,2\n", "whole numbers"),
        ("image,tp,fp,fn,tn\na,1,2,3,4\na,1,2,3,4\n", "a more than once"),
        ("image,tp,fp,fn,tn\n", "no image"),
        ("", "no image"),
        ("image,tp,fp,fn,tn\na,-1,2,3,4\n", "negative"),
    ],
)
def test_csv_that_is_no_table_is_refused(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(InvalidDataError, match=message) as caught:
        ScoreTable.from_csv(path)
    assert str(path) in str(caught.value)


def test_csv_that_is_not_there(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"gone\.csv"):
        ScoreTable.from_csv(tmp_path / "gone.csv")


def test_json(table):
    content = json.loads(table.to_json())
    assert content["macro_average"] == table.summary()
    assert content["overall"] == content["validation"] == table.summary()["threshold_jaccard"]
    assert content["images"] == len(table)
    pooled = json.loads(table.to_json("pooled"))
    assert pooled["overall"] == table.summary("pooled")["threshold_jaccard"]
    assert pooled["macro_average"] == content["macro_average"]


@pytest.mark.parametrize("aggregation", ["image", "pooled"])
def test_render(table, aggregation):
    lines = table.render(aggregation).splitlines()
    assert max(map(len, lines)) <= 80
    for name, value in table.summary(aggregation).items():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        assert f"{value:.4f}" in line


@pytest.mark.parametrize(
    ("ids", "counts", "message"),
    [
        (["a", "b", "a"], np.ones((3, 4), int), "holds a more than once"),
        (["a"], np.ones((2, 4), int), "1 ids for 2 images"),
        ([], np.ones((0, 4), int), "no image"),
        (["a"], np.ones((1, 3), int), "shape"),
    ],
)
def test_inconsistent_tables_are_refused(ids, counts, message):
    with pytest.raises(InvalidDataError, match=message):
        ScoreTable(ids, counts)
