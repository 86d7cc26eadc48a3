"""measurement/sampler."""
