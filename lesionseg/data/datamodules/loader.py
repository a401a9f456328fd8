"""Loading that starts when the first batch is asked for."""

from collections.abc import Iterator
from typing import TypeVar

from torch.utils.data import DataLoader

from lesionseg.data.datamodules.worker_errors import original_error

Batch = TypeVar("Batch")


class LateLoader(DataLoader[Batch]):
    """A DataLoader whose iterator asks the sampler for nothing before its first batch is wanted.

    Lightning makes the first epoch's iterator before it knows that the fit is a resumed one, and
    uses it for the epoch that the fit goes on with: workers, which fetch ahead, would have begun
    with the order of epoch 0.

    A mistake that a worker finds, such as a broken image, is raised with its own message, which
    PyTorch puts behind a traceback.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Iterate over the batches."""
        try:
            yield from super().__iter__()
        except Exception as error:
            original = original_error(error)
            if original is None:
                raise
            raise original from error
