//go:build unix

package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const nobodys = `kind: no team in users.yaml has this file: name it under teams, or remove it`

// otherTeam is a file that no team has.
const otherTeam = "apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: search\nusers: []\n"

func TestFilesThatNobodyDeclares(t *testing.T) {
	for sentence, c := range map[string]struct {
		root  string
		files []string
		want  string // "" for nothing wrong
	}{
		"beside a team's file":            {withTeam, []string{"teams/search.yaml", otherTeam}, "teams/search.yaml:2:1: " + nobodys},
		"with the other ending":           {withTeam, []string{"teams/search.yml", otherTeam}, "teams/search.yml:2:1: " + nobodys},
		"in teams, where no team is":      {header + "users: []", []string{"teams/search.yaml", otherTeam}, "teams/search.yaml:2:1: " + nobodys},
		"two of them":                     {withTeam, []string{"teams/z.yaml", otherTeam, "teams/a.yaml", "# x\n" + otherTeam}, "teams/a.yaml:3:1: " + nobodys + "\nteams/z.yaml:2:1: " + nobodys},
		"beside a problem":                {strings.Replace(withTeam, "teams/payments", "teams/payment", 1), nil, "users.yaml:8:11: teams[0].file: file \"teams/payment.yaml\" cannot be read: file does not exist\nteams/payments.yaml:2:1: " + nobodys},
		"in a second document":            {withTeam, []string{"teams/search.yaml", "a: b\n---\n" + otherTeam}, "teams/search.yaml:4:1: " + nobodys},
		"as JSON":                         {withTeam, []string{"teams/search.yaml", "{\n  \"kind\":\n \"TeamInventory\"}"}, "teams/search.yaml:2:3: " + nobodys},
		"half written":                    {withTeam, []string{"teams/search.yaml", "apiVersion: certsync.dev/v1\nkind: TeamInventory\nusers: [\n"}, "teams/search.yaml:2:1: " + nobodys},
		"beside the inventory, as a team": {strings.Replace(withTeam, "teams/payments", "payments", 1), []string{"payments.yaml", teamHeader + "users: []", "search.yaml", otherTeam, "teams/payments.yaml", "{}"}, "search.yaml:2:1: " + nobodys},
		"beside the inventory, no team":   {withTeam, []string{"search.yaml", otherTeam}, ""},
		"in a folder below":               {withTeam, []string{"teams/old/search.yaml", otherTeam}, ""},
		"that do not end as YAML":         {withTeam, []string{"teams/search.yaml.orig", otherTeam, "teams/yaml", otherTeam}, ""},
		"that are something else":         {withTeam, []string{"teams/x.yaml", "kind: ConfigMap\ndata: {a: TeamInventory}\n", "teams/y.yaml", "data:\n  a: |\n    kind: TeamInventory\n", "teams/z.yaml", "[kind, TeamInventory]", "teams/empty.yaml", "", "teams/TeamInventory.yaml", "# TeamInventory\n"}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			files := append([]string{"teams/payments.yaml", teamHeader + "users: []"}, c.files...)
			if c.root == header+"users: []" {
				files = c.files
			}
			got := ""
			if _, err := Parse("users.yaml", []byte(c.root), filesOf(files...)); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// withPayments returns a new folder outside/inside/, with withTeam and its team's file inside.
func withPayments(t *testing.T) (inside string) {
	t.Helper()
	inside = filepath.Join(t.TempDir(), "inside")
	write(t, filepath.Join(inside, "users.yaml"), withTeam)
	write(t, filepath.Join(inside, "teams/payments.yaml"), teamHeader+"users: [{name: bob, groups: [dev]}]\n")
	return inside
}

// TestLoadSearchesTheFolderOfTeams as it is on a disk: only regular files in it count, in whichever way they come there.
func TestLoadSearchesTheFolderOfTeams(t *testing.T) {
	for sentence, c := range map[string]struct {
		prepare func(t *testing.T, inside string)
		want    string
	}{
		"nothing else in it": {func(*testing.T, string) {}, ""},
		"a mounted ConfigMap": {func(t *testing.T, inside string) {
			data := filepath.Join(inside, "..2026_01_01")
			if err := os.Mkdir(data, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"users.yaml", "teams"} {
				if err := os.Rename(filepath.Join(inside, name), filepath.Join(data, name)); err != nil {
					t.Fatal(err)
				}
				link(t, "..data/"+name, filepath.Join(inside, name))
			}
			link(t, "..2026_01_01", filepath.Join(inside, "..data"))
		}, ""},
		"a mounted ConfigMap with one more": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "..2026_01_01/search.yaml"), otherTeam)
			link(t, "..2026_01_01", filepath.Join(inside, "..data"))
			link(t, "../..data/search.yaml", filepath.Join(inside, "teams/search.yaml"))
		}, "teams/search.yaml:2:1: kind: no team in DIR/users.yaml has this file: name it under teams, or remove it"},
		"a pipe": {func(t *testing.T, inside string) {
			if err := syscall.Mkfifo(filepath.Join(inside, "teams/pipe.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"a folder that ends as YAML":  {func(t *testing.T, inside string) { write(t, filepath.Join(inside, "teams/x.yaml/y"), otherTeam) }, ""},
		"a link that leads nowhere":   {func(t *testing.T, inside string) { link(t, "none.yaml", filepath.Join(inside, "teams/x.yaml")) }, ""},
		"a link that leads outside":   {func(t *testing.T, inside string) { link(t, "../../x.yaml", filepath.Join(inside, "teams/x.yaml")) }, ""},
		"a huge file of another kind": {func(t *testing.T, inside string) { sparse(t, filepath.Join(inside, "teams/x.yaml"), "a: b\n") }, ""},
		"a huge file of a team": {func(t *testing.T, inside string) { sparse(t, filepath.Join(inside, "teams/x.yaml"), otherTeam) },
			"teams/x.yaml:2:1: kind: no team in DIR/users.yaml has this file: name it under teams, or remove it"},
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := withPayments(t)
			write(t, filepath.Join(filepath.Dir(inside), "x.yaml"), otherTeam)
			c.prepare(t, inside)
			begin, got := time.Now(), ""
			inv, err := Load(filepath.Join(inside, "users.yaml"))
			if err != nil {
				got = strings.TrimPrefix(strings.ReplaceAll(err.Error(), inside, "DIR"), "DIR/")
			} else if len(inv.Users) != 2 {
				t.Errorf("%d users", len(inv.Users))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// sparse writes a file of a terabyte, of which nothing is on the disk but the text that it begins with.
func sparse(t *testing.T, path, text string) {
	t.Helper()
	write(t, path, text)
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
}

func TestLoadRefusesTeamFiles(t *testing.T) {
	for sentence, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"that are not there": {func(t *testing.T, path string) {}, "cannot be read: no such file or directory"},
		"that a link leads out to": {func(t *testing.T, path string) { link(t, "../../x.yaml", path) },
			"cannot be read: path escapes from parent"},
		"that are pipes": {func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a regular file"},
		"that are huge": {func(t *testing.T, path string) { sparse(t, path, teamHeader) }, "is larger than 256 KiB"},
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := withPayments(t)
			write(t, filepath.Join(filepath.Dir(inside), "x.yaml"), teamHeader+"users: []")
			path := filepath.Join(inside, "teams/payments.yaml")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			c.prepare(t, path)
			_, err := Load(filepath.Join(inside, "users.yaml"))
			want := inside + `/users.yaml:8:11: teams[0].file: file "teams/payments.yaml" ` + c.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestLoadFilesHasTeams: what LoadFiles returns is all that Load needs in another folder, and nothing that no team has.
func TestLoadFilesHasTeams(t *testing.T) {
	inside := withPayments(t)
	write(t, filepath.Join(inside, "teams/notes.yaml"), "no: team\n")
	loadsElsewhere(t, inside, "teams/payments.yaml")
}

// TestLoadOfAFolderThatCannotBeSearched is an error, not a folder without teams' files.
func TestLoadOfAFolderThatCannotBeSearched(t *testing.T) {
	_, err := Parse("users.yaml", []byte(header+"users: []"), unlisted{filesOf("teams/x.yaml", otherTeam)})
	const want = `users.yaml:1:1: folder "teams" cannot be searched for teams' files: permission denied`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// unlisted is a folder in which nothing can be listed.
type unlisted struct{ fstest.MapFS }

func (unlisted) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

// TestNothingOfAnotherFileIsRepeated: a link that a team puts in the place of its file leads to nothing that anybody sees.
func TestNothingOfAnotherFileIsRepeated(t *testing.T) {
	for sentence, text := range map[string]string{
		"text": "TOKEN=hunter2", "a mapping": "hunter2: hunter2\nkind: hunter2\nusers: hunter2\n", "a list": "- hunter2", "no YAML": "[core]\n\thunter2 = hunter2\n",
		"an alias": "kind: *hunter2\n", "a tag": "!hunter2 hunter2", "a directive": "%hunter2\n--- hunter2\n", "two documents": "hunter2\n---\nhunter2\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := withPayments(t)
			write(t, filepath.Join(inside, "secret"), text)
			path := filepath.Join(inside, "teams/payments.yaml")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			link(t, "../secret", path)
			if _, err := Load(filepath.Join(inside, "users.yaml")); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
		})
	}
}
