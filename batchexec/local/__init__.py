"""AWS Batch on your own machine.

moto's server speaks AWS's protocol over HTTP; the jobs run the container command as
processes of this machine. No other command imports this package.

    request ──► server ──► app (faults, counters) ──┬──► api
                                                    └──► cloud (moto)
    api ──► scheduler ──► container (one process group per attempt)

`api` answers the calls that submit, describe, list and stop jobs. `cloud` answers the
rest: queues, definitions, logs, IAM and so on, which moto keeps. The jobs are this
package's own, because moto's advance when they are read, know only one attempt, and
lose the exit code.
"""
