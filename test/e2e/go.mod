module github.com/bizmatters/function-hardened-postgres/test/e2e

go 1.26.0

require (
	github.com/bizmatters/function-hardened-postgres/test/tools v0.0.0-00010101000000-000000000000
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.2 // indirect

replace github.com/bizmatters/function-hardened-postgres/test/tools => ../tools
