"""The wheel, installed in a fresh environment. Slow: `make test-package` runs these
alone.
"""
