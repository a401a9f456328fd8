"""The base class of all models: a network, its training, and the official score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import STEP_OUTPUT, OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from lesionseg._moved import RenamedAttribute
from lesionseg.data.id_lists import archive_ids
from lesionseg.data.input_defaults import InputDefaults, adopt_recipe
from lesionseg.errors import LesionsegError
from lesionseg.guards import check_batch, shapes_explained
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.models.checkpointing import CheckpointedModule
from lesionseg.models.evaluation import EvaluatedModule, Prediction
from lesionseg.models.initial_weights import load_initial_weights
from lesionseg.models.leakage import loaded_ids
from lesionseg.models.optimizers import ScheduleName, create_schedule
from lesionseg.models.planning import Turn, plan_fit, trainer_turns
from lesionseg.models.resume import seed_epoch
from lesionseg.models.schedule import Schedule
from lesionseg.models.teacher import Teacher
from lesionseg.networks.temperature import set_temperature

__all__ = ["Prediction", "SegmentationModule"]


class SegmentationModule(EvaluatedModule, CheckpointedModule):
    """Base of the LightningModules: a network with its training and the official score.

    Batches are those of :func:`lesionseg.data.collate_samples`. Validation is scored at the
    network's size, test and predict at the original size of the images (see
    :mod:`lesionseg.inference.postprocess`). A subclass implements :meth:`training_step`,
    :meth:`validation_loss` and :meth:`configure_optimizers`.

    The random numbers of each training epoch (augmentation, dropout, noise) are seeded with the
    seed of the fit, the epoch and the rank of the process, so that a fit that resumes from the end
    of an epoch ends with the weights of one that was never interrupted. The seed of the fit is
    ``torch.initial_seed()`` at its start; a fit that resumes takes that of its checkpoint.

    Args:
        network: Module that maps images (N, 3, H, W) in [0, 1] to logits (N, 1, H, W), such as
            those of :func:`lesionseg.networks.create_network`.
        size: (height, width) of the images that the network sees; None takes the paper's. A fit
            replaces it by the size of its training images, which its checkpoint stores.
        threshold: A pixel is lesion if its probability is above this.
        compile: Compile the network with ``torch.compile``, in place, so that the names of its
            weights do not change.
        channels_last: Store weights and feature maps in channels-last memory order, in which most
            convolutions are fastest. Results differ by rounding only.
        teacher: Checkpoint of any model of this package, whose probabilities for the same augmented
            images are an additional target of the training (see
            :class:`~lesionseg.models.teacher.Teacher`). It is read by a fit only; a checkpoint
            stores its path, not its weights, and loads without it. A model with a teacher counts as
            trained on the teacher's images too.
        teacher_weight: Weight of the teacher's term in the loss.
        init_from: Checkpoint of any model of this package whose weights a fit starts from, with a
            new optimizer and schedule; None starts from random or pretrained weights. It is ignored
            by a fit that resumes. ``trained_on`` is copied; the saved checkpoint does not name the
            file.

    Attributes:
        test_time_augmentation: Views over which test and predict average the probabilities of each
            image: ``"none"``, ``"flips"`` (4 views) or ``"flips_and_rotations"`` (8 views, which
            take 8 times as long); see :func:`lesionseg.inference.average_views`. It is not stored
            in checkpoints: set it after loading.
        postprocess: Post-processing of the masks of test and predict: ``"none"`` or
            ``"largest-region"``, which keeps the largest region and fills its holes. It is not
            stored in checkpoints either.
        trained_on: Ids of the ISIC images that the weights were fitted to, stored in checkpoints. A
            test on any of them is refused unless the DataModule's ``allow_trained_images`` is True.
            Only ids of the ISIC archive are stored: other file names are not unique, and may name
            patients.

    Raises:
        ValueError: If ``size``, ``threshold`` or ``teacher_weight`` is out of range.

    Example:
        >>> import torch
        >>> from torch.nn import functional as F
        >>> from lesionseg.models import SegmentationModule
        >>> class Tiny(SegmentationModule):
        ...     def training_step(self, batch, batch_idx):
        ...         return self.validation_loss(self(batch["image"]), batch["mask"])
        ...
        ...     def validation_loss(self, logits, mask):
        ...         return F.binary_cross_entropy_with_logits(logits, mask)
        ...
        ...     def configure_optimizers(self):
        ...         return torch.optim.SGD(self.parameters(), lr=0.1)
        >>> model = Tiny(torch.nn.Conv2d(3, 1, 1), size=(24, 32))
        >>> model.size, tuple(model(torch.rand(2, 3, 24, 32)).shape)
        ((24, 32), (2, 1, 24, 32))
    """

    input_defaults: InputDefaults = InputDefaults((192, 256), 12, ("horizontal_flip",))
    recipe = RenamedAttribute("input_defaults")

    def __init__(
        self,
        network: nn.Module,
        size: tuple[int, int] | None = None,
        threshold: float = PROBABILITY_THRESHOLD,
        compile: bool = False,
        channels_last: bool = False,
        teacher: str | None = None,
        teacher_weight: float = 1.0,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"expected size to be (height, width) in pixels, got {size!r}")
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"expected threshold to be between 0 and 1, got {threshold!r}")
        if teacher_weight < 0:
            raise ValueError(f"expected teacher_weight to be at least 0, got {teacher_weight!r}")
        self.network = network
        self.threshold = threshold
        height, width = size or type(self).input_defaults.size
        self.input_defaults = type(self).input_defaults._replace(size=(height, width))
        self.test_time_augmentation = "none"
        self.postprocess = "none"
        self.trained_on = frozenset()
        self._schedules: dict[int, Schedule] = {}  # by the index of their optimizer
        self._fit_seed = None
        self._init_from = init_from
        self._teacher_checkpoint = teacher
        self.teacher_weight = teacher_weight
        self._teacher: Teacher | None = None
        self._prepare(self.network, compile, channels_last)

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        adopt_recipe(cls)

    @staticmethod
    def _prepare(network: nn.Module, compile: bool, channels_last: bool) -> None:
        """Compile a network and change its memory order if asked to, in place."""
        if channels_last:
            network.to(memory_format=torch.channels_last)
        if compile:
            network.compile()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images that the network sees."""
        return self.input_defaults.size

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, 1, H, W) of images, floating (N, 3, H, W) in [0, 1]."""
        with shapes_explained(type(self).__name__, image):
            logits: Tensor = self.network(image)
        return logits

    def on_fit_start(self) -> None:
        """Take seed and initial weights, and load the teacher; a fit that resumes has its own.

        Raises:
            CheckpointError: If the initial weights or the teacher cannot be used.
            LesionsegError: If the weights are not in full precision.
        """
        precision = self.trainer.precision
        if precision in ("bf16-true", "16-true"):
            raise LesionsegError(
                f"expected a precision with full-precision weights, got {precision}; train with "
                f"--trainer.precision {precision.replace('true', 'mixed')} or 32-true."
            )
        if self._init_from is not None and self.trainer.ckpt_path is None:
            self.trained_on |= load_initial_weights(self, self._init_from)
            self._init_from = None  # a second fit continues
        if self._fit_seed is None or self.trainer.ckpt_path is None:
            self._fit_seed = torch.initial_seed()
        if self._teacher_checkpoint is not None and self.teacher_weight > 0:
            self._teacher = Teacher(self._teacher_checkpoint, self.device)
            self.trained_on |= self._teacher.trained_on

    def on_fit_end(self) -> None:
        """Drop the teacher."""
        self._teacher = None

    def teacher_terms(self, batch: dict[str, Any], logits: Tensor) -> dict[str, Tensor]:
        """Return the weighted term of the teacher by its name, or nothing without a teacher.

        Args:
            batch: Batch that the logits were computed from.
            logits: Floating (N, 1, H, W).
        """
        if self._teacher is None:
            return {}
        loss = self._teacher.loss(logits, batch["image"])
        return {"teacher": self.teacher_weight * loss}

    def on_train_epoch_start(self) -> None:
        """Seed the random numbers of the epoch; see :func:`lesionseg.models.resume.seed_epoch`."""
        if self._fit_seed is not None:
            seed_epoch(self._fit_seed, self.current_epoch, self.global_rank)

    def on_train_start(self) -> None:
        """Adapt schedules to the length of a fit that resumes; collect the ids of the images.

        A temperature of an earlier calibration is dropped, since the weights change.
        """
        set_temperature(self.network, 1.0)
        for which, schedule in self._schedules.items():
            if schedule.length == schedule.planned:
                continue
            before, length = schedule.length, schedule.planned
            if schedule.interval == "step":
                # The steps so far may have been of another batch size.
                steps = plan_fit(self.trainer, self.turns()).steps
                length = schedule.last_epoch + (steps[which] if steps else 0)
            schedule.replan(length)
            rank_zero_warn(
                f"the fit of the checkpoint was planned for {before} {schedule.interval}s, this "
                f"one for {schedule.length}; the learning rate continues as in a fit of that "
                f"length, at {schedule.get_last_lr()[0]:.3g} after {schedule.last_epoch} of them."
            )
        # In addition to the ids of a checkpoint. Each process has the whole data set.
        self.trained_on |= archive_ids(loaded_ids(self.trainer.train_dataloader))

    def turns(self) -> Sequence[Sequence[Turn]]:
        """Return the turns of each optimizer, from which the number of steps is computed."""
        return [trainer_turns(self.trainer)]

    @abstractmethod
    def training_step(self, batch: dict[str, Any], batch_idx: int) -> STEP_OUTPUT:
        """Compute the loss of a batch; see :class:`lightning.pytorch.LightningModule`."""

    @abstractmethod
    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Create the optimizers; see :class:`lightning.pytorch.LightningModule`."""

    def add_schedule(
        self,
        name: ScheduleName,
        optimizer: Optimizer,
        which: int,
        power: float,
        first_epoch: int = 0,
        warmup_fraction: float = 0.3,
    ) -> Schedule | None:
        """Create the schedule of an optimizer, as long as the Trainer's fit.

        Args:
            name: See :func:`lesionseg.models.optimizers.create_schedule`.
            optimizer: Optimizer whose learning rate is scheduled.
            which: Index of the optimizer in :meth:`turns`.
            power: Power of ``"poly"``.
            first_epoch: First epoch that ``"poly"`` counts.
            warmup_fraction: Share of the steps in which ``"one-cycle"`` raises the learning rate.

        Raises:
            LesionsegError: If the length of the fit does not follow from the Trainer's limits.
        """
        self._schedules.pop(which, None)
        if name == "constant":
            return None
        plan = plan_fit(self.trainer, self.turns())
        length = plan.end_epoch if name == "poly" else plan.steps
        if length is None:
            unit = "epochs" if name == "poly" else "steps"
            raise LesionsegError(
                f"the {name} schedule needs the number of {unit} of the fit, which does not follow "
                "from the Trainer's limits (max_time is not enough); give max_epochs or max_steps, "
                'or use schedule="constant".'
            )
        epochs = (plan.end_epoch or 0) - max(first_epoch, self.current_epoch)
        steps = plan.steps[which] if plan.steps else 0
        schedule = create_schedule(name, optimizer, epochs, steps, power, warmup_fraction)
        if schedule is not None:
            self._schedules[which] = schedule
        return schedule

    def on_train_batch_start(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Record the size of the images; a DataModule may train on smaller ones at first."""
        check_batch(type(self).__name__, batch, "image", "mask")
        data = getattr(self.trainer, "datamodule", None)
        height, width = getattr(data, "size", None) or batch["image"].shape[-2:]
        self.input_defaults = self.input_defaults._replace(size=(height, width))
