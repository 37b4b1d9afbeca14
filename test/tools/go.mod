module github.com/bizmatters/function-hardened-postgres/test/tools

go 1.26.0
