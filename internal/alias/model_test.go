package alias

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// The model: two claims, blue and green, one alias, and everything between Git and the Service as single steps that may
// happen in any order. Reading and writing of a reconcile are steps of their own, so that a claim may decide on a view
// that is as old as it likes; so are the provider's reading of an Object and its writing of the Service. What the model
// knows of Kubernetes is what real-cluster tests showed: an Object has one controller, and a second one is refused; a
// composed resource that is left out is deleted unless another controls it; a deleted Object stays until the provider
// lets go of it; the provider works on one name at a time, and deletes nothing.

const (
	blue, green = 0, 1
	nobody      = -1
)

var claimNames = [2]string{"agent-db-v15", "agent-db-v16"}

// model is one state of the whole; it is comparable, so that states already seen are not explored again.
type model struct {
	// edit counts the edits of the script that have reached the cluster.
	edit int
	// asks, gone: what Git says.
	asks, gone [2]bool
	// The databases: ready; told to answer to the name; with a certificate that says so.
	ready, named, certified [2]bool
	// The two Objects and what they wrap.
	object [2]object
	// target is where Service and Secret lead; writer is who wrote them last.
	target, writer [2]int
	// view is what a claim's reconcile has read and not yet acted on.
	view [2]view
	// writing is what the provider has read and not yet written.
	writing [2]int
}

type object struct {
	owner       int
	terminating bool
}

type view struct {
	// open until every part of the answer has been applied, one by one.
	open    bool
	applied [2]bool

	asks, ready, named, certified bool
	observed                      [2]bool
	holder                        [2]int
	service                       int
}

func (m model) read(x int) model {
	v := view{open: true, asks: m.asks[x], ready: m.ready[x], named: m.named[x], certified: m.certified[x], service: m.target[0]}
	for i, o := range m.object {
		v.observed[i], v.holder[i] = o.owner == x, o.owner
	}
	m.view[x] = v
	return m
}

// planner asks the code under test, once for every view.
type planner map[question]Plan

type question struct {
	x int
	v view
}

func (ps planner) plan(x int, v view) Plan {
	v.applied = [2]bool{}
	p, known := ps[question{x, v}]
	if !known {
		p = plan(x, v)
		ps[question{x, v}] = p
	}
	return p
}

func plan(x int, v view) Plan {
	c := &claim.Claim{Namespace: "agents", Name: claimNames[x], Scope: claim.Namespaced, Spec: v1alpha1.Spec{Connection: &v1alpha1.Connection{}}}
	if v.asks {
		c.Spec.Connection.Alias = "agent-db"
	}
	names := hardened.AliasObjectNames(c, "agent-db")
	w := world.View{Observed: map[string]manifest.Tree{}, Required: map[string][]manifest.Tree{AskServiceHolder: nil, AskSecretHolder: nil, AskService: nil}}
	for i, part := range parts {
		if v.observed[i] {
			w.Observed[part.role] = labelled(x, names[part.role])
		}
		if v.holder[i] != nobody {
			w.Required[part.ask] = []manifest.Tree{labelled(v.holder[i], names[part.role])}
		}
	}
	if v.service != nobody {
		w.Required[AskService] = []manifest.Tree{labelled(v.service, "agent-db")}
	}
	live := &world.Cluster{Exists: true, ReadyCondition: "False"}
	if v.ready {
		live.ReadyCondition = "True"
	}
	if v.named {
		live.AltDNSNames = hardened.AliasHostNames(c, "agent-db")
	}
	if v.certified {
		live.Certified = live.AltDNSNames
	}
	return Make(c, live, "", w)
}

func labelled(x int, name string) manifest.Object {
	return manifest.Object{"metadata": map[string]any{"name": name, "labels": map[string]any{
		hardened.LabelClaimNamespace: "agents", hardened.LabelClaim: claimNames[x],
	}}}
}

// write is Crossplane applying one part of a claim's answer; the Cluster goes first, with the names it answers to.
func (m model) write(ps planner, x, part int) model {
	v := &m.view[x]
	p := ps.plan(x, *v)
	if m.named[x] = len(p.HostNames) > 0; !m.named[x] {
		m.certified[x] = false
	}
	if v.applied[part] = true; v.applied[1-part] {
		*v = view{}
	}
	if m.gone[x] {
		return m // The composite resource is gone: whatever is applied for it is garbage-collected.
	}
	o := &m.object[part]
	switch {
	case p.Emit && o.owner == nobody:
		*o = object{owner: x}
	case p.Emit, !slices.Contains(p.Released, parts[part].role):
		// Updated if it is this claim's, refused by the API server if it is another's.
	case o.owner == x:
		o.terminating = true
	}
	return m
}

// steps are all states one step away.
func (m model) steps(ps planner, script []func(*model)) ([]model, error) {
	var next []model
	if m.edit < len(script) {
		n := m
		script[m.edit](&n)
		n.edit++
		next = append(next, n)
	}
	for x := range 2 {
		if !m.gone[x] {
			next = append(next, m.read(x))
		}
		for i := range m.object {
			if m.view[x].open && !m.view[x].applied[i] {
				next = append(next, m.write(ps, x, i))
			}
		}
		if m.named[x] && !m.certified[x] {
			n := m
			n.certified[x] = true // The operator issues what the Cluster asks for.
			next = append(next, n)
		}
	}
	for i, o := range m.object {
		n := m
		switch {
		case m.writing[i] != nobody:
			n.writing[i] = nobody
			by := m.writing[i]
			if last := m.writer[i]; last != by && last != nobody && o.owner == last && !o.terminating {
				return nil, fmt.Errorf("%s writes part %d while %s holds it", claimNames[by], i, claimNames[last])
			}
			n.target[i], n.writer[i] = by, by
		case o.owner == nobody:
			continue
		case o.terminating:
			n.object[i] = object{owner: nobody}
		default:
			n.writing[i] = o.owner
		}
		next = append(next, n)
	}
	return next, nil
}

