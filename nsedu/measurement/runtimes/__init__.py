"""What the questions about tools and virtual machines need: programs, a root file system."""
