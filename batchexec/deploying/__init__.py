"""Makes, shows and removes what AWS Batch needs, by the templates of `infra/`."""
