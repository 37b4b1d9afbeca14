package contract

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// judgeArchiver: every WAL file reaches an object store, through exactly one archiver with explicit names (CNPG-2.1),
// into a folder of its own (ZDL-05).
func judgeArchiver(j *judge, c *cluster) {
	refuse := func(path, message, fix string) {
		j.refuse(c.document, "CNPG-2.1", path, "", message, fix)
	}
	switch len(c.archivers) {
	case 0:
		refuse("spec.plugins", "nothing archives: archive_command succeeds without storing anything, the Cluster looks perfectly healthy and cannot be recovered",
			"add one entry {name: "+pluginName+", isWALArchiver: true, parameters: {barmanObjectName: …, serverName: …}}")
		return
	case 1:
	default:
		refuse(c.archivers[1], "is a second archiver beside "+c.archivers[0]+": a WAL file counts as archived only where both succeed, and both may write to one folder",
			"keep one plugins[] entry and no barmanObjectStore")
		return
	}
	if j.options.Method != "" && c.method != j.options.Method {
		refuse(c.archivers[0], "archives with the method "+c.method+", the policy says "+j.options.Method, "use the policy's method")
	}
	if c.method == methodInTree {
		if c.serverName == "" {
			refuse("spec.backup.barmanObjectStore.serverName", "is missing: the folder follows from the Cluster's name, and its next incarnation would archive over this one", "write a serverName")
		}
		j.judgeStore(c.archive, true)
		j.judgeRetention(c.document, "spec.backup.retentionPolicy", c.archive.retention)
	} else {
		j.judgePlugin(c)
	}
	j.judgeFolder(c)
}

// judgePlugin judges the one enabled archiver of plugins[].
func (j *judge) judgePlugin(c *cluster) {
	at := c.archivers[0]
	refuse := func(path, value, message, fix string) {
		j.refuse(c.document, "CNPG-2.1", path, value, message, fix)
	}
	for i, item := range items(c.spec, "plugins") {
		plugin, _ := item.(node)
		if index("spec.plugins", i) != at {
			continue
		}
		if name := text(plugin, "name"); name != pluginName {
			refuse(at+".name", name, "is not the barman-cloud plugin: what it archives cannot be judged", "write name: "+pluginName)
			return
		}
		if archiver, _ := boolean(plugin, "isWALArchiver"); !archiver {
			refuse(at+".isWALArchiver", written(plugin["isWALArchiver"]), "the Cluster would start without its archiver when the plugin is missing, and nothing would be archived", "write isWALArchiver: true")
		}
	}
	if c.storeName == "" {
		refuse(at+".parameters.barmanObjectName", "", "is missing: the archiver does not know where to", "name the ObjectStore")
	} else if j.options.Complete && j.find(objectStore, c.namespace, c.storeName) == nil {
		refuse(at+".parameters.barmanObjectName", c.storeName, "is no ObjectStore of this set: the Cluster waits for it and archives nothing", "add the ObjectStore to the same namespace")
	}
	if c.serverName == "" {
		refuse(at+".parameters.serverName", "", "is missing: the folder follows from the Cluster's name, and its next incarnation would archive over this one", "write a serverName")
	}
}

