"""The charts of a measurement: dots and intervals, or curves where the question grows."""
