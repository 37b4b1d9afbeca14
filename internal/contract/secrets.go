package contract

import (
	"regexp"
	"slices"
	"strings"
)

// No key or password stands in any manifest (ZDL-12). What is found is named by its place and never quoted.

// judgeSecret: a Secret with values in it is a secret in every clone of the repository.
func judgeSecret(j *judge, d *document) {
	for _, field := range []string{"data", "stringData"} {
		for _, key := range sortedKeys(sub(d.body, field)) {
			if isPublic(key) || written(sub(d.body, field)[key]) == "" {
				continue
			}
			j.refuse(d, "ZDL-12", field+"."+key, "", "is a secret in plain sight, base64 is no encryption", "let External Secrets write it, and rotate what was exposed")
		}
	}
}

// isPublic says whether a key of a Secret holds nothing secret by convention.
func isPublic(key string) bool {
	return strings.HasSuffix(key, ".crt") || key == "ca.pem"
}

// judgeSecretStore: a store that carries its values itself is no store.
func judgeSecretStore(j *judge, d *document) {
	for i, item := range items(sub(sub(d.spec, "provider"), "fake"), "data") {
		entry, _ := item.(node)
		if written(entry["value"]) != "" || len(sub(entry, "valueMap")) > 0 {
			j.refuse(d, "ZDL-12", index("spec.provider.fake.data", i), "", "is a secret in plain sight", "use a store that keeps its values to itself, and rotate what was exposed")
		}
	}
}

// exposed looks for key material wherever it may stand in a document. A Secret is judged as a whole.
func (j *judge) exposed(d *document) {
	if d.kind == secret || d.kind == wrapper {
		return // The manifest inside the wrapper is a document itself.
	}
	if holdsSecret(d.body) {
		j.refuse(d, "ZDL-12", secretAt(d.body, ""), "", "contains what looks like a key in plain sight", "reference a Secret that External Secrets writes, and rotate what was exposed")
	}
	switch d.kind {
	case clusterKind:
		for i, item := range items(d.spec, "externalClusters") {
			source, _ := item.(node)
			if text(sub(source, "connectionParameters"), "password") != "" {
				j.refuse(d, "ZDL-12", index("spec.externalClusters", i)+".connectionParameters.password", "", "is a password in plain sight", "reference it under password: {name, key}, and rotate it")
			}
		}
	case externalSecret:
		data := sub(sub(sub(d.spec, "target"), "template"), "data")
		for _, key := range sortedKeys(data) {
			if secretName(key) && isLiteral(text(data, key)) {
				j.refuse(d, "ZDL-12", "spec.target.template.data."+key, "", "is a secret in plain sight", "take it from the store, and rotate what was exposed")
			}
		}
		eachLiteral(d, func(literal, at string) {
			eachSetting(literal, func(key, value string) {
				if secretName(key) && isLiteral(value) {
					j.refuse(d, "ZDL-12", at, key, "is a secret in plain sight", "take it from the store, and rotate what was exposed")
				}
			})
		})
	case configMap:
		data := sub(d.body, "data")
		for _, key := range sortedKeys(data) {
			if secretName(key) && written(data[key]) != "" {
				j.refuse(d, "ZDL-12", "data."+key, "", "is a secret in plain sight", "let External Secrets write it into a Secret, and rotate what was exposed")
			}
		}
	}
}

// isLiteral says whether a value is there, and not only a template's place for one.
func isLiteral(value string) bool { return value != "" && !strings.Contains(value, "{{") }

// eachLiteral visits the templates that an ExternalSecret spells out in one text.
func eachLiteral(d *document, visit func(literal, at string)) {
	if d == nil {
		return
	}
	for i, item := range items(sub(sub(d.spec, "target"), "template"), "templateFrom") {
		from, _ := item.(node)
		if literal := text(from, "literal"); literal != "" {
			visit(literal, index("spec.target.template.templateFrom", i)+".literal")
		}
	}
}