// judgeFolder: no two Clusters archive into one folder, and none into the folder it was recovered from (ZDL-05).
func (j *judge) judgeFolder(c *cluster) {
	if c.serverName == "" {
		return
	}
	own := c.archivers[0] + ".parameters.serverName"
	if c.method == methodInTree {
		own = c.archivers[0] + ".serverName"
	}
	for i, item := range items(c.spec, "externalClusters") {
		source, _ := item.(node)
		serverName, folder := j.sourceFolder(c, source)
		same, as := folder == c.folder, "where "+index("spec.externalClusters", i)+" is read from"
		if folder == "" || c.folder == "" { // Nobody can tell.
			same, as = serverName == c.serverName, "the serverName of "+index("spec.externalClusters", i)
		}
		if same {
			j.refuse(c.document, "ZDL-05", own, c.serverName, "is also "+as+": the Cluster archives over the archive it is recovered from, and neither can be recovered then",
				"write a serverName that no other incarnation has")
		}
	}
	for i := range j.clusters {
		other := &j.clusters[i]
		if other == c || other.serverName == "" || other.observed {
			continue
		}
		// An ObjectStore of one name is one place, whether or not the set holds it.
		oneStore := c.storeName != "" && other.storeName == c.storeName && other.namespace == c.namespace
		if oneStore && other.serverName == c.serverName || c.folder != "" && other.folder == c.folder {
			j.refuse(c.document, "ZDL-05", own, c.serverName, "is also where "+other.String()+" archives: two timelines in one folder overwrite each other",
				"write a serverName that no other Cluster has")
			return
		}
	}
}

// sourceFolder is where an external cluster of a Cluster is read from: its serverName, "" where it is no archive, and the whole
// folder, "" where the set does not tell.
func (j *judge) sourceFolder(c *cluster, source node) (serverName, folder string) {
	if plugin := sub(source, "plugin"); plugin != nil {
		parameters := sub(plugin, "parameters")
		serverName = text(parameters, "serverName")
		if d := j.find(objectStore, c.namespace, text(parameters, "barmanObjectName")); d != nil {
			folder = folderOf(text(sub(d.spec, "configuration"), "destinationPath"), serverName)
		}
		return serverName, folder
	}
	if store := sub(source, "barmanObjectStore"); store != nil {
		serverName = cmp.Or(text(store, "serverName"), text(source, "name")) // CloudNativePG's default.
		return serverName, folderOf(text(store, "destinationPath"), serverName)
	}
	return "", ""
}

// judgeSources judges the stores a Cluster reads in-tree as those of the plugin are: what is restored is what was archived.
func judgeSources(j *judge, c *cluster) {
	for i, item := range items(c.spec, "externalClusters") {
		source, _ := item.(node)
		if store := sub(source, "barmanObjectStore"); store != nil {
			j.judgeStore(archive{document: c.document, at: index("spec.externalClusters", i) + ".barmanObjectStore", configuration: store}, false)
		}
	}
}

// judgeRecovery: a recovery names its source explicitly (CNPG-2.4).
func judgeRecovery(j *judge, c *cluster) {
	recovery := sub(sub(c.spec, "bootstrap"), "recovery")
	name := text(recovery, "source")
	if name == "" {
		return // Nothing is recovered, or from a Backup or a snapshot, which name their archive themselves.
	}
	refuse := func(path, value, message, fix string) {
		j.refuse(c.document, "CNPG-2.4", path, value, message, fix)
	}
	for i, item := range items(c.spec, "externalClusters") {
		source, _ := item.(node)
		if text(source, "name") != name {
			continue
		}
		at := index("spec.externalClusters", i)
		switch plugin, store := sub(source, "plugin"), sub(source, "barmanObjectStore"); {
		case plugin != nil && text(plugin, "name") != pluginName:
			refuse(at+".plugin.name", text(plugin, "name"), "is not the barman-cloud plugin, which alone can read its archives", "write name: "+pluginName)
		case plugin != nil:
			parameters := sub(plugin, "parameters")
			if text(parameters, "barmanObjectName") == "" {
				refuse(at+".plugin.parameters.barmanObjectName", "", "is missing: nobody knows where the source's archive is", "name the source's ObjectStore")
			}
			if text(parameters, "serverName") == "" {
				refuse(at+".plugin.parameters.serverName", "", "is missing: the plugin then looks in the folder of the new Cluster and finds no backup, or the wrong one", "write the source's serverName")
			}
		case store != nil:
			if text(store, "serverName") == "" {
				refuse(at+".barmanObjectStore.serverName", "", "is missing: the folder is guessed from the name of the external cluster", "write the source's serverName")
			}
		default:
			refuse(at, "", "names no archive: nobody knows what to restore", "add plugin with barmanObjectName and serverName")
		}
		return
	}
	refuse("spec.bootstrap.recovery.source", name, "is not among externalClusters: nobody knows which archive to restore", "add an externalClusters entry of that name with barmanObjectName and serverName")
}

