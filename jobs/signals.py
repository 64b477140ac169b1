from django.dispatch import Signal

#: Sent before a job is stored, with `job`. A receiver that raises refuses the job: the error reaches the caller.
enqueueing = Signal()
