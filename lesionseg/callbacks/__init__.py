"""Lightning callbacks, loggers and checkpoint I/O of the command line."""
