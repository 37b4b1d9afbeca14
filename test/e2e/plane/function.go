package plane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// FunctionName is what the Compositions call the function.
const FunctionName = "function-hardened-postgres"

const functionRepository = "bizmatters/" + FunctionName

// upFunction builds the product's package as a release does, publishes and installs it, and starts the program out of
// it where the package manager would have started its Pod.
func (p *Plane) upFunction(ctx context.Context) error {
	const version = "v0.1.0"
	file, err := p.buildPackage(ctx, version)
	if err != nil {
		return err
	}
	program, err := entrypoint(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.path("function"), program, 0o700); err != nil { //nolint:gosec // It has to be run.
		return fmt.Errorf("cannot unpack the function: %w", err)
	}
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
	return p.InstallFunction(ctx, version, p.port.function)
}

// buildPackage builds the function's package of a version with the product's own tool, once.
func (p *Plane) buildPackage(ctx context.Context, version string) (file string, err error) {
	out := p.path("package", version)
	file = filepath.Join(out, FunctionName+"-"+runtime.GOARCH+".xpkg")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	cmd := exec.CommandContext(ctx, "go", "run", "-C", filepath.Join(p.Repository, "tools"), "./package", //nolint:gosec // Our own source.
		"-out", out, "-version", version, "-arch", runtime.GOARCH)
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the package: %w\n%s", err, said)
	}
	return file, nil
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

// InstallFunction builds and publishes this version of the package and installs it, with the function listening on port.
func (p *Plane) InstallFunction(ctx context.Context, version string, port int) error {
	file, err := p.buildPackage(ctx, version)
	if err != nil {
		return err
	}
	if err := p.registry.pushFile(functionRepository, version, file); err != nil {
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
