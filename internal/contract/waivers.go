package contract

import (
	"path"
	"time"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
)

// Waivers are the platform's recorded relaxations that hold for one claim today (ZDL-14).
type Waivers map[string]string

// WaiversFor picks the waivers that hold for a claim. today is "2026-11-24"; a waiver holds up to and including its
// last day. With an unknown day ("") a waiver that expires does not hold: doubt never lowers protection.
func WaiversFor(p *v1beta1.Policy, namespace, name, today string) Waivers {
	w := Waivers{}
	for _, waiver := range p.Waivers {
		rule, known := byID[waiver.Rule]
		if !known || rule.Unwaivable || waiver.Expires != "" && (today == "" || waiver.Expires < today) {
			continue
		}
		if waiver.Claims != "" {
			if matched, err := path.Match(waiver.Claims, namespace+"/"+name); err != nil || !matched {
				continue
			}
		}
		w[waiver.Rule] = waiver.Reason
	}
	return w
}

// Apply marks the findings the waivers cover. They stay in the list: a waiver is never silent.
func (w Waivers) Apply(fs Findings) Findings {
	for i := range fs {
		if reason, ok := w[fs[i].Rule]; ok && fs[i].Waiver == "" {
			fs[i].Waiver = reason
		}
	}
	return fs
}

func judgeWaivers(p *v1beta1.Policy) Findings {
	var found Findings
	for i, w := range p.Waivers {
		at := index("waivers", i)
		rule, known := byID[w.Rule]
		switch {
		case !known:
			found = append(found, Finding{Rule: "ZDL-14", Path: at + ".rule", Value: w.Rule, Message: "is not a rule of the contract", Fix: "write the id of a rule, as `explain` lists them"})
		case rule.Unwaivable:
			found = append(found, Finding{Rule: "ZDL-14", Path: at + ".rule", Value: w.Rule, Message: "cannot be waived: without it nothing else can be relied on", Fix: "remove the waiver"})
		}
		if _, err := time.Parse(time.DateOnly, w.Expires); w.Expires != "" && err != nil {
			found = append(found, Finding{Rule: "ZDL-14", Path: at + ".expires", Value: w.Expires, Message: "is not a day, so the waiver would never hold", Fix: `write a day like "2027-03-31"`})
		}
		if _, err := path.Match(w.Claims, "a/b"); err != nil {
			found = append(found, Finding{Rule: "ZDL-14", Path: at + ".claims", Value: w.Claims, Message: "is not a pattern", Fix: `write a pattern like "shop/*"`})
		}
	}
	return found
}
