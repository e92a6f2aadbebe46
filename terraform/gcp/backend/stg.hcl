# Which state is which: docs/spec/deploy.md. The bucket comes from the command line.
prefix = "isthmus/stg"
