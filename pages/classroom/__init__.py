"""Classes and lessons: a teacher's run on every student's screen, and guided runs.

`sessions` holds the classes by code, and their boards; `lessons` holds the lessons, each with a
question, a run, and the answer beside the student's prediction.
"""
