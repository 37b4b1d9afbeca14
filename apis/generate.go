// Package apis is the user-facing API as a Crossplane Configuration: two alternative XRDs of one schema, a Composition
// for each, and the StorageClasses and rights they need. The XRDs follow from the Go types below.
package apis

//go:generate go run -C ../tools ./generate
