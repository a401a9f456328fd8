import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from lesionseg.data import (
    FolderDataModule,
    InputDefaults,
    ISICDataModule,
    PH2DataModule,
    SyntheticDataModule,
    load_ids,
)
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError

DEFAULTS = InputDefaults((32, 48), 3, ("vertical_flip",))


class Model(LightningModule):
    input_defaults = DEFAULTS

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Conv2d(3, 1, 1)
        self.seen = {"train": [], "val": [], "test": [], "predict": []}

    def training_step(self, batch, index):
        self.seen["train"].append(batch)
        return ((self.network(batch["image"]) - batch["mask"]) ** 2).mean()

    def validation_step(self, batch, index):
        self.seen["val"].append(batch)

    def test_step(self, batch, index):
        self.seen["test"].append(batch)

    def predict_step(self, batch, index):
        self.seen["predict"].append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def ids(self, role):
        return [id_ for batch in self.seen[role] for id_ in batch["id"]]


@pytest.fixture
def trainer(tmp_path):
    def make(**arguments):
        options = {
            "max_epochs": 1,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
            "num_sanity_val_steps": 0,
            "logger": False,
            "default_root_dir": tmp_path / "run",
        }
        return Trainer(**{**options, **arguments})

    return make


def fake_trainer(defaults):
    model = SimpleNamespace(input_defaults=defaults)
    return SimpleNamespace(lightning_module=model, training=True)


@pytest.mark.parametrize("given", [{}, {"size": (40, 40)}, {"batch_size": 5, "augmentation": []}])
def test_what_is_left_out_comes_from_the_input_defaults(given):
    data = SyntheticDataModule(6, 2, 2, **given)
    data.trainer = fake_trainer(DEFAULTS)
    data.setup("fit")
    assert data.size == given.get("size", DEFAULTS.size)
    assert data.batch_size == given.get("batch_size", DEFAULTS.batch_size)
    assert data.augmentation.names == tuple(given.get("augmentation", DEFAULTS.augmentation))
    assert data.datasets["train"][0]["image"].shape[-2:] == data.size


def test_defaults_without_a_model():
    data = SyntheticDataModule(2, 1, 1)
    data.setup("fit")
    assert (data.size, data.batch_size) == ((192, 256), 12)
    assert data.augmentation.names == ("horizontal_flip",)


def test_another_model_brings_another_size():
    data = SyntheticDataModule(6, 2, 2)
    for size in ((32, 48), (64, 64)):
        data.trainer = fake_trainer(DEFAULTS._replace(size=size))
        data.setup("validate")
        assert next(iter(data.val_dataloader()))["image"].shape[-2:] == size


@pytest.mark.parametrize(
    ("images", "processes", "batches"),
    [
        (8, 1, [2, 2, 2, 2]),
        (5, 1, [2, 2]),  # a last one of one image is left out
        (5, 2, [2]),  # each process gets 3
        (4, 2, [2]),
        (3, 2, [2]),
        (2, 2, [1]),
    ],
)
def test_no_batch_of_one_image_where_there_is_another(images, processes, batches):
    data = SyntheticDataModule(images, 2, 2, size=(32, 32), batch_size=2)
    data.setup("fit")
    data._save_splits = lambda: None
    data.trainer = SimpleNamespace(world_size=processes)
    loader = data.train_dataloader()
    shared = DistributedSampler(data.datasets["train"], processes, 0)  # as Lightning does
    each = DataLoader(
        loader.dataset,
        loader.batch_size,
        sampler=shared,
        collate_fn=loader.collate_fn,
        drop_last=loader.drop_last,
    )
    assert [len(batch["image"]) for batch in each] == batches


def test_a_run_through_a_trainer(trainer, tmp_path):
    data = SyntheticDataModule(8, 4, 5)
    model = Model()
    run = trainer(max_epochs=2, logger=CSVLogger(tmp_path))
    run.fit(model, data)
    assert [tuple(b["image"].shape) for b in model.seen["train"]] == [(3, 3, 32, 48)] * 4
    first, second = model.ids("train")[:6], model.ids("train")[6:]
    assert len(set(first)) == 6  # drop_last: 8 images make two batches of 3
    assert first != second
    assert model.ids("val") == data.datasets["val"].ids * 2
    assert "truth" not in model.seen["val"][0]

    run.test(model, data)
    assert model.ids("test") == data.datasets["test"].ids
    assert [t.shape for b in model.seen["test"] for t in b["truth"]] == [(32, 48)] * 5
    run.predict(model, data)
    assert model.ids("predict") == data.datasets["test"].ids

    parts = {
        name: load_ids(f"{run.log_dir}/splits/{name}.txt") for name in ("train", "val", "test")
    }
    assert set(first) <= set(parts["train"])
    assert parts["val"] == data.datasets["val"].ids
    assert parts["test"] == data.datasets["test"].ids
    assert len({id_ for ids in parts.values() for id_ in ids}) == 8 + 4 + 5


