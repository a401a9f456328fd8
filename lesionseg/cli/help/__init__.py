"""Help pages and suggestions of the command line."""
