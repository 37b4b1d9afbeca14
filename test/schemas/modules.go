// Package schemas holds everything this product emits, and every file a user applies, against the schemas the API server
// would use: the CRDs of CloudNativePG, External Secrets, the Prometheus operator and the Crossplane providers, read from
// their own releases as Go modules. Structure, unknown fields, defaults, list types and CEL are checked with the API
// server's own code. Nothing of theirs is kept in this repository.
package schemas

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"golang.org/x/mod/sumdb/dirhash"
)

// release is one published module whose CRDs are read; sum is the checksum its zip must have.
type release struct {
	path, version, sum string
}

// The releases the product is written against. Each is the newest that the Go module proxy serves; provider-kubernetes
// 1.4 has the same Object as 1.3.
var (
	cnpg = release{"github.com/cloudnative-pg/cloudnative-pg", "v1.30.1",
		"h1:d1jxp0jQi7/3zrEhsv9ycD+G5ssmkNvDvTmogaGccCw="}
	barmanPlugin = release{"github.com/cloudnative-pg/plugin-barman-cloud", "v0.15.0",
		"h1:gNVytrzzYUE08wxLDrjfJqy1FPPSFkMe1OEr4s4pVI0="}
	providerKubernetes = release{"github.com/crossplane-contrib/provider-kubernetes", "v1.3.0",
		"h1:KyFwivTs5r7USX/X+hx+rjg+k82ndY47FIn3UkgyCho="}
	externalSecrets = release{"github.com/external-secrets/external-secrets", "v1.3.2",
		"h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ="}
	prometheusOperator = release{"github.com/prometheus-operator/prometheus-operator", "v0.85.0",
		"h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="}
	providerAWS = release{"github.com/upbound/provider-aws/v2", "v2.5.0",
		"h1:xQ+xVkv8E4lT8kzOkxiJgaYrmZfPTyfGRhfRtUVTc6I="}
	crossplane = release{"github.com/crossplane/crossplane/v2", "v2.4.2",
		"h1:FKcj7PWCMrRujQ5IOSQ0NRAmokQTJ0MNAc3tpvBVPhg="}
)

// files returns the named files of a release, read from the module's zip after its checksum has been verified.
func (r release) files(names ...string) (map[string][]byte, error) {
	archive, err := r.download()
	if err != nil {
		return nil, fmt.Errorf("cannot get %s@%s: %w", r.path, r.version, err)
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", archive, err)
	}
	defer z.Close() //nolint:errcheck // Opened for reading only.

	out := make(map[string][]byte, len(names))
	for _, name := range names {
		f, err := z.Open(r.path + "@" + r.version + "/" + name)
		if err != nil {
			return nil, fmt.Errorf("%s@%s: %w", r.path, r.version, err)
		}
		body, err := io.ReadAll(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s of %s@%s: %w", name, r.path, r.version, err)
		}
		out[name] = body
	}
	return out, nil
}

// download makes the go command fetch the module into its cache and returns the zip's path. A module whose go.mod asks
// for a newer Go makes the command fail and still leaves the zip: the checksum decides, not the exit code.
func (r release) download() (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", r.path+"@"+r.version) //nolint:gosec // Our own constants.
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, runErr := cmd.Output()

	var answer struct{ Zip, Error string }
	if err := json.Unmarshal(stdout, &answer); err != nil {
		return "", errors.Join(runErr, fmt.Errorf("%s", stderr.Bytes()))
	}
	if answer.Zip == "" {
		return "", errors.Join(runErr, fmt.Errorf("no zip: %s", answer.Error))
	}
	sum, err := dirhash.HashZip(answer.Zip, dirhash.Hash1)
	if err != nil {
		return "", fmt.Errorf("cannot hash %s: %w", answer.Zip, err)
	}
	if sum != r.sum {
		return "", fmt.Errorf("the zip has checksum %s, expected %s", sum, r.sum)
	}
	return answer.Zip, nil
}
