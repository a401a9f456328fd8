"""A local page on which photographs are segmented, corrected and saved as training pairs."""