// judgeObjectStore judges what the barman-cloud plugin archives to. One that is only recovered from need not be kept up.
func judgeObjectStore(j *judge, d *document) {
	a := archive{document: d, at: "spec.configuration", configuration: sub(d.spec, "configuration"), retention: text(d.spec, "retentionPolicy")}
	written := !j.onlyRead(d)
	j.judgeStore(a, written)
	if written {
		j.judgeRetention(d, "spec.retentionPolicy", a.retention)
	}
	j.judgeEnvironmentList(d, sub(d.spec, "instanceSidecarConfiguration"), "env", "spec.instanceSidecarConfiguration.env")
}

// onlyRead says whether Clusters of the set recover from a store and none archives to it.
func (j *judge) onlyRead(store *document) bool {
	read := false
	for i := range j.clusters {
		c := &j.clusters[i]
		if c.namespace != store.namespace {
			continue
		}
		if c.method == methodPlugin && c.storeName == store.name {
			return false
		}
		for _, item := range items(c.spec, "externalClusters") {
			source, _ := item.(node)
			read = read || text(sub(sub(source, "plugin"), "parameters"), "barmanObjectName") == store.name
		}
	}
	return read
}

// judgeStore judges one barmanObjectStore structure. One that is never written to needs no codecs.
func (j *judge) judgeStore(a archive, archivedTo bool) {
	refuse := func(rule, path, value, message, fix string) {
		j.refuse(a.document, rule, a.at+path, value, message, fix)
	}
	destination := text(a.configuration, "destinationPath")
	switch name := bucketOf(destination); {
	case destination == "":
		refuse("CNPG-2.2", ".destinationPath", "", "is missing: there is no place to archive to", "write destinationPath: s3://<bucket>/<path>/")
	case strings.Contains(destination, "@"):
		refuse("ZDL-12", ".destinationPath", "", "contains credentials, which everybody who can read it may use", "remove them and rotate them; keys come through External Secrets")
	case name == "":
		refuse("CNPG-2.2", ".destinationPath", destination, "is not an S3 bucket: Object Lock, which makes backups indestructible, exists there only", "write destinationPath: s3://<bucket>/<path>/")
	case strings.HasSuffix(name, "--x-s3"): // AWS keeps the ending for them.
		refuse("CNPG-2.2", ".destinationPath", destination, "is a directory bucket: it lies in a single zone, and has neither versions nor Object Lock", "name a general purpose bucket")
	}
	for _, cloud := range []string{"azureCredentials", "googleCredentials"} {
		if has(a.configuration, cloud) {
			refuse("CNPG-2.2", "."+cloud, "", "is for a store without S3's Object Lock", "use an S3-compatible bucket with s3Credentials")
		}
	}
	j.add(a.document, judgeEndpoint(a.at+".endpointURL", text(a.configuration, "endpointURL")))
	j.judgeStoreKeys(a)
	j.judgeArguments(a, "wal", "restoreAdditionalCommandArgs", "restores from elsewhere than configuration says, or takes for restored what is not there: recovery ends early, without the commits after it")
	if !archivedTo {
		return
	}
	for _, part := range []struct{ key, what string }{{"wal", "WAL"}, {"data", "base backups"}} {
		section := sub(a.configuration, part.key)
		switch codec := text(section, "compression"); {
		case codec == "":
			refuse("CNPG-2.3", "."+part.key+".compression", "", part.what+" would be uploaded and locked uncompressed: uploads take longer, and what is not uploaded yet is what a lost cluster loses", "write compression: gzip")
		case codec != "gzip" && codec != j.options.Compression:
			refuse("CNPG-2.3", "."+part.key+".compression", codec, "is not the codec of the contract, nor one the policy allows", "write compression: gzip")
		}
		for _, key := range []string{"archiveAdditionalCommandArgs", "additionalCommandArgs"} {
			j.judgeArguments(a, part.key, key, "sends the archive elsewhere than configuration says, or only pretends to archive")
		}
	}
}

