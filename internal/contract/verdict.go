package contract

import (
	"slices"
	"strings"
)

// Verdict is what is known about one rule. For rules about the world, Satisfied means observed, not merely asked for.
type Verdict string

// The verdicts, best first.
const (
	// Satisfied: the promise holds.
	Satisfied Verdict = "Satisfied"
	// Waived: the platform's policy lives without it, for a recorded reason (ZDL-14).
	Waived Verdict = "Waived"
	// Pending: not yet observable.
	Pending Verdict = "Pending"
	// Violated: the promise does not hold.
	Violated Verdict = "Violated"
)

var verdictOrder = []Verdict{Satisfied, Waived, Pending, Violated}

// RuleVerdict is the verdict on one rule, with the reason where it is not Satisfied.
type RuleVerdict struct {
	ID      string
	Verdict Verdict
	Message string
}

// maxVerdictMessage bounds one message: the report of all rules has to fit beside everything else in one status.
const maxVerdictMessage = 512

// Verdicts is the report, rule by rule in the catalogue's order: what was found, what is pending (by rule), and what the
// policy waives although nothing was found.
func Verdicts(found Findings, pending map[string]string, waived Waivers) []RuleVerdict {
	byRule := map[string]Findings{}
	for _, f := range found {
		byRule[f.Rule] = append(byRule[f.Rule], f)
	}
	out := make([]RuleVerdict, 0, len(catalogue))
	for _, rule := range catalogue {
		if rule.Severity == Input {
			continue // A document that cannot be read has no verdict.
		}
		v := RuleVerdict{ID: rule.ID, Verdict: Satisfied}
		reason, isWaived := waived[rule.ID]
		switch open := byRule[rule.ID].Violations(); {
		case len(open) > 0:
			v.Verdict, v.Message = Violated, texts(open)
		case isWaived:
			v.Verdict, v.Message = Waived, reason
		case len(byRule[rule.ID]) > 0:
			v.Verdict, v.Message = Waived, texts(byRule[rule.ID])
		case pending[rule.ID] != "":
			v.Verdict, v.Message = Pending, pending[rule.ID]
		}
		v.Message = Clip(v.Message, maxVerdictMessage)
		out = append(out, v)
	}
	return out
}

// Overall is the worst of all verdicts.
func Overall(verdicts []RuleVerdict) Verdict {
	worst := Satisfied
	for _, v := range verdicts {
		if slices.Index(verdictOrder, v.Verdict) > slices.Index(verdictOrder, worst) {
			worst = v.Verdict
		}
	}
	return worst
}

func texts(fs Findings) string {
	out := make([]string, len(fs))
	for i, f := range fs {
		f.Waiver = ""
		out[i] = f.String()
	}
	return strings.Join(out, "; ")
}

// Clip bounds a text to most bytes without cutting a character. Whatever others say and we repeat goes through it, so it
// also takes out what looks like a key (ZDL-12).
func Clip(text string, most int) string {
	text = hideKeys(strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= most {
		return text
	}
	const mark = "…"
	cut := most - len(mark)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + mark
}
