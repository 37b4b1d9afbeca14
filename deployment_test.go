package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// TestDeployment holds the example of how the function runs against what installing promises and the program needs.
func TestDeployment(t *testing.T) {
	var program cli
	if _, err := newParser(&program).Parse(nil); err != nil {
		t.Fatal(err)
	}
	grpc, metrics := port(t, program.Serve.Address), port(t, program.Serve.MetricsAddress)
	function, runtime, network := example(t, "function.yaml"), example(t, "runtime-config.yaml"), example(t, "network-policy.yaml")
	selector := map[string]any{"matchLabels": map[string]any{"pkg.crossplane.io/function": function.Name()}}
	const (
		pod       = "spec deploymentTemplate spec template spec "
		container = pod + "containers 0 "
	)
	for _, tc := range []struct {
		reason string
		in     manifest.Object
		path   string
		want   any
	}{
		{"The function runs as the runtime says.", function, "spec runtimeConfigRef name", runtime.Name()},
		{"One copy may go.", runtime, "spec deploymentTemplate spec replicas", int64(2)},
		{"An upgrade takes none away.", runtime, "spec deploymentTemplate spec strategy rollingUpdate maxUnavailable", int64(0)},
		{"A lost node takes one of them.", runtime, pod + "topologySpreadConstraints 0 topologyKey", "kubernetes.io/hostname"},
		{"What is spread are these Pods.", runtime, pod + "topologySpreadConstraints 0 labelSelector", selector},
		{"So does a lost zone.", runtime, pod + "topologySpreadConstraints 1 topologyKey", "topology.kubernetes.io/zone"},
		{"What is spread are these Pods.", runtime, pod + "topologySpreadConstraints 1 labelSelector", selector},
		{"Crossplane knows the container by this name.", runtime, container + "name", "package-runtime"},
		{"Prometheus finds the metrics.", runtime, container + "ports 0 containerPort", metrics},
		{"It is given time to start.", runtime, container + "startupProbe tcpSocket port", grpc},
		{"It is asked when it serves.", runtime, container + "readinessProbe tcpSocket port", grpc},
		{"It is started anew when it hangs: an open port would not tell.", runtime, container + "livenessProbe httpGet", map[string]any{"path": "/metrics", "port": metrics}},
		{"One that is only busy answers in time.", runtime, container + "livenessProbe timeoutSeconds", int64(10)},
		{"And is asked more than once.", runtime, container + "livenessProbe failureThreshold", int64(6)},
		{"The scheduler knows what it takes.", runtime, container + "resources requests", map[string]any{"cpu": "50m", "memory": "64Mi"}},
		{"It cannot take a node's memory.", runtime, container + "resources limits memory", "512Mi"},
		{"It collects before it is killed.", runtime, container + "env", []any{map[string]any{"name": "GOMEMLIMIT", "value": "450MiB"}}},
		{"It has no rights.", runtime, pod + "securityContext runAsNonRoot", true},
		{"It has no rights.", runtime, pod + "securityContext seccompProfile type", "RuntimeDefault"},
		{"It writes nothing.", runtime, container + "securityContext readOnlyRootFilesystem", true},
		{"It gains no rights.", runtime, container + "securityContext allowPrivilegeEscalation", false},
		{"It gains no rights.", runtime, container + "securityContext capabilities drop", []any{"ALL"}},
		{"It does not ask the API server.", runtime, pod + "automountServiceAccountToken", false},
		{"The policy is about these Pods.", network, "spec podSelector", selector},
		{"Both directions are closed but for what is listed.", network, "spec policyTypes", []any{"Ingress", "Egress"}},
		{"The function asks nobody.", network, "spec egress", []any{}},
		{"Crossplane asks.", network, "spec ingress 0 ports", []any{map[string]any{"port": grpc}}},
		{"Nobody else does.", network, "spec ingress 0 from", []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": "crossplane"}}}}},
		{"Prometheus reads.", network, "spec ingress 1 ports", []any{map[string]any{"port": metrics}}},
	} {
		got, _ := tc.in.Lookup(strings.Fields(tc.path)...)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s: -want, +got:\n%s", tc.path, tc.reason, diff)
		}
	}
	if got := len(manifest.List(network, "spec", "ingress")); got != 2 {
		t.Errorf("%d ways in, expected two", got)
	}
	grace, _ := runtime.Lookup(strings.Fields(pod + "terminationGracePeriodSeconds")...)
	if seconds, ok := grace.(int64); !ok || time.Duration(seconds)*time.Second <= program.Serve.DrainTimeout {
		t.Errorf("Kubernetes kills after %v seconds what drains for %s", grace, program.Serve.DrainTimeout)
	}
}

