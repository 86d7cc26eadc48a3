"""measurement/charts."""
