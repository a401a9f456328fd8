"""Distillation: a trained network's soft masks are a further target."""

import pytest
import torch
from conftest_models import SIZE, tiny_data, tiny_mobilegan, tiny_trainer
from torch.nn import functional as F

from lesionseg.errors import CheckpointError
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.models import ASNet, Segmenter
from lesionseg.models.teacher import Teacher

TEACHER_SIZE = (64, 32)


def tiny_segmenter(**changes):
    return Segmenter(**{"network": "smp:unet/mobilenet_v2", "size": SIZE} | changes)


STUDENTS = {
    "ASNet": lambda **k: ASNet(**{"size": SIZE} | k),
    "MobileGAN": tiny_mobilegan,
    "Segmenter": tiny_segmenter,
}


def save(model, folder, path):
    trainer = tiny_trainer(folder)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A teacher of another size than the students', with some images to its name."""
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(4)
    model = tiny_segmenter(size=TEACHER_SIZE)
    model.trained_on = frozenset({"ISIC_0000007"})
    return save(model, folder, folder / "teacher.ckpt")


def test_soft_masks_are_the_probabilities_at_the_teachers_own_size(checkpoint):
    network = predictor_of_checkpoint(checkpoint).network
    teacher = Teacher(checkpoint)
    image = torch.rand(2, 3, *TEACHER_SIZE)
    with torch.no_grad():
        torch.testing.assert_close(teacher.soft_masks(image), torch.sigmoid(network(image)))
        small = torch.rand(2, 3, *SIZE)
        fed = F.interpolate(small, TEACHER_SIZE, mode="bilinear", antialias=True)
        soft = F.interpolate(torch.sigmoid(network(fed)), SIZE, mode="bilinear", antialias=True)
    torch.testing.assert_close(teacher.soft_masks(small), soft)
    assert not teacher.soft_masks(small.requires_grad_()).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_loss_is_the_cross_entropy_with_the_soft_masks(checkpoint, dtype):
    teacher = Teacher(checkpoint)
    image, logits = torch.rand(2, 3, *SIZE).to(dtype), torch.randn(2, 1, *SIZE).to(dtype)
    soft, p = teacher.soft_masks(image), torch.sigmoid(logits.float())
    expected = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    loss = teacher.loss(logits.requires_grad_(), image)
    torch.testing.assert_close(loss.float(), expected, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient.float(), (p - soft) / p.numel(), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("name", STUDENTS)
def test_the_term_enters_the_loss_with_its_weight(name, checkpoint, tmp_path):
    loss_name, term_name = "train/loss_epoch", "train/teacher_epoch"
    if name == "MobileGAN":
        loss_name, term_name = "train/generator/loss_epoch", "train/generator/teacher_epoch"
    losses = {}
    for weight in (0.0, 1.0, 3.0):
        torch.manual_seed(9)
        model = STUDENTS[name](teacher=str(checkpoint), teacher_weight=weight)
        trainer = tiny_trainer(tmp_path)
        trainer.fit(model, tiny_data(train_length=4))  # one step: its loss is not yet learned from
        losses[weight] = float(trainer.callback_metrics[loss_name])
        term = float(trainer.callback_metrics.get(term_name, 0.0))
        assert losses[weight] == pytest.approx(losses[0.0] + term, rel=1e-5)
        assert (term > 0) == (weight > 0)
    assert losses[3.0] - losses[0.0] == pytest.approx(3 * (losses[1.0] - losses[0.0]), rel=1e-4)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_students_checkpoint_holds_no_teacher_and_loads_without_it(name, checkpoint, tmp_path):
    gone = tmp_path / "gone.ckpt"
    gone.write_bytes(checkpoint.read_bytes())
    model = STUDENTS[name](teacher=str(gone))
    tiny_trainer(tmp_path).fit(model, tiny_data(train_length=4))
    path = save(model, tmp_path, tmp_path / "student.ckpt")
    gone.unlink()
    content = torch.load(path, weights_only=True)
    assert content["state_dict"].keys() == STUDENTS[name]().state_dict().keys()
    loaded = type(model).load_from_checkpoint(path)
    assert loaded.hparams.teacher == str(gone)
    predictor_of_checkpoint(path)
    tiny_trainer(tmp_path).test(loaded, tiny_data(), verbose=False)


def test_a_student_counts_as_trained_on_the_teachers_images(checkpoint, tmp_path):
    model = tiny_mobilegan(teacher=str(checkpoint))
    tiny_trainer(tmp_path).fit(model, tiny_data(train_length=4))
    assert model.trained_on == {"ISIC_0000007"}


def test_a_missing_teacher_is_named_before_the_first_step(tmp_path):
    model = tiny_mobilegan(teacher=str(tmp_path / "absent.ckpt"))
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(CheckpointError, match=r"absent\.ckpt"):
        tiny_trainer(tmp_path).fit(model, tiny_data())
    assert all(map(torch.equal, before, model.parameters()))


def test_a_resumed_student_ends_as_one_that_was_never_stopped(checkpoint, tmp_path):
    def fit(epochs, path=None):
        torch.manual_seed(1)
        model = tiny_segmenter(teacher=str(checkpoint), schedule="constant")
        trainer = tiny_trainer(tmp_path, max_epochs=epochs)
        trainer.fit(model, tiny_data(train_length=4), ckpt_path=path)
        trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return model.state_dict()

    straight = fit(2)
    fit(1)
    resumed = fit(2, tmp_path / "1.ckpt")
    assert [key for key in straight if not torch.equal(straight[key], resumed[key])] == []
