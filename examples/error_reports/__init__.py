"""Failed attempts are reported to Sentry, or to whatever you have."""
