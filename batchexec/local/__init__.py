"""AWS Batch on your own machine.

moto's server speaks AWS's protocol over HTTP; the jobs run the container command as
processes of this machine. No other command imports this package.

    request ──► server ──► app (faults, counters) ──┬──► rules.model, iam ──► api
                                                    └──► cloud (moto)
    api ──┬──► account (queues, definitions)
          └──► submission (rules) ──► scheduler ──► container (one for each attempt)

`api` answers the calls of AWS Batch, and `cloud` those of the other services, which
moto keeps: logs, IAM, EC2, CloudFormation. Jobs, queues and definitions are this
package's own. moto's jobs advance when they are read, know only one attempt, and lose
the exit code; its queues and definitions lose types, statuses and time-outs.
`docs/localbatch.md` has the rules, with their sources and tests.
"""