def test_only_training_batches_are_augmented(trainer):
    data = SyntheticDataModule(6, 6, 6, augmentation=["horizontal_flip", "gamma"])
    model = Model()
    run = trainer(max_epochs=3)
    run.fit(model, data)
    run.test(model, data)

    def pictures(role, dataset):
        clean = {sample["id"]: sample for sample in data.datasets[dataset]}
        for batch in model.seen[role]:
            for row, id_ in enumerate(batch["id"]):
                yield torch.equal(batch["image"][row], clean[id_]["image"])

    assert all(pictures("val", "val"))
    assert all(pictures("test", "test"))
    assert not all(pictures("train", "train"))
    for batch in model.seen["train"]:
        assert set(batch["mask"].unique().tolist()) <= {0.0, 1.0}


def test_order_is_seeded_and_a_resumed_run_repeats_it():
    def orders(seed, epochs):
        data = SyntheticDataModule(12, 1, 1, size=(32, 32), batch_size=4, seed=seed)
        data.setup("fit")
        loader = data.train_dataloader()
        for epoch in epochs:
            loader.sampler.set_epoch(epoch)
            yield [id_ for batch in loader for id_ in batch["id"]]

    straight = list(orders(0, [0, 1, 2]))
    assert straight[1] != straight[2]
    assert list(orders(0, [2])) == straight[2:]
    assert list(orders(1, [0])) != straight[:1]


@pytest.mark.parametrize(("length", "batches"), [(3, [3]), (4, [4]), (5, [4]), (9, [4, 4])])
def test_a_batch_of_one_image_is_dropped_unless_it_is_all(length, batches):
    data = SyntheticDataModule(length, 1, 1, size=(32, 32), batch_size=4)
    data.setup("fit")
    assert [len(batch["id"]) for batch in data.train_dataloader()] == batches


def test_synthetic_roles_stay_the_same_whatever_the_other_lengths_are():
    short = SyntheticDataModule(2, 2, 2, size=(32, 32))
    long = SyntheticDataModule(9, 2, 2, size=(32, 32))
    for data in (short, long):
        data.setup()
    for role in ("val", "test"):
        assert short.datasets[role].ids == long.datasets[role].ids


