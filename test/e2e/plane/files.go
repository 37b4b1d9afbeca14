package plane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

func encodeJSON(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode: %w", err)
	}
	return raw, nil
}

// load reads the documents of all files that match the patterns.
func load(patterns ...string) ([]kube.Object, error) {
	var out []kube.Object
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", pattern, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("nothing matches %s", pattern)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file) //nolint:gosec // A file of the repository or of a verified module.
			if err != nil {
				return nil, fmt.Errorf("cannot read a definition: %w", err)
			}
			objects, err := kube.Parse(raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, objects...)
		}
	}
	return out, nil
}

// chart reads a template of Crossplane's Helm chart. Those that hold rights only fill in names; what else is between
// braces are labels and conditions that are true by default.
func chart(pattern, namespace string) ([]kube.Object, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("nothing matches %s: %w", pattern, err)
	}
	var out []kube.Object
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // A file of a verified module.
		if err != nil {
			return nil, fmt.Errorf("cannot read the chart: %w", err)
		}
		text := strings.NewReplacer(
			`{{ template "crossplane.name" . }}`, "crossplane",
			`{{ .Release.Namespace }}`, namespace,
		).Replace(string(raw))
		var kept bytes.Buffer
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "{{") {
				kept.WriteString(line)
			}
		}
		objects, err := kube.Parse(kept.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, objects...)
	}
	return out, nil
}

// aim turns every reference to a webhook's Service into the loopback URL the webhook really listens at.
func (p *Plane) aim(v any, port int) {
	switch v := v.(type) {
	case map[string]any:
		if service, ok := v["service"].(map[string]any); ok {
			if path, ok := service["path"].(string); ok {
				delete(v, "service")
				v["url"] = fmt.Sprintf("https://127.0.0.1:%d%s", port, path)
				v["caBundle"] = p.certPEM
			}
		}
		for _, inner := range v {
			p.aim(inner, port)
		}
	case []any:
		for _, inner := range v {
			p.aim(inner, port)
		}
	}
}

// define installs CRDs and waits until all are served.
func (p *Plane) define(ctx context.Context, objects []kube.Object) error {
	errs := make([]error, len(objects))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 6)
	for i, o := range objects {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			errs[i] = p.apply(ctx, o)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for _, o := range objects {
		if err := p.Established(ctx, o.Ref()); err != nil {
			return err
		}
	}
	return nil
}

// Established waits until a CRD is served.
func (p *Plane) Established(ctx context.Context, r kube.Ref) error {
	return p.Wait(ctx, patience, r.Name+" to be served", func() error {
		o, err := p.Admin.Get(ctx, r)
		if err != nil {
			return err
		}
		if o.Condition("Established").Status != "True" {
			return fmt.Errorf("not established: %s", o.Conditions())
		}
		return nil
	})
}

// reachable asks a health endpoint.
func (p *Plane) reachable(ctx context.Context, url string) error {
	config, err := p.tls(identity{})
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 3 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", url, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", url, err)
	}
	defer res.Body.Close() //nolint:errcheck // Only the code matters.
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
