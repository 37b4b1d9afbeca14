module github.com/bizmatters/function-hardened-postgres/test/render

go 1.26.7

require (
	github.com/bizmatters/function-hardened-postgres v0.0.0-00010101000000-000000000000
	github.com/bizmatters/function-hardened-postgres/test/tools v0.0.0-00010101000000-000000000000
	github.com/crossplane/crossplane/v2 v2.4.2
	github.com/google/go-cmp v0.7.0
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af
	sigs.k8s.io/yaml v1.6.0
)

require (
	github.com/robfig/cron v1.2.0 // indirect
	go.yaml.in/yaml/v2 v2.4.4 // indirect
)

replace (
	github.com/bizmatters/function-hardened-postgres => ../..
	github.com/bizmatters/function-hardened-postgres/test/tools => ../tools

	// Crossplane's own go.mod asks for a release of its runtime that the module proxy does not serve.
	github.com/crossplane/crossplane-runtime/v2 v2.4.2 => github.com/crossplane/crossplane-runtime/v2 v2.4.0
)
