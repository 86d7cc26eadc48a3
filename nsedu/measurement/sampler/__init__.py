"""The small process that takes samples, and what a question may use there: it stays light."""
