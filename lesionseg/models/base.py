"""What every model shares: scores, prediction at the original size, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import Self

from lesionseg._moved import RenamedAttribute
from lesionseg._version import __version__
from lesionseg.checkpoints import OUTSIDE_WEIGHTS, Location, check_weights_only, forget
from lesionseg.data.id_lists import archive_ids
from lesionseg.data.input_defaults import InputDefaults, adopt_recipe
from lesionseg.errors import LesionsegError, shorten
from lesionseg.guards import check_batch, shapes_explained
from lesionseg.inference.postprocess import binarize, check_finite, probabilities, restore_sizes
from lesionseg.inference.tta import TestTimeAugmentation, pool_views
from lesionseg.metrics import ISICScore
from lesionseg.metrics.official import PROBABILITY_THRESHOLD
from lesionseg.metrics.table import ScoreTable
from lesionseg.models.hub import push_to_hub
from lesionseg.models.initial_weights import load_initial_weights
from lesionseg.models.leakage import loaded_ids, refuse_trained
from lesionseg.models.loading import load_model
from lesionseg.models.optimizers import ScheduleName, create_schedule
from lesionseg.models.planning import Turn, plan_fit
from lesionseg.models.pretrained import save_pretrained
from lesionseg.models.resume import check_resumable
from lesionseg.models.schedule import Schedule
from lesionseg.models.seeding import seed_epoch
from lesionseg.models.teacher import Teacher


@dataclass  # not frozen: Trainer.predict moves the tensors in it
class Prediction:
    """What a model says of one image, at the image's original size.

    Attributes:
        id: The image's id.
        probability: float32 (height, width) in [0, 1].
        mask: bool (height, width), the probability above the model's threshold.
        uncertainty: float32 (height, width), the standard deviation of the probability over
            Monte-Carlo samples and the views of test-time augmentation, all together; None where
            there is only one of them.
    """

    id: str
    probability: Tensor
    mask: Tensor
    uncertainty: Tensor | None = None


class SegmentationModule(LightningModule):
    """Base of the LightningModules: a plain network inside, the official score outside.

    Batches are those of :func:`lesionseg.data.collate_samples`. Validation is scored at the
    network's size; test and predict at the original size (see
    :mod:`lesionseg.inference.postprocess`).

    Each training epoch draws its random numbers (augmentation, dropout, noise) from a seed of its
    own, made of the fit's seed, the epoch and the process, so that a fit that is resumed from the
    end of an epoch ends with the weights of one that was never stopped. The fit's seed is
    ``torch.initial_seed()`` at its start; a resumed fit takes its checkpoint's.

    Args:
        network: Images (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; made by
            :func:`lesionseg.networks.create_network`.
        size: (height, width) at which images are fed; None takes the paper's. A fit records the
            size that it really trained at, so that a checkpoint knows it.
        threshold: A pixel is lesion where its probability exceeds this.
        compile: Compile the inner network with ``torch.compile`` (in place, so that the names in a
            checkpoint stay as they are).
        channels_last: Keep the weights, and with them the feature maps, in the memory order that
            most convolutions are fastest in. The results differ by rounding only.
        teacher: Checkpoint of any model of this package, whose probabilities of the same augmented
            images are a further target of the training (see
            :class:`~lesionseg.models.teacher.Teacher`). Only a fit reads it; checkpoints hold its
            path, not its weights, and load without it. A model that learned from a teacher also
            counts as trained on the teacher's images.
        teacher_weight: Weight of the teacher's term in the loss.
        init_from: None, or a checkpoint of any model of this package whose weights a fit starts
            from, with a new optimizer and schedule, instead of random or pretrained ones. A fit
            that resumes has its own. ``trained_on`` comes along; the saved checkpoint does not
            name the file.

    Attributes:
        test_time_augmentation: What test and predict average the probabilities of each image over:
            ``"none"``, ``"flips"`` (4 views) or ``"flips_and_rotations"`` (8 views, and as many
            times the time); see :func:`lesionseg.inference.average_views`. It belongs to a use of
            the model, not to the model: set it afterwards; checkpoints do not keep it.
        trained_on: Ids of the ISIC images that the weights were fitted to, kept in checkpoints. A
            test on any of them is refused unless the DataModule's ``allow_trained_images`` says
            otherwise. Other images do not count: two folders may both hold a ``1.jpg``, and a file
            name may say whose skin it shows.

    Raises:
        ValueError: ``size``, ``threshold`` or ``teacher_weight`` is out of range.
    """

    input_defaults: InputDefaults = InputDefaults((192, 256), 12, ("horizontal_flip",))
    recipe = RenamedAttribute("input_defaults")
    #: Hyperparameters that ask for weights from outside; a checkpoint holds weights, not these.
    outside_weights: ClassVar[tuple[str, ...]] = OUTSIDE_WEIGHTS

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
            raise ValueError(f"size must be (height, width) in pixels, got {size}")
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {threshold}")
        if teacher_weight < 0:
            raise ValueError(f"teacher_weight must not be negative, got {teacher_weight}")
        self.network = network
        self.threshold = threshold
        height, width = size or type(self).input_defaults.size
        self.input_defaults = type(self).input_defaults._replace(size=(height, width))
        self.validation_score = ISICScore()
        self.test_score = ISICScore()
        self.test_table: ScoreTable | None = None
        self.test_time_augmentation: TestTimeAugmentation = "none"
        self.trained_on: frozenset[str] = frozenset()
        self._schedules: dict[int, Schedule] = {}  # by their optimizer's index
        self._fit_seed: int | None = None
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
        """Compiles a network and reorders its weights where asked to, in place."""
        if channels_last:
            network.to(memory_format=torch.channels_last)
        if compile:
            network.compile()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at which images are fed to the network."""
        return self.input_defaults.size

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, 1, H, W) of images float (N, 3, H, W) in [0, 1]."""
        with shapes_explained(type(self).__name__, image):
            logits: Tensor = self.network(image)
        return logits

    def predict_maps(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Probability and, where the model has one, uncertainty; both float32 (N, 1, H, W)."""
        return probabilities(self(image)), None

    def _averaged_maps(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """:meth:`predict_maps` over the views of :attr:`test_time_augmentation`."""
        return pool_views(self.predict_maps, image, self.test_time_augmentation)

    # -- training ------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Take the seed and the weights that a fit starts from, and load the teacher.

        A fit that resumes has seed and weights of its own.

        Raises:
            CheckpointError: If the weights or the teacher's checkpoint cannot be used.
            LesionsegError: If the weights are not kept in full precision.
        """
        precision = self.trainer.precision
        if precision in ("bf16-true", "16-true"):
            raise LesionsegError(
                f"training needs weights in full precision, got the precision {precision}; "
                f"train with {precision.replace('true', 'mixed')} or 32-true."
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
        """Let go of the teacher."""
        self._teacher = None

    def teacher_terms(self, batch: dict[str, Any], logits: Tensor) -> dict[str, Tensor]:
        """Return the weighted teacher's term of the loss by its name; empty without a teacher.

        Args:
            batch: The batch that the logits were made of.
            logits: Floating (N, 1, H, W).
        """
        if self._teacher is None:
            return {}
        loss = self._teacher.loss(logits, batch["image"])
        return {"teacher": self.teacher_weight * loss}

    def on_train_epoch_start(self) -> None:
        """See :func:`lesionseg.models.seeding.seed_epoch`."""
        if self._fit_seed is not None:
            seed_epoch(self._fit_seed, self.current_epoch, self.global_rank)

    def on_train_start(self) -> None:
        """Replans the schedules of a fit that resumes at another length; notes the images."""
        for which, schedule in self._schedules.items():
            if schedule.length == schedule.planned:
                continue
            before, length = schedule.length, schedule.planned
            if schedule.interval == "step":
                # The steps that are over may have been of another batch size.
                steps = plan_fit(self.trainer, self.turns()).steps
                length = schedule.last_epoch + (steps[which] if steps else 0)
            schedule.replan(length)
            rank_zero_warn(
                f"the checkpoint's fit was planned for {before} {schedule.interval}s and is now "
                f"for {schedule.length}; its learning rate continues as in a fit of that length, "
                f"at {schedule.get_last_lr()[0]:.3g} after {schedule.last_epoch} of them."
            )
        # A resumed fit keeps what its checkpoint brought. Each process knows the whole data set.
        self.trained_on |= archive_ids(loaded_ids(self.trainer.train_dataloader))

    def check_terms(self, terms: Mapping[str, Tensor], which: int = 0) -> None:
        """Stop a fit whose loss is not finite, before it spoils a checkpoint.

        Args:
            terms: Scalars by the names that are logged.
            which: Index of the optimizer that minimizes them.

        Raises:
            LesionsegError: If any of them is infinite or not a number.
        """
        values = torch.stack([term.detach().float() for term in terms.values()])
        if values.isfinite().all():
            return
        wrong = [
            f"{name} is {value}"
            for name, value in zip(terms, values.tolist(), strict=True)
            if not math.isfinite(value)
        ]
        trainer = self._trainer
        if trainer is None or trainer.state.fn != TrainerFn.FITTING:
            raise LesionsegError(f"the loss is not finite ({', '.join(wrong)}); check the weights.")
        rate = trainer.optimizers[which].param_groups[0]["lr"]
        raise LesionsegError(
            f"the loss is not finite in epoch {trainer.current_epoch} at step "
            f"{trainer.global_step} ({', '.join(wrong)}; learning rate {rate:.3g}, precision "
            f"{trainer.precision}). The checkpoints are of earlier epochs; start again with a "
            "lower learning rate, clipped gradients or --trainer.precision 32."
        )

    def turns(self) -> Sequence[Sequence[Turn]]:
        """The turns of each optimizer, which tell how many steps a fit takes."""
        raise RuntimeError(f"{type(self).__name__} does not define turns")

    def add_schedule(
        self,
        name: ScheduleName,
        optimizer: Optimizer,
        which: int,
        power: float,
        first_epoch: int = 0,
        warmup_fraction: float = 0.3,
    ) -> Schedule | None:
        """Create the schedule of an optimizer for the length of the Trainer's fit.

        Args:
            name: See :func:`lesionseg.models.optimizers.create_schedule`.
            optimizer: Whose learning rate is scheduled.
            which: The optimizer's index in :meth:`turns`.
            power: The power of ``"poly"``.
            first_epoch: The first epoch that ``"poly"`` counts.
            warmup_fraction: Share of the steps in which ``"one-cycle"`` goes up.

        Raises:
            LesionsegError: If the Trainer's limits do not tell how long the fit will be.
        """
        self._schedules.pop(which, None)
        if name == "constant":
            return None
        plan = plan_fit(self.trainer, self.turns())
        length = plan.end_epoch if name == "poly" else plan.steps
        if length is None:
            unit = "epochs" if name == "poly" else "steps"
            raise LesionsegError(
                f"the {name} schedule needs the number of {unit} of the fit, and the Trainer's "
                "limits do not give it (max_time alone does not); give max_epochs or max_steps, or "
                'use schedule="constant".'
            )
        epochs = (plan.end_epoch or 0) - max(first_epoch, self.current_epoch)
        steps = plan.steps[which] if plan.steps else 0
        schedule = create_schedule(name, optimizer, epochs, steps, power, warmup_fraction)
        if schedule is not None:
            self._schedules[which] = schedule
        return schedule

    def on_train_batch_start(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Record the size that the network is fed at; a DataModule may train smaller at first."""
        check_batch(type(self).__name__, batch, "image", "mask")
        data = getattr(self.trainer, "datamodule", None)
        height, width = getattr(data, "size", None) or batch["image"].shape[-2:]
        self.input_defaults = self.input_defaults._replace(size=(height, width))

    def validation_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The loss that is logged as ``val/loss``; a scalar."""
        raise RuntimeError(f"{type(self).__name__} does not define validation_loss")

    def on_validation_start(self) -> None:
        """See :meth:`_share_buffers`."""
        self._share_buffers()

    def on_test_start(self) -> None:
        """Refuses images that were trained on; see :meth:`_share_buffers`.

        Raises:
            LesionsegError: Some test images are in ``trained_on``.
        """
        data = getattr(self.trainer, "datamodule", None)
        allow = getattr(data, "allow_trained_images", False)
        refuse_trained(self.trained_on, loaded_ids(self.trainer.test_dataloaders), allow)
        self._share_buffers()

    def on_predict_start(self) -> None:
        """See :meth:`_share_buffers`."""
        self._share_buffers()

    def _share_buffers(self) -> None:
        """Gives all processes the batch statistics of the first, whose checkpoint is saved.

        Plain DistributedDataParallel does so at each forward pass, but not when optimisation is
        manual: validation would mix the networks of all processes.
        """
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Scores a batch at the network's size."""
        check_batch(type(self).__name__, batch, "image", "mask", "id")
        logits = self(batch["image"])
        loss = self.validation_loss(logits, batch["mask"])
        self.check_terms({"val/loss": loss})
        self.log("val/loss", loss, batch_size=len(logits), sync_dist=True)
        self.validation_score.update(
            binarize(probabilities(logits), self.threshold), batch["mask"].bool(), batch["id"]
        )

    def on_validation_epoch_end(self) -> None:
        """Logs the six official scores of the validation images."""
        scores = {f"val/{name}": value.float() for name, value in self._scores().items()}
        self.log_dict(scores, sync_dist=True)
        self.log("val_jaccard", scores["val/jaccard"], prog_bar=True, logger=False, sync_dist=True)
        self.validation_score.reset()

    def _scores(self) -> dict[str, Tensor]:
        scores: dict[str, Tensor] = self.validation_score.compute()
        return scores

    # -- test and predict ----------------------------------------------------------------------

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        """Scores a batch at the original size against the untouched truth.

        Returns:
            For callbacks: ``id``, the images' names, and ``mask``, a bool (height, width) of each.
        """
        check_batch(type(self).__name__, batch, "image", "id")
        maps, _ = self._averaged_maps(batch["image"])
        check_finite(maps, shorten(batch["id"]))
        truth = batch.get("truth")
        if truth is None:  # a data set without originals: the network's size is all there is
            truth = list(batch["mask"][:, 0].bool())
        restored = restore_sizes(maps, [tuple(one.shape[-2:]) for one in truth])
        masks = [binarize(one, self.threshold) for one in restored]
        self.test_score.update(masks, truth, batch["id"])
        return {"id": batch["id"], "mask": masks}

    def on_test_epoch_end(self) -> None:
        """Logs the six official scores and keeps the per-image table as ``test_table``."""
        scores = {
            f"test/{name}": value.float() for name, value in self.test_score.compute().items()
        }
        self.log_dict(scores, sync_dist=True)
        self.test_table = self.test_score.table()
        self.test_score.reset()

    def predict_step(self, batch: dict[str, Any], batch_idx: int = 0) -> list[Prediction]:
        """Masks and probabilities of a batch, each at its image's original size."""
        check_batch(type(self).__name__, batch, "image", "id", "size")
        maps, uncertainty = self._averaged_maps(batch["image"])
        check_finite(maps, shorten(batch["id"]))
        probability = restore_sizes(maps, batch["size"])
        spread: list[Tensor] | list[None] = [None] * len(probability)
        if uncertainty is not None:
            spread = restore_sizes(uncertainty, batch["size"])
        return [
            Prediction(id=one, probability=p, mask=binarize(p, self.threshold), uncertainty=u)
            for one, p, u in zip(batch["id"], probability, spread, strict=True)
        ]

    # -- checkpoints ---------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Makes the checkpoint stand alone.

        Names the class and the trained size, forgets where pretrained weights came from (it holds
        the weights), drops the prefix that a wrapping ``torch.compile`` leaves, and says under
        ``lesionseg`` how to rebuild the plain network without Lightning and which images of the
        ISIC archive it was trained on.

        Raises:
            LesionsegError: If weights are not finite while fitting; the earlier file stays.
        """
        trainer = self._trainer
        if trainer is not None and trainer.state.fn == TrainerFn.FITTING:
            state = checkpoint["state_dict"].items()
            broken = [name for name, value in state if not value.isfinite().all()]
            if broken:
                raise LesionsegError(
                    f"the weights are not finite in epoch {trainer.current_epoch} "
                    f"({shorten(broken)}), so no checkpoint is written; the earlier ones stay. "
                    "Start again with a lower learning rate or clipped gradients."
                )
        cls = type(self)
        hyper_parameters = checkpoint.setdefault("hyper_parameters", {})
        hyper_parameters["_class_path"] = f"{cls.__module__}.{cls.__qualname__}"
        hyper_parameters["size"] = list(self.size)
        forget(hyper_parameters, self.outside_weights)
        checkpoint["state_dict"] = {
            key.replace("_orig_mod.", ""): value for key, value in checkpoint["state_dict"].items()
        }
        spec = getattr(getattr(self.network, "_orig_mod", self.network), "spec", None)
        if spec is not None:
            spec = {"name": spec["name"], "arguments": dict(spec["arguments"])}
            forget(spec["arguments"], self.outside_weights)
        checkpoint["lesionseg"] = {
            "version": __version__,
            "network": spec,
            "size": list(self.size),
            "threshold": self.threshold,
            "trained_on": sorted(self.trained_on),
            "seed": self._fit_seed,
        }

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # Lightning's is a descriptor
        cls,
        checkpoint_path: str | Path,
        map_location: Location = None,
        hparams_file: str | Path | None = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load a model with its weights, without running code that a file may hold.

        Nothing is downloaded, also where the checkpoint names pretrained weights.

        Args:
            checkpoint_path: Of a local file.
            map_location: Where the weights go; see :func:`torch.load`. None takes where they were
                saved, or the CPU where there is no such device.
            hparams_file: A YAML file of arguments to use instead of the checkpoint's.
            strict: Whether the weights must be exactly the model's; None takes
                ``strict_loading``.
            weights_only: None or True.
            **kwargs: Arguments of the model that override the checkpoint's.

        Raises:
            CheckpointError: The file cannot be used, or its arguments or weights do not fit.
            ValueError: ``weights_only`` is False.
        """
        check_weights_only(weights_only)
        return load_model(cls, checkpoint_path, map_location, hparams_file, strict, kwargs)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> Path:
        """Write the model as a folder that :func:`lesionseg.from_pretrained` reads.

        The folder holds the network's weights as ``model.safetensors``, a ``card.json`` and the
        ids of the ISIC images that it was trained on; no optimizer and no discriminator.

        Args:
            folder: Is made if it is absent; the three files in it are replaced.
            dtype: Of the weights in the file.

        Returns:
            The folder.

        Raises:
            LesionsegError: If the model or its network is of another package, or weights are not
                finite in ``dtype``.
        """
        return save_pretrained(self, folder, dtype)

    def push_to_hub(
        self,
        hub_id: str,
        private: bool | None = None,
        token: str | None = None,
        message: str = "Upload a lesionseg model",
    ) -> str:
        """Upload the model to the Hugging Face Hub, with a generated model card.

        What is uploaded is what :meth:`save_pretrained` writes, and a ``README.md``.

        Args:
            hub_id: ``owner/name``; the repository is made if it is absent.
            private: Whether a new repository is private; None takes the owner's default.
            token: Access token; None takes that of ``hf auth login``.
            message: Of the commit.

        Returns:
            The URL of the commit.

        Raises:
            CheckpointError: If the Hub refuses the upload or cannot be reached.
            LesionsegError: If ``huggingface_hub`` is not installed; see also
                :meth:`save_pretrained`.
            ValueError: If ``hub_id`` is not ``owner/name``.
        """
        return push_to_hub(self, hub_id, private, token, message)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes over the seed and which images were fitted to; older checkpoints do not say.

        Raises:
            LesionsegError: See :func:`lesionseg.models.resume.check_resumable`.
        """
        trainer = self._trainer
        if trainer is not None and trainer.state.fn == TrainerFn.FITTING:
            check_resumable(checkpoint, self.hparams, trainer.ckpt_path)
        facts = checkpoint.get("lesionseg", {})
        if facts.get("network_only"):  # a pretrained model: an adversary starts from scratch
            for name, value in self.state_dict().items():
                if not name.startswith("network."):
                    checkpoint["state_dict"].setdefault(name, value)
        self.trained_on = frozenset(facts.get("trained_on", ()))
        self._fit_seed = facts.get("seed")
