"""Agreement of annotators with each other, and of a model with them (numpy only)."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.consensus import Votes, check_masks, majority_of, staple_of
from lesionseg.metrics.official import PROBABILITY_THRESHOLD, SCORE_NAMES, scores_from_counts

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]

ANOTHER, AGAIN = "another annotator", "same annotator"
MAJORITY, STAPLE = "majority of others", "STAPLE of others"
ALL_MAJORITY, ALL_STAPLE = "majority of all", "STAPLE of all"
_CONSENSUS: dict[str, Callable[[Votes, Bool], Bool]] = {
    "majority": lambda votes, use: majority_of(votes.marked[:, use]),
    "staple": lambda votes, use: (
        staple_of(votes.marked[:, use], votes.pixels)[0] > PROBABILITY_THRESHOLD
    ),
}


@dataclass(frozen=True)
class Estimate:
    """Mean over images with its 95 % bootstrap interval.

    Attributes:
        mean: Mean.
        low: Lower end of the interval.
        high: Upper end of the interval.

    Example:
        >>> from lesionseg.metrics.agreement import Estimate
        >>> print(Estimate.of([0.8, 0.9, 1.0]))
        0.900 (0.80 to 1.00)
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Estimate":
        """Estimate from the values of at least one image."""
        array = np.sort(np.asarray(values, np.float64))  # the order of the images does not matter
        return cls(float(array.mean()), *bootstrap_interval(array))

    def __str__(self) -> str:
        low, high = (round(value, 2) + 0.0 for value in (self.low, self.high))  # no -0.00
        return f"{self.mean:.3f} ({low:.2f} to {high:.2f})"


@dataclass(frozen=True)
class AgreementRow:
    """Scores of people and of a model against one reference.

    Attributes:
        reference: What the masks are compared with: an annotator, or a consensus.
        images: Number of images.
        human: Score of the other annotators; None for a consensus that all of them are part of.
        model: Score of the model on the same images; None without predictions.
        difference: Model minus human, paired by image; None unless both are known.

    Example:
        >>> from lesionseg.metrics import AnnotatorAgreement
        >>> agreement = AnnotatorAgreement()
        >>> agreement.update("mole", [[[1, 1, 0]], [[1, 0, 0]]], ["ann", "bob"])
        >>> [(row.reference, row.human.mean, row.model) for row in agreement.rows()][:2]
        [('another annotator', 0.5, None), ('ann', 0.5, None)]
    """

    reference: str
    images: int
    human: Estimate | None
    model: Estimate | None
    difference: Estimate | None

    @property
    def cells(self) -> list[str]:
        """Text of the row, with ``-`` for what is not known."""
        values = (self.human, self.model, self.difference)
        return [self.reference, str(self.images), *("-" if v is None else str(v) for v in values)]


