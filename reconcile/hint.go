package reconcile

import "errors"

// hinted is an error with advice for the person who reads it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// WithHint attaches what to do next to err. The hint is shown on a line of its own and is no part of the message.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

// ForeignHint is the hint about something in Vault that certsync did not write.
const ForeignHint = "tell your certsync administrator: certsync did not write this, and the next apply reports it"

// Hint returns the outermost hint in err's tree, or "".
func Hint(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
