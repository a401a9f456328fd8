"""Data sets, splits, augmentation and DataModules.

Names are imported when they are first used: splits need neither torch nor Lightning.
"""

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names

if TYPE_CHECKING:
    from lesionseg.data.augmentation import AUGMENTATION_NAMES, Augmentation
    from lesionseg.data.base_module import BaseDataModule
    from lesionseg.data.colour_constancy import shades_of_grey
    from lesionseg.data.download import download_isic
    from lesionseg.data.equalisation import clahe
    from lesionseg.data.folder import FolderDataset
    from lesionseg.data.folder_module import FolderDataModule
    from lesionseg.data.id_lists import archive_ids, id_list_names, named_ids, official_ids
    from lesionseg.data.isic import ISICDataset
    from lesionseg.data.isic_module import ISICDataModule
    from lesionseg.data.pairs import Pair, PairedDataset
    from lesionseg.data.ph2 import PH2Dataset
    from lesionseg.data.ph2_module import PH2DataModule
    from lesionseg.data.reading import read_image, read_mask
    from lesionseg.data.recipe import Recipe
    from lesionseg.data.resizing import read_resized, resize_image, resize_mask
    from lesionseg.data.sample import Batch, Sample, SampleRows, collate_samples
    from lesionseg.data.splits import k_fold, load_ids, save_ids, train_val_split
    from lesionseg.data.synthetic import SyntheticLesions
    from lesionseg.data.synthetic_module import SyntheticDataModule

_MODULES = {
    "AUGMENTATION_NAMES": "augmentation",
    "Augmentation": "augmentation",
    "BaseDataModule": "base_module",
    "Batch": "sample",
    "FolderDataModule": "folder_module",
    "FolderDataset": "folder",
    "ISICDataModule": "isic_module",
    "ISICDataset": "isic",
    "PH2DataModule": "ph2_module",
    "PH2Dataset": "ph2",
    "Pair": "pairs",
    "PairedDataset": "pairs",
    "Recipe": "recipe",
    "Sample": "sample",
    "SampleRows": "sample",
    "SyntheticDataModule": "synthetic_module",
    "SyntheticLesions": "synthetic",
    "archive_ids": "id_lists",
    "clahe": "equalisation",
    "collate_samples": "sample",
    "download_isic": "download",
    "id_list_names": "id_lists",
    "k_fold": "splits",
    "load_ids": "splits",
    "named_ids": "id_lists",
    "official_ids": "id_lists",
    "read_image": "reading",
    "read_mask": "reading",
    "read_resized": "resizing",
    "resize_image": "resizing",
    "resize_mask": "resizing",
    "save_ids": "splits",
    "shades_of_grey": "colour_constancy",
    "train_val_split": "splits",
}

__all__ = [
    "AUGMENTATION_NAMES",
    "Augmentation",
    "BaseDataModule",
    "Batch",
    "FolderDataModule",
    "FolderDataset",
    "ISICDataModule",
    "ISICDataset",
    "PH2DataModule",
    "PH2Dataset",
    "Pair",
    "PairedDataset",
    "Recipe",
    "Sample",
    "SampleRows",
    "SyntheticDataModule",
    "SyntheticLesions",
    "archive_ids",
    "clahe",
    "collate_samples",
    "download_isic",
    "id_list_names",
    "k_fold",
    "load_ids",
    "named_ids",
    "official_ids",
    "read_image",
    "read_mask",
    "read_resized",
    "resize_image",
    "resize_mask",
    "save_ids",
    "shades_of_grey",
    "train_val_split",
]

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
