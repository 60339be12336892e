"""Scores answers: `answers` and `scoring` score one answer, `judge` asks a model, `abstention` scores what words
cannot.

`results` turns the scores of a run into numbers with `intervals`. Read `scoring` first.
"""
