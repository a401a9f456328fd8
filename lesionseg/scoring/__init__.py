"""Scores of folders and zips of masks, and paired comparisons of models."""
