"""Which migration this version of the code needs; apart from the tables, because asking for it must cost nothing."""

REVISION = "0011"
"""The newest migration; a test compares it with the migrations folder."""

BESIDE = frozenset({REVISION})
"""The revisions whose code can go on working with this schema: a service of another one must stop first."""
