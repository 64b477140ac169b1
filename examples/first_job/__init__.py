"""A first job: a class with a `perform` method."""
