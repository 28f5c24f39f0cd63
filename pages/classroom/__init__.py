"""Classes and lessons: what a teacher leads and what students follow.

`sessions` holds classes, by code, and their board; `lessons` holds the lessons, each a question,
a run, and the answer beside the prediction.
"""
