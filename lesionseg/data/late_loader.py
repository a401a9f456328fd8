"""Loading that starts when the first batch is asked for."""

from collections.abc import Iterator
from typing import TypeVar

from torch.utils.data import DataLoader

Batch = TypeVar("Batch")


class LateLoader(DataLoader[Batch]):
    """A DataLoader whose iterator asks the sampler for nothing before its first batch is wanted.

    Lightning makes the first epoch's iterator before it knows that the fit is a resumed one, and
    uses it for the epoch that the fit goes on with: workers, which fetch ahead, would have begun
    with the order of epoch 0.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Iterate over the batches."""
        yield from super().__iter__()
