package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

const (
	repository  = "https://github.com/bizmatters/function-hardened-postgres"
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	// fingerprint names the way results are recognised across commits; a new way gets a new name.
	fingerprint = "hardenedPostgres/v1"
	sourceRoot  = "%SRCROOT%"
)

// unreadable is the rule that what could not be read breaks. Code hosts drop every result of a run that says it failed,
// and show nothing of a tool's notifications: an unreadable file is a result among the others, or nobody would see any.
var unreadable = contract.Rule{
	ID: "unreadable", Severity: contract.Input, Title: "Every document can be read",
	Promise: "Every document that is checked can be read.",
	Why:     "Nobody can say whether a document that cannot be read keeps the contract.",
	Fix:     "Correct the place the message names, or leave the file out with --exclude.",
}

// HelpURI is where a rule is explained.
func HelpURI(rule string) string {
	if rule == unreadable.ID {
		return repository + "/blob/main/docs/check.md#exit-codes"
	}
	return repository + "/blob/main/docs/reference/contract.md#" + Anchor(rule)
}

// Anchor is a rule's heading in the reference as code hosts link to it: lower case, no dots.
func Anchor(rule string) string { return strings.ReplaceAll(strings.ToLower(rule), ".", "") }

// Markdown is plain text for a place where Markdown is read: schedules and placeholders must not turn into markup.
func Markdown(text string) string { return markup.Replace(text) }

var markup = strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "`", "\\`", "[", `\[`, "|", `\|`)

// The part of SARIF 2.1.0 that is used here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name            string      `json:"name"`
		FullName        string      `json:"fullName"`
		SemanticVersion string      `json:"semanticVersion,omitempty"`
		InformationURI  string      `json:"informationUri"`
		Rules           []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string             `json:"id"`
		Name                 string             `json:"name"`
		ShortDescription     sarifMessage       `json:"shortDescription"`
		FullDescription      sarifMessage       `json:"fullDescription"`
		Help                 sarifHelp          `json:"help"`
		HelpURI              string             `json:"helpUri"`
		DefaultConfiguration sarifConfiguration `json:"defaultConfiguration"`
		Properties           map[string]any     `json:"properties,omitempty"`
	}
	sarifHelp struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown"`
	}
	sarifConfiguration struct {
		Level Level `json:"level"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               Level              `json:"level"`
		Message             sarifMessage       `json:"message"`
		Locations           []sarifLocation    `json:"locations"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

func (r *Report) sarif(w io.Writer, o Options) error {
	rules := append(slices.Clone(contract.Rules()), unreadable)
	found := make([]Located, 0, len(r.Problems)+len(r.Findings))
	for _, p := range r.Problems {
		found = append(found, Located{Finding: contract.Finding{Rule: unreadable.ID, Message: p.Message}, File: p.File, Line: p.Line, Column: p.Column})
	}
	found = append(found, r.Findings...)
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "function-hardened-postgres", FullName: strings.TrimSpace("function-hardened-postgres check " + o.Version),
			SemanticVersion: strings.TrimPrefix(o.Version, "v"), InformationURI: repository,
			Rules: make([]sarifRule, 0, len(rules)),
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    make([]sarifResult, 0, len(found)),
	}
	for i := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(&rules[i]))
	}
	seen := map[string]int{}
	for i := range found {
		f := &found[i]
		f.File = o.named(f.File)
		result := sarifResult{
			RuleID:              f.Rule,
			RuleIndex:           slices.IndexFunc(rules, func(rule contract.Rule) bool { return rule.ID == f.Rule }),
			Level:               f.Level(),
			Message:             sarifMessage{Text: f.String()},
			Locations:           []sarifLocation{location(f)},
			PartialFingerprints: map[string]string{fingerprint: fingerprintOf(f, seen)},
		}
		if f.Waiver != "" {
			result.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: f.Waiver}}
		}
		run.Results = append(run.Results, result)
	}
	return encode(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

func sarifRuleOf(rule *contract.Rule) sarifRule {
	text := rule.Promise + " " + rule.Why
	help := sarifHelp{Text: text, Markdown: "**" + Markdown(rule.Promise) + "**\n\n" + Markdown(rule.Why)}
	if rule.Fix != "" {
		help.Text += " Fix: " + rule.Fix
		help.Markdown += "\n\n**Fix:** " + Markdown(rule.Fix)
	}
	if rule.Reference != "" {
		help.Markdown += "\n\n[Upstream documentation](" + rule.Reference + ")"
	}
	level := LevelOf(rule.Severity)
	return sarifRule{
		ID: rule.ID, Name: pascal(rule.Title), HelpURI: HelpURI(rule.ID), Help: help,
		ShortDescription:     sarifMessage{Text: rule.Title},
		FullDescription:      sarifMessage{Text: text},
		DefaultConfiguration: sarifConfiguration{Level: level},
		// Hosts that show the likeliest and worst first need to be told: the rules decide, they do not guess.
		Properties: map[string]any{
			"tags": []string{"postgresql", "data-" + string(rule.Severity)}, "precision": "very-high", "problem.severity": level,
		},
	}
}

// pascal is a title as SARIF wants a rule's name: one word, each part of it a capital and small letters. Articles are left
// out, which would be capitals of their own.
func pascal(title string) string {
	var b strings.Builder
	words := strings.ToLower(strings.ReplaceAll(title, "'", ""))
	for _, word := range strings.FieldsFunc(words, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if word != "a" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// location is where a result is shown. Code hosts refuse a report as a whole for a single result without a file and a
// line: what no file is to blame for stands at the root, and what is wrong with a whole file in its first line.
func location(f *Located) sarifLocation {
	file := cmp.Or(f.File, ".")
	at := sarifLocation{Physical: sarifPhysical{
		Artifact: sarifArtifact{URI: (&url.URL{Path: file}).String(), URIBaseID: sourceRoot},
		// No snippet: the line may hold the very key that the result is about (ZDL-12).
		Region: sarifRegion{StartLine: max(f.Line, 1), StartColumn: max(f.Column, 1)},
	}}
	if filepath.IsAbs(filepath.FromSlash(file)) {
		at.Physical.Artifact = sarifArtifact{URI: (&url.URL{Scheme: "file", Path: file}).String()}
	}
	if f.Object != "" { // First, because viewers show the first, and the text begins with the field.
		at.Logical = append(at.Logical, sarifLogical{FullyQualifiedName: f.Object, Kind: "object"})
	}
	if f.Path != "" {
		at.Logical = append(at.Logical, sarifLogical{FullyQualifiedName: strings.TrimPrefix(f.Object+"/"+f.Path, "/"), Kind: "member"})
	}
	return at
}

// fingerprintOf recognises a result after lines above it have come or gone: it knows the rule, the object and the field,
// and of several findings there which one it is.
func fingerprintOf(f *Located, seen map[string]int) string {
	key := strings.Join([]string{f.Rule, f.File, f.Object, f.Path}, "\x00")
	n := seen[key]
	seen[key]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, n))
	return hex.EncodeToString(sum[:16])
}
