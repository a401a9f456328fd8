"""Data sets: pairs of an image and a mask, and synthetic lesions."""
