package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
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
	gatewayUsername = "CERTSYNC_PUSHGATEWAY_USERNAME"
	gatewayPassword = "CERTSYNC_PUSHGATEWAY_PASSWORD"
)

// gatewayURL is the value of --pushgateway; "" for none.
type gatewayURL string

// UnmarshalText refuses text that is no address of a Pushgateway. It repeats nothing, since a URL may hold a password.
func (g *gatewayURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("an http or https URL is wanted, such as http://pushgateway.monitoring:9091")
	case u.User != nil:
		return fmt.Errorf("credentials are not wanted in the URL, where others see them: set %s and %s", gatewayUsername, gatewayPassword)
	}
	*g = gatewayURL(text)
	return nil
}

// metrics returns the gauges of a run. A gauge that is left out keeps the value of an earlier run. After a failure that is
// the last success. It is the census if the cluster and Vault could not be read.
func metrics(a report.Account) *prometheus.Registry {
	all := prometheus.NewRegistry()
	gauge := func(name, help string, value float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "certsync", Name: name, Help: help})
		g.Set(value)
		all.MustRegister(g)
	}
	f := a.Metrics()
	gauge("exit_code", "How the last run ended: 0 done, 1 failed or in part, 3 refused.", float64(a.ExitCode))
	gauge("last_run_timestamp_seconds", "When the last run ended.", seconds(a.EndedAt))
	gauge("duration_seconds", "How long the last run took.", a.EndedAt.Sub(a.StartedAt).Seconds())
	gauge("failures", "Steps of the last run that failed, and one more if it failed as a whole.", float64(f.Failures))
	gauge("refusals", "Why the last run was refused: the number of reasons.", float64(f.Refusals))
	gauge("held", "Steps that the last run held back, until somebody has looked.", float64(f.Held))
	changes := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "certsync", Name: "changes", Help: "Steps that the last run has done, by action.",
	}, []string{"action"})
	for action, n := range f.Changes {
		changes.WithLabelValues(string(action)).Set(float64(n))
	}
	all.MustRegister(changes)
	if a.ExitCode == exitOK && !a.Outcome.Plan.RemovalsOnly { // an alert on Vault being down stays
		gauge("last_success_timestamp_seconds", "When a run last ended with all done.", seconds(a.EndedAt))
	}
	if c := f.Census; c != nil {
		gauge("users", "Users who should have access.", float64(c.Users))
		gauge("earliest_expiry_timestamp_seconds", "When the first of users' current certificates expires; 0 if there is none.", seconds(c.EarliestExpiry))
		gauge("leavers_live_certificates", "Certificates that the API server accepts, of people who should have no access any more.", float64(c.LeaversCertificates))
	}
	return all
}

// seconds is a time in Unix seconds; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// maxAnswer is how many bytes are read of a gateway's answer to a push that it refuses.
const maxAnswer = 1 << 10

// shortAnswers limits the size of answers. The client reads all of an answer, makes it the text of an error, and drops the
// error of reading. So a cut text says itself that it was cut.
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

// push adds the metrics of a run to those of the owner's earlier runs. It pushes nothing if there is no owner, since the
// inventory could not be read, or if another run holds the lock. That run pushes its own.
func (g gatewayURL) push(ctx context.Context, a report.Account) error {
	if g == "" || a.Owner == "" || a.ExitCode == exitLocked {
		return nil
	}
	pusher := push.New(string(g), "certsync").Grouping("owner", a.Owner).Gatherer(metrics(a)).Client(&http.Client{
		Transport: shortAnswers{http.DefaultTransport},
		// A redirected POST becomes a GET, which would look like a success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	if user, password := os.Getenv(gatewayUsername), os.Getenv(gatewayPassword); user+password != "" {
		pusher.BasicAuth(user, password)
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
		"the run is over all the same, with the exit code that it has; is that a Pushgateway, and up (--pushgateway)?")
}
