package reviewpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/review"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

//go:embed page.js
var script string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"letter": letter, "strength": strengthText, "day": day, "time": timeText, "join": strings.Join, "short": short, "scope": scope,
	"through": throughText, "role": roleText, "lastDay": lastDay, "plural": plural, "rows": changedRows, "ahead": ahead,
}).Parse(pageText))

// view is the data of the page's template.
type view struct {
	review.Review
	Style  template.CSS
	Script template.JS
	Policy string // the browser may load only the page's own style and script
	P      string // begins the ids of sections, where a page has several reviews

	Strengths []access.Strength // for the legend, the strongest first
	Powerful  []powerful
	Leavers   []leaver
	Unused    []row
	Soon      []ending
	SoonDays  int
	Matrix    matrix
	Timeline  []bucket
	People    []person
	Links     map[string]string // by name of a person, the id of their section
}

// person is the section of one person.
type person struct {
	review.Person
	ID     string
	Filter string // the text that the filter searches
}

// HTML writes a review as one page.
func HTML(r review.Review) ([]byte, error) {
	return write("page", newView(r, ""))
}

// newView makes the data of a page, or of a part of it whose ids begin with prefix.
func newView(r review.Review, prefix string) view {
	v := view{
		Review: r, Style: template.CSS(style), Script: template.JS(script), SoonDays: soonDays, Policy: policy(), P: prefix,
		Strengths: strengths, Links: map[string]string{},
	}
	for i, p := range r.People {
		id := fmt.Sprintf("%sp%d", prefix, i+1)
		v.Links[p.Name] = id
		v.People = append(v.People, person{p, id, strings.ToLower(strings.Join(append([]string{p.Name, p.Team, string(p.State)}, p.Groups...), " "))})
	}
	v.Powerful, v.Leavers, v.Soon = powerfulOf(r), leaversOf(r), endingsOf(r)
	v.Unused = unusedOf(r)
	v.Matrix, v.Timeline = matrixOf(r), timelineOf(r)
	return v
}

// strengths are those in the legend, the strongest first.
var strengths = []access.Strength{access.AsAdmin, access.GivesAccess, access.Writes, access.Reads}

// write executes a template.
func write(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("writing the page: %w", err)
	}
	return b.Bytes(), nil
}

// policy is the Content-Security-Policy of a page.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(style), hash(script))
}

// hash is how a Content-Security-Policy names an inline style or script.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// letter is a strength in a narrow column, for readers who cannot see its colour.
func letter(s access.Strength) string {
	return map[access.Strength]string{access.AsAdmin: "A", access.GivesAccess: "G", access.Writes: "W", access.Reads: "R"}[s]
}

// strengthText is a strength in words.
func strengthText(s access.Strength) string {
	return map[access.Strength]string{
		access.AsAdmin: "as good as cluster-admin", access.GivesAccess: "may give access to others", access.Writes: "writes", access.Reads: "reads",
		access.GivesNothing: "gives nothing",
	}[s]
}

func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// ahead reports whether access begins after a time.
func ahead(from *time.Time, at time.Time) bool { return from != nil && from.After(at) }

// lastDay is the last day of access that ends at a time, as an inventory has it.
func lastDay(t *time.Time) string { return day(lastMoment(t)) }

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// short is the beginning of a digest or a commit.
func short(s string) string {
	s = strings.TrimPrefix(s, "sha256:")
	if len(s) > 12 {
		return s[:12]
	}
	return s
}

func scope(namespace string) string {
	if namespace == "" {
		return "cluster-wide"
	}
	return namespace
}

// throughText says which binding gives a role.
func throughText(a review.Access) string {
	switch {
	case a.Through == review.Others && a.Status == "unwanted":
		return "added to certsync's binding by somebody else"
	case a.Through == review.Own:
		return "own"
	case a.Through == review.Group:
		return "group " + a.Group
	case a.Owner != "" && a.Group != "":
		return fmt.Sprintf("certsync owner %s, by group %s", a.Owner, a.Group)
	case a.Owner != "":
		return "certsync owner " + a.Owner
	case a.Group != "":
		return "binding of others, by group " + a.Group
	}
	return "binding of others"
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// roleText is a role in a sentence.
func roleText(a review.Access) string {
	kind := ""
	if a.Kind != "ClusterRole" {
		kind = a.Kind + " "
	}
	return kind + reconcile.Shown(a.Role)
}
