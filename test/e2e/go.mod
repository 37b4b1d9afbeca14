module github.com/bizmatters/function-hardened-postgres/test/e2e

go 1.26.0

require (
	github.com/bizmatters/function-hardened-postgres/test/tools v0.0.0-00010101000000-000000000000
	github.com/cloudnative-pg/cnpg-i v0.5.0
	google.golang.org/grpc v1.81.1
	sigs.k8s.io/yaml v1.6.0
)

require (
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/net v0.57.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260226221140-a57be14db171 // indirect
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af // indirect
)

replace github.com/bizmatters/function-hardened-postgres/test/tools => ../tools
