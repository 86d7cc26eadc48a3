"""Pictures of the live system in one call: look, then draw.

`live` has those of a whole snapshot; of the others, each that compares places has a module of its
own.
"""
