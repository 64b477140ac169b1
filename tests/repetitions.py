"""What a short run leaves to `make test-all`: the tests and cases that cost most, where
others of their file, or of the same guarantee, show the same.
"""

from __future__ import annotations

#: A file, and parts of its tests' names, with underscores for spaces.
REPETITIONS = {
    "batchexec/test_answers.py": "404-Describe 408-Describe no_attempt[408] no_attempt[409] "
    "no_attempt[425] up[409-DescribeJobQueues",
    "batchexec/test_batch_retries.py": "again[13] again[2] again[75]",
    "batchexec/test_catalogue.py": "test_twenty_jobs",
    "batchexec/test_credentials.py": "[a_role's_token [a_login [a_profile [half_a_key "
    "untouched[a_command untouched[a_task_role untouched[none",
    "batchexec/test_denials.py": "[own_requests_only] test_expired_credentials "
    "test_a_request_that_was_taken",
    "batchexec/test_deploy.py": "test_a_second_environment test_what_is_done_once",
    "batchexec/test_deploy_alarms.py": "counted[not_migrated] counted[a_wrong_setting]",
    "batchexec/test_deploy_rights.py": "test_the_deployment_role_can",
    "batchexec/test_deploy_templates.py": "test_cloudformations_own_schemas",
    "batchexec/test_doctor.py": "test_a_fault_is_exit [without_environments] "
    "[with_a_wrong_setting] [without_image] [without_definition] [with_another_database] "
    "[without_execution_role] [with_garbage_for_a_lease] [for_another_processor] "
    "[with_another_lease] [without_log_group] [without_repository] [with_another_key]",
    "batchexec/test_elsewhere.py": "test_a_job_that_was_to_be_deleted "
    "test_a_batch_job_is_left test_a_cancelled_job_that_is_deleted",
    "batchexec/test_fallback.py": "test_a_queue_that_is_disabled_behind [invalid",
    "batchexec/test_handover.py": "batch_job[1] test_a_submission_that_never_arrived "
    "[503-after] test_several_slots test_each_attempt",
    "batchexec/test_kills.py": "given_back[ at_most[before-1] at_that[after]",
    "batchexec/test_placement.py": "a_pod[container1] properties[containers1] limit[asked2 "
    "too[defined1 too[defined2 limit[asked1 limit[asked3 submitted[asked2 submitted[asked3 "
    "submitted[asked5 submitted[asked6 properties[containers2 too[defined3 "
    "test_a_job_goes_on_to_its_next_queue_after test_where_the_queue_may_not "
    "test_one_worker_serves",
    "batchexec/test_preflight.py": "is_logged[options1 install[arguments1] "
    "start_with_it[options0 install[arguments2] test_without_boto3_the_markers",
    "batchexec/test_reconcile.py": "test_a_batch_job_that_is_over_is_no_stranger "
    "test_what_is_configured_wrongly",
    "batchexec/test_refusals.py": "[own1-statement1 [own2-statement2 test_without_any_right "
    "test_a_queue_that_is_disabled_behind test_a_worker_that_dies_while "
    "test_a_definition_of_the_settings",
    "batchexec/test_submission.py": "[broken1 [broken2 [broken3",
    "batchexec/test_traces.py": "test_a_worker_that_stops_writes_the_traces job[prune] "
    "test_an_execution_that_succeeded test_the_log_says_of test_only_jobs_that "
    "test_traces_are_written_many test_an_execution_that_nobody test_no_trace_is_kept",
    "batchexec/test_watches.py": "test_a_thousand_jobs",
    "batchexec/test_windows.py": "[before-record_submission] [after-hand_over] [before-clear] "
    "[before-record_status] [after-clear] [before-classify] [after-reschedule] "
    "[after-record_status] [after-record_submission] attempt[before-clear] test_a_spot "
    "test_17_expired [before-commit_intent] [before-hand_over] attempt[before-reschedule] "
    "test_5_ DescribeJobs:403 [DescribeJobs:reset-before test_12_the_same_container "
    "test_3_4_a_list",
    "conformance/test_many.py": "test_memory_is_flat test_no_more_than_a_batch",
    "e2e/test_browser.py": "test_an_operator_deletes test_every_page test_an_operator_goes "
    "test_an_operator_finds test_errors_that_are_alike test_the_api_can_be_tried",
    "e2e/test_demo.py": "when_it_is_interrupted test_the_demo_ends_well",
    "e2e/test_web_pages.py": "test_an_inline_script",
    "examples/test_examples.py": "test_films_are_rendered_on_aws_batch test_the_same_films "
    "test_a_report test_methods test_every_failed_attempt",
    "faults/test_apart.py": "ended_once_and_no_other_follows_it[max_attempts] not_held[import]",
    "faults/test_between_jobs.py": "[before:end_and_claim]",
    "faults/test_database.py": "is_back[WaitAndFail-1] [True-WaitAndFail-1] [False-Wait-0] "
    "test_runjob_that_is_told [False-WaitAndFail-1]",
    "faults/test_forks.py": "[Fork-exits [Fork-terminated [Fork-executor [Fork-thread_pool "
    "[AsynchronousFork-awaits [AsynchronousFork-task [AsynchronousFork-to_sync [Fork-pool "
    "[Fork-thread- [AsynchronousFork-exits [AsynchronousFork-raises "
    "[AsynchronousFork-to_thread [process-runjob alive[runjob] [Fork-preexec [executor-runjob "
    "[exit_handler-runjob test_a_fork_where_a_hook",
    "faults/test_supervisor.py": "line[arguments1 line[arguments2 line[arguments3 "
    "line[arguments4 line[arguments5 test_a_pool_gives",
    "faults/test_time_limits.py": "like_any_other[1]",
    "faults/test_workers.py": "test_many_processes_perform",
    "jobs/test_interfaces.py": "line[postgres",
    "jobs/test_jobs_terminal.py": "[extra1 [extra2 [extra3 [extra4 [extra5 whole[40] "
    "whole[80] test_watch_writes test_watch_shows_no_more test_no_bar test_nothing_is_cut "
    "test_watch_looks_on test_watch_shows_what test_a_worker_without_jobs_says "
    "test_a_bar_shows",
    "jobs/test_liveness.py": "test_a_killed_worker_is_silent test_a_worker_that_follows",
    "jobs/test_moods.py": "[query [detach [reused-True] [descriptors-True] library[2] [close-False",
    "jobs/test_output.py": "[>/dev/full",
    "jobs/test_progress.py": "afterwards[runjob]",
    "jobs/test_runjob.py": "refused[-1] refused[x] job[-1] job[0] job[9999 job[a job[ffff",
    "jobs/test_several_databases.py": "test_in_a_test_case test_nothing_of_the_queue",
    "jobs/test_startup.py": "finds_it[runjob]",
    "jobs/test_testing.py": "test_pytest_finds_the_fixtures test_the_examples_of_the_page",
    "project/test_hostile_requests.py": "server_error[/metrics] server_error[/admin/login/] "
    "header_is_a_server_error[/posts]",
    "project/test_nonsense.py": "named[localbatch] named[batchjobs at_once[batchjobs "
    "at_once[runjob at_once[jobworker_--processes performed[runjob named[JOBS_LEESE "
    "at_once[jobworker]",
    "project/test_settings.py": "[changes1 [changes2 [changes3 [changes0-command1] "
    "[changes0-command2] [changes8 test_a_development_key_is_accepted command3]",
    "protocol/test_protocol.py": "faults=2 cancels=1",
    "tasks/test_deaths.py": "test_a_task_that_nothing_interrupts",
}
