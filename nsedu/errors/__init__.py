"""From a refusal to the rule behind it, what was seen of it, and what to do.

In come a step, an errno and facts about the process that was refused; out comes a `NamespaceError`
whose text is for a learner.  Beside it: checks of arguments, which raise TypeError or ValueError
before anything is made, and how IPython shows an error of ours without its frames.
"""
