"""The account: compute environments, job queues, job definitions and their tags.

moto keeps these too, but loses what this project's users need to see: types, statuses,
time-outs, pages, definitions with `ecsProperties`. What its CloudFormation has made is
adopted.
"""
