package e2e

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/e2e/plane"
)

const (
	// envClaims is how many claims scenario 10 commits at once.
	envClaims = "FHP_E2E_CLAIMS"
	// look is how often somebody looks at the crowd.
	look = 15 * time.Second
	// idle is how long nothing happens while reconciles are counted.
	idle = 3 * time.Minute
	// tolerance on the heartbeat: Crossplane spreads it by a tenth, and a status the operator writes late wakes a claim once more.
	tolerance = 1.5
)

// manyClaims: two hundred claims at once are all composed; afterwards nothing happens but the heartbeat.
func manyClaims(p *play) {
	n := 200
	if text := os.Getenv(envClaims); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			p.Fatalf("%s: %v", envClaims, err)
		}
	}
	crowd := *p
	crowd.namespace = "crowd-" + p.world.Name
	crowd.commit(kube.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": crowd.namespace}})

	before := suite.plane.Function.Usage()
	begin := time.Now()
	claims := make([]kube.Object, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range claims {
		claims[i] = crowd.claim(fmt.Sprintf("db-%03d", i), map[string]any{})
		suite.cloud.Heal(crowd.namespace, claims[i].Name())
		wg.Go(func() { _, errs[i] = suite.plane.Admin.Apply(suite.ctx, claims[i], "gitops") })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			p.Fatal(err)
		}
	}
	crowd.await(time.Duration(n)*15*time.Second+patience, fmt.Sprintf("%d claims to be Ready", n), func() error {
		items, err := suite.plane.Admin.List(suite.ctx, claimVersion, "PostgresInstance", crowd.namespace, "")
		if err != nil {
			return err
		}
		ready, example := 0, ""
		for _, o := range items {
			if o.Condition("Ready").Status == "True" {
				ready++
			} else {
				example = o.Name() + ": " + o.Conditions()
			}
		}
		if ready < n {
			time.Sleep(look) // Whoever lists hundreds of claims five times a second is the load.
			return fmt.Errorf("%d of %d are Ready; not %s", ready, n, example)
		}
		return nil
	})
	used := suite.plane.Function.Usage()
	p.Logf("%d claims Ready after %s; the function used %.1f s of CPU time for them and at most %.0f MB",
		n, time.Since(begin).Round(time.Second), used.CPU-before.CPU, used.PeakMB)

	time.Sleep(time.Minute) // What was set in motion comes to rest.
	crowd.quiet(n)
	for _, c := range claims {
		if err := suite.plane.Admin.Delete(suite.ctx, c.Ref()); err != nil {
			p.Error(err)
		}
	}
	for _, c := range claims {
		crowd.remove(c)
	}
	// Their databases stay, of course; without nodes they are only ballast for what comes next.
	if err := suite.plane.Admin.Delete(suite.ctx, kube.Ref{APIVersion: "v1", Kind: "Namespace", Name: crowd.namespace}); err != nil {
		p.Error(err)
	}
}

// quiet counts reconciles while nothing happens.
func (p *play) quiet(claims int) {
	p.Helper()
	sample := func() plane.Metrics {
		m, err := suite.plane.CrossplaneMetrics(suite.ctx)
		if err != nil {
			p.Fatal(err)
		}
		return m
	}
	controller := `controller="composite/` + p.world.XRD
	first, cpu := sample(), suite.plane.Function.Usage().CPU
	time.Sleep(idle)
	second := sample()
	reconciles := second.Sum("controller_runtime_reconcile_total", controller) - first.Sum("controller_runtime_reconcile_total", controller)
	calls := second.Sum("function_run_function_request_total") - first.Sum("function_run_function_request_total")
	per := reconciles / float64(claims) / idle.Minutes()
	p.Logf("%s idle: %.0f reconciles (%.2f a claim and minute), %.0f calls of the function, %.1f s of its CPU time",
		idle, reconciles, per, calls, suite.plane.Function.Usage().CPU-cpu)
	if reconciles == 0 {
		p.Errorf("no reconciles of %s were counted: the metric has another name", controller)
	}
	if per > tolerance {
		p.Errorf("%.2f reconciles a claim and minute while nothing happens: something wakes them", per)
	}
}
