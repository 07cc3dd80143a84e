package reviewpage

import (
	"fmt"
	"html/template"

	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/review"
)

// InCluster is the review of one of several clusters, or the reason why there is none.
type InCluster struct {
	Cluster, Owner string
	Review         review.Review
	Problem        string // why there is no review, or ""
}

// clustersView is the data of a page about several clusters.
type clustersView struct {
	Style     template.CSS
	Script    template.JS
	Policy    string
	Strengths []access.Strength
	Clusters  []clusterView
}

// clusterView is the part of a page about one of the clusters.
type clusterView struct {
	InCluster
	ID   string
	View view
}

// HTMLOfClusters writes the reviews of several clusters as one page: a table of the clusters, then a section for each.
func HTMLOfClusters(all []InCluster) ([]byte, error) {
	v := clustersView{Style: template.CSS(style), Script: template.JS(script), Policy: policy(), Strengths: strengths}
	for i, in := range all {
		id := fmt.Sprintf("c%d", i+1)
		v.Clusters = append(v.Clusters, clusterView{in, id, newView(in.Review, id+"-")})
	}
	return write("clusters", v)
}

// CSVOfClusters writes the reviews of several clusters as one table, as CSV does, with the cluster in the first column. A cluster without
// a review has one row, which says why.
func CSVOfClusters(all []InCluster) ([]byte, error) {
	rows := [][]string{append([]string{"cluster"}, columns...)}
	for _, in := range all {
		list := tableOf(in.Review)
		if in.Problem != "" {
			none := make([]string, len(columns))
			none[1] = "failed: " + in.Problem
			list = [][]string{none}
		}
		for _, row := range list {
			rows = append(rows, append([]string{in.Cluster}, row...))
		}
	}
	return written(rows), nil
}
