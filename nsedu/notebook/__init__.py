"""What IPython and JupyterLab see: magics, cells run elsewhere, cards, the explorer.

Where there is no browser each has a text form; `front_end` tells which of the two it is.
"""
