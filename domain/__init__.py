"""The words that the rest of Keyrail speaks: values only, standard library only.

Nothing here reads a file, a clock, an environment or a network.
"""