def test_folders(tmp_path, pair_writer):
    for part, count in [("train", 10), ("test", 3)]:
        for number in range(count):
            name = f"{part}{number}"
            pair_writer(
                tmp_path / part / "images" / f"{name}.jpg",
                tmp_path / part / "masks" / f"{name}_mask.png",
                number=number,
            )
    train = {
        "train_images": tmp_path / "train" / "images",
        "train_masks": str(tmp_path / "train" / "masks"),
    }
    data = FolderDataModule(**train, val_fraction=0.3)
    data.setup()
    data.setup("predict")
    assert sorted(data.datasets["train"].ids + data.datasets["val"].ids) == [
        f"train{number}" for number in range(10)
    ]
    assert data.datasets["test"].ids == data.datasets["val"].ids == data.datasets["predict"].ids
    assert data.datasets["test"].with_truth

    test = {"images": tmp_path / "test" / "images", "masks": tmp_path / "test" / "masks"}
    other = FolderDataModule(
        **train,
        val_images=test["images"],
        val_masks=test["masks"],
        predict_images=train["train_images"],
    )
    other.setup()
    other.setup("predict")
    assert len(other.datasets["train"]) == len(other.datasets["predict"]) == 10
    assert other.datasets["val"].ids == other.datasets["test"].ids == ["test0", "test1", "test2"]
    assert "mask" not in other.datasets["predict"][0]

    with pytest.raises(ValueError, match="no train images; give train_images and train_masks"):
        FolderDataModule(test_images=test["images"], test_masks=test["masks"]).setup("fit")
    with pytest.raises(ValueError, match="expected val_images with val_masks"):
        FolderDataModule(**train, val_masks=test["masks"])
    with pytest.raises(InvalidDataError, match=r"no masks beside them.* or give val_masks"):
        FolderDataModule(**train, val_images=test["images"]).setup("validate")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "random"}, "official, holdout or k-fold"),
        ({"fold": 5}, "expected fold to be 0 to 4"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"limit": 0}, "limit"),
        ({"year": 2016}, "2016 has no validation split"),
        ({"year": 2015}, "year"),
        ({"test_split": "tset"}, "tset"),
        ({"size": (0, 5)}, "size"),
        ({"batch_size": 0}, "batch_size"),
        ({"num_workers": -1}, "num_workers"),
    ],
)
def test_arguments_are_checked_at_once(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ISICDataModule(tmp_path, **arguments)
    with pytest.raises(LesionsegError, match="'blur'"):
        ISICDataModule(tmp_path, augmentation=["blur"])


def test_missing_data_is_an_error_in_setup(tmp_path):
    data = ISICDataModule(tmp_path / "nowhere")
    with pytest.raises(DatasetNotFoundError, match="run lesionseg download isic2018 "):
        data.setup("fit")
    with pytest.raises(RuntimeError, match=r"setup\('fit'\)"):
        data.train_dataloader()


def test_splits_need_no_torch():
    code = (
        "import sys; from lesionseg.data import k_fold, ISICDataset\n"
        "import lesionseg.data as d; assert set(d.__all__) <= set(dir(d))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    light = "import sys; from lesionseg.data import k_fold; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", light], check=True)


def test_workers_read_the_same(tmp_path, isic):
    isic(2018, "train", 5)
    isic(2018, "val", 5)
    batches = []
    for workers in (0, 1):
        data = ISICDataModule(tmp_path, num_workers=workers, size=(24, 32), batch_size=5)
        data.setup("validate")
        batches.append(next(iter(data.val_dataloader())))
    assert torch.equal(batches[0]["image"], batches[1]["image"])
    assert batches[0]["size"] == batches[1]["size"]


def test_folders_cross_validate_the_training_images(tmp_path, pair_writer):
    for number in range(7):
        pair_writer(
            tmp_path / "x" / f"{number}.jpg", tmp_path / "y" / f"{number}.png", number=number
        )
    held_out = []
    for fold in range(3):
        data = FolderDataModule(
            tmp_path / "x", tmp_path / "y", split="k-fold", num_folds=3, fold=fold, size=(16, 16)
        )
        data.setup("fit")
        data.setup("test")
        train, val, test = (data.datasets[role].ids for role in ("train", "val", "test"))
        assert val == test
        assert sorted([*train, *val]) == [str(number) for number in range(7)]
        assert "truth" in data.datasets["test"][0]
        held_out += test
    assert sorted(held_out) == [str(number) for number in range(7)]
    with pytest.raises(ValueError, match="k-fold"):
        FolderDataModule(tmp_path / "x", tmp_path / "y", split="official")
    with pytest.raises(ValueError, match="expected fold to be 0 to 2"):
        FolderDataModule(tmp_path / "x", tmp_path / "y", split="k-fold", num_folds=3, fold=3)


@pytest.fixture
def ph2(tmp_path, pair_writer):
    for number in range(2, 12):
        name = f"IMD{number:03d}"
        case = tmp_path / "PH2Dataset" / "PH2 Dataset images" / name
        pair_writer(
            case / f"{name}_Dermoscopic_Image" / f"{name}.bmp",
            case / f"{name}_lesion" / f"{name}_lesion.bmp",
            number=number,
        )
    return tmp_path / "PH2Dataset"


def test_ph2_is_tested_whole(ph2, trainer):
    module, model = PH2DataModule(ph2), Model()
    trainer().test(model, module, verbose=False)
    trainer().validate(model, module, verbose=False)
    trainer().predict(model, module)
    names = [f"IMD{number:03d}" for number in range(2, 12)]
    assert module.test_part() == ("ph2", "all")
    assert model.ids("test") == model.ids("val") == model.ids("predict") == names
    assert model.seen["test"][0]["truth"][0].shape == (40, 56)
    assert "truth" not in model.seen["val"][0]
    with pytest.raises(LesionsegError, match="set split to holdout or k-fold"):
        trainer().fit(model, PH2DataModule(ph2))


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"split": "holdout", "val_fraction": 0.3}, (7, 3, "val")),
        ({"split": "k-fold", "fold": 1}, (8, 2, "fold1of5")),
    ],
)
def test_ph2_is_split(ph2, tmp_path, options, counts):
    module = PH2DataModule(ph2, size=(8, 8), cache=tmp_path / "cache", **options)
    module.setup()
    ids = module.split_ids()
    assert (len(ids["train"]), len(ids["val"]), module.test_part()[1]) == counts
    assert ids["test"] == ids["val"]
    assert not {*ids["train"]} & {*ids["val"]}
    other = PH2DataModule(ph2, size=(8, 8), **options, seed=1)
    other.setup()
    assert other.split_ids()["val"] != ids["val"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "official"}, "test, holdout or k-fold"),
        ({"val_fraction": 1}, "val_fraction"),
        ({"fold": 5}, "expected fold to be"),
        ({"on_error": "no"}, "on_error"),
    ],
)
def test_ph2_options_out_of_range(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        PH2DataModule(tmp_path, **options)
