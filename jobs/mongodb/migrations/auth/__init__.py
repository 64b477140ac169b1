"""Migrations of Django's auth, for MongoDB."""
