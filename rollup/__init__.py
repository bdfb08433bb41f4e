"""The sums: progress, scores, health, reports and explanations computed from facts.

Nothing here performs IO, reads a clock or knows the workspace file; `now` and `today` are arguments.
"""
