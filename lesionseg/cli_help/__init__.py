"""Help and hints of the command line, read from source files so that they need no torch."""
