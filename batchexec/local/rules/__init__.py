"""What AWS Batch refuses: one subject in each module.

`docs/localbatch.md` has a table of the rules, with their sources and tests.
"""