// divertingArguments are options of barman-cloud-wal-archive and barman-cloud-backup that send the archive elsewhere or
// nowhere: to a disk snapshot, for instance, or to the screen. --help and --version end the program with success before it
// has archived anything; --host backs up another server.
var divertingArguments = []string{
	"--endpoint-url", "--cloud-provider", "--aws-profile", "--profile", "--test", "--snapshot-instance", "--snapshot-disk", "--snapshot-zone",
	"--help", "--version", "--host",
}

// valueless are what short options of barman-cloud begin with, and those without a value.
const valueless = "-vqzj"

// isDiverting says whether an argument stands for one of them. barman-cloud takes any beginning of a long option, and
// short ones in one word: -vt, -Pother.
func isDiverting(argument string) bool {
	name, _, _ := strings.Cut(argument, "=")
	if strings.HasPrefix(name, "--") {
		return slices.ContainsFunc(divertingArguments, func(long string) bool { return begins(name, long, "--") && name != "--" })
	}
	short := strings.TrimLeft(name, valueless)
	return strings.HasPrefix(name, "-") && strings.IndexAny(short, "tPVh") == 0
}

func (j *judge) judgeArguments(a archive, part, key, effect string) {
	arguments := items(sub(a.configuration, part), key)
	for i, item := range arguments {
		argument, _ := item.(string)
		at := index(a.at+"."+part+"."+key, i)
		if isDiverting(argument) {
			name, _, _ := strings.Cut(argument, "=")
			j.refuse(a.document, "CNPG-2.1", at, name, effect, "remove it")
		}
		option, database, names := databaseOf(argument)
		if names && database == "" && i+1 < len(arguments) {
			database, _ = arguments[i+1].(string)
		}
		if names && anotherServer.MatchString(database) { // Not quoted: it may hold a password.
			j.refuse(a.document, "CNPG-2.1", at, option, "names another server beside the database: what is backed up is that one's", "write the name of a database alone, or remove it")
		}
	}
}

// anotherServer recognises what tells libpq in place of a database's name where to connect to.
var anotherServer = regexp.MustCompile(`(?i)^\s*postgres(ql)?://|(^|\s)(host|hostaddr|port|service)\s*=`)

// databaseOf reads -d and --dbname: the option, and its value where that is in the same word.
func databaseOf(argument string) (option, value string, names bool) {
	option, value, _ = strings.Cut(argument, "=")
	if begins(option, "--dbname", "--d") {
		return option, value, true
	}
	if strings.HasPrefix(argument, "-") && !strings.HasPrefix(argument, "--") {
		value, names = strings.CutPrefix(strings.TrimLeft(argument, valueless), "d")
	}
	return "-d", value, names
}

// judgeRetention: at least 30 days are kept (CNPG-3.2).
func (j *judge) judgeRetention(d *document, at, policy string) {
	const fix = "write retentionPolicy: 30d or more"
	switch days, ok := retentionDays(policy); {
	case policy == "":
		j.refuse(d, "CNPG-3.2", at, "", "is missing: nothing says how far back a recovery must reach, and no lock can be held to it", fix)
	case !ok:
		j.refuse(d, "CNPG-3.2", at, policy, "is not a retention that barman reads", fix)
	case days < j.options.RetentionDays && j.options.RetentionDays > MinRetentionDays:
		j.refuse(d, "CNPG-3.2", at, policy, "is below the policy's "+plural(j.options.RetentionDays, "day")+": what retention removes cannot be recovered to", "write retentionPolicy: "+plainDays(j.options.RetentionDays)+" or more")
	case days < MinRetentionDays:
		j.refuse(d, "CNPG-3.2", at, policy, "is below the contract's 30 days: what retention removes cannot be recovered to", fix)
	}
}