class AnnotatorAgreement:
    """How well annotators agree, and how well a model agrees with them.

    Each image gives one value, the mean over its pairs of masks, and images are averaged, so that
    an image with five masks counts as much as one with two. A model is compared with people fairly
    where both are scored against the same reference on the same images: in the rows of an
    annotator, and in leave-one-annotator-out, where each annotator in turn is left out and scored
    against the consensus of the others, as the model is. A model whose difference from people has
    an interval around 0 is at the human ceiling.

    The rows are:

    - ``another annotator``: pairs of masks by different annotators;
    - ``same annotator``: pairs of masks by one annotator, if any drew an image twice;
    - each annotator's name: all other annotators against this one;
    - ``majority of others`` and ``STAPLE of others``: leave-one-annotator-out;
    - ``majority of all`` and ``STAPLE of all``: the model only, because every annotator is part
      of these.

    Args:
        score: One of :data:`~lesionseg.metrics.SCORE_NAMES`, such as ``"jaccard"`` or ``"dice"``.

    Raises:
        ValueError: If there is no such score.

    Attributes:
        ids: Names of the images, in the order in which they were added.
        annotators: Names of the annotators, sorted.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import AnnotatorAgreement
        >>> masks = np.zeros((3, 8, 8), bool)
        >>> masks[0, 2:6, 2:6] = masks[1, 2:6, 2:6] = masks[2, 2:6, 2:8] = True
        >>> agreement = AnnotatorAgreement()
        >>> agreement.update("mole", masks, ["A00", "A01", "A02"], prediction=masks[0])
        >>> round(agreement.pairwise().mean, 3), round(agreement.leave_one_out().mean, 3)
        (0.778, 0.667)
        >>> print(agreement.render())
        reference          images                human                model        model - human
        another annotator       1 0.778 (0.78 to 0.78) 0.889 (0.89 to 0.89) 0.111 (0.11 to 0.11)
        ...
    """

    def __init__(self, score: str = "jaccard") -> None:
        if score not in SCORE_NAMES:
            raise ValueError(f"expected score to be one of {', '.join(SCORE_NAMES)}, got {score!r}")
        self.score = score
        self.ids: list[str] = []
        self.annotators: list[str] = []
        self._human: dict[str, dict[str, float]] = defaultdict(dict)  # by reference and image
        self._model: dict[str, dict[str, float]] = defaultdict(dict)
        self._uncertainty: dict[str, dict[str, float]] = defaultdict(dict)

    def update(
        self,
        id: str,
        masks: Sequence[npt.NDArray[Any]],
        annotators: Sequence[str],
        prediction: npt.NDArray[Any] | None = None,
        uncertainty: npt.NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Add an image.

        Args:
            id: Name of the image, which occurs once.
            masks: 1 to 20 masks (height, width) of one shape; nonzero is lesion.
            annotators: Who drew each; a name may occur several times.
            prediction: The model's mask, of the same shape; nonzero is lesion.
            uncertainty: The model's uncertainty (height, width), of any range.

        Raises:
            ValueError: If the lengths or shapes differ, or the image was added before.
        """
        if id in self.ids:
            raise ValueError(f"expected id to be a new image, got {id!r} again")
        if len(annotators) != len(masks):
            raise ValueError(
                f"expected annotators to be {len(masks)} names, one for each mask, got "
                f"{len(annotators)}"
            )
        arrays = check_masks([*masks, *([] if prediction is None else [prediction])])
        votes = Votes.count(arrays)
        count = len(masks)
        drawn = Votes(votes.marked[:, :count], votes.pixels)
        model = None if prediction is None else votes.marked[:, count]
        self.ids.append(id)
        self.annotators = sorted({*self.annotators, *annotators})
        pairs: dict[str, list[float]] = defaultdict(list)
        against: dict[str, list[float]] = defaultdict(list)
        for name, reference, mine in self._comparisons(drawn, list(annotators)):
            pairs[name] += [self._compare(drawn, mask, reference) for mask in mine]
            if model is not None:
                against[name].append(self._compare(drawn, model, reference))
        for found, kept in ((pairs, self._human), (against, self._model)):
            for name, values in found.items():
                if values:
                    kept[name][id] = float(np.mean(values))
        if uncertainty is not None:
            self._add_uncertainty(id, uncertainty, arrays[:count])

    def _comparisons(
        self, votes: Votes, annotators: list[str]
    ) -> Iterator[tuple[str, Bool, list[Bool]]]:
        """Yield name and mask of each reference, and the masks that are scored against it."""
        names = np.array(annotators)
        columns = votes.marked.T
        for index, name in enumerate(annotators):
            others = names != name
            again = [columns[i] for i in range(len(names)) if not others[i] and i != index]
            if others.any():
                yield ANOTHER, columns[index], list(columns[others])
            if again:
                yield AGAIN, columns[index], again
            yield name, columns[index], list(columns[others])
        for row, row_of_all, consensus in (
            (MAJORITY, ALL_MAJORITY, _CONSENSUS["majority"]),
            (STAPLE, ALL_STAPLE, _CONSENSUS["staple"]),
        ):
            for name in sorted(set(annotators)):
                others = names != name
                if others.any():
                    yield row, consensus(votes, others), list(columns[~others])
            yield row_of_all, consensus(votes, np.full(len(names), True)), []

    def _compare(self, votes: Votes, mask: Bool, reference: Bool) -> float:
        counts = votes.compare(mask, reference)
        return float(scores_from_counts(counts[None])[self.score][0])

    def _add_uncertainty(
        self, id_: str, uncertainty: npt.NDArray[np.floating[Any]], masks: Sequence[Bool]
    ) -> None:
        found = compare_uncertainty(uncertainty, masks)
        for name, value in found.items():
            if not math.isnan(value):
                self._uncertainty[name][id_] = value
        self._uncertainty["mean"][id_] = float(np.mean(uncertainty))

    def pairwise(self) -> Estimate | None:
        """Return the agreement of different annotators; None if no image has two."""
        return self._row(ANOTHER).human

    def leave_one_out(
        self, consensus: Literal["majority", "staple"] = "majority"
    ) -> Estimate | None:
        """Return the agreement of each annotator with the consensus of the others.

        In the majority of two others, a pixel of either is lesion; see
        :func:`~lesionseg.metrics.majority_vote`.

        Args:
            consensus: ``"majority"`` or ``"staple"``.

        Raises:
            ValueError: If there is no such consensus.
        """
        if consensus not in _CONSENSUS:
            raise ValueError(f"expected consensus to be majority or staple, got {consensus!r}")
        return self._row(MAJORITY if consensus == "majority" else STAPLE).human

    def rows(self) -> list[AgreementRow]:
        """Return all rows that have a value, in the order of the class's description."""
        fixed = [ANOTHER, AGAIN, MAJORITY, STAPLE, ALL_MAJORITY, ALL_STAPLE]
        rows = [self._row(name) for name in (*fixed[:2], *self.annotators, *fixed[2:])]
        return [row for row in rows if row.human or row.model]

    def _row(self, reference: str) -> AgreementRow:
        human, model = self._human.get(reference, {}), self._model.get(reference, {})
        ids = list(human or model)
        both = [model[id_] - human[id_] for id_ in ids if id_ in human and id_ in model]
        scored = [model[id_] for id_ in ids if id_ in model]
        return AgreementRow(
            reference,
            len(ids),
            Estimate.of(list(human.values())) if human else None,
            Estimate.of(scored) if scored else None,
            Estimate.of(both) if both else None,
        )

    def uncertainty(self) -> dict[str, Estimate | float]:
        """Return how the model's uncertainty follows the annotators' disagreement.

        Returns:
            Empty without uncertainty. ``auroc`` and ``correlation``, means over the images where
            annotators disagree anywhere; see :func:`compare_uncertainty`. ``images``, where at
            least three images have two annotators: Spearman's rank correlation, over images, of the
            mean uncertainty and 1 minus the annotators' agreement.
        """
        found: dict[str, Estimate | float] = {
            name: Estimate.of(list(self._uncertainty[name].values()))
            for name in ("auroc", "correlation")
            if self._uncertainty.get(name)
        }
        means, human = self._uncertainty.get("mean", {}), self._human.get(ANOTHER, {})
        ids = [id_ for id_ in means if id_ in human]
        if len(ids) > 2:
            from scipy.stats import rankdata

            ranks = [rankdata([means[i] for i in ids]), rankdata([-human[i] for i in ids])]
            if all(rank.std() > 0 for rank in ranks):
                found["images"] = float(np.corrcoef(*ranks)[0, 1])
        return found

    def render(self, style: Literal["text", "markdown"] = "text") -> str:
        """Return the rows as a table, without a newline at its end.

        Args:
            style: ``"text"``, at most 88 columns wide, or ``"markdown"``.
        """
        header = ["reference", "images", "human", "model", "model - human"]
        rows = [header, *(row.cells for row in self.rows())]
        if style == "markdown":
            lines = [f"| {' | '.join(row)} |" for row in rows]
            return "\n".join([lines[0], "| --- | ---: | ---: | ---: | ---: |", *lines[1:]])
        return "\n".join(
            f"{_cut(row[0], 18):<18} {row[1]:>6} {row[2]:>20} {row[3]:>20} {row[4]:>20}".rstrip()
            for row in rows
        )

    def render_uncertainty(self) -> str:
        """Return :meth:`uncertainty` as up to three sentences; empty without uncertainty."""
        found = self.uncertainty()
        sentences = {
            "auroc": "Where annotators disagree, uncertainty finds the pixels with AUROC",
            "correlation": "Its correlation with the share of pairs that disagree is",
            "images": "Over images, mean uncertainty and disagreement have the rank correlation",
        }
        values = {k: f"{v:.3f}" if isinstance(v, float) else str(v) for k, v in found.items()}
        return "\n".join(f"{sentences[name]} {value}." for name, value in values.items())

    def to_json(self) -> str:
        """Return rows and uncertainty as JSON; each estimate is a list of mean, low and high."""

        def plain(value: Estimate | float | None) -> Any:
            return [value.mean, value.low, value.high] if isinstance(value, Estimate) else value

        content = {
            "score": self.score,
            "images": len(self.ids),
            "rows": [
                {
                    "reference": row.reference,
                    "images": row.images,
                    "human": plain(row.human),
                    "model": plain(row.model),
                    "difference": plain(row.difference),
                }
                for row in self.rows()
            ],
            "uncertainty": {name: plain(value) for name, value in self.uncertainty().items()},
        }
        return json.dumps(content, indent=2)


def compare_uncertainty(
    uncertainty: npt.NDArray[np.floating[Any]], masks: Sequence[npt.NDArray[Any]]
) -> dict[str, float]:
    """Compare a model's uncertainty with where the annotators of an image disagree.

    Args:
        uncertainty: (height, width), of any range.
        masks: 1 to 20 masks of the same shape; nonzero is lesion.

    Returns:
        ``auroc``: area under the ROC curve of the uncertainty for the pixels on which not all
        annotators agree; 0.5 is chance. ``correlation``: Pearson's, over pixels, of the uncertainty
        and the share of pairs of annotators who disagree. Both are NaN where annotators disagree
        nowhere (or everywhere), and the correlation also for constant uncertainty.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import numpy as np
        >>> from lesionseg.metrics import compare_uncertainty
        >>> masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]]])
        >>> found = compare_uncertainty(np.array([[0.1, 0.9, 0.2, 0.1]]), masks)
        >>> found["auroc"], round(found["correlation"], 3)
        (1.0, 0.993)
    """
    arrays = check_masks(masks)
    if np.shape(uncertainty) != arrays[0].shape:
        raise ValueError(
            f"expected uncertainty to have the masks' shape {arrays[0].shape}, got "
            f"{np.shape(uncertainty)}"
        )
    from scipy.stats import rankdata  # slow to import

    count = len(arrays)
    marks = np.sum(arrays, axis=0).ravel()
    share = 2 * marks * (count - marks) / max(count * (count - 1), 1)
    disputed = share > 0
    values = np.asarray(uncertainty, np.float64).ravel()
    inside = int(disputed.sum())
    if inside in (0, disputed.size):
        return {"auroc": math.nan, "correlation": math.nan}
    ranks = rankdata(values)[disputed].sum()  # Mann and Whitney's statistic
    auroc = (ranks - inside * (inside + 1) / 2) / (inside * (disputed.size - inside))
    constant = values.min() == values.max()
    correlation = math.nan if constant else float(np.corrcoef(values, share)[0, 1])
    return {"auroc": float(auroc), "correlation": correlation}


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
