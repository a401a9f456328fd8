"""LightningDataModules and their loaders."""
