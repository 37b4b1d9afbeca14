module github.com/bizmatters/function-hardened-postgres

go 1.26
