"""How answers look in a terminal: JSON documents in, renderables out, no reading and no computing of numbers.

`words` and `progress` import nothing heavy; import the other modules only where something is printed.
"""
