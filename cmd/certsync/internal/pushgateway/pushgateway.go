// Package pushgateway pushes the metrics of a run to a Prometheus Pushgateway.
package pushgateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
	"github.com/certsync/certsync/reconcile/report"
)

// The variables with the credentials for the Pushgateway. No flag takes a secret.
const (
	UsernameVariable = "CERTSYNC_PUSHGATEWAY_USERNAME"
	PasswordVariable = "CERTSYNC_PUSHGATEWAY_PASSWORD"
)

// Login has the values of these variables, "" for those that are not set.
type Login struct {
	Username string
	Password reconcile.Secret
}

// URL is the value of --pushgateway, or "".
type URL string

// UnmarshalText returns an error for text that is not the address of a Pushgateway. The error repeats nothing, because a URL may hold a password.
func (g *URL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("expected an http or https URL, for example http://pushgateway.monitoring:9091")
	case u.User != nil:
		return fmt.Errorf("credentials in a URL are visible to others: set %s and %s instead", UsernameVariable, PasswordVariable)
	}
	*g = URL(text)
	return nil
}

// metrics returns the gauges of a run. A gauge that is left out keeps its value from an earlier run: after a failure, the
// last success; if the cluster or Vault could not be read, the census.
func metrics(a report.Account) *prometheus.Registry {
	all := prometheus.NewRegistry()
	gauge := func(name, help string, value float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "certsync", Name: name, Help: help})
		g.Set(value)
		all.MustRegister(g)
	}
	f := a.Metrics()
	gauge("exit_code", "Exit code of the last run: see certsync apply --help.", float64(a.ExitCode))
	gauge("last_run_timestamp_seconds", "Time when the last run ended.", seconds(a.EndedAt))
	gauge("duration_seconds", "Duration of the last run.", a.EndedAt.Sub(a.StartedAt).Seconds())
	gauge("failures", "Failed steps of the last run, plus one if the whole run failed.", float64(f.Failures))
	gauge("refusals", "Number of reasons why the last run was refused.", float64(f.Refusals))
	gauge("held", "Steps that the last run held, until somebody decides about them.", float64(f.Held))
	changes := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "certsync", Name: "changes", Help: "Steps that the last run did, by action.",
	}, []string{"action"})
	for action, n := range f.Changes {
		changes.WithLabelValues(string(action)).Set(float64(n))
	}
	all.MustRegister(changes)
	if a.ExitCode == 0 && !a.Outcome.Plan.RemovalsOnly { // an alert on Vault being down stays
		gauge("last_success_timestamp_seconds", "Time when a run last ended with everything done.", seconds(a.EndedAt))
	}
	if c := f.Census; c != nil {
		gauge("users", "Users who should have access.", float64(c.Users))
		gauge("earliest_expiry_timestamp_seconds", "Earliest expiry of all users' current certificates; 0 if there is none.", seconds(c.EarliestExpiry))
		gauge("leavers_live_certificates", "Certificates of former users that the API server still accepts.", float64(c.LeaversCertificates))
	}
	if f.Outstanding != nil {
		gauge("removals_outstanding", "Users who should have no access, and whose removal is not done.", float64(*f.Outstanding))
	}
	return all
}

// seconds is a time in Unix seconds, or 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// maxAnswer is how many bytes of a gateway's answer to a refused push are read.
const maxAnswer = 1 << 10

// shortAnswers limits the size of answers. The client puts a whole answer into the text of its error, and drops errors while
// reading it. So a cut text itself says that it was cut.
type shortAnswers struct{ http.RoundTripper }

func (s shortAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := httplimit.Transport{Next: s.RoundTripper, Limit: maxAnswer}.RoundTrip(r)
	if err != nil || answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusAccepted {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		text = fmt.Appendf(text, "… (%v)", err)
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(text), answer.Body}
	return answer, nil
}

// Push adds the metrics of a run to those of the owner's earlier runs. It pushes nothing without an owner, because the
// inventory could not be read.
func (g URL) Push(ctx context.Context, l Login, a report.Account) error {
	if g == "" || a.Owner == "" {
		return nil
	}
	pusher := push.New(string(g), "certsync").Grouping("owner", a.Owner).Gatherer(metrics(a)).Client(&http.Client{
		Transport: shortAnswers{http.DefaultTransport},
		// A redirected POST becomes a GET, which would look like a success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	if password := string(l.Password.Reveal()); l.Username+password != "" {
		pusher.BasicAuth(l.Username, password)
	}
	err := pusher.AddContext(ctx)
	if err == nil {
		return nil
	}
	var transport *url.Error
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer from %s: %w", g, context.Cause(ctx))
	case errors.As(err, &transport):
		err = fmt.Errorf("reaching %s: %w", g, transport.Err)
	default:
		err = errors.New(strings.TrimSuffix(err.Error(), ": ")) // the gateway's answer follows, and may be empty
	}
	return reconcile.WithHint(fmt.Errorf("pushing metrics: %w", err),
		"the run itself is over, and its exit code is unchanged; check that --pushgateway names a Pushgateway that is running")
}
