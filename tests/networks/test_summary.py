import json

import pytest

from lesionseg.cli import main as cli
from lesionseg.cli.models import render
from lesionseg.errors import LesionsegError
from lesionseg.networks import network_names
from lesionseg.networks.summary import network_facts


def test_parameters_and_operations_of_known_networks():
    asnet = network_facts("asnet")
    assert asnet.parameters == 30_652_774
    assert asnet.macs == pytest.approx(5.2e9, rel=0.02)  # at the paper's 192 x 256
    assert asnet.size == (192, 256)
    assert network_facts("smp:unet/resnet18").macs < network_facts("smp:unet/resnet34").macs


def test_fused_attention_is_counted_under_every_torch():
    """As it runs: each query and key of every position as wide as the values."""
    positions = ((64**2, 32), (32**2, 64), (16**2, 128))  # twice each, two products
    attention = sum(4 * count**2 * channels for count, channels in positions)
    assert network_facts("mobilegan").macs == pytest.approx(attention + 1.32e9, rel=0.01)


def test_a_preset_shows_what_it_stands_for():
    assert network_facts("asnet-without-dilation").options["dilations"] == (1, 1, 1)
    assert network_facts("asnet", share_fusion=True).parameters == 28_943_460


def test_all_networks_are_listed_with_their_source(capsys):
    assert cli.main(["models", "--output", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in listed} == {*network_names(), "smp:unet/resnet34"}
    assert all(one["paper"] and one["parameters"] and one["macs"] for one in listed)
    for one in listed:
        assert ("encoder_weights" in one["options"]) == (one["weights_license"] is not None), one
        assert one["weights_licence"] == one["weights_license"]  # its name in version 0.1


def test_the_table_fits_a_terminal():
    text = render([network_facts("asnet-baseline-wide"), network_facts("mobilegan")])
    assert max(map(len, text.splitlines())) <= 80
    assert "24,608,609" not in text
    assert "30,805,345" in text
    assert "wide_decoder=True" in text


def test_an_unknown_network_is_named():
    with pytest.raises(LesionsegError, match='did you mean "asnet"'):
        network_facts("asnett")
