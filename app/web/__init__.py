"""The door for machines: webhooks in, health and metrics out.

Thin: each route calls one function and shapes its answer.
"""
