"""The operator's choices: the sole reader of the environment and of the workspace file. No network, no database."""
