module github.com/bizmatters/function-hardened-postgres/tools

go 1.26

require sigs.k8s.io/controller-tools v0.20.0
