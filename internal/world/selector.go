package world

// Selector asks for existing objects that the composite resource does not own. Crossplane answers it before the next
// call, under the name it was asked by; the names are stable, so that a control plane can keep answering them.
type Selector struct {
	APIVersion, Kind string
	// Namespace is empty for cluster-scoped kinds.
	Namespace string
	// Name or Labels select; exactly one of them is set.
	Name   string
	Labels map[string]string
}

// SchemaSelector asks for the OpenAPI schema of a kind, to know whether the control plane has it.
type SchemaSelector struct{ APIVersion, Kind string }
