"""The road of a change: the order of work between trackers, store, sums and targets.

What a tracker says, how a number is computed and how a row is stored belong elsewhere; what is called when is here.
"""
