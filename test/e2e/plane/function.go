package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// FunctionName is what the Compositions call the function.
const FunctionName = "function-hardened-postgres"

const functionRepository = "bizmatters/" + FunctionName

// upFunction builds the product, publishes its package, installs that, and starts the function where the package
// manager would have started its Pod.
func (p *Plane) upFunction(ctx context.Context) error {
	if err := p.buildFunction(ctx); err != nil {
		return err
	}
	var err error
	if p.registry, err = serveRegistry(p.port.registry); err != nil {
		return err
	}
	serving, err := p.authority.server("function")
	if err != nil {
		return err
	}
	if err := p.save(p.path("pki", "function"), serving, "tls.crt", "tls.key"); err != nil {
		return err
	}
	if err := p.StartFunction(ctx); err != nil {
		return err
	}
	return p.InstallFunction(ctx, "v0.1.0", p.port.function)
}

func (p *Plane) buildFunction(ctx context.Context) error {
	// With the flags of every other build of the product, so that its dependencies are compiled once.
	cmd := exec.CommandContext(ctx, "go", "build", "-o", p.path("function"), ".") //nolint:gosec // Our own source.
	cmd.Dir = p.Repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the function: %w\n%s", err, out)
	}
	return nil
}

// StartFunction starts the function, and again after a test stopped it.
func (p *Plane) StartFunction(ctx context.Context) error {
	var err error
	p.Function, err = p.startFunction("function", p.port.function, p.port.functionMetrics)
	if err != nil {
		return err
	}
	return p.ready(ctx, "the function", p.FunctionMetrics())
}

func (p *Plane) startFunction(name string, port, metrics int) (*Process, error) {
	return p.supervisor.start(Command{
		Name: name, Path: p.path("function"), Args: []string{
			"serve", fmt.Sprintf("--address=127.0.0.1:%d", port), fmt.Sprintf("--metrics-address=127.0.0.1:%d", metrics),
			"--tls-certs-dir=" + p.path("pki", "function"), "--debug",
		},
	})
}

// FunctionMetrics is where the function tells its metrics.
func (p *Plane) FunctionMetrics() string {
	return fmt.Sprintf("http://127.0.0.1:%d/metrics", p.port.functionMetrics)
}

// InstallFunction publishes this version of the package and installs it, with the function listening on port.
func (p *Plane) InstallFunction(ctx context.Context, version string, port int) error {
	metadata, err := p.packageMetadata()
	if err != nil {
		return err
	}
	// Two versions of a package must not be one image, or the second makes no revision.
	metadata = append(metadata, []byte("\n# "+version+"\n")...)
	config, layer, err := metadataImage(metadata)
	if err != nil {
		return err
	}
	if err := p.registry.push(functionRepository, version, config, [][]byte{layer}, []map[string]string{{xpkgAnnotation: "base"}}); err != nil {
		return err
	}
	reference := fmt.Sprintf("%s/%s:%s", p.registry.address, functionRepository, version)
	if err := p.Wait(ctx, patience, "the package manager to accept the Function", func() error {
		return p.apply(ctx, kube.Object{
			"apiVersion": "pkg.crossplane.io/v1", "kind": "Function", "metadata": map[string]any{"name": FunctionName},
			"spec": map[string]any{"package": reference},
		})
	}); err != nil {
		return err
	}
	return p.publish(ctx, reference, port)
}

// publish tells Crossplane where the function of this package listens, which is what the external package runtime
// leaves to others, and waits until its revision is healthy.
func (p *Plane) publish(ctx context.Context, reference string, port int) error {
	return p.Wait(ctx, patience, "the function's revision", func() error {
		revisions, err := p.Admin.List(ctx, "pkg.crossplane.io/v1", "FunctionRevision", "", "pkg.crossplane.io/package="+FunctionName)
		if err != nil {
			return err
		}
		for _, r := range revisions {
			if r.String("spec", "image") != reference || r.String("spec", "desiredState") != "Active" {
				continue
			}
			endpoint := fmt.Sprintf("dns:///127.0.0.1:%d", port)
			if r.String("status", "endpoint") != endpoint {
				if _, err := p.Admin.Patch(ctx, r.Ref(), "status", kube.Object{"status": map[string]any{
					"endpoint": endpoint, "tlsServerSecretName": "crossplane-tls-server",
				}}); err != nil {
					return err
				}
			}
			if c := r.Condition("RevisionHealthy"); c.Status != "True" {
				return fmt.Errorf("revision %s: %s", r.Name(), r.Conditions())
			}
			if r.String("status", "endpoint") == endpoint {
				return nil
			}
			return errors.New("the endpoint has just been published")
		}
		return fmt.Errorf("no active revision of %s among %d", reference, len(revisions))
	})
}

// packageMetadata is the product's package as Crossplane reads it: its metadata and the definition of its input.
func (p *Plane) packageMetadata() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(p.Repository, "package", "crossplane.yaml"))
	if os.IsNotExist(err) {
		raw, err = []byte("apiVersion: meta.pkg.crossplane.io/v1\nkind: Function\nmetadata:\n  name: "+FunctionName+"\nspec:\n  capabilities:\n  - composition\n"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the package: %w", err)
	}
	inputs, err := filepath.Glob(filepath.Join(p.Repository, "package", "input", "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the package: %w", err)
	}
	for _, input := range inputs {
		content, err := os.ReadFile(input) //nolint:gosec // Our own source.
		if err != nil {
			return nil, fmt.Errorf("cannot read the package: %w", err)
		}
		raw = append(append(raw, []byte("\n---\n")...), content...)
	}
	return raw, nil
}

func lastLine(text string) string {
	trimmed := trimmed(text)
	for i := len(trimmed) - 1; i >= 0; i-- {
		if trimmed[i] == '\n' {
			return trimmed[i+1:]
		}
	}
	return trimmed
}

// Binary is the product, for its commands beside serving.
func (p *Plane) Binary() string { return p.path("function") }

// UpgradeFunction installs a new revision of the package, which is the same program at another port, and stops the old
// one.
func (p *Plane) UpgradeFunction(ctx context.Context, version string) error {
	old := p.Function
	p.port.function, p.port.functionNext = p.port.functionNext, p.port.function
	// The old one still has the port of the metrics.
	free, err := ports(1)
	if err != nil {
		return err
	}
	p.port.functionMetrics = free[0]
	if err := p.StartFunction(ctx); err != nil {
		return err
	}
	if err := p.InstallFunction(ctx, version, p.port.function); err != nil {
		return err
	}
	old.Stop()
	return nil
}
