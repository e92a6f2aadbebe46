# Which state is which: docs/spec/deploy.md. The bucket comes from the command line.
key          = "isthmus/prod.tfstate"
region       = "ap-northeast-1"
encrypt      = true
use_lockfile = true
