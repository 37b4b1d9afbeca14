package policy_test

import (
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
)

// TestNoSecretIsQuoted: a policy with a secret in a wrong place is refused, and the refusal, which everybody reads, does
// not repeat it (ZDL-12).
func TestNoSecretIsQuoted(t *testing.T) {
	const secret = "not/a+real=secret"
	cases := map[string]struct{ bucket, credentials string }{
		"EndpointInManaged":  {`{prefix: acme, region: r, endpointURL: "https://key:` + secret + `@s3.example.com"}`, `{secretStoreRef: {name: s}}`},
		"EndpointInExisting": {`{mode: existing, name: acme, region: r, endpointURL: "https://key:` + secret + `@s3.example.com"}`, `{secretStoreRef: {name: s}}`},
		"EndpointOverHTTP":   {`{mode: existing, name: acme, region: r, endpointURL: "http://key:` + secret + `@s3.example.com"}`, `{secretStoreRef: {name: s}}`},
		"NoScheme":           {`{mode: existing, name: acme, region: r, endpointURL: "key:` + secret + `@s3.example.com"}`, `{secretStoreRef: {name: s}}`},
		"NoURL":              {`{mode: existing, name: acme, region: r, endpointURL: "https://key:%zz` + secret + `@s3.example.com"}`, `{secretStoreRef: {name: s}}`},
		"EndpointTooLong":    {`{mode: existing, name: acme, region: r, endpointURL: "https://key:` + secret + "@" + strings.Repeat("x", 300) + `"}`, `{secretStoreRef: {name: s}}`},
		"PropertyTooLong":    {`{prefix: acme, region: r}`, `{secretStoreRef: {name: s}, secretAccessKey: {key: k, property: "` + secret + strings.Repeat("x", 300) + `"}}`},
		"KeyItself":          {`{prefix: acme, region: r}`, `{secretStoreRef: {name: s}, secretAccessKey: "` + secret + `"}`},
		"KeyAsStore":         {`{prefix: acme, region: r}`, `{secretStoreRef: "` + secret + `"}`},
		"KeyAsCredentials":   {`{prefix: acme, region: r}`, `"` + secret + `"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			documents, err := source.Read("policy.yaml", strings.NewReader(
				"{apiVersion: hardened-postgres.fn.bizmatters.io/v1beta1, kind: Policy, bucket: "+tc.bucket+", credentials: "+tc.credentials+"}"))
			if err != nil {
				t.Fatal(err)
			}
			_, found := policy.Decode(documents[0].Object)
			if len(found) == 0 {
				t.Fatal("the policy is not refused")
			}
			if text := found.String(); strings.Contains(text, secret) {
				t.Errorf("the refusal repeats the secret:\n%s", text)
			}
		})
	}
}
