// Package upstream fetches the definitions the control plane is installed from — CRDs, webhooks, rights — out of pinned
// Go modules, and keeps the few files needed in the cache. Nothing of theirs is copied into this repository.
package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/test/tools/recipe"
)

// Source is some files of one module.
type Source struct {
	Name            string
	Module, Version string
	// Sum is the module's checksum, as go.sum has it.
	Sum string
	// Files are patterns (path/filepath.Match) below the module's root.
	Files []string
}

// The sources of a control plane.
var (
	Crossplane = Source{
		Name: "crossplane", Module: "github.com/crossplane/crossplane/v2", Version: "v2.4.2",
		Sum: "h1:FKcj7PWCMrRujQ5IOSQ0NRAmokQTJ0MNAc3tpvBVPhg=",
		Files: []string{
			"cluster/crds/*.yaml", "cluster/webhookconfigurations/*.yaml",
			"cluster/charts/crossplane/templates/clusterrole*.yaml", "cluster/charts/crossplane/templates/rbac-manager-a*.yaml",
			"cluster/charts/crossplane/templates/rbac-manager-c*.yaml", "cluster/charts/crossplane/templates/rbac-manager-m*.yaml",
		},
	}
	ProviderKubernetes = Source{
		Name: "provider-kubernetes", Module: "github.com/crossplane-contrib/provider-kubernetes", Version: "v1.3.0",
		Sum: "h1:KyFwivTs5r7USX/X+hx+rjg+k82ndY47FIn3UkgyCho=", Files: []string{"package/crds/*.yaml"},
	}
	CloudNativePG = Source{
		Name: "cloudnative-pg", Module: "github.com/cloudnative-pg/cloudnative-pg", Version: "v1.30.0",
		Sum:   "h1:fnhVq44xXx97MNiuvJsPrX1vSjYbgdyBK5MSGfdHdp0=",
		Files: []string{"config/crd/bases/*.yaml", "config/webhook/manifests.yaml", "config/rbac/role.yaml", "config/rbac/role_binding.yaml"},
	}
	BarmanPlugin = Source{
		Name: "plugin-barman-cloud", Module: "github.com/cloudnative-pg/plugin-barman-cloud", Version: "v0.15.0",
		Sum: "h1:gNVytrzzYUE08wxLDrjfJqy1FPPSFkMe1OEr4s4pVI0=", Files: []string{"config/crd/bases/*objectstores.yaml"},
	}
	ExternalSecrets = Source{
		Name: "external-secrets", Module: "github.com/external-secrets/external-secrets", Version: "v1.3.2",
		Sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
		Files: []string{
			"config/crds/bases/external-secrets.io_externalsecrets.yaml", "config/crds/bases/external-secrets.io_secretstores.yaml",
			"config/crds/bases/external-secrets.io_clustersecretstores.yaml", "config/crds/bases/generators.external-secrets.io_passwords.yaml",
		},
	}
	PrometheusOperator = Source{
		Name: "prometheus-operator", Module: "github.com/prometheus-operator/prometheus-operator", Version: "v0.85.0",
		Sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
		Files: []string{
			"example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
			"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
		},
	}
	// ProviderAWS has over a thousand CRDs; each costs the API server, so only those the set uses are taken.
	ProviderAWS = Source{
		Name: "provider-aws", Module: "github.com/upbound/provider-aws/v2", Version: "v2.5.0",
		Sum: "h1:xQ+xVkv8E4lT8kzOkxiJgaYrmZfPTyfGRhfRtUVTc6I=",
		Files: []string{
			"package/crds/s3.aws*upbound.io_buckets.yaml", "package/crds/s3.aws*upbound.io_bucketversionings.yaml",
			"package/crds/s3.aws*upbound.io_bucketobjectlockconfigurations.yaml", "package/crds/s3.aws*upbound.io_bucketpublicaccessblocks.yaml",
			"package/crds/s3.aws*upbound.io_bucketserversideencryptionconfigurations.yaml", "package/crds/s3.aws*upbound.io_bucketpolicies.yaml",
			"package/crds/s3.aws*upbound.io_bucketownershipcontrols.yaml", "package/crds/s3.aws*upbound.io_bucketlifecycleconfigurations.yaml",
		},
	}
)

// Fetch returns the directory that holds the source's files below their own paths. The module proxy is asked once; what
// is kept is keyed by the module's version and the patterns.
func Fetch(ctx context.Context, s Source, log io.Writer) (string, error) {
	cache, err := recipe.CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{s.Module, s.Version, s.Sum}, s.Files...), "\n")))
	dir := filepath.Join(cache, fmt.Sprintf("%s-%s-%s", s.Name, s.Version, hex.EncodeToString(sum[:])[:16]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	_, _ = fmt.Fprintf(log, "  fetching the definitions of %s %s\n", s.Name, s.Version)
	module, err := download(ctx, s)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", fmt.Errorf("cannot make the cache: %w", err)
	}
	// Complete or not there: another run may look at the same time, and an interrupted one must leave nothing to trust.
	unfinished, err := os.MkdirTemp(cache, s.Name+"-unfinished-")
	if err != nil {
		return "", fmt.Errorf("cannot make the cache: %w", err)
	}
	defer os.RemoveAll(unfinished) //nolint:errcheck // Renamed by then, or of no use.
	for _, pattern := range s.Files {
		if err := copyMatches(module, pattern, unfinished); err != nil {
			return "", fmt.Errorf("cannot take the definitions of %s: %w", s.Name, err)
		}
	}
	if err := os.Rename(unfinished, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", fmt.Errorf("cannot keep the definitions of %s: %w", s.Name, err)
		}
	}
	return dir, nil
}

// download has the go command fetch and verify the module, and returns where it lies.
func download(ctx context.Context, s Source) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.Module+"@"+s.Version) //nolint:gosec // A pinned module.
	cmd.Dir = os.TempDir()                                                                    // No module's requirements are in the way there.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, failed := cmd.Output()
	var module struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("cannot download %s@%s: %w (%w)", s.Module, s.Version, err, failed)
	}
	if module.Dir == "" {
		return "", fmt.Errorf("cannot download %s@%s: %s", s.Module, s.Version, module.Error)
	}
	if s.Sum != "" && module.Sum != s.Sum {
		return "", fmt.Errorf("cannot trust %s@%s: its checksum is %s, not %s", s.Module, s.Version, module.Sum, s.Sum)
	}
	return module.Dir, nil
}

func copyMatches(from, pattern, to string) error {
	matches, err := filepath.Glob(filepath.Join(from, filepath.FromSlash(pattern)))
	if err != nil {
		return err
	}
	if len(matches) == 0 {
		return fmt.Errorf("nothing matches %s", pattern)
	}
	for _, match := range matches {
		raw, err := os.ReadFile(match) //nolint:gosec // A file of a verified module.
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, match)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(target, raw, 0o600); err != nil { //nolint:gosec // A name of our own in our own cache.
			return err
		}
	}
	return nil
}
