module github.com/bizmatters/function-hardened-postgres/test/tools/cli
go 1.26.7
require github.com/crossplane/cli/v2 v2.5.0
