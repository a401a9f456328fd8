"""Judging models: the official score of folders and zips, and what a test leaves behind."""
