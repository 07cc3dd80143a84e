// Package rules checks the alerts in examples with Prometheus' own parser and engine. It is a module of its own, so that
// those who import certsync need not download Prometheus.
package rules
