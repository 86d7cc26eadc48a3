"""measurement/runtimes."""
