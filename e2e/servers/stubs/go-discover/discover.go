// Package discover stands in for one that finds other members of a Vault cluster through the API of 14 clouds: the tests' Vault is
// a single one.
package discover

import (
	"errors"
	"log"
)

var errStub = errors.New("the tests' Vault does not look for others")

// Provider finds addresses.
type Provider interface {
	Addrs(args map[string]string, l *log.Logger) ([]string, error)
	Help() string
}

// Providers has none.
var Providers = map[string]Provider{}

// Config is what Parse would return.
type Config map[string]string

// String returns nothing.
func (Config) String() string { return "" }

// Parse returns an error.
func Parse(string) (Config, error) { return nil, errStub }

// Discover finds nothing.
type Discover struct{}

// Option changes nothing.
type Option func()

// New returns a Discover.
func New(...Option) (*Discover, error) { return &Discover{}, nil }

// WithProviders returns an Option.
func WithProviders(map[string]Provider) Option { return func() {} }

// Addrs returns an error.
func (d *Discover) Addrs(string, *log.Logger) ([]string, error) { return nil, errStub }
