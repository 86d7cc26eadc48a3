"""The course without a front end: exercises, quizzes, claims, and what has been solved.

In comes the kernel's state (`observe`), out come verdicts; `progress_store` keeps them.
"""
