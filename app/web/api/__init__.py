"""The JSON API: what the reading commands answer, over HTTP; check-ins and overrides in.

Nothing here computes: each endpoint reads what it is asked, calls one function and shapes the answer.
"""
