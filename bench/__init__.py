"""What is measured, and how to measure it again: `make bench` runs `bench.suite`.

Nothing in the product imports from here.
"""
