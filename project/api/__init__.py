"""What the HTTP resources of all apps share.

How bodies are read, ids shown, lists paged, and errors answered.
"""
