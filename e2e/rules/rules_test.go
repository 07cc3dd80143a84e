package rules

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	alertsPath = "../../examples/monitoring/alerts.yaml"
	pushedPath = "../../cmd/certsync/testdata/metrics/done" // kept up to date by certsync's own tests
)

// alerts reads them, and fails the test for anything that Prometheus would complain about.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	var warnings bytes.Buffer
	groups, errs := rulefmt.ParseFile(alertsPath, false, model.UTF8Validation, parser.NewParser(parser.Options{}),
		slog.New(slog.NewTextHandler(&warnings, nil)))
	for _, err := range errs {
		t.Error(err)
	}
	if warnings.Len() > 0 {
		t.Error(warnings.String())
	}
	if t.Failed() {
		t.FailNow()
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alerts")
	}
	return all
}

// TestAlertsSayWhatToDo: each has a name, says how bad it is and what to do.
func TestAlertsSayWhatToDo(t *testing.T) {
	names := map[string]bool{}
	for _, r := range alerts(t) {
		if r.Alert == "" || names[r.Alert] {
			t.Errorf("alert %q comes twice, or has no name", r.Alert)
		}
		names[r.Alert] = true
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		for _, text := range []string{"summary", "description"} {
			if r.Annotations[text] == "" {
				t.Errorf("%s has no %s", r.Alert, text)
			}
		}
	}
}

// TestAlertsUseWhatIsPushed: every metric in them is one that certsync pushes.
func TestAlertsUseWhatIsPushed(t *testing.T) {
	file, err := os.Open(pushedPath)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pushed := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		pushed[regexp.MustCompile(`^[a-z_]+`).FindString(lines.Text())] = true
	}
	for _, r := range alerts(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		used := 0
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok {
				used++
				if !pushed[s.Name] {
					t.Errorf("%s uses %q, which certsync does not push", r.Alert, s.Name)
				}
			}
			return nil
		})
		if used == 0 {
			t.Errorf("%s looks at no metric", r.Alert)
		}
	}
}

// now is when the alerts are evaluated.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) float64 { return float64(now.Add(-d).Unix()) }

// TestAlertsFire: which alerts are active after runs that went well, and badly. How long one has to be so (for) is
// Prometheus' business.
func TestAlertsFire(t *testing.T) {
	well := map[string]float64{
		"certsync_last_success_timestamp_seconds": ago(10 * time.Minute), "certsync_failures": 0, "certsync_refusals": 0,
		"certsync_held": 0, "certsync_earliest_expiry_timestamp_seconds": ago(-39 * time.Hour), "certsync_leavers_live_certificates": 0,
		"certsync_removals_outstanding": 0,
	}
	tests := map[string]struct {
		metrics map[string]float64 // other than well
		want    []string
	}{
		"all is well":                      {},
		"before the first user":            {metrics: map[string]float64{"certsync_earliest_expiry_timestamp_seconds": 0}},
		"the last success is hours ago":    {metrics: map[string]float64{"certsync_last_success_timestamp_seconds": ago(4 * time.Hour)}, want: []string{"CertsyncNoSuccess"}},
		"there was never a success":        {metrics: map[string]float64{"certsync_last_success_timestamp_seconds": -1}, want: []string{"CertsyncSilent"}},
		"two steps failed":                 {metrics: map[string]float64{"certsync_failures": 2}, want: []string{"CertsyncFailures"}},
		"a refusal":                        {metrics: map[string]float64{"certsync_refusals": 1}, want: []string{"CertsyncRefused"}},
		"a removal is outstanding":         {metrics: map[string]float64{"certsync_removals_outstanding": 1}, want: []string{"CertsyncRemovalsOutstanding"}},
		"a step is held":                   {metrics: map[string]float64{"certsync_held": 1}, want: []string{"CertsyncHeld"}},
		"a certificate expires in an hour": {metrics: map[string]float64{"certsync_earliest_expiry_timestamp_seconds": ago(-time.Hour)}, want: []string{"CertsyncCertificateExpiresSoon"}},
		"a certificate has expired":        {metrics: map[string]float64{"certsync_earliest_expiry_timestamp_seconds": ago(time.Hour)}, want: []string{"CertsyncCertificateExpiresSoon"}},
		"somebody has left":                {metrics: map[string]float64{"certsync_leavers_live_certificates": 1}, want: []string{"CertsyncLeaversCertificatesLive"}},
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	fired := map[string]bool{}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			metrics := map[string]float64{}
			for _, some := range []map[string]float64{well, tt.metrics} {
				for metric, value := range some {
					metrics[metric] = value
				}
			}
			if metrics["certsync_last_success_timestamp_seconds"] < 0 {
				delete(metrics, "certsync_last_success_timestamp_seconds")
			}
			var got []string
			for _, r := range alerts(t) {
				if active(t, engine, r.Expr, metrics) {
					got = append(got, r.Alert)
					fired[r.Alert] = true
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("active: %q, want %q", got, tt.want)
			}
		})
	}
	for _, r := range alerts(t) {
		if !fired[r.Alert] {
			t.Errorf("%s never fires", r.Alert)
		}
	}
}

// active evaluates an expression now, over metrics of one owner.
func active(t *testing.T, engine *promql.Engine, expr string, metrics map[string]float64) bool {
	t.Helper()
	query, err := engine.NewInstantQuery(t.Context(), scraped(t, metrics), nil, expr, now)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	if result.Err != nil || len(result.Warnings) > 0 {
		t.Fatalf("%s: %v, %v", expr, result.Err, result.Warnings)
	}
	vector, err := result.Vector()
	if err != nil {
		t.Fatal(err)
	}
	return len(vector) > 0
}

// scraped is a Prometheus that has just scraped these metrics.
func scraped(t *testing.T, metrics map[string]float64) storage.Queryable {
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			var found seriesSet
			for name, value := range metrics {
				l := labels.FromStrings(labels.MetricName, name, "owner", "prod-eu")
				if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) }) {
					found.all = append(found.all, newSeries(t, l, value))
				}
			}
			return &found
		},
	}}
}

// series has one sample, of a minute ago.
type series struct {
	labels labels.Labels
	chunk  *chunkenc.XORChunk
}

func newSeries(t *testing.T, l labels.Labels, value float64) series {
	t.Helper()
	s := series{l, chunkenc.NewXORChunk()}
	appender, err := s.chunk.Appender()
	if err != nil {
		t.Fatal(err)
	}
	appender.Append(0, now.Add(-time.Minute).UnixMilli(), value)
	return s
}

// Labels are name and labels.
func (s series) Labels() labels.Labels { return s.labels }

// Iterator goes through the samples.
func (s series) Iterator(it chunkenc.Iterator) chunkenc.Iterator { return s.chunk.Iterator(it) }

// seriesSet goes through series, from before the first.
type seriesSet struct {
	all     []storage.Series
	current storage.Series
}

// Next goes on to the next one.
func (s *seriesSet) Next() bool {
	if len(s.all) == 0 {
		return false
	}
	s.current, s.all = s.all[0], s.all[1:]
	return true
}

// At is the one that Next has gone to.
func (s *seriesSet) At() storage.Series { return s.current }

// Err is that of a storage that cannot fail.
func (s *seriesSet) Err() error { return nil }

// Warnings are none.
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
