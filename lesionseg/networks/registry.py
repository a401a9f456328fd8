"""The registry of networks: a new network needs a file in this folder and a line below."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionseg.errors import LesionsegError

if TYPE_CHECKING:
    from lesionseg.networks.base import SegmentationNetwork


class _Registration(NamedTuple):
    target: str | type[SegmentationNetwork]
    preset: dict[str, Any]


_REGISTERED: dict[str, _Registration] = {}
_SMP_PREFIX = "smp:"


def register(name: str, target: str | type[SegmentationNetwork], /, **preset: Any) -> None:
    """Register a network under a name.

    Args:
        name: The name for :func:`create_network`.
        target: The class, or "package.module:Class" to import it only when it is built.
        **preset: Arguments of the network under this name; those of :func:`create_network`
            override them.

    Raises:
        ValueError: If the name is taken or starts with "smp:".

    Example:
        >>> from lesionseg.networks import create_network, register, registry
        >>> register("unet-small", "lesionseg.networks.unet:UNet", width=8)
        >>> create_network("unet-small").head.in_channels
        8
        >>> _ = registry._REGISTERED.pop("unet-small")  # undone, for this example
    """
    if name in _REGISTERED or name.startswith(_SMP_PREFIX):
        raise ValueError(f"expected a name that is not taken, got {name!r}; choose another")
    _REGISTERED[name] = _Registration(target, preset)


_ASNET = "lesionseg.networks.asnet:ASNetNetwork"
register("asnet", _ASNET)
register("asnet-lite", _ASNET, encoder="efficientnet_lite0")
register("asnet-baseline", _ASNET, adaptive_scale=False)
register("asnet-baseline-wide", _ASNET, adaptive_scale=False, wide_decoder=True)
register("asnet-without-attention", _ASNET, fusion="sum")
register("asnet-without-dilation", _ASNET, dilations=(1, 1, 1))
_MOBILEGAN = "lesionseg.networks.mobilegan:MobileGANGenerator"
register("mobilegan", _MOBILEGAN)
register("mobilegan-parallel", _MOBILEGAN, decoder="parallel")
register("mobilegan-stride2", _MOBILEGAN, cda_stride=2)
register("mobilegan-wide", _MOBILEGAN, encoder_widths=(16, 64, 64, 128), decoder_widths=(64, 16))
register("fcn8s", "lesionseg.networks.fcn8s:FCN8s")
register("frcn", "lesionseg.networks.frcn:FrCN")
register("gan_fcn", "lesionseg.networks.fcn8s:FCN8s")
register("multiresunet", "lesionseg.networks.multiresunet:MultiResUNet")
register("segan", "lesionseg.networks.segan:SegANSegmentor")
register("segnet", "lesionseg.networks.segnet:SegNet")
register("slsdeep", "lesionseg.networks.slsdeep:SLSDeep")
register("unet", "lesionseg.networks.unet:UNet")


def network_names() -> list[str]:
    """Return the registered names, sorted.

    Names "smp:<architecture>/<encoder>" of segmentation-models-pytorch work too.

    Example:
        >>> from lesionseg.networks import network_names
        >>> network_names()
        ['asnet', 'asnet-baseline', ..., 'mobilegan', ..., 'unet']
    """
    return sorted(_REGISTERED)


def create_network(name: str, **arguments: Any) -> SegmentationNetwork:
    """Build a network by its name.

    The result's ``spec`` holds the name and the given arguments as plain scalars and lists, so
    that ``create_network(spec["name"], **spec["arguments"])`` builds an equal network.

    Args:
        name: One of :func:`network_names`, or "smp:<architecture>/<encoder>" for any network of
            segmentation-models-pytorch, such as "smp:unet/resnet34".
        **arguments: Arguments of the network's class.

    Raises:
        LesionsegError: If the name is unknown; the message names the closest.

    Example:
        >>> import torch
        >>> from lesionseg.networks import create_network
        >>> network = create_network("unet", width=8)
        >>> network.spec
        {'name': 'unet', 'arguments': {'width': 8}}
        >>> network(torch.rand(2, 3, 32, 48)).shape
        torch.Size([2, 1, 32, 48])
    """
    registration = _find(name)
    network = _load(registration.target)(**{**registration.preset, **arguments})
    network.spec = {
        "name": name,
        "arguments": {key: _plain(value) for key, value in arguments.items()},
    }
    return network


def preset_of(name: str) -> dict[str, Any]:
    """Return the preset arguments of a name; see :func:`register`.

    Raises:
        LesionsegError: If the name is unknown.
    """
    return dict(_find(name).preset)


def _find(name: str) -> _Registration:
    if name.startswith(_SMP_PREFIX):
        architecture, separator, encoder = name.removeprefix(_SMP_PREFIX).partition("/")
        if not (architecture and separator and encoder):
            raise LesionsegError(
                f'expected a name of the form "smp:<architecture>/<encoder>", got "{name}"; '
                'use a name such as "smp:unet/resnet34"'
            )
        return _Registration(
            "lesionseg.networks.smp:SMPNetwork", {"architecture": architecture, "encoder": encoder}
        )
    if name in _REGISTERED:
        return _REGISTERED[name]
    close = get_close_matches(name, _REGISTERED, n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    raise LesionsegError(
        f'there is no network "{name}"; {hint}'
        f"choose one of {', '.join(network_names())} or smp:<architecture>/<encoder>"
    )


def _load(target: str | type[SegmentationNetwork]) -> type[SegmentationNetwork]:
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    network: type[SegmentationNetwork] = getattr(import_module(module), attribute)
    return network


def _plain(value: Any) -> Any:
    """Turn sequences into lists and paths into strings, for checkpoints without classes."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
