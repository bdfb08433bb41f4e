"""The doors of Keyrail: command line, web service and demo, and the wiring behind them.

Nothing here decides anything about work, numbers or trackers: that lies further down.
"""
