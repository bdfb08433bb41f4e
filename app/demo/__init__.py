"""Simulated trackers and a sample company, for `keyrail demo` and for tests over real HTTP.

Nothing here is imported by the product's own road; no file, secret or outside network is touched.
"""
