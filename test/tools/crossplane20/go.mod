module github.com/bizmatters/function-hardened-postgres/test/tools/crossplane20

go 1.26.7

require github.com/crossplane/crossplane/v2 v2.0.2
