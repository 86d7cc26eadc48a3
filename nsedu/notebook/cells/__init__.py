"""What is behind the magics: cells that run elsewhere than in the notebook's kernel."""
