package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// licencesFile holds the licences of everything in the binary, as most of them ask for.
const licencesFile = "THIRD_PARTY_LICENSES.txt"

func (c contents) licences() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s contains the following software.\n\n", c.module)
	for _, m := range c.modules {
		fmt.Fprintf(&out, "  %-28s %s %s\n", m.licence, m.path, m.version)
	}
	for _, m := range c.modules {
		fmt.Fprintf(&out, "\n================================================================================\n%s %s (%s)\n\n%s", m.path, m.version, m.licence, m.texts)
	}
	return out.Bytes()
}

// The parts of a CycloneDX 1.6 document that are needed here.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		SerialNumber string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     bomMetadata  `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	bomMetadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string          `json:"type"`
		Ref        string          `json:"bom-ref"`
		Name       string          `json:"name"`
		Version    string          `json:"version"`
		Hashes     []hash          `json:"hashes,omitempty"`
		Licences   []licenceChoice `json:"licenses"`
		PURL       string          `json:"purl"`
		Properties []property      `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licenceChoice struct {
		Expression string `json:"expression"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// sbom is the bill of materials. It carries no time and its serial number follows from the binary: the same build gives
// the same document.
func (c contents) sbom(version string) ([]byte, error) {
	main := purl(c.module, version)
	b := bom{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1, SerialNumber: "urn:uuid:" + uuid(c.sum+version),
		Metadata: bomMetadata{Component: component{
			Type: "application", Ref: main, Name: c.module, Version: version, PURL: main,
			Hashes: []hash{{"SHA-256", c.sum}}, Licences: []licenceChoice{{"Apache-2.0"}},
		}},
	}
	needs := make([]string, 0, len(c.modules))
	for _, m := range c.modules {
		ref := purl(m.path, m.version)
		needs = append(needs, ref)
		entry := component{Type: "library", Ref: ref, Name: m.path, Version: m.version, PURL: ref, Licences: []licenceChoice{{m.licence}}}
		if m.sum != "" {
			entry.Properties = []property{{"golang:sum", m.sum}}
		}
		b.Components = append(b.Components, entry)
	}
	b.Dependencies = []dependency{{main, needs}}

	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return nil, fmt.Errorf("cannot encode the bill of materials: %w", err)
	}
	return out.Bytes(), nil
}

func purl(path, version string) string { return "pkg:golang/" + path + "@" + version }

// uuid is a name-based UUID (RFC 9562, version 8).
func uuid(of string) string {
	sum := sha256.Sum256([]byte(of))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