// reachable is what applications rely on: once the name leads somewhere it always does, and whatever it leads to is
// ready and can be verified.
func (m model) reachable(before model) error {
	for i, x := range m.target {
		switch {
		case x == nobody && before.target[i] != nobody:
			return fmt.Errorf("part %d leads nowhere", i)
		case x != nobody && (!m.ready[x] || !m.certified[x]):
			return fmt.Errorf("part %d leads to %s, which is not ready or not certified", i, claimNames[x])
		}
	}
	return nil
}

// settle runs every step fairly until nothing changes any more.
func (m model) settle(t *testing.T, ps planner, script []func(*model)) model {
	t.Helper()
	for range 50 {
		before := m
		for m.edit < len(script) {
			script[m.edit](&m)
			m.edit++
		}
		for x := range 2 {
			m.certified[x] = m.named[x]
			if m.gone[x] {
				continue
			}
			if !m.view[x].open {
				m = m.read(x)
			}
			for i := range m.object {
				if m.view[x].open && !m.view[x].applied[i] {
					m = m.write(ps, x, i)
				}
			}
		}
		for i := range m.object {
			switch o := m.object[i]; {
			case m.writing[i] != nobody:
				m.target[i], m.writer[i], m.writing[i] = m.writing[i], m.writing[i], nobody
			case o.terminating:
				m.object[i] = object{owner: nobody}
			case o.owner != nobody:
				m.target[i], m.writer[i] = o.owner, o.owner
			}
		}
		if m == before {
			return m
		}
	}
	t.Fatalf("does not settle: %+v", m)
	return m
}

func asks(x int, alias bool) func(*model) { return func(m *model) { m.asks[x] = alias } }

func becomesReady(x int) func(*model) { return func(m *model) { m.ready[x] = true } }

func deleted(x int) func(*model) {
	return func(m *model) {
		m.gone[x], m.asks[x] = true, false
		for i := range m.object {
			if m.object[i].owner == x {
				m.object[i].terminating = true
			}
		}
	}
}

func TestEveryInterleaving(t *testing.T) {
	held := model{
		asks: [2]bool{true, false}, ready: [2]bool{true, false}, named: [2]bool{true, false}, certified: [2]bool{true, false},
		object: [2]object{{owner: blue}, {owner: blue}}, target: [2]int{blue, blue}, writer: [2]int{blue, blue}, writing: [2]int{nobody, nobody},
	}
	fresh := model{
		object: [2]object{{owner: nobody}, {owner: nobody}}, target: [2]int{nobody, nobody}, writer: [2]int{nobody, nobody}, writing: [2]int{nobody, nobody},
	}
	cases := map[string]struct {
		reason string
		start  model
		script []func(*model)
		holder int
	}{
		"Switch":           {"One commit, and the old claim's file arrives first.", held, []func(*model){becomesReady(green), asks(blue, false), asks(green, true)}, green},
		"SwitchOtherOrder": {"One commit, and the new claim's file arrives first.", held, []func(*model){becomesReady(green), asks(green, true), asks(blue, false)}, green},
		"SwitchTooEarly":   {"The new database is not ready yet: the name leads to the old one until it is.", held, []func(*model){asks(blue, false), asks(green, true), becomesReady(green)}, green},
		"BothAsk":          {"The one that holds it keeps it.", held, []func(*model){becomesReady(green), asks(green, true)}, blue},
		"NeverReady":       {"A name never leads to a database that is not ready; nobody holds it, and it leads where it led.", held, []func(*model){asks(blue, false), asks(green, true)}, blue},
		"ThereAndBack":     {"A switch that is reverted in Git is reverted.", held, []func(*model){becomesReady(green), asks(blue, false), asks(green, true), asks(green, false), asks(blue, true)}, blue},
		"Reconsidered":     {"A claim that lets go and asks again keeps it.", held, []func(*model){asks(blue, false), asks(blue, true)}, blue},
		"HolderDeleted":    {"Deleting the claim that holds it lets go of it, and leaves it leading to the database that goes on.", held, []func(*model){deleted(blue)}, blue},
		"HolderReplaced":   {"A claim that asks in vain gets it when the holder's claim is deleted.", held, []func(*model){becomesReady(green), asks(green, true), deleted(blue)}, green},
		"Race":             {"Two new claims ask at once: one of them gets both parts.", fresh, []func(*model){asks(blue, true), asks(green, true), becomesReady(blue), becomesReady(green)}, nobody},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ps := planner{}
			seen := map[model]bool{tc.start: true}
			queue := []model{tc.start}
			for len(queue) > 0 {
				m := queue[len(queue)-1]
				queue = queue[:len(queue)-1]
				end := m.settle(t, ps, tc.script)
				if end.target[0] != end.target[1] || tc.holder != nobody && end.target[0] != tc.holder {
					t.Fatalf("%s\nfrom %+v\nit settles at %+v", tc.reason, m, end)
				}
				next, err := m.steps(ps, tc.script)
				if err != nil {
					t.Fatalf("%s\n%+v: %v", tc.reason, m, err)
				}
				for _, n := range next {
					if err := n.reachable(m); err != nil {
						t.Fatalf("%s\n%+v: %v", tc.reason, n, err)
					}
					if !seen[n] {
						seen[n] = true
						queue = append(queue, n)
					}
				}
			}
			t.Logf("%d states", len(seen))
			if len(seen) < 20 {
				t.Error("the model is stuck: it explores almost nothing")
			}
		})
	}
}
