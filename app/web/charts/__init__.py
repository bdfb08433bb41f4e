"""Charts as SVG, drawn by plain functions out of numbers and days; each says in words what it shows.

No chart reads anything, and none needs script, a style attribute or colour to be understood.
"""
