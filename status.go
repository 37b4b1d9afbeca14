package main

import (
	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
)

// statusOf is the status as a JSON-shaped map. It is written out by hand because it is built on every call; a test
// holds it against encoding/json.
func statusOf(s *v1alpha1.Status) map[string]any {
	out := fields{}
	out.text("version", s.Version)
	out.text("image", s.Image)
	out.text("instances", s.Instances)
	out.text("phase", s.Phase)
	out.text("database", s.Database)
	out.text("owner", s.Owner)
	out.text("secretName", s.SecretName)
	if e := s.Endpoints; e != nil {
		in := fields{}
		in.text("readWrite", e.ReadWrite)
		in.text("readOnly", e.ReadOnly)
		in.number("port", e.Port)
		out["endpoints"] = map[string]any(in)
	}
	if a := s.Alias; a != nil {
		in := fields{"held": a.Held}
		in.text("name", a.Name)
		in.text("holder", a.Holder)
		in.text("message", a.Message)
		out["alias"] = map[string]any(in)
	}
	if b := s.Backup; b != nil {
		in := fields{}
		in.text("bucket", b.Bucket)
		in.text("path", b.Path)
		in.text("serverName", b.ServerName)
		in.number("lockDays", b.LockDays)
		in.number("retentionDays", b.RetentionDays)
		in.text("schedule", b.Schedule)
		in.text("recoverableSince", b.RecoverableSince)
		in.text("lastBackup", b.LastBackup)
		in.text("gapAfter", b.GapAfter)
		in.text("reachedBackTo", b.ReachedBackTo)
		out["backup"] = map[string]any(in)
	}
	if b := s.Bootstrap; b != nil {
		in := fields{}
		in.text("method", b.Method)
		in.text("source", b.Source)
		if b.Inert {
			in["inert"] = true
		}
		in.text("message", b.Message)
		out["bootstrap"] = map[string]any(in)
	}
	if c := s.Contract; c != nil {
		in := fields{}
		in.text("verdict", c.Verdict)
		rules := make([]any, len(c.Rules))
		for i, r := range c.Rules {
			rule := fields{"id": r.ID, "verdict": r.Verdict}
			rule.text("message", r.Message)
			rules[i] = map[string]any(rule)
		}
		if len(rules) > 0 {
			in["rules"] = rules
		}
		out["contract"] = map[string]any(in)
	}
	return out
}

// fields leaves out what is empty, as the types' omitempty does.
type fields map[string]any

func (f fields) text(name, value string) {
	if value != "" {
		f[name] = value
	}
}

func (f fields) number(name string, value int64) {
	if value != 0 {
		f[name] = value
	}
}
