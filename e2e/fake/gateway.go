package fake

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Gateway is a Prometheus Pushgateway: a push by POST replaces metrics of the same name in its group, one by PUT all of
// the group.
type Gateway struct {
	*httptest.Server
	username, password string // "": anybody may push

	mu     sync.Mutex
	groups map[string]map[model.LabelValue]model.Vector // by path, and by name
	pushes int
}

// NewGateway starts one. With a username, it wants that and the password.
func NewGateway(username, password string) *Gateway {
	g := &Gateway{username: username, password: password, groups: map[string]map[model.LabelValue]model.Vector{}}
	g.Server = httptest.NewServer(g)
	return g
}

// ServeHTTP takes a push.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	group, ok := strings.CutPrefix(r.URL.Path, "/metrics/job/")
	switch {
	case g.username != "" && (user != g.username || password != g.password):
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	case !ok || r.Method != http.MethodPost && r.Method != http.MethodPut:
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	pushed, err := samples(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pushes++
	if g.groups[group] == nil || r.Method == http.MethodPut {
		g.groups[group] = map[model.LabelValue]model.Vector{}
	}
	for name, vector := range pushed {
		g.groups[group][name] = vector
	}
}

// samples reads what is pushed, by the name of the metric.
func samples(r *http.Request) (map[model.LabelValue]model.Vector, error) {
	decoder := expfmt.SampleDecoder{
		Dec: expfmt.NewDecoder(r.Body, expfmt.ResponseFormat(r.Header)), Opts: &expfmt.DecodeOptions{},
	}
	all := map[model.LabelValue]model.Vector{}
	for {
		var v model.Vector
		if err := decoder.Decode(&v); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		for _, s := range v {
			name := s.Metric[model.MetricNameLabel]
			all[name] = append(all[name], s)
		}
	}
}

// Metrics are those of a group, such as "certsync/owner/prod-eu": their values by name and labels, as
// `certsync_changes{action="issue"}`.
func (g *Gateway) Metrics(group string) map[string]float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]float64{}
	for _, vector := range g.groups[group] {
		for _, s := range vector {
			all[s.Metric.String()] = float64(s.Value)
		}
	}
	return all
}

// Text is a group as lines, sorted.
func (g *Gateway) Text(group string) string {
	var lines []string
	for name, value := range g.Metrics(group) {
		lines = append(lines, name+" "+strconv.FormatFloat(value, 'f', -1, 64)+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// Pushes counts those that were taken.
func (g *Gateway) Pushes() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pushes
}
