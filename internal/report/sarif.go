package report

import (
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

// HelpURI is where a rule is explained.
func HelpURI(rule string) string {
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
		Tool        sarifTool         `json:"tool"`
		ColumnKind  string            `json:"columnKind"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
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
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     Level           `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		RuleID              string             `json:"ruleId"`
		RuleIndex           int                `json:"ruleIndex"`
		Level               Level              `json:"level"`
		Message             sarifMessage       `json:"message"`
		Locations           []sarifLocation    `json:"locations,omitempty"`
		PartialFingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
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

func (r *Report) sarif(w io.Writer, version string) error {
	rules := contract.Rules()
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "function-hardened-postgres", Version: version, InformationURI: repository, Rules: make([]sarifRule, 0, len(rules)),
		}},
		ColumnKind:  "unicodeCodePoints",
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(r.Problems) == 0}},
		Results:     make([]sarifResult, 0, len(r.Findings)),
	}
	for i := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(&rules[i]))
	}
	for _, p := range r.Problems {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{
			Level: Error, Message: sarifMessage{Text: p.Message},
			Locations: []sarifLocation{{Physical: physical(p.File, p.Line, p.Column)}},
		})
	}
	seen := map[string]int{}
	for i := range r.Findings {
		f := &r.Findings[i]
		result := sarifResult{
			RuleID:              f.Rule,
			RuleIndex:           slices.IndexFunc(rules, func(rule contract.Rule) bool { return rule.ID == f.Rule }),
			Level:               f.Level(),
			Message:             sarifMessage{Text: f.String()},
			Locations:           locations(f),
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
	out := sarifRule{
		ID: rule.ID, Name: pascal(rule.Title), HelpURI: HelpURI(rule.ID), Help: help,
		ShortDescription:     sarifMessage{Text: rule.Title},
		FullDescription:      sarifMessage{Text: text},
		DefaultConfiguration: sarifConfiguration{Level: LevelOf(rule.Severity)},
		Properties:           map[string]any{"tags": []string{"postgresql", "data-" + string(rule.Severity)}},
	}
	return out
}

// pascal is a title as SARIF wants a rule's name: one word.
func pascal(title string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(title, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func locations(f *Located) []sarifLocation {
	at := sarifLocation{}
	if f.File != "" {
		at.Physical = physical(f.File, f.Line, f.Column)
	}
	if name := strings.Trim(f.Object+"/"+f.Path, "/"); name != "" {
		at.Logical = []sarifLogical{{FullyQualifiedName: name, Kind: "member"}}
		if f.Path == "" {
			at.Logical[0].Kind = "object"
		}
	}
	if at.Physical == nil && at.Logical == nil {
		return nil
	}
	return []sarifLocation{at}
}

func physical(file string, line, column int) *sarifPhysical {
	p := &sarifPhysical{Artifact: sarifArtifact{URI: (&url.URL{Path: file}).String(), URIBaseID: sourceRoot}}
	if filepath.IsAbs(filepath.FromSlash(file)) {
		p.Artifact = sarifArtifact{URI: (&url.URL{Scheme: "file", Path: file}).String()}
	}
	if line > 0 {
		p.Region = &sarifRegion{StartLine: line, StartColumn: max(column, 1)}
	}
	return p
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
