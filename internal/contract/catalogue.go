package contract

import "slices"

// Severity says what breaking a rule does.
type Severity string

// The severities, worst first.
const (
	// Loss: acknowledged data can be lost.
	Loss Severity = "loss"
	// Exposure: nothing is lost yet, but a layer of protection is missing or a failure goes unnoticed.
	Exposure Severity = "exposure"
	// Input: the document cannot be understood or applied.
	Input Severity = "input"
)

// Rule is one rule of the zero-data-loss contract.
type Rule struct {
	// ID is public API: it appears in refusals, status, reports and docs, and never changes its meaning.
	ID string `json:"id"`
	// Title in a few words.
	Title string `json:"title"`
	// Promise is what the user may rely on.
	Promise string `json:"promise"`
	// Why is the loss the rule prevents.
	Why string `json:"why"`
	// Fix says how to get back to it.
	Fix      string   `json:"fix"`
	Severity Severity `json:"severity"`
	// Reference is where the underlying fact is documented upstream.
	Reference string `json:"reference"`
	// Unwaivable rules hold whatever the policy says (ZDL-14).
	Unwaivable bool `json:"unwaivable,omitempty"`
}

const (
	cnpgDocs = "https://cloudnative-pg.io/documentation/1.30/"
	s3Docs   = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
	xpDocs   = "https://docs.crossplane.io/latest/"
)

// catalogue is the contract, in the order it is told: a family of rules in each rules_*.go.
var catalogue = slices.Concat(
	availabilityRules,
	archiveRules,
	backupRules,
	deletionRules,
	monitoringRules,
	zeroDataLossRules,
	inputRules,
)

// Rules returns the catalogue.
func Rules() []Rule { return catalogue }

// RuleByID returns one rule.
func RuleByID(id string) (Rule, bool) {
	r, ok := byID[id]
	return r, ok
}

var byID = func() map[string]Rule {
	m := make(map[string]Rule, len(catalogue))
	for _, r := range catalogue {
		m[r.ID] = r
	}
	return m
}()
