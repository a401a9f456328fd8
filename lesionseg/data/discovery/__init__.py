"""Find image sets, pairs and masks in folders."""