func example(t *testing.T, file string) manifest.Object {
	t.Helper()
	f, err := os.Open(filepath.Join("example", "function", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	documents, err := source.Read(file, f)
	if err != nil || len(documents) != 1 {
		t.Fatalf("%s: %d documents, %v", file, len(documents), err)
	}
	return documents[0].Object
}

func port(t *testing.T, address string) int64 {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pinned is an action by its commit, with the release that it is for readers and for who raises it.
var pinned = regexp.MustCompile(`^\s*(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)

// TestWorkflows: what runs on the code host is named by commit, the same everywhere, has no rights it is not given where
// it needs them, and runs every section of .ci/run that the gate leaves out. What does not run there is a failure, and a
// release waits for all of it.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(".github", "workflows", "*.yml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("workflows %v, %v", files, err)
	}
	const all = "./.github/workflows/ci.yml"
	actions := map[string]string{}
	var beside []string
	waits := false
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(raw), "\n") {
			if !strings.Contains(line, "uses:") || strings.HasSuffix(line, "uses: "+all) {
				continue
			}
			m := pinned.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("%s:%d: %s: not named by commit and release", file, n+1, strings.TrimSpace(line))
				continue
			}
			if was, ok := actions[m[1]]; ok && was != m[2]+m[3] {
				t.Errorf("%s:%d: %s is another one elsewhere", file, n+1, m[1])
			}
			actions[m[1]] = m[2] + m[3]
		}
		var workflow struct {
			Permissions map[string]string `yaml:"permissions"`
			Env         map[string]string `yaml:"env"`
			Jobs        map[string]struct {
				Uses     string `yaml:"uses"`
				Needs    string `yaml:"needs"`
				Timeout  int    `yaml:"timeout-minutes"`
				Strategy struct {
					Matrix struct {
						Section []string `yaml:"section"`
					} `yaml:"matrix"`
				} `yaml:"strategy"`
			} `yaml:"jobs"`
		}
		if err := yaml.Unmarshal(raw, &workflow); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(map[string]string{"contents": "read"}, workflow.Permissions); diff != "" {
			t.Errorf("%s: rights of every job: -want, +got:\n%s", file, diff)
		}
		if strings.HasSuffix(all, file) && workflow.Env["CI_STRICT"] == "" {
			t.Errorf("%s: what does not run is no failure", file)
		}
		for name, job := range workflow.Jobs {
			if job.Timeout == 0 && job.Uses == "" {
				t.Errorf("%s: job %s may run for ever", file, name)
			}
			waits = waits || name == "publish" && workflow.Jobs[job.Needs].Uses == all
			beside = append(beside, job.Strategy.Matrix.Section...)
		}
	}
	if len(actions) == 0 {
		t.Error("no action found")
	}
	if !waits {
		t.Errorf("what is published does not wait for %s", all)
	}
	gate, err := os.ReadFile(filepath.Join(".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(beside)
	if want := fmt.Sprintf("\nbyname=(%s)\n", strings.Join(beside, " ")); !strings.Contains(string(gate), want) {
		t.Errorf("beside the gate run %v, and .ci/run leaves out others: want%s", beside, want)
	}
}
