"""Looking: read the kernel into plain frozen records; no module in here draws."""
