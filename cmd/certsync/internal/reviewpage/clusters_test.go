package reviewpage

import (
	"encoding/csv"
	"regexp"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// threeClusters are two reviews and a cluster that could not be read.
func threeClusters(t *testing.T) []InCluster {
	r := sample(t)
	return []InCluster{{Cluster: "dev", Owner: "prod-eu", Review: r}, {Cluster: "prod-eu", Owner: "prod-eu", Review: r}, {Cluster: "prod-us", Owner: "prod-us", Problem: "<b>refused</b>" + fixture.Hostile}}
}

// TestHTMLOfClusters: the page has a table of the clusters and a section for each. Its links lead somewhere, and no id stands twice.
func TestHTMLOfClusters(t *testing.T) {
	text, err := HTMLOfClusters(threeClusters(t))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{"Access review of 3 clusters", `<a href="#c2">prod-eu</a>`, `<h1 id="c3">Cluster prod-us, owner prod-us</h1>`, "There is no review of this cluster.", "failed: &lt;b&gt;refused", `href="#c1-p1"`, "Sign-off"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("id %q stands twice", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`(?:href="#|aria-labelledby=")([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[link[1]] {
			t.Errorf("nothing has the id %q", link[1])
		}
	}
}

// TestCSVOfClusters: the table is that of each cluster, with its name in the first column.
func TestCSVOfClusters(t *testing.T) {
	all := threeClusters(t)
	text, err := CSVOfClusters(all)
	if err != nil {
		t.Fatal(err)
	}
	one, err := CSV(all[0].Review)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	single, err := csv.NewReader(strings.NewReader(string(one))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+2*(len(single)-1)+1 || rows[0][0] != "cluster" {
		t.Fatalf("%d rows, %d for one", len(rows), len(single))
	}
	for i, row := range single[1:] {
		for j, cluster := range []string{"dev", "prod-eu"} {
			if got := rows[1+i+j*(len(single)-1)]; strings.Join(got, ",") != cluster+","+strings.Join(row, ",") {
				t.Errorf("%q", got)
			}
		}
	}
	if last := rows[len(rows)-1]; last[0] != "prod-us" || !strings.HasPrefix(last[2], "failed: <b>refused") {
		t.Errorf("%q", last)
	}
}
