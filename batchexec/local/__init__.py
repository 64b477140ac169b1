"""AWS Batch on your own machine: moto's server over HTTP, whose jobs run the container command as local processes.

    request ──► server ──► app (faults, counters) ──┬──► api: Submit, Describe, List, Terminate, CancelJob(s)
                                                    └──► cloud (moto): queues, definitions, logs, IAM, …
    api ──► scheduler ──► container (one process group per attempt)

moto keeps what is configured: queues, definitions, logs. Jobs are this package's own, because moto's advance when they
are read, know one attempt only, and lose the exit code. Nothing here is imported by other commands.
"""
