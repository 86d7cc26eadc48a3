"""What a learner touches in JupyterLab: anywidget models, each with its own JavaScript beside it.

Nothing here is imported unless somebody with a browser looks (`front.interactive`).
"""
