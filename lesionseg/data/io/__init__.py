"""Read, decode and resize images and masks."""
