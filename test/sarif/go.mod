module github.com/bizmatters/function-hardened-postgres/test/sarif

go 1.26.0

require (
	github.com/bizmatters/function-hardened-postgres v0.0.0-00010101000000-000000000000
	github.com/google/go-cmp v0.7.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2
)

require (
	github.com/robfig/cron v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/bizmatters/function-hardened-postgres => ../..
