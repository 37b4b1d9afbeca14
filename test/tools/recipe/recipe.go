// Package recipe builds the programs the system tests run — the real control plane — from pinned Go modules, and keeps
// the results in a cache that outlives a run.
//
// Each program comes out of a module of its own beside this package: their dependencies contradict each other
// (Kubernetes 0.35, 0.36 and 0.37) and the product's. Nothing but the Go toolchain and the module proxy is needed: no
// container engine, no registry, no root.
package recipe

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sort"
	"time"
)

// A Tool is one program and how it is made.
type Tool struct {
	Name string
	// Version is the program's own, for people and for the name of its cache entry.
	Version string
	// Module is the directory, beside this package's, whose go.mod pins everything.
	Module string
	// Package to build inside Module.
	Package string
	// Flags for the linker: what the upstream release build stamps into the binary.
	Flags string
	// Cold is about how much CPU time a build costs that finds nothing in the caches; Size is the binary's, in MB.
	Cold time.Duration
	Size int
	// Local are further directories the build reads, relative to this package's parent.
	Local []string
}

// tools is every program that can be built. The cold costs were measured one after another in this order on two cores,
// so a later one already profits from what it shares with an earlier one.
var tools = map[string]Tool{
	"crossplane": {
		Name: "crossplane", Version: "2.4.2", Module: "crossplane",
		Package: "github.com/crossplane/crossplane/v2/cmd/crossplane",
		// Without a version the package manager refuses packages that constrain it.
		// The RBAC manager has no flag for the port of its metrics, and :8080 may be taken.
		Flags: "-X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=v2.4.2 " +
			"-X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=0",
		Cold: 4 * time.Minute, Size: 72, Local: []string{"stubs"},
	},
	"crossplane-cli": {
		Name: "crossplane-cli", Version: "2.5.0", Module: "cli",
		Package: "github.com/crossplane/cli/v2/cmd/crossplane",
		Cold:    9 * time.Minute, Size: 130,
	},
	"provider-kubernetes": {
		Name: "provider-kubernetes", Version: "1.3.0", Module: "crossplane",
		Package: "github.com/crossplane-contrib/provider-kubernetes/cmd/provider",
		Cold:    1 * time.Minute, Size: 56, Local: []string{"stubs"},
	},
	// The engine of Crossplane before 2.3 is in its command line; since then the core has it.
	"crank-2.0": {
		Name: "crank-2.0", Version: "2.0.2", Module: "crossplane20", Package: "github.com/crossplane/crossplane/v2/cmd/crank",
		Flags: "-X github.com/crossplane/crossplane/v2/internal/version.version=v2.0.2",
		Cold:  10 * time.Minute, Size: 70,
	},
	"crank-2.2": {
		Name: "crank-2.2", Version: "2.2.1", Module: "crossplane22", Package: "github.com/crossplane/crossplane/v2/cmd/crank",
		Flags: "-X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=v2.2.1",
		Cold:  10 * time.Minute, Size: 70,
	},
	"kube": {
		Name: "kube", Version: "1.37.2", Module: "kube", Package: ".",
		Flags: "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 " +
			"-X k8s.io/component-base/version.gitMinor=37 -X k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
		Cold: 28 * time.Minute, Size: 136,
	},
	"cnpg-manager": {
		Name: "cnpg-manager", Version: "1.30.0", Module: "cnpg",
		Package: "github.com/cloudnative-pg/cloudnative-pg/cmd/manager",
		Flags:   "-X github.com/cloudnative-pg/cloudnative-pg/pkg/versions.buildVersion=1.30.0",
		Cold:    9 * time.Minute, Size: 64,
	},
	"kubectl-cnpg": {
		Name: "kubectl-cnpg", Version: "1.30.0", Module: "kubectl-cnpg",
		Package: "github.com/cloudnative-pg/cloudnative-pg/cmd/kubectl-cnpg",
		Flags:   "-X github.com/cloudnative-pg/cloudnative-pg/pkg/versions.buildVersion=1.30.0",
		Cold:    6 * time.Minute, Size: 121,
	},
	// An S3 server with Object Lock, of 9 November 2026.
	"seaweedfs": {
		Name: "seaweedfs", Version: "7506e5f91cd6", Module: "seaweedfs",
		Package: "github.com/seaweedfs/seaweedfs/weed",
		Cold:    20 * time.Minute, Size: 150,
	},
}

// Names of all tools, sorted.
func Names() []string {
	names := make([]string, 0, len(tools))
	for name := range tools {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Find returns the tool of that name.
func Find(name string) (Tool, error) {
	t, ok := tools[name]
	if !ok {
		return Tool{}, fmt.Errorf("cannot build %q: known are %v", name, Names())
	}
	return t, nil
}

// root is the directory the tool modules lie in, from where this file was compiled.
func root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", fmt.Errorf("cannot find the tool modules: this program was built with -trimpath (%q)", file)
	}
	return filepath.Dir(filepath.Dir(file)), nil
}
