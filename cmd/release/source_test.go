package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// repository makes a git repository with one commit of 2020-09-13T12:26:40Z, and returns the commit.
func repository(t *testing.T, dir string) string {
	t.Helper()
	save(t, dir, "a.go", "package a\n")
	git(t, dir, "init", "--quiet")
	git(t, dir, "add", "a.go")
	git(t, dir, "commit", "--quiet", "--message=One")
	return git(t, dir, "rev-parse", "HEAD")
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=@1600000000 +0000",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=@1600000000 +0000")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func save(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFindSource(t *testing.T) {
	committed := time.Unix(1600000000, 0).UTC()
	for what, test := range map[string]struct {
		change func(t *testing.T, dir string)
		env    map[string]string
		want   func(commit string) source
	}{
		"a commit without a tag": {
			want: func(commit string) source { return source{commit[:12], commit, committed} },
		},
		"a tag": {
			change: func(t *testing.T, dir string) { git(t, dir, "tag", "v1.2.3") },
			want:   func(commit string) source { return source{"v1.2.3", commit, committed} },
		},
		"a file that git does not know changes nothing": {
			change: func(t *testing.T, dir string) { save(t, dir, "notes.txt", "milk") },
			want:   func(commit string) source { return source{commit[:12], commit, committed} },
		},
		"a new time of an old file changes nothing": {
			change: func(t *testing.T, dir string) { save(t, dir, "a.go", "package a\n") },
			want:   func(commit string) source { return source{commit[:12], commit, committed} },
		},
		"a changed file is no commit's": {
			change: func(t *testing.T, dir string) { save(t, dir, "a.go", "package b\n") },
			want:   func(commit string) source { return source{commit[:12] + "-dirty", commit + "-dirty", committed} },
		},
		"what is given goes first": {
			env:  map[string]string{"VERSION": "v9", "REVISION": "r9", "SOURCE_DATE_EPOCH": "9"},
			want: func(string) source { return source{"v9", "r9", time.Unix(9, 0).UTC()} },
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			commit := repository(t, dir)
			if test.change != nil {
				test.change(t, dir)
			}
			got, err := findSource(t.Context(), dir, func(name string) string { return test.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want(commit), got, cmp.AllowUnexported(source{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFindSourceOutsideOfGit: source that lies in somebody else's repository has nothing of that.
func TestFindSourceOutsideOfGit(t *testing.T) {
	around := t.TempDir()
	repository(t, around)
	dir := filepath.Join(around, "certsync")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		env  map[string]string
		want string // of the error
	}{
		"with all that is needed":       {env: map[string]string{"VERSION": "v9", "SOURCE_DATE_EPOCH": "9"}},
		"without a version":             {map[string]string{"SOURCE_DATE_EPOCH": "9"}, "finding the version (outside git, set VERSION and SOURCE_DATE_EPOCH)"},
		"without a time":                {map[string]string{"VERSION": "v9"}, "finding the time of the source (outside git, set SOURCE_DATE_EPOCH)"},
		"with a time that is none":      {map[string]string{"VERSION": "v9", "SOURCE_DATE_EPOCH": "today"}, "SOURCE_DATE_EPOCH is not a number of seconds"},
		"with a version and a flag":     {map[string]string{"VERSION": "v9 -X main.version=v8", "SOURCE_DATE_EPOCH": "9"}, "cannot be the tag of an image"},
		"with a version that is no tag": {map[string]string{"VERSION": "v9+meta", "SOURCE_DATE_EPOCH": "9"}, "cannot be the tag of an image"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := findSource(t.Context(), dir, func(name string) string { return test.env[name] })
			if test.want == "" {
				if want := (source{version: "v9", time: time.Unix(9, 0).UTC()}); err != nil || got != want {
					t.Errorf("%+v, %v, want %+v", got, err, want)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
