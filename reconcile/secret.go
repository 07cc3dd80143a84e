package reconcile

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds key material. It prints as "[redacted]" under every verb and encoder, so that a key cannot reach a log,
// an error or a plan by being part of something that is printed. Reveal is the one way to its bytes.
//
// The bytes stand behind a closure: fmt calls no method of a value in an unexported field, and under a verb that does
// not fit it follows even pointers there.
type Secret struct{ reveal func() []byte }

// NewSecret takes over b; the caller must not change it afterwards.
func NewSecret(b []byte) Secret { return Secret{func() []byte { return b }} }

// Reveal returns the secret itself, nil for the zero Secret. Every call is a place where a key leaves certsync's hands.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Format implements fmt.Formatter, which comes before every other way that fmt knows.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText implements encoding.TextMarshaler for JSON, XML and YAML encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements encoding.BinaryMarshaler for gob.
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