// eachSetting visits the lines "key: value" of such a text.
func eachSetting(literal string, visit func(key, value string)) {
	for line := range strings.Lines(literal) {
		if key, value, found := strings.Cut(line, ":"); found {
			visit(strings.Trim(key, " \t\"'"), strings.Trim(value, " \t\r\n\"'"))
		}
	}
}

// secretName says whether a key or an environment variable of that name holds a secret.
func secretName(name string) bool {
	switch strings.ToUpper(name) {
	case "SECRET_ACCESS_KEY", "ACCESS_SECRET_KEY", "ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN",
		"PGPASSWORD", "POSTGRES_PASSWORD", "PASSWORD":
		return true
	}
	return false
}

// carriesPassword says whether a value is a URL or a connection string with a password in it. Kubernetes fills in $(NAME)
// from another variable.
func carriesPassword(value string) bool {
	_, rest, _ := strings.Cut(value, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	_, password, found := strings.Cut(authority[:max(at, 0)], ":")
	return found && password != "" && !strings.HasPrefix(password, "$(") || conninfoPassword.MatchString(value)
}

var conninfoPassword = regexp.MustCompile(`(?i)(^|[\s'";,?&])(ssl)?password\s*=\s*[^\s&]`)

// holdsSecret says whether any string below value looks like a key. It runs over everything on every reconcile.
func holdsSecret(value any) bool {
	switch v := value.(type) {
	case string:
		return looksSecret(v)
	case node:
		for _, item := range v {
			if holdsSecret(item) {
				return true
			}
		}
	case []any:
		if slices.ContainsFunc(v, holdsSecret) {
			return true
		}
	}
	return false
}

// secretAt is the path of the first such string.
func secretAt(value any, at string) string {
	switch v := value.(type) {
	case node:
		for _, key := range sortedKeys(v) {
			if !holdsSecret(v[key]) {
				continue
			}
			if strings.ContainsAny(key, "./") {
				return secretAt(v[key], at+"["+key+"]")
			}
			return secretAt(v[key], join(at, key))
		}
	case []any:
		for i, item := range v {
			if holdsSecret(item) {
				return secretAt(item, index(at, i))
			}
		}
	}
	return at
}

// looksSecret recognises AWS key ids (AKIA or ASIA and 16 capitals or digits) and PEM private keys.
func looksSecret(s string) bool {
	if len(s) < len("AKIA")+keyIDTail {
		return false
	}
	for _, prefix := range []string{"AKIA", "ASIA"} {
		rest := s
		for {
			at := strings.Index(rest, prefix)
			if at < 0 {
				break
			}
			tail := rest[at+len(prefix):]
			if end := strings.IndexFunc(tail, notKeyID); end == keyIDTail || end < 0 && len(tail) == keyIDTail {
				return true
			}
			rest = tail
		}
	}
	return strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY-----")
}

// hidden stands where something secret stood.
const hidden = "(not shown)"

// hideKeys takes out of a text what looksSecret finds in it.
func hideKeys(text string) string {
	if !looksSecret(text) {
		return text
	}
	if at := strings.Index(text, "-----BEGIN"); at >= 0 && strings.Contains(text[at:], "PRIVATE KEY-----") {
		text = text[:at] + hidden
	}
	for _, prefix := range []string{"AKIA", "ASIA"} {
		parts := strings.Split(text, prefix)
		for i, tail := range parts[1:] {
			end := strings.IndexFunc(tail, notKeyID)
			if end < 0 {
				end = len(tail)
			}
			if end == keyIDTail {
				parts[i+1] = hidden + tail[end:]
			} else {
				parts[i+1] = prefix + tail
			}
		}
		text = strings.Join(parts, "")
	}
	return text
}

// keyIDTail is how many characters follow the prefix of an AWS key id.
const keyIDTail = 16

func notKeyID(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
