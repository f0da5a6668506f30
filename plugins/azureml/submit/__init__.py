"""What a submission takes: plan, environment, data set, upload and run configuration."""
