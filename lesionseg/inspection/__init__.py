"""What is in image data: counts, sizes, copies, ids that years share, broken files.

Names are imported when they are first used: only contact sheets need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.data.discovery import find_sets
    from lesionseg.data.image_set import ImageSet, Problem
    from lesionseg.inspection.contact import augmentation_sheet, load_samples
    from lesionseg.inspection.hashing import close_pairs, perceptual_hash
    from lesionseg.inspection.inspecting import Inspection, inspect_data
    from lesionseg.inspection.page import write_page
    from lesionseg.inspection.report import render_report

_MODULES = {
    "ImageSet": "lesionseg.data.image_set",
    "Inspection": "inspecting",
    "Problem": "lesionseg.data.image_set",
    "augmentation_sheet": "contact",
    "close_pairs": "hashing",
    "find_sets": "lesionseg.data.discovery",
    "inspect_data": "inspecting",
    "load_samples": "contact",
    "perceptual_hash": "hashing",
    "render_report": "report",
    "write_page": "page",
}

__all__ = [
    "ImageSet",
    "Inspection",
    "Problem",
    "augmentation_sheet",
    "close_pairs",
    "find_sets",
    "inspect_data",
    "load_samples",
    "perceptual_hash",
    "render_report",
    "write_page",
]

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
