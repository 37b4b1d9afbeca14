package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/bootstrap"
	"github.com/bizmatters/function-hardened-postgres/internal/claim"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
	"github.com/bizmatters/function-hardened-postgres/internal/hardened"
	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
	"github.com/bizmatters/function-hardened-postgres/internal/policy"
	"github.com/bizmatters/function-hardened-postgres/internal/reconcile"
	"github.com/bizmatters/function-hardened-postgres/internal/source"
	"github.com/bizmatters/function-hardened-postgres/internal/successor"
	"github.com/bizmatters/function-hardened-postgres/internal/world"
)

// recoverCmd writes the claim of a database that is made from another one, says what will happen, and holds it against
// the contract before anybody commits it.
type recoverCmd struct {
	From string `required:"" help:"File with the claim of the database to start from, or - for standard input." placeholder:"FILE"`
	Name string `required:"" help:"Name of the new claim." placeholder:"NAME"`

	ToTime      string `help:"Recover to this moment, with a time zone: 2026-11-20T10:00:00Z." xor:"target" placeholder:"TIME"`
	ToLSN       string `name:"to-lsn" help:"Recover to this WAL location." xor:"target" placeholder:"LSN"`
	ToXID       string `name:"to-xid" help:"Recover to this transaction; needs --backup-id." xor:"target" placeholder:"XID"`
	ToName      string `help:"Recover to this restore point; needs --backup-id." xor:"target" placeholder:"NAME"`
	ToImmediate bool   `help:"Stop at the end of --backup-id." xor:"target"`
	BackupID    string `name:"backup-id" help:"Base backup to start from. Default: the newest before the target." placeholder:"ID"`
	Exclusive   bool   `help:"Stop just before the target instead of just after it."`

	Upgrade string `help:"Move to this PostgreSQL major, 14 to 18." placeholder:"MAJOR"`
	Method  string `help:"How an upgrade moves the data: import (default) or logicalReplication." placeholder:"METHOD"`

	ArchiveBucket string `help:"Bucket of the archive, where nothing of the source is left in the cluster." and:"archive" placeholder:"BUCKET"`
	ArchiveServer string `help:"Folder of its incarnation, as status.backup.serverName showed it." and:"archive" placeholder:"NAME"`
	ArchivePath   string `help:"Path in the bucket above it. Default: <namespace>/<source>." placeholder:"PATH"`

	Policy      string   `help:"File with the platform's policy." xor:"policy" placeholder:"FILE"`
	Composition string   `help:"Composition whose pipeline step holds the policy. Without either, an example policy is used." xor:"policy" placeholder:"FILE"`
	Required    []string `help:"The source's Cluster and ObjectStore (kubectl get -o yaml), to judge by what they are. Without, the source is taken to be healthy and as its claim says." placeholder:"FILE"`
	Output      string   `short:"o" help:"File to write the new claim to; an existing one is never overwritten. Default: standard output." placeholder:"FILE"`

	now func() time.Time
}

// Run writes the claim to the output and the explanation to standard error. A claim that would be refused is not written.
func (c *recoverCmd) Run(std *streams) error {
	old, err := c.source(std)
	if err != nil {
		return err
	}
	now := time.Now
	if c.now != nil {
		now = c.now
	}
	document, explanation := successor.Document(old, successor.Wish{
		Name: c.Name, ToTime: c.ToTime, ToLSN: c.ToLSN, ToXID: c.ToXID, ToName: c.ToName, Immediate: c.ToImmediate,
		BackupID: c.BackupID, Exclusive: c.Exclusive, Upgrade: c.Upgrade, Method: c.Method,
		Bucket: c.ArchiveBucket, Path: c.ArchivePath, Server: c.ArchiveServer, Now: now(),
	})
	judged, err := c.judge(old, document, now(), std)
	if err != nil {
		return err
	}
	if len(judged.refused) > 0 {
		return fmt.Errorf("not written, because it would be refused:\n%s%s", judged.refused, c.twoSteps(judged.refused))
	}
	text, err := written(document, explanation[0])
	if err != nil {
		return err
	}
	if err := c.write(text, std.out); err != nil {
		return err
	}
	for _, line := range explanation {
		tell(std.err, line)
	}
	for _, wait := range judged.waiting {
		tell(std.err, "Before it begins it waits for "+wait+".")
	}
	for _, line := range c.unseen(old, judged.missing) {
		tell(std.err, line)
	}
	return nil
}

// twoSteps is how this command gets to a moment of the past under another major.
func (c *recoverCmd) twoSteps(refused contract.Findings) string {
	if !strings.Contains(refused.String(), "take two steps") {
		return ""
	}
	return fmt.Sprintf("\nThe two steps with this command: first leave --upgrade %s out; once that database is ready, recover --from the file that was written, with --upgrade %s and another --name.", c.Upgrade, c.Upgrade)
}

