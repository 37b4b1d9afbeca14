package contract

import (
	"slices"
	"strings"
)

// judgeLogins: nobody is let in as whoever they say they are (ZDL-09). CloudNativePG writes these lines before its own
// last one, which asks for a password.
func judgeLogins(j *judge, c *cluster) {
	for _, list := range []string{"pg_hba", "pg_ident"} {
		for i, item := range items(sub(c.spec, "postgresql"), list) {
			entry, _ := item.(string)
			for line := range strings.Lines(strings.ReplaceAll(entry, "\\\n", " ")) {
				if message, fix := judgeLogin(line); message != "" {
					j.refuse(c.document, "ZDL-09", index("spec.postgresql."+list, i), strings.TrimSpace(line), message, fix)
				}
			}
		}
	}
}

// judgeLogin says what is wrong with one line of pg_hba.conf or pg_ident.conf, "" where nothing is.
func judgeLogin(line string) (message, fix string) {
	line, _, _ = strings.Cut(line, "#")
	fields := strings.Fields(strings.ReplaceAll(line, `"`, ""))
	switch {
	case len(fields) == 0:
		return "", ""
	case fields[0] == "include", fields[0] == "include_if_exists", fields[0] == "include_dir":
		return "reads who may log in from a file nobody reviews", "write its lines here"
	case !strings.HasPrefix(fields[0], "host") || len(fields) < 5 || isLoopback(fields[3]):
		return "", "" // A socket inside the Pod, or no line at all.
	}
	method := fields[4]
	if strings.ContainsAny(method[:1], "0123456789") || strings.Contains(method, ":") { // A mask of its own.
		if len(fields) < 6 {
			return "", ""
		}
		method = fields[5]
	}
	if method != "trust" {
		return "", ""
	}
	everything := slices.Contains(strings.Split(fields[1], ","), "replication")
	for role := range strings.SplitSeq(fields[2], ",") {
		everything = everything || role == "all" || role == "postgres" || strings.ContainsAny(role[:min(1, len(role))], "+/@")
	}
	if !everything {
		return "", "" // One role of little power; what it may do is not ours to say.
	}
	return "asks nobody who reaches the port for a password: one of them drops every database as postgres, or confirms commits in a standby's name", "write the method scram-sha-256 or cert"
}

func isLoopback(address string) bool {
	return strings.HasPrefix(address, "127.") || address == "localhost" || address == "::1/128" || address == "::1"
}
