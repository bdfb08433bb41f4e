"""The memory: tables, transactions and queries; the only package that speaks SQL."""