// unseen says what was judged without having been looked at.
func (c *recoverCmd) unseen(old manifest.Object, missing []string) []string {
	switch {
	case c.ArchiveBucket != "":
		return []string{fmt.Sprintf("Not looked at: bucket %s. A wrong folder, or a target that is not in it, fails the restore; docs/recover.md has the command that lists what is there.", c.ArchiveBucket)}
	case len(c.Required) == 0:
		return []string{fmt.Sprintf("Not looked at: %s itself, taken to be healthy and as its claim says. With --required (docs/recover.md) its recovery window, major and room are judged before you commit instead of afterwards.", old.Name())}
	case len(missing) > 0:
		return []string{fmt.Sprintf("Not in --required: %s. It was taken to be healthy and as the claim says; if it is gone, the new claim says what is missing.", strings.Join(missing, " and "))}
	}
	return nil
}

// source reads the one claim to start from.
func (c *recoverCmd) source(std *streams) (manifest.Object, error) {
	documents, err := source.Open([]string{c.From}, std.in)
	if err != nil {
		return nil, err
	}
	var claims []manifest.Object
	for _, d := range documents {
		if d.Object.Group() == v1alpha1.Group && d.Object.Kind() == v1alpha1.Kind {
			claims = append(claims, d.Object)
		}
	}
	switch {
	case c.ArchivePath != "" && c.ArchiveBucket == "":
		return nil, errors.New("--archive-path says where in a bucket an archive lies: write --archive-bucket and --archive-server too, or leave it out")
	case len(claims) != 1:
		return nil, fmt.Errorf("%s holds %d documents of kind %s: --from needs a file with exactly one", c.From, len(claims), v1alpha1.Kind)
	case claims[0].Name() == c.Name && c.ArchiveBucket == "":
		return nil, errors.New("--name is the source's own name: a living database is never recovered over itself. Choose another name; if the database is gone, the condition DatabaseReady of its claim says what to write (docs/recover.md)")
	}
	return claims[0], nil
}

// verdict is what becomes of the new claim.
type verdict struct {
	refused contract.Findings
	// waiting is what its database waits for, but for what the function makes by itself and for what the explanation asks
	// a person to confirm.
	waiting []string
	// missing are the source's objects that were assumed because they are not in --required.
	missing []string
}

// judge plays the new claim through the function, beside its source.
func (c *recoverCmd) judge(old, document manifest.Object, now time.Time, std *streams) (verdict, error) {
	input, err := readPolicy(c.Policy, c.Composition, std)
	if err != nil {
		return verdict{}, err
	}
	required, err := source.Open(c.Required, std.in)
	if err != nil {
		return verdict{}, err
	}
	p, found := policy.Decode(input)
	fresh, refused := claim.Decode(claim.InNamespace(document, claim.DefaultNamespace))
	from, unreadable := claim.Decode(claim.InNamespace(old, claim.DefaultNamespace))
	found = append(append(found.Violations(), refused...), unreadable...)
	if len(found) > 0 || p == nil {
		return verdict{refused: found}, nil
	}
	var out verdict
	answers := bootstrap.Assumed(fresh, p, from)
	if answers == nil { // What the source asks for breaks the policy, so nothing is made up for it.
		answers = map[string][]manifest.Tree{}
	}
	asks := bootstrap.Asks(fresh, p)
	for _, name := range slices.Sorted(maps.Keys(asks)) {
		ask, there := asks[name], false
		for _, d := range required {
			if o := d.Object; o.APIVersion() == ask.APIVersion && o.Kind() == ask.Kind && o.Name() == ask.Name && (o.Namespace() == ask.Namespace || o.Namespace() == "") {
				answers[name], there = []manifest.Tree{o}, true
			}
		}
		if assumed := len(answers[name]) > 0; assumed && !there {
			out.missing = append(out.missing, ask.Kind+" "+ask.Name)
		}
	}
	view := world.View{Required: answers}
	out.refused = reconcile.Run(reconcile.Input{
		Composite: claim.AsComposite(claim.InNamespace(document, claim.DefaultNamespace), claim.Namespaced), Policy: input,
		World: view, Now: now, Complete: true,
	}).Refused
	fresh.Annotations = map[string]string{claim.AnnotationWritesStopped: old.Name(), claim.AnnotationReplicaIdentities: old.Name()}
	out.waiting = bootstrap.Make(fresh, p, hardened.PlaceOf(fresh, p), nil, view, now).Waiting
	return out, nil
}

// written is the claim as a file: what people read first comes first.
func written(document manifest.Object, comment string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n# The bootstrap is read once, when the database is made; afterwards it is inert.\n", strings.TrimSuffix(comment, "."))
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, part := range []string{"apiVersion", "kind", "metadata", "spec"} {
		if err := enc.Encode(map[string]any{part: document[part]}); err != nil {
			return nil, fmt.Errorf("cannot write YAML: %w", err)
		}
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("---\n"), nil), nil
}

func (c *recoverCmd) write(text []byte, out io.Writer) error {
	if c.Output == "" {
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("cannot write the claim: %w", err)
		}
		return nil
	}
	file, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // A claim is read by whoever reads the repository.
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already, and a file is never overwritten: it may be the only description of a database; choose another --output", c.Output)
	}
	if err != nil {
		return fmt.Errorf("cannot write the claim: %w", err)
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(fmt.Errorf("cannot write the claim: %w", err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("cannot write the claim: %w", err)
	}
	return nil
}
