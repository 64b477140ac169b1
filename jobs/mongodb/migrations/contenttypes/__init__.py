"""Migrations of Django's content types, for MongoDB."""
