"""Classes and lessons: a teacher's run on every student's screen, and guided runs.

`sessions` holds the classes by code, their predictions and boards; `lessons` holds the lessons,
each with a question and a run, and `judges` reads from the run what came true.
"""
