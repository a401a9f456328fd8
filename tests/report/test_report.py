"""``lesionseg report``: one page of one or more runs."""

import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from lightning.pytorch import Trainer

from lesionseg import Segmenter
from lesionseg.cli.main import main
from lesionseg.data import SyntheticDataModule
from lesionseg.metrics import ScoreTable
from lesionseg.report import KINDS, describe_lesion, scores_by_kind
from lesionseg.report.images import UnavailableError, areas_of, predictor_of
from lesionseg.report.kinds import LesionDescription
from lesionseg.report.run_data import read_run

SIZE = (32, 32)
VOID = {"meta", "img", "br"}


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """A run with a checkpoint, curves and a test on four drawings."""
    run = tmp_path_factory.mktemp("runs") / "first"
    model = Segmenter("segan", network_arguments={"width": 2}, size=SIZE)
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=run, max_epochs=0)
    trainer.strategy.connect(model)
    checkpoint = run / "checkpoints" / "best.ckpt"
    trainer.save_checkpoint(checkpoint)
    data = SyntheticDataModule(size=SIZE, test_length=4)
    data.setup("test")
    truths = {s["id"]: s["truth"].numpy() > 128 for s in data.datasets["test"]}
    (run / "config.yaml").write_text(
        "seed_everything: 3\nmodel:\n  class_path: lesionseg.Segmenter\n"
        "  init_args: {network: segan, learning_rate: 0.001}\n"
    )
    (run / "metrics.csv").write_text(
        "epoch,step,train/loss_epoch,val/jaccard\n0,1,0.9,\n0,1,,0.3\n1,3,0.7,\n1,3,,0.4\n"
    )
    test = run / "test-synthetic-test"
    write_scores(test, truths, (0.9, 0.8, 0.7, 0.6))
    record = {
        "checkpoint": "gone/best.ckpt",
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "model": {"class_path": "lesionseg.Segmenter", "init_args": {"network": "segan"}},
        "data": {
            "class_path": "lesionseg.SyntheticDataModule",
            "init_args": {"seed": 0, "size": None},
            "name": "synthetic",
        },
        "split": "test",
        "size": list(SIZE),
        "threshold": 0.5,
        "test_time_augmentation": "none",
        "postprocess": "none",
    }
    (test / "scores.json").write_text(json.dumps({"test": record}))
    (test / "reliability.csv").write_text(
        "bin_low,bin_high,pixels,mean_probability,lesion_fraction\n"
        "0.0,0.5,30,0.2,0.1\n0.5,1.0,10,0.8,0.6\n"
    )
    (test / "extended.csv").write_text("image,hausdorff_95\na,2.0\nb,4.0\nc,inf\n")
    return run


def write_scores(folder, truths, shares):
    counts = []
    for truth, share in zip(truths.values(), shares, strict=True):
        lesion = int(truth.sum())
        found = round(share * lesion)
        counts.append([found, 0, lesion - found, truth.size - lesion])
    ScoreTable(list(truths), np.array(counts)).to_csv(folder / "scores.csv")


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags = [], []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def report(page, *arguments):
    assert main(["report", *map(str, arguments), "-o", str(page)]) == 0
    return Page(page)


