"""The `conductor` command: files in, text and exit codes out."""
