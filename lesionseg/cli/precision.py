"""The precision ``auto`` of recipes and of ``--trainer.precision``."""

from __future__ import annotations

AUTO = "auto"


def automatic_precision(command: str) -> str:
    """Return the Trainer's precision that ``auto`` stands for on this machine.

    It is ``bf16-mixed`` for a fit on a CPU with AMX, which multiplies bf16 matrices in hardware.
    Everything else computes in float32: other CPUs are slower in bf16, GPUs have not been measured,
    and scores should not depend on the machine.

    Args:
        command: ``fit``, ``validate``, ``test`` or ``predict``.

    Returns:
        ``"bf16-mixed"`` or ``"32-true"``.
    """
    if command != "fit":
        return "32-true"
    import torch  # here, so that help pages stay fast

    if torch.accelerator.is_available() or not _has_amx():
        return "32-true"
    return "bf16-mixed"


def _has_amx() -> bool:
    """Return whether PyTorch says that the CPU has AMX with bf16; its older versions cannot say."""
    import torch

    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))