def test_the_page_of_a_run_shows_everything_and_needs_nothing_else(tested, tmp_path):
    page = report(tmp_path / "report.html", tested, "--images", "2")
    table = ScoreTable.from_csv(tested / "test-synthetic-test" / "scores.csv")
    assert {name for name, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    for _, attributes in page.tags:
        for key in ("src", "href", "xlink:href", "srcset"):
            assert attributes.get(key, "#").startswith(("#", "data:"))
    assert all(found.startswith("url(#") for found in re.findall(r"url\(.", page.text))
    assert "@import" not in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text
    for words in (
        "learning_rate",
        "train/loss_epoch",
        "val/jaccard",
        f"{table.summary()['jaccard']:.4f}",
        "{:.4f} to {:.4f}".format(*table.interval("jaccard")),
        "touches the border",
        "share of lesion pixels",
        f"calibration error over these bins: {(30 * 0.1 + 10 * 0.2) / 40:.4f}",
        "hausdorff 95",
        "3.0000",  # its mean where it is finite
    ):
        assert words in page.text, words
    captions = [image["alt"] for image in page.of("img")]
    jaccard = dict(zip(table.ids, table.scores["jaccard"], strict=True))
    assert captions == [
        f"{name}: Jaccard {jaccard[name]:.3f}" for name in (*table.worst(2), *table.best(2))
    ]
    assert 'class="warning"' not in page.text


@pytest.mark.slow
def test_what_is_absent_is_a_sentence(tested, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tested, run)
    shutil.rmtree(run / "checkpoints")
    page = report(tmp_path / "a.html", run, "--images", "1")
    assert "Predictions are not outlined: there is no checkpoint" in page.text
    assert len(page.of("img")) == 2
    record = run / "test-synthetic-test" / "scores.json"
    content = json.loads(record.read_text())
    content["test"]["data"] = {
        "class_path": "lesionseg.ISICDataModule",
        "init_args": {"root": str(tmp_path / "gone"), "year": 2018},
    }
    record.write_text(json.dumps(content))
    page = report(tmp_path / "b.html", run)
    assert "No image is shown. The images cannot be read again" in page.text
    assert not page.of("img")
    assert "touches the border" not in page.text
    assert "lesion under 5 %" in page.text or "20 to 50 %" in page.text
    content["test"]["data"]["class_path"] = "os.system"
    record.write_text(json.dumps(content))
    assert "not a DataModule of lesionseg" in report(tmp_path / "c.html", run).text


@pytest.mark.slow
def test_masks_that_have_changed_are_not_shown(tested, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tested, run)
    table = run / "test-synthetic-test" / "scores.csv"
    scores = ScoreTable.from_csv(table)
    ScoreTable(scores.ids, scores.counts + 1).to_csv(table)
    page = report(tmp_path / "page.html", run)
    assert re.search(r"The mask of SYN_\d+ has changed since the test", page.text)
    assert not page.of("img")


@pytest.mark.slow
def test_a_run_without_a_test_still_has_its_curves(tested, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tested, run, ignore=shutil.ignore_patterns("test-*"))
    page = report(tmp_path / "page.html", run)
    assert "The run was never tested; run lesionseg test --ckpt_path" in page.text
    assert page.of("svg")


@pytest.mark.slow
def test_runs_are_compared_by_paired_tests(tested, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tested, other)
    folder = other / "test-synthetic-test"
    table = ScoreTable.from_csv(folder / "scores.csv")
    better = table.counts + np.array([[5, 0, -5, 0]])
    ScoreTable(table.ids, better).to_csv(folder / "scores.csv")
    config = other / "config.yaml"
    config.write_text(config.read_text().replace("seed_everything: 3", "seed_everything: 4"))
    page = report(tmp_path / "page.html", tested, other, "--images", "0")
    assert "Settings that differ" in page.text
    assert re.search(r"seed_everything</th><td[^>]*>3</td><td[^>]*>4</td>", page.text)
    assert "p (Holm)" in page.text
    difference = (better[:, 0] - table.counts[:, 0]) / table.counts[:, [0, 2]].sum(1)
    assert f"{difference.mean():+.4f}" in page.text
    ScoreTable(table.ids[:3], better[:3]).to_csv(folder / "scores.csv")
    page = report(tmp_path / "page.html", tested, other, "--images", "0")
    assert "There is no paired test on synthetic-test" in page.text
    page = report(tmp_path / "page.html", tested, other, "--images", "0", "--common")
    assert "of 3 images, difference from run 1" in page.text


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("metrics.csv", "epoch,step,val/jaccard\n0,1\n", "metrics.csv is damaged: a row"),
        ("metrics.csv", "epoch,step,val/jaccard\n0,1,x\n", "metrics.csv is damaged: it holds 'x'"),
        ("config.yaml", "model: [", "config.yaml cannot be read as YAML"),
        ("test-synthetic-test/scores.csv", "image,tp\na,1\n", "scores.csv is not a score table"),
        ("test-synthetic-test/reliability.csv", "a,b\n1,2\n", "it needs rows with the columns"),
        ("test-synthetic-test/extended.csv", "a,b\n1,2\n", "extended.csv is damaged"),
    ],
)
def test_a_damaged_file_is_named(file, content, words, tested, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(tested, run)
    (run / file).write_text(content)
    page = tmp_path / "page.html"
    assert main(["report", str(run), "-o", str(page)]) == 1
    complaint = capsys.readouterr().err
    assert words in complaint
    assert complaint.count("\n") == 1
    assert not page.exists()


def test_a_folder_that_is_no_run_is_refused(tested, tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "is not the folder of a run" in capsys.readouterr().err
    assert main(["report", str(tested.parent)]) == 1
    assert f"holds runs: give {tested}" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "gone")]) == 1
    assert "there is no file or folder" in capsys.readouterr().err
    assert main(["report", str(tested), "--test", "isic"]) == 1
    assert "its tests are synthetic-test" in capsys.readouterr().err


def test_kinds_are_half_open_and_unknown_values_are_left_out():
    lesions = {
        "a": LesionDescription(0.05, True, 10.0),
        "b": LesionDescription(0.049),
        "c": LesionDescription(0.5, False, 35.0),
    }
    found = scores_by_kind({"a": 0.2, "b": 0.4, "c": 0.8}, lesions)
    assert [entry.kind for entry in found] == list(KINDS)
    means = {entry.kind.title: entry.mean for entry in found if entry.images}
    assert means == {
        "lesion under 5 % of the image": 0.4,
        "5 to 20 %": 0.2,
        "50 % or more": 0.8,
        "does not touch the border": 0.8,
        "touches the border": 0.2,
        "10 to 20": 0.2,
        "30 or more": 0.8,
    }


def test_a_lesion_is_described_by_share_border_and_contrast():
    import torch

    image = torch.full((3, 4, 5), 0.5)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[1:3, 1:3] = True
    found = describe_lesion(image, mask)
    assert found.area == pytest.approx(0.2)
    assert found.touches_border is False
    assert found.contrast == pytest.approx(0, abs=1e-4)
    for row, column in ((0, 2), (3, 2), (2, 0), (2, 4)):
        touching = mask.clone()
        touching[row, column] = True
        assert describe_lesion(image, touching).touches_border
    assert np.isnan(describe_lesion(image, torch.ones_like(mask)).contrast)


def test_a_share_is_that_of_the_true_lesion():
    table = ScoreTable(["a"], np.array([[2, 5, 2, 11]]))  # true and false positives, ...
    assert areas_of(table)["a"].area == 4 / 20


def test_the_network_is_loaded_as_it_was_tested_and_not_if_it_has_changed(tested):
    (test,) = read_run(tested).tests
    record = {**test.record, "threshold": 0.25, "size": [16, 24]}
    predictor = predictor_of(test._replace(record=record))
    assert (predictor.threshold, predictor.size) == (0.25, (16, 24))
    changed = test._replace(record={**record, "checkpoint_sha256": "0" * 64})
    with pytest.raises(UnavailableError, match="has changed since the test"):
        predictor_of(changed)
