package usage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"
)

// manyEvents are events of 200 users with a certificate each, as many by names that nobody asks about, and as many by
// service accounts.
func manyEvents(n int) (text []byte, users map[string][]string) {
	users = map[string][]string{}
	for i := range n {
		m := made{user: fmt.Sprintf("user-%03d@example.com", i%200), at: time.Duration(i) * time.Millisecond, code: 200, decision: "allow", source: fmt.Sprintf("192.168.%d.10", i%200)}
		m.cert = m.user
		binding := fmt.Sprintf("certsync:prod-eu:group:developers-%d:edit/payments", i%7)
		m.reason = fmt.Sprintf(`RBAC: allowed by RoleBinding %q of ClusterRole "edit" to User %q`, binding, m.user)
		switch i % 3 {
		case 0:
			users[m.user] = []string{certOf(m.user)}
		case 1:
			m.user = "other-" + m.user
		case 2:
			m.user, m.cert = "system:serviceaccount:payments:deployer", ""
		}
		text = append(text, m.line()...)
	}
	return text, users
}

// BenchmarkRead compares Read, in events a second, with what it would be to look for the ends of lines only, and to decode
// the lines with encoding/json.
func BenchmarkRead(b *testing.B) {
	const n = 60_000
	text, users := manyEvents(n)
	b.Logf("events of %d bytes", len(text)/n)
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(text); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	measure := func(name string, read func() int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got := read(); got != n {
					b.Fatalf("%d events", got)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(0, "ns/op")
		})
	}
	of := func(log []byte) func() int {
		return func() int {
			l, err := Read(b.Context(), users, source("log", log))
			if err != nil {
				b.Fatal(err)
			}
			return l.Events
		}
	}
	measure("plain", of(text))
	measure("gzip", of(compressed.Bytes()))
	scan := func(each func(line []byte)) func() int {
		return func() (lines int) {
			scanner := bufio.NewScanner(bytes.NewReader(text))
			for scanner.Scan() {
				each(scanner.Bytes())
				lines++
			}
			return lines
		}
	}
	measure("yardstick=lines", scan(func([]byte) {}))
	measure("yardstick=encoding-json", scan(func(line []byte) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			b.Fatal(err)
		}
	}))
}

func source(name string, text []byte) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}
