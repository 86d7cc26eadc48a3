"""Pictures of what was observed: records in, a `Picture` out.  One module per public picture."""
