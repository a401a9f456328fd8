import pickle

import pytest
import torch
from torch import distributed, multiprocessing
from torchmetrics import MetricCollection

from lesionseg.metrics import Dice, ISICScore, Jaccard

IDS = [f"ISIC_{index:07d}" for index in range(5)]
# Which images each of the two processes sees, batch by batch.
SHARES = {
    "uneven": ([[0, 1], [2, 3]], [[4]]),
    "repeated": ([[0, 1], [4, 0]], [[2, 3], [0, 1], [2]]),
    "first without images": ([], [[0, 1, 2], [3, 4]]),
    "second without images": ([[0, 1, 2], [3, 4]], []),
    "second with an empty batch": ([[0, 1, 2], [3, 4]], [[]]),
}


def masks():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand((5, 1, 6, 6), generator=generator) > 0.5
    return truth ^ (torch.rand(truth.shape, generator=generator) > 0.8), truth


def feed(metric, batches, ids=True):
    prediction, truth = masks()
    for batch in batches:
        metric.update(prediction[batch], truth[batch], ids=[IDS[i] for i in batch] if ids else None)


def work(rank, folder):
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    results = {}
    for case, shares in SHARES.items():
        score, mean, pooled = ISICScore(), Jaccard(), Dice(aggregation="pooled")
        both = MetricCollection({"jaccard": Jaccard(), "dice": Dice()})
        for metric in (score, mean, pooled, both):
            feed(metric, shares[rank])
        before = score.table()
        values = {name: value.item() for name, value in score.compute().items()}
        after = score.table()
        collected = {name: value.item() for name, value in both.compute().items()}
        results[case] = {
            "values": values,
            "table": list(zip(after.ids, after.counts.tolist(), strict=True)),
            "same table": before.ids == after.ids,
            "mean": mean.compute().item(),
            "pooled": pooled.compute().item(),
            "collected": collected,
            "own rows": sum(len(rows) for rows in score.rows),
        }
    nameless = ISICScore()
    feed(nameless, SHARES["repeated"][rank], ids=False)
    results["nameless"] = len(nameless.table())
    with open(f"{folder}/{rank}", "wb") as stream:  # noqa: PTH123
        pickle.dump(results, stream)
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    multiprocessing.spawn(work, args=(str(folder),), nprocs=2)
    return [pickle.loads((folder / str(rank)).read_bytes()) for rank in range(2)]


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("case", SHARES)
def test_two_processes_equal_one(results, case, rank):
    score, pooled = ISICScore(), Dice(aggregation="pooled")
    feed(score, [[0, 1, 2, 3, 4]])
    feed(pooled, [[0, 1, 2, 3, 4]])
    one = {name: value.item() for name, value in score.compute().items()}
    table = score.table()
    two = results[rank][case]
    assert two["values"] == one
    assert two["table"] == list(zip(table.ids, table.counts.tolist(), strict=True))  # in order
    assert two["same table"]
    assert two["mean"] == pytest.approx(one["jaccard"], abs=1e-15)
    assert two["pooled"] == pooled.compute().item()
    assert two["collected"] == pytest.approx({n: one[n] for n in ("jaccard", "dice")}, abs=1e-15)
    # After the exchange a process goes on with its own images.
    assert two["own rows"] == sum(map(len, SHARES[case][rank]))


@pytest.mark.parametrize("rank", [0, 1])
def test_without_ids_every_image_of_every_process_counts(results, rank):
    assert results[rank]["nameless"] == sum(len(b) for s in SHARES["repeated"] for b in s)
