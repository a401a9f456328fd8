"""Prediction at the original size."""

from lesionseg.inference.predictor import Predictor, Segmentation, load_predictor
from lesionseg.inference.single import segment

__all__ = ["Predictor", "Segmentation", "load_predictor", "segment"]
