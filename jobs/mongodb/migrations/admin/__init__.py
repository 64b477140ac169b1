"""Migrations of Django's admin, for MongoDB."""
