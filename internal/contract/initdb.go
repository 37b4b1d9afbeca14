package contract

import (
	"regexp"
	"strings"
)

// What runs once, when a database is made, and stays: SQL as superuser, and options of initdb (ZDL-09). Neither shows up
// in postgresql.parameters.

// judgeFirstSQL judges what the first data is followed by. SQL that puts its words together at run time is beyond any
// reader; the alert on a role's own synchronous_commit is what is left then.
func judgeFirstSQL(j *judge, c *cluster) {
	initdb := sub(sub(c.spec, "bootstrap"), "initdb")
	const at = "spec.bootstrap.initdb"
	for _, key := range []string{"postInitSQL", "postInitApplicationSQL", "postInitTemplateSQL"} {
		j.judgeStatements(c, items(initdb, key), at+"."+key)
		for _, field := range []string{"configMapRefs", "secretRefs"} {
			for _, item := range items(sub(initdb, key+"Refs"), field) {
				ref, _ := item.(node)
				d, data, at := j.referenced(c, field == "secretRefs", text(ref, "name"))
				if message := judgeSQL(text(data, text(ref, "key"))); message != "" {
					j.refuse(d, "ZDL-09", at+"."+text(ref, "key"), "", "is run by "+c.String()+" and "+message, fixSQL)
				}
				if field == "secretRefs" {
					eachLiteral(d, func(literal, at string) {
						if message := judgeSQL(literal); message != "" {
							j.refuse(d, "ZDL-09", at, "", "is run by "+c.String()+" and "+message, fixSQL)
						}
					})
				}
			}
		}
	}
	j.judgeStatements(c, items(sub(initdb, "import"), "postImportApplicationSQL"), at+".import.postImportApplicationSQL")
}

// referenced is what a ConfigMap or Secret will hold that a Cluster names, as far as this set tells: the document, the data
// and their path. A Secret is what its ExternalSecret writes as it stands; a literal one is refused by itself (ZDL-12).
func (j *judge) referenced(c *cluster, isSecret bool, name string) (d *document, data node, at string) {
	if !isSecret {
		if d := j.find(configMap, c.namespace, name); d != nil {
			return d, sub(d.body, "data"), "data"
		}
		return nil, nil, ""
	}
	if d := j.externalSecretFor(c.namespace, name); d != nil && name != "" {
		return d, sub(sub(sub(d.spec, "target"), "template"), "data"), "spec.target.template.data"
	}
	return nil, nil, ""
}

const fixSQL = "remove it; settings belong into postgresql.parameters, where they are judged"

func (j *judge) judgeStatements(c *cluster, statements []any, at string) {
	for i, item := range statements {
		statement, _ := item.(string)
		if message := judgeSQL(statement); message != "" {
			j.refuse(c.document, "ZDL-09", index(at, i), "", message, fixSQL) // Not quoted: SQL may hold a password.
		}
	}
}

// judgePooler: SQL that PgBouncer runs on every connection between two clients is not reset with what the last client set.
func judgePooler(j *judge, d *document) {
	parameters := settings(sub(d.spec, "pgbouncer"), "parameters")
	for _, name := range []string{"server_check_query", "server_reset_query"} {
		if message := judgeSQL(parameters[name]); message != "" {
			j.refuse(d, "ZDL-09", "spec.pgbouncer.parameters."+name, "", "runs for every client and "+message, fixSQL)
		}
	}
}

var (
	sqlComments = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`)
	alterSystem = regexp.MustCompile(`(?i)\balter[\s\v]+system\b`)
	lowers      = regexp.MustCompile(`(?i)\b(synchronous_commit|zero_damaged_pages|ignore_checksum_failure)\b`)
)

// judgeSQL says what a statement does to durability, "" where nothing is seen. Both forms of the text are looked at: what
// stands in a string, behind a comment's sign or not, may be run all the same.
func judgeSQL(statement string) string {
	for _, text := range []string{statement, sqlComments.ReplaceAllString(statement, " ")} {
		switch {
		case alterSystem.MatchString(text):
			return "writes settings where nobody reviews them, and they outlive every restart"
		case lowers.MatchString(text):
			return "sets " + strings.ToLower(lowers.FindString(text)) + " past postgresql.parameters: commits may then be acknowledged before any standby has them, or damage be passed over, and no manifest shows it"
		}
	}
	return ""
}

// initdbSetting is an option of initdb that sets a parameter, on its own or as the value of the option before it.
var initdbSetting = regexp.MustCompile(`^(?:-c|--set?=)?\s*([A-Za-z_.]+)\s*=(.*)$`)

// judgeInitdbOptions judges options handed to initdb. It takes any unambiguous beginning of a long one.
func judgeInitdbOptions(j *judge, c *cluster) {
	for i, item := range items(sub(sub(c.spec, "bootstrap"), "initdb"), "options") {
		option, _ := item.(string)
		at := index("spec.bootstrap.initdb.options", i)
		refuse := func(rule, message string) { j.refuse(c.document, rule, at, option, message, "remove it") }
		name, _, _ := strings.Cut(option, "=")
		switch {
		case switchesChecksumsOff(name):
			refuse("ZDL-11", blind)
		case hasSwitch(name, "N"), name == "--nosync", begins(name, "--no-sync", "--no-s"):
			refuse("ZDL-09", "does not force the new database to disk: a crash of the node leaves a part of it")
		case hasSwitch(name, "X"), begins(name, "--waldir", "--wald"), hasSwitch(name, "D"), begins(name, "--pgdata", "--pgd"):
			refuse("ZDL-09", "moves the data or its WAL off the volume that outlives the instance")
		default:
			setting := initdbSetting.FindStringSubmatch(option)
			if setting == nil {
				continue
			}
			for _, f := range JudgeParameters("", map[string]string{setting[1]: setting[2]}) {
				f.Object, f.Path, f.Value = c.String(), at, option
				j.note(c.document, f)
			}
		}
	}
}

// hasSwitch says whether an option is a letter: alone, or in one word behind others that have no value, as in -kN.
func hasSwitch(option, letter string) bool {
	name := strings.TrimPrefix(option, "-")
	return name != option && strings.HasPrefix(strings.TrimLeft(name, strings.ReplaceAll("dgknNsSW", letter, "")), letter)
}

// speaksOfChecksums says whether an option of initdb switches checksums on, or off, which is refused by itself.
func speaksOfChecksums(option any) bool {
	name, _ := option.(string)
	return hasSwitch(name, "k") || begins(name, "--data-checksums", "--da") || switchesChecksumsOff(name)
}

func switchesChecksumsOff(option string) bool { return begins(option, "--no-data-checksums", "--no-d") }

// begins says whether an option stands for a long one: a beginning of it that is at least so much.
func begins(option, long, least string) bool {
	return strings.HasPrefix(long, option) && strings.HasPrefix(option, least)
}
