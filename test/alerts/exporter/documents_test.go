package exporter

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// fenced is a block of code in a page, typed is a statement handed to psql there, another what is handed to a shell, filledIn
// a name the reader puts in, and sqlBlock a block of nothing but SQL.
var (
	fenced   = regexp.MustCompile("(?s)```(sh|console)\n(.*?)```")
	typed    = regexp.MustCompile(`(?s) -[A-Za-z]*c\s+(?:'([^']*)'|"([^"]*)")`)
	another  = regexp.MustCompile(`sh -c '[^']*'`)
	filledIn = regexp.MustCompile(`<([a-z]+)>`)
	sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")
)

// TestDocumentedSQL runs every statement the pages and runbooks tell people to type. What a statement names may not be
// there, because nobody has made the publication or the table it is about; that it is not SQL, or asks for a column that
// PostgreSQL does not have, is a defect of the page.
func TestDocumentedSQL(t *testing.T) {
	s, do := database(t)
	do("postgres", "CREATE ROLE agent_db", "CREATE DATABASE agent_db OWNER agent_db")
	db, err := connect(s, "agent_db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	absent := map[string]string{"42704": "undefined object", "42P01": "undefined table", "3D000": "undefined database"}

	statements := 0
	for _, pattern := range []string{"*.md", "*/*.md"} {
		pages, err := filepath.Glob(filepath.Join("..", "..", "..", "docs", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			raw, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, block := range fenced.FindAllStringSubmatch(string(raw), -1) {
				if !strings.Contains(block[2], "psql") {
					continue
				}
				for _, m := range typed.FindAllStringSubmatch(another.ReplaceAllString(block[2], ""), -1) {
					found = append(found, m[1]+m[2])
				}
			}
			for _, m := range sqlBlock.FindAllStringSubmatch(string(raw), -1) {
				found = append(found, m[1])
			}
			for _, sql := range found {
				statements++
				_, err := db.Exec(filledIn.ReplaceAllString(sql, "$1"))
				var refused *pgconn.PgError
				if err == nil || errors.As(err, &refused) && absent[refused.Code] != "" {
					continue
				}
				t.Errorf("%s: %q: %v", filepath.Base(page), sql, err)
			}
		}
	}
	if statements < 20 {
		t.Errorf("only %d statements were found in the pages", statements)
	}
	t.Logf("%d statements", statements)
}
