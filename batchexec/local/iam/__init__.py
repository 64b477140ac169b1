"""Per-resource permissions: an IAM policy document, held against every call.

    request ──► needs (actions on resources) ──► policy ──► yes, or AWS's 403

The rules are those of IAM's evaluation of one identity-based policy. Which action needs
which resource is in the Service Authorization Reference of AWS Batch.
"""
