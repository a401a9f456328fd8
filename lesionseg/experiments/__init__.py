"""Cross-validation and the reproduction of the papers' tables."""
